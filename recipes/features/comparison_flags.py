"""The flags of `recipes.compare_heads`, and which of them go together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from occamhead.commands.flags import add_backbone, positive, positive_seconds
from recipes.shared.flags import recipe_parser

# Those of `recipes.features.comparison`; the others cannot count the features of each class.
PER_CLASS = ("occamhead", "dense", "l1", "elastic_net")
METHODS = (
    "occamhead",
    "occamhead_backprop",
    "occamhead_evolution",
    "occamhead_both",
    "dense",
    "l1",
    "elastic_net",
    "tree",
    "ebm",
    "kan",
    "gplearn",
)


def parsed(description: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; those that do not go together end the program with a message."""
    parser = recipe_parser("compare_heads", description, seeds=range(5))
    _add_flags(parser)
    args = parser.parse_args(argv)
    args.pixels |= args.data == "digits"
    if args.pixels and (args.backbone or args.weights or args.picture_size):
        parser.error("pixels take no --backbone, no --weights and no --picture-size")
    if args.data == "digits" and args.classes:
        parser.error("--data digits takes all ten, and no --classes")
    args.stored = bool(args.data) and args.data.endswith(".npz")
    if args.stored and (
        args.pixels or args.backbone or args.weights or args.picture_size or args.classes
    ):
        parser.error(
            "features that are there already take no --pixels, --backbone, --weights,"
            " --picture-size or --classes"
        )
    args.methods = args.methods or list(PER_CLASS if args.per_class else METHODS)
    if args.per_class and (others := [name for name in args.methods if name not in PER_CLASS]):
        parser.error(f"--per-class goes with {', '.join(PER_CLASS)}, not {', '.join(others)}")
    return args


def _count(text: str) -> int:
    """A number of features, which elsewhere is the name of a file."""
    if text.endswith(".npz"):
        raise argparse.ArgumentTypeError(f"counts features; name the file by --data {text}")
    return positive(text)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--data",
        help="folder of photographs, also looked for below $OCCAMHEAD_DATA; mnist; digits; or, with"
        " --pixels, the folder of MNIST; or features that are computed already, NAME_train.npz",
    )
    add_backbone(parser)
    add("--pixels", action="store_true", help="take the pixels of MNIST as features")
    add("--classes", nargs="+", metavar="CLASS", help="class folders, or digits; default all")
    add = parser.add_mutually_exclusive_group().add_argument
    add(
        "--features",
        nargs="+",
        type=_count,
        default=[1, 2, 4, 8, 16, 32],
        metavar="COUNT",
        help="most features in all",
    )
    add(
        "--per-class", nargs="+", type=positive, metavar="COUNT", help="most features of each class"
    )
    add = parser.add_argument
    add("--methods", nargs="+", choices=METHODS, metavar="METHOD", help=", ".join(METHODS))
    add(
        "--seconds",
        type=positive_seconds,
        default=30.0,
        help="CPU seconds of each method, for all counts",
    )
