"""The flags of `recipes.nec`, and which of them go together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from occamhead.commands.flags import add_backbone, positive, positive_seconds
from recipes.shared.flags import recipe_parser

# Those of `recipes.nec_tasks.methods`.
COMPARED = ("ours", "roots", "pruned", "glm_saga", "l1", "random", "dense")
CODES = ("ternary", "binary", "ternary-by-class", "binary-by-class")
POOLS = tuple(f"pool{size}-{weights}" for size in (50, 100) for weights in ("real", *CODES))
METHODS = (*COMPARED, *CODES, *POOLS)
# The side to which MNIST's digits are scaled for the backbone.
DIGITS_SIZE = 96


def parsed(description: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; those that do not go together end the program with a message."""
    parser = recipe_parser("nec", description, seeds=range(3))
    add = parser.add_argument
    add(
        "--data",
        help="tiny200, of which features are below $OCCAMHEAD_DATA; mnist; digits (scikit-learn's"
        " pixels); or a folder of photographs; default digits",
    )
    add("--features", metavar="FILE", help="features that are computed already: NAME_train.npz")
    add_backbone(parser)
    add("--pixels", action="store_true", help="take the pixels of MNIST as features")
    add("--classes", nargs="+", metavar="CLASS", help="class folders, or digits; default all")
    add(
        "--budgets",
        nargs="+",
        type=positive,
        default=[5, 10, 15, 20, 25, 30],
        metavar="NEC",
        help="features of a class in the mean; default 5 10 15 20 25 30",
    )
    add("--methods", nargs="+", choices=METHODS, default=list(COMPARED), metavar="METHOD",
        help=f"of {', '.join(METHODS)}; default {' '.join(COMPARED)}")  # fmt: skip
    add(
        "--seconds",
        type=positive_seconds,
        default=300.0,
        help="CPU seconds of each method, for all budgets; default 300",
    )
    args = parser.parse_args(argv)
    args.budgets = sorted(set(args.budgets))
    if args.features and args.data:
        parser.error("--features is the data: leave --data out")
    if (args.features or args.data in ("tiny200", "digits", None)) and (
        args.backbone or args.weights or args.picture_size or args.classes
    ):
        parser.error(
            "features that are there already take no --backbone, --weights, --picture-size or"
            " --classes; name photographs or mnist by --data"
        )
    if args.pixels and (args.data != "mnist" or args.backbone):
        parser.error("--pixels goes with --data mnist, without --backbone")
    if args.data == "mnist" and not args.picture_size:
        args.picture_size = None if args.pixels else DIGITS_SIZE
    return args
