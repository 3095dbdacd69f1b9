"""MAX-SAT: a rule for greedy assignment, learned on formulas of six variables.

``python -m recipes.maxsat`` solves random formulas of six variables by brute force, learns from
them which value a variable should get, distils the network into a program, and lets the program
assign the variables of far larger formulas, one after the other, beside known rules. What it sees
of a variable is three numbers: of the clauses that are not satisfied yet and have one, two or
three literals left, those in which the variable stands plain minus those in which it stands
negated. So the formulas to learn from have clauses of one to three literals, as an assignment meets
them on its way; those to test on have clauses of three. "Exact" means right on every pattern
that was learned from; accuracy is the share of the variables of new small formulas that get the
better value, ties left out.

Source: Blazek et al. 2024 (Nat Comput Sci 4, 110-118) have the task; inputs and data are ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from occamhead.distill import FeatureSpec, distill, source
from occamhead.essence import fit_circuit
from occamhead.essence.patterns import pool
from occamhead.expression import Expression
from occamhead.expression.formats.program_tokens import body_tokens
from occamhead.training.fit import one_thread
from recipes.greedy_assignment import (
    Choice,
    Floats,
    Ints,
    Rule,
    assign,
    by_expectation,
    by_rule,
    random_formulas,
    randomised,
    two_pass_probability,
    weighing,
)
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.output import say
from recipes.shared.results import prepare, write_results

LENGTHS = 3  # literals of the longest clause
NAMES = ("unit", "binary", "ternary")  # clauses of one, two and three literals: plain - negated
SMALL = 6  # variables of the formulas to learn from
FEWEST, MOST = 6, 24  # clauses of these: one to four a variable
COUNT = 10_000  # no difference that the program is proven for is larger
# About half of what finer weights gain over 4 : 2 : 1 is that they seldom tie; hence the second.
KNOWN_RULES = {"johnson": (4, 2, 1), "johnson_unit": (401, 200, 100), "majority": (1, 1, 1)}
# Formulas, variables of each, clauses a variable; by method the shares satisfied, and seconds.
Size: TypeAlias = tuple[int, int, float]
Outcome: TypeAlias = dict[str, tuple[Floats, float]]
METHODS = {
    "essence": "the learned rule",
    "johnson": "weights 4 : 2 : 1 (Johnson 1974), ties false",
    "johnson_unit": "weights 4 : 2 : 1, ties broken by unit clauses",
    "majority": "weights 1 : 1 : 1",
    "two_pass": "3/4-approximation, reads the formulas twice (Poloczek et al. 2017)",
    "randomised": "3/4-approximation, randomised (van Zuylen 2011)",
}


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("maxsat", __doc__)
    add = parser.add_argument
    add("--samples", type=positive, default=3000, help="small formulas to learn from")
    add("--support", type=positive, default=20, help="examples that a pattern needs")
    add("--purity", type=float, default=0.6, help="share of them that must agree")
    add("--formulas", type=positive, default=600, help="formulas to test on, per density and seed")
    add("--variables", type=positive, default=100, help="variables of these")
    add(
        "--densities",
        nargs="+",
        type=float,
        default=[4.3, 8.0],
        metavar="CLAUSES",
        help="clauses a variable",
    )
    add(
        "--large",
        type=positive,
        default=10_000,
        metavar="VARIABLES",
        help="variables of one more formula, at the first density and seed",
    )
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    return parser


@one_thread()
def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = arguments()
    args = parser.parse_args(argv)
    if (fewest := min(args.variables, args.large)) < LENGTHS:
        parser.error(f"a clause takes {LENGTHS} variables, got formulas of {fewest}")
    if min(args.densities) * fewest < 1:
        parser.error(f"formulas of {fewest} variables have no clause at {min(args.densities)} each")
    out = prepare(args.out, "maxsat", args.overwrite)
    rows: list[dict[str, Any]] = []
    outcomes: dict[Size, list[Outcome]] = {}
    for seed in args.seeds:
        found, program = learn(args.samples, args.support, args.purity, seed)
        rows += found
        say(f"seed {seed}: {found[0]['program'].splitlines()[-1].strip()}")
        sizes = [(args.formulas, args.variables, density) for density in args.densities]
        if seed == args.seeds[0]:
            sizes.append((1, args.large, args.densities[0]))
        for size in dict.fromkeys(sizes):
            outcomes.setdefault(size, []).append(compare(program, *size, seed))
    tests = [test for size in outcomes for test in pooled(size, outcomes[size])]
    say_rules(rows)
    say_tests(tests)
    return write_results(
        out,
        {
            "task": "maxsat",
            "rows": rows,
            "tests": tests,
        },
    )


def learn(
    samples: int, support: int, purity: float, seed: int
) -> tuple[list[dict[str, Any]], Expression]:
    """The learned rule beside those that are known, and its program."""
    generator = np.random.default_rng(seed)
    started = time.perf_counter()
    x, y = examples(*small_formulas(generator, samples))
    circuit = fit_circuit(x, y, classes=2, min_support=support, min_purity=purity)
    spec = FeatureSpec.integers(-COUNT, COUNT, NAMES)
    program, certificate = distill(circuit, spec)
    seconds = time.perf_counter() - started
    text = source(program, spec, certificate)
    ours = {
        "certificate": str(certificate),
        "lossless": certificate.lossless,
        "program": text,
        "tokens": body_tokens(text),
        "seconds": seconds,
        "weights": circuit.weights.tolist(),
        "bias": circuit.bias.tolist(),
    }
    nothing = dict.fromkeys(ours) | {"lossless": False}
    patterns = pool(x, y, classes=2, min_support=support, min_purity=purity)
    new_x, new_y = examples(*small_formulas(generator, samples))
    rules = {"essence": as_rule(program)}
    rules |= {name: weighing(weights) for name, weights in KNOWN_RULES.items()}
    rows = [
        {
            "task": "maxsat",
            "method": name,
            "seed": seed,
            "samples": samples,
            "patterns": len(patterns.points),
            "exact": bool((rule(patterns.points) == patterns.labels).all()),
            "accuracy": float(np.mean(rule(new_x) == new_y)),
            **(ours if name == "essence" else nothing),
        }
        for name, rule in rules.items()
    ]
    return rows, program


def compare(program: Expression, count: int, variables: int, density: float, seed: int) -> Outcome:
    """All methods on the same random formulas."""
    generator = np.random.default_rng([seed, variables, round(1000 * density)])
    formulas = random_formulas(generator, count, variables, round(density * variables))
    makers: dict[str, Callable[[], Choice]] = {
        "essence": lambda: by_rule(formulas, as_rule(program)),
        "two_pass": lambda: by_expectation(formulas, two_pass_probability(formulas)),
        "randomised": lambda: randomised(formulas, generator),
    }
    for name, weights in KNOWN_RULES.items():
        makers[name] = partial(by_rule, formulas, weighing(weights))
    outcome = {}
    for name in METHODS:
        started = time.perf_counter()
        shares = assign(formulas, makers[name]())
        outcome[name] = shares, time.perf_counter() - started
    return outcome


def pooled(size: Size, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Per method the formulas of all seeds, and how far the learned rule is ahead of it.

    ``ahead`` is its paired difference to the method in percentage points, ``standard_error`` that
    of its mean, None for one formula; ``by_seed`` has the two for each seed.
    """
    _, variables, density = size
    tests = []
    for name in METHODS:
        gaps = [100 * (outcome["essence"][0] - outcome[name][0]) for outcome in outcomes]
        shares = np.concatenate([outcome[name][0] for outcome in outcomes])
        ahead, error = mean_and_error(np.concatenate(gaps))
        tests.append(
            {
                "method": name,
                "variables": variables,
                "density": density,
                "formulas": len(shares),
                "satisfied": float(shares.mean()),
                "ahead": ahead,
                "standard_error": error,
                "by_seed": [mean_and_error(gap) for gap in gaps],
                "seconds": sum(outcome[name][1] for outcome in outcomes),
            }
        )
    return tests


def mean_and_error(values: Floats) -> tuple[float, float | None]:
    """Mean and its standard error, which one value has not."""
    error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
    return float(values.mean()), error


def as_rule(program: Expression) -> Rule:
    """A program of one output as a rule."""
    return lambda x: np.asarray(program(x)[:, 0]).astype(np.int64)


# --- formulas to learn from -----------------------------------------------------------------------


def small_formulas(generator: np.random.Generator, formulas: int) -> tuple[Ints, Ints]:
    """Random formulas of six variables, with clauses of one to three literals, evenly.

    Returns:
        The plain and the negated variables of each clause as bit masks, [formulas, clauses] each;
        formulas of fewer clauses than the longest are filled up with clauses without a literal.
    """
    shape = formulas, MOST
    order = generator.random((*shape, SMALL)).argsort(axis=-1)
    length = generator.integers(1, LENGTHS + 1, shape)
    there = np.arange(MOST) < generator.integers(FEWEST, MOST + 1, (formulas, 1))
    chosen = (order < length[..., None]) & there[..., None]
    plain = generator.random(chosen.shape) < 0.5
    bits = 1 << np.arange(SMALL)
    return (chosen & plain) @ bits, (chosen & ~plain) @ bits


def most_satisfied(plain: Ints, negated: Ints) -> Ints:
    """Most clauses that can be satisfied once a variable has a value, [formulas, variables, 2]."""
    assignments = np.arange(1 << SMALL)
    satisfied = np.stack(
        [(((plain & a) | (negated & ~a)) != 0).sum(axis=1) for a in assignments], axis=1
    )
    value = assignments[:, None] >> np.arange(SMALL) & 1
    return np.stack(
        [
            np.stack([satisfied[:, value[:, v] == k].max(axis=1) for k in (0, 1)], axis=1)
            for v in range(SMALL)
        ],
        axis=1,
    )


def examples(plain: Ints, negated: Ints) -> tuple[Ints, Ints]:
    """What the rule sees of each variable, [rows, 3], and which value is the better, [rows].

    Variables whose two values are equally good are left out. Negating a variable everywhere turns
    the differences and the better value around, so every example is taken both ways.
    """
    is_plain, is_negated = (mask[..., None] >> np.arange(SMALL) & 1 for mask in (plain, negated))
    length = (is_plain + is_negated).sum(axis=-1, keepdims=True)
    difference = is_plain - is_negated
    x = np.stack([(difference * (length == k + 1)).sum(axis=1) for k in range(LENGTHS)], axis=-1)
    best = most_satisfied(plain, negated)
    decided = best[..., 0] != best[..., 1]
    x, y = x[decided], (best[..., 1] > best[..., 0])[decided].astype(np.int64)
    return np.concatenate([x, -x]), np.concatenate([y, 1 - y])


# --- the tables -----------------------------------------------------------------------------------


def say_rules(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of the rules on small formulas, and the program of the first seed."""
    say(f"\n{rows[0]['program']}")
    say(f"{'rule on small formulas':<24}{'exact':>7}{'lossless':>10}{'accuracy':>10}{'tokens':>8}")
    for name in ("essence", *KNOWN_RULES):
        own = [row for row in rows if row["method"] == name]
        exact, proven = (sum(row[key] for row in own) for key in ("exact", "lossless"))
        is_ours = name == "essence"
        tokens = f"{np.mean([row['tokens'] for row in own]):.1f}" if is_ours else "-"
        say(
            f"{name:<24}{f'{exact}/{len(own)}':>7}{f'{proven}/{len(own)}' if is_ours else '-':>10}"
            f"{np.mean([row['accuracy'] for row in own]):>10.4f}{tokens:>8}"
        )


def say_tests(tests: Sequence[Mapping[str, Any]]) -> None:
    """The table of the assignments, one block per size."""
    for test in tests:
        if test["method"] == "essence":
            many = test["formulas"] > 1
            what = f"{test['formulas']} formulas" if many else "one formula"
            say(
                f"\n{what} of {test['variables']} variables, {test['density']:g} clauses of three"
                " literals a variable"
            )
            say("clauses satisfied (how far the learned rule is ahead, in percentage points)")
        gap = f" ({test['ahead']:+.3f}"
        gap += f" +- {test['standard_error']:.3f})" if test["standard_error"] is not None else ")"
        name, satisfied = test["method"], 100 * test["satisfied"]
        gap = "" if name == "essence" else gap
        say(f"{name:<14}{satisfied:>8.3f} %{gap:<20}  {METHODS[name]}")


if __name__ == "__main__":
    main()
