"""The rule that is learned, and the methods that stand beside it, as rows of results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from occamhead.distill import FeatureSpec, distill, source
from occamhead.essence import fit_circuit
from occamhead.essence.patterns import pool
from occamhead.expression import Expression
from occamhead.expression.formats.program_tokens import body_tokens
from recipes.satisfiability.assignment import (
    Choice,
    Floats,
    Rule,
    assign,
    by_expectation,
    by_rule,
    random_formulas,
    randomised,
    two_pass_probability,
    weighing,
)
from recipes.satisfiability.small_formulas import examples, small_formulas

NAMES = ("unit", "binary", "ternary")  # clauses of one, two and three literals: plain - negated
COUNT = 10_000  # no difference that the program is proven for is larger
# About half of what finer weights gain over 4 : 2 : 1 is that they seldom tie; hence the second.
KNOWN_RULES = {"johnson": (4, 2, 1), "johnson_unit": (401, 200, 100), "majority": (1, 1, 1)}
METHODS = {
    "essence": "the learned rule",
    "johnson": "weights 4 : 2 : 1 (Johnson 1974), ties false",
    "johnson_unit": "weights 4 : 2 : 1, ties broken by unit clauses",
    "majority": "weights 1 : 1 : 1",
    "two_pass": "3/4-approximation, reads the formulas twice (Poloczek et al. 2017)",
    "randomised": "3/4-approximation, randomised (van Zuylen 2011)",
}
# Formulas, variables of each, clauses a variable; by method the shares satisfied, and seconds.
Size: TypeAlias = tuple[int, int, float]
Outcome: TypeAlias = dict[str, tuple[Floats, float]]


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
