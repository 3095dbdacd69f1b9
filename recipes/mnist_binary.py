"""Handwritten digits told apart by one formula per class (paper, Table 1, lines 22 and 23).

``python -m recipes.mnist_binary --classes 0 7`` reads the pixels; ``--features resnet50`` reads a
backbone's features of them. Three classes make it the paper's trinary task. The paper's formulas
were found by evolution (``--mode evolution``), in its own way by ``configs/mnist_evolution.yaml``.
"""

from __future__ import annotations

from collections.abc import Sequence

from occamhead.commands.image_flags import add_image_flags
from occamhead.commands.task import Paper, Task
from recipes.shared.flags import recipe_parser

PAPER = {
    (0, 7): Paper(0.929, 0.928, "Table 1 line 22, by evolution; baseline HeuristicLab"),
    (0, 1, 2): Paper(0.596, 0.812, "Table 1 line 23, by evolution; baseline HeuristicLab"),
}


def main(argv: Sequence[str] | None = None) -> dict[str, object]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("mnist_binary", __doc__)
    add_image_flags(parser)
    parser.add_argument("--classes", nargs="+", type=int, default=[0, 7], metavar="DIGIT")
    parser.add_argument(
        "--features", default="pixels", help="pixels (the default), or the name of a backbone"
    )
    # A pixel tells less than a backbone's feature, so a class needs more of them.
    parser.set_defaults(terms=32, usual_features=64)
    args = parser.parse_args(argv)
    if args.features == "pixels":
        for flag in ("backbone", "weights", "picture-size"):
            if getattr(args, flag.replace("-", "_")) is not None:
                parser.error(f"--{flag} needs --features {args.backbone or 'BACKBONE'}")
        if args.mode == "finetune":
            parser.error("--mode finetune needs --features BACKBONE: pixels have nothing to tune")
    elif args.features.endswith(".npz"):
        parser.error(
            "--features names what reads the digits, pixels or a backbone; a file of features is"
            " read by occamhead photos, recipes.imagenet_binary and recipes.nec"
        )
    else:
        args.backbone = args.features
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    from occamhead.commands.run import run
    from occamhead.vision import mnist_splits

    splits, source = mnist_splits(args.classes, args.data, seed=args.seed)
    paper = None if args.data else PAPER.get(tuple(args.classes))
    return run(Task("mnist_binary", splits, source, paper, args.features == "pixels"), args)


if __name__ == "__main__":
    main()
