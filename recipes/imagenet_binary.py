"""Two classes of photographs, told apart by one formula per class (paper, Table 1, lines 25, 26).

``python -m recipes.imagenet_binary --data DIR --weights FILE`` trains a symbolic head on the
features of a pretrained ResNet-50 and writes the formula, which is the classifier, with its test
accuracy beside a dense head's. Without flags it runs on what pip installed.
"""

from __future__ import annotations

from collections.abc import Sequence

from occamhead.commands.image_flags import add_image_flags
from occamhead.commands.task import Paper, Task
from recipes.shared.flags import recipe_parser

PAPER = {
    "evolution": Paper(
        0.707, 0.780, "Table 1 line 24, minivan or porcupine; baseline HeuristicLab"
    ),
    "backprop": Paper(0.981, 0.977, "Table 1 line 25, minivan or porcupine, soft network"),
    "finetune": Paper(0.973, 0.954, "Table 1 line 26, minivan or porcupine, soft network"),
}


def main(argv: Sequence[str] | None = None) -> dict[str, object]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("imagenet_binary", __doc__)
    add_image_flags(parser)
    parser.add_argument(
        "--classes", nargs=2, metavar="CLASS", help="two class folders; by default the only two"
    )
    parser.add_argument(
        "--features",
        metavar="FILE",
        help="features that were made before, NAME_train.npz, of two classes or more; --data, a"
        " folder or a .tar, has the photographs for --report",
    )
    args = parser.parse_args(argv)
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    from occamhead.commands.run import run
    from occamhead.commands.stored import stored_task
    from occamhead.vision import photograph_splits
    from occamhead.vision.sources import MINIVAN_AND_PORCUPINE
    from occamhead.vision.synsets import class_words

    if args.features:
        return run(stored_task(args, "imagenet_binary", args.data), args)
    splits, source = photograph_splits(args.data, args.classes, seed=args.seed)
    own = args.data is None and {*splits.test.classes} == {*class_words(MINIVAN_AND_PORCUPINE)}
    paper = PAPER.get(args.mode) if own else None
    return run(Task("imagenet_binary", splits, source, paper), args)


if __name__ == "__main__":
    main()
