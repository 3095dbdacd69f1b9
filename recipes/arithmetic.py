"""Arithmetic learned from short lists, as one program for lists of any length.

``python -m recipes.arithmetic`` learns parity, the residue by 3, majority, a comparison of two
numbers, an adder's step, argmax and addition at three small sizes, lifts the networks to one
program for every size, and runs it on lists of a thousand entries. "Exact" means right on the
held-out size and on every long list. Long lists are drawn to be hard: sums next to half the length,
numbers that differ in one bit, carries through all bits, largest entries that are there twice.

Beside it stand a decision tree, an MLP and a logistic regression, learned from the same rows of the
largest of those sizes. Their accuracy and that of the network are taken there: of argmax on 5,000
fresh lists, of all others on the table itself, which all methods have seen in full. They have no
answer at any other size, but for the adder's step, which each of them takes in the same loop.

Beside that, an OccamNet learns to sort three numbers (`recipes.lists.sorting`): its formulas print
as a program too.

A seed draws the long lists and, for argmax, the lists that are learned from; whole tables are the
same with every seed.

Source: Blazek et al. 2024 (Nat Comput Sci 4, 110-118), whose figure 3 has code that generalises.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.flags import positive
from occamhead.commands.results import Run
from recipes.shared.flags import recipe_parser
from recipes.shared.threads import on_one_thread

# Those of `recipes.lists.tasks`, and one more.
TASKS = ("parity", "sum % 3", "majority", "a > b", "adder step", "argmax", "a + b")
SORTING = "sort 3"


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("arithmetic", __doc__, seeds=range(5))
    add = parser.add_argument
    add("--tasks", nargs="+", choices=[*TASKS, SORTING], default=[*TASKS, SORTING],
        metavar="TASK", help=f"of {', '.join([*TASKS, SORTING])}".replace("%", "%%"))  # fmt: skip
    add("--lists", type=positive, default=200, help="long lists on which a program is tested")
    return parser


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    return on_one_thread(work, arguments().parse_args(argv), "arithmetic")


def work(args: argparse.Namespace, run: Run) -> dict[str, Any]:
    """What the flags ask for."""
    from recipes.lists import methods, sorting
    from recipes.lists.tables import say_program, say_task

    rows: list[dict[str, Any]] = []
    for task in args.tasks:
        own = []
        for seed in args.seeds:
            if task == SORTING:
                make = partial(sorting.rows_of, task, seed)
            else:
                make = partial(methods.rows_of, task, seed, args.lists)
            own += run.once(f"{task} {seed}", make)
        say_task(own)
        rows += own
    for task in args.tasks:
        say_program(task, rows)
    return run.finish({"task": "arithmetic", "rows": rows, "lists": args.lists})


if __name__ == "__main__":
    main()
