"""The flags of `recipes.cellular_automata`, and which of them make sense together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from occamhead.commands.flags import positive
from recipes.shared.flags import recipe_parser

if TYPE_CHECKING:
    from recipes.automata.rules import LifeRule

# Those of `recipes.automata.tasks`.
TASKS = ("elementary", "life", "totalistic", "named", "noise", "any")


def parsed(description: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; those that make no sense end the program with a message."""
    parser = recipe_parser("cellular_automata", description, seeds=range(10))
    _add_flags(parser)
    args = parser.parse_args(argv)
    from recipes.automata.rules import LIFE, NAMES

    args.named_rules = args.named_rules or [rule for rule in NAMES if rule != LIFE]
    _check(parser, args)
    return args


def _add_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    counts: dict[str, Any] = {"nargs": "+", "type": positive, "metavar": "COUNT"}
    add("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    add("--rules", nargs="+", type=int, default=list(range(256)), metavar="RULE",
        help="elementary rules, in Wolfram's numbering")  # fmt: skip
    add("--samples", **counts, default=[512, 300, 100],
        help="windows of Life to learn from, without repetition; 512 are all")  # fmt: skip
    add("--random-rules", type=positive, default=100, help="how many, drawn with the first seed")
    add("--named-rules", nargs="+", type=_rule, metavar="RULE",
        help="rules in notation such as B36/S23; default: five that have a name")  # fmt: skip
    add("--named-samples", **counts, default=[250], help="windows of each named rule")
    add("--draws", **counts, default=[10_000, 3_000, 1_000],
        help="windows of Life with noisy labels")  # fmt: skip
    add("--any-samples", **counts, default=[2048, 512],
        help="pairs of a rule and a window, without repetition; 2048 are all")  # fmt: skip
    add("--noise", type=float, default=0.1, help="probability that a label is flipped")
    add("--board", type=positive, default=1024, help="side of the board on which Life runs")
    add("--steps", type=positive, default=100, help="steps for which it runs")
    add("--picture", action="store_true", help="draw a board that evolves under Life's program")


def _rule(notation: str) -> LifeRule:
    from recipes.automata.rules import LifeRule

    try:
        return LifeRule.parse(notation)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    from recipes.automata.rules import NUM_RULES, WINDOW
    from recipes.automata.samples import RULE_AND_CELLS

    if odd := [rule for rule in args.rules if not 0 <= rule < 256]:
        parser.error(f"elementary rules are 0 to 255, got {odd[0]}")
    for flag in ("samples", "named_samples"):
        if odd := [count for count in getattr(args, flag) if count > WINDOW.num_rows]:
            flag = flag.replace("_", "-")
            parser.error(f"there are {WINDOW.num_rows} windows, got --{flag} {odd[0]}")
    every = RULE_AND_CELLS.num_rows
    if odd := [count for count in args.any_samples if count > every]:
        parser.error(f"there are {every} pairs of a rule and a window, got --any-samples {odd[0]}")
    if args.random_rules > NUM_RULES:
        parser.error(f"there are {NUM_RULES} rules, got --random-rules {args.random_rules}")
    if not 0 < args.noise < 0.5:
        parser.error(f"--noise must lie between 0 and 0.5, both excluded, got {args.noise:g}")
    if args.picture and ("life" not in args.tasks or WINDOW.num_rows not in args.samples):
        parser.error(
            "--picture runs the program of Life that was learned from all windows: add life to"
            f" --tasks and {WINDOW.num_rows} to --samples"
        )
