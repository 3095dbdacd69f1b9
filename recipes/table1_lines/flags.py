"""The flags of `recipes.table1`, and which of them make sense together."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from occamhead.commands.flags import positive
from recipes.shared.flags import recipe_parser

if TYPE_CHECKING:
    from recipes.table1_lines.task import Task

ENGINES = ("occamhead", "literal", "no-learning")


def parsed(
    description: str | None, argv: Sequence[str] | None
) -> tuple[argparse.Namespace, list[Task]]:
    """The arguments and the tasks; arguments that make no sense end the program."""
    parser = recipe_parser("table1", description)
    add = parser.add_argument
    add("--tasks", type=lines, default=lines("1-21"), help="lines such as 1,3,5-8; default all")
    add("--seeds", type=positive, default=10, help="searches per line and engine")
    add("--engine", nargs="+", choices=ENGINES, default=list(ENGINES), help="default all three")
    add("--noise", type=spread, default=0.0, help="of the targets, in their standard deviations")
    add("--functions", type=positive, help="most functions per search; default: the line's limit")
    args = parser.parse_args(argv)
    from recipes.table1_lines.task import Task

    tasks = [Task.load(number) for number in args.tasks]
    if args.noise and (constant := [task.line for task in tasks if task.implicit]):
        parser.error(
            f"the targets of lines {constant} are constant, noise in units of their standard"
            " deviation is none; leave them out with --tasks 1-8,14-21"
        )
    return args, tasks


def lines(text: str) -> list[int]:
    """Line numbers such as ``1,3,5-8``, each once, in their order."""
    chosen: dict[int, None] = {}
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            chosen.update(dict.fromkeys(range(int(first), int(last or first) + 1)))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"must be lines such as 1,3,5-8, got {text!r}"
            ) from None
    if not chosen or not set(chosen) <= set(range(1, 22)):
        raise argparse.ArgumentTypeError(f"must be lines 1 to 21, got {text!r}")
    return list(chosen)


def spread(text: str) -> float:
    """A finite number from 0 up."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be finite and not negative, got {text}")
    return number
