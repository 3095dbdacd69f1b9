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
from collections.abc import Sequence
from typing import Any

from occamhead.commands.flags import positive
from occamhead.commands.output import say
from occamhead.commands.results import Run
from recipes.shared.flags import recipe_parser
from recipes.shared.threads import on_one_thread


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = recipe_parser("maxsat", __doc__, seeds=range(5))
    add = parser.add_argument
    add("--samples", type=positive, default=3000, help="small formulas to learn from")
    add("--support", type=positive, default=20, help="examples that a pattern needs")
    add("--purity", type=float, default=0.6, help="share of them that must agree")
    add("--formulas", type=positive, default=600, help="formulas to test on, per density and seed")
    add("--variables", type=positive, default=100, help="variables of these")
    add("--densities", nargs="+", type=float, default=[4.3, 8.0], metavar="CLAUSES",
        help="clauses a variable")  # fmt: skip
    add("--large", type=positive, default=10_000, metavar="VARIABLES",
        help="variables of one more formula, at the first density and seed")  # fmt: skip
    args = parser.parse_args(argv)
    from recipes.satisfiability.small_formulas import LENGTHS

    if (fewest := min(args.variables, args.large)) < LENGTHS:
        parser.error(f"a clause takes {LENGTHS} variables, got formulas of {fewest}")
    if min(args.densities) * fewest < 1:
        parser.error(f"formulas of {fewest} variables have no clause at {min(args.densities)} each")
    return args


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    return on_one_thread(work, parsed(argv), "maxsat")


def work(args: argparse.Namespace, run: Run) -> dict[str, Any]:
    """What the flags ask for."""
    from recipes.satisfiability.methods import Outcome, Size, compare, learn, pooled
    from recipes.satisfiability.tables import say_rules, say_tests

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
    return run.finish({"task": "maxsat", "rows": rows, "tests": tests})


if __name__ == "__main__":
    main()
