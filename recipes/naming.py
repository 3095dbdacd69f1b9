"""Do photographs that excite a feature show the classes for which the old classifier read it?

``python -m recipes.naming --data DIR`` fits rules to pairs of classes of DIR, a folder of train/
and val/ whose class folders bear WordNet's numbers, such as Tiny ImageNet's. Of each feature in use
it looks at the nine photographs in val/ that excite it most: do they show one of the three classes
that the feature is named after, or a sibling of it in WordNet's tree? Three classes at random stand
beside. The old classifier names 1000 classes, of which DIR may show few, so that names among those
that it shows are judged as well, and all features beside those in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from occamhead.commands.flags import add_backbone, positive
from occamhead.commands.output import quieten
from occamhead.commands.results import prepare, write_results
from recipes.shared.flags import recipe_parser

# Where Debian's package wordnet-base puts it.
USUAL = Path("/usr/share/wordnet/data.noun")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("naming", __doc__)
    add_backbone(parser, picture_size=128)
    add = parser.add_argument
    add("--data", required=True, help="folder with train/ and val/ of WordNet's class folders")
    add("--pairs", type=positive, default=10, help="pairs of classes to fit rules to; default 10")
    add("--also", nargs="*", default=[], metavar="DIR", help="folders of two classes to fit to")
    add("--wordnet", type=Path, default=USUAL, metavar="FILE",
        help=f"WordNet 3.0's data.noun, for siblings; default {USUAL}")  # fmt: skip
    add("--seed", type=int, default=0, help="of the pairs, and of what is drawn at random")
    args = parser.parse_args(argv)
    quieten()
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    import numpy as np
    from timm.data import ImageNetInfo

    from occamhead.commands.backbone import backbone_of
    from occamhead.vision import cached_features, find, load_backbone, photograph_splits
    from occamhead.vision.pictures import read_folder
    from recipes.features.naming import in_use, judged, most_exciting, say_rows
    from recipes.features.wordnet import distances, read_parents

    out, folder = prepare(args.out, "naming", args.overwrite), find(args.data, "photographs")
    backbone, generator = backbone_of(args), np.random.default_rng(args.seed)
    old, nouns = backbone.classifier, ImageNetInfo().label_names()
    if old is None or len(old.categories) != len(nouns):
        raise ValueError(f"{backbone.name} had no classifier of ImageNet's classes; take resnet50")
    shown_nouns = sorted(place.name for place in (folder / "val").iterdir() if place.is_dir())
    drawn = [generator.choice(shown_nouns, 2, replace=False).tolist() for _ in range(args.pairs)]
    tasks = [(*photograph_splits(folder, pair, seed=args.seed), backbone) for pair in drawn]
    whole = load_backbone(backbone.name, args.weights) if args.also else backbone
    tasks += [(*photograph_splits(name, seed=args.seed), whole) for name in args.also]
    used = sorted({f for task in tasks for f in in_use(*task, args.cache)})
    pool = read_folder(folder / "val", shown_nouns)
    excited = most_exciting(cached_features(backbone, pool, args.cache), pool.labels)
    same = np.array([[noun == other for other in shown_nouns] for noun in nouns])
    counting = {"the class": same}
    if args.wordnet.is_file():
        counting["or a sibling"] = distances(read_parents(args.wordnet), nouns, shown_nouns) <= 2
    among = range(len(nouns)), np.flatnonzero(same.any(axis=1)).tolist()
    rows = [row for features in (used, range(backbone.num_features)) for row in
            judged(old.weight, excited, features, among, counting, generator)]  # fmt: skip
    say_rows(rows)
    return write_results(out, {
        "task": "naming", "data": str(args.data), "weights": backbone.weights, "rows": rows,
        "notice": backbone.notice, "seed": args.seed, "features_used": len(used),
        "pairs": [[*task[0].train.classes] for task in tasks], "n_test": len(pool),
    })  # fmt: skip


if __name__ == "__main__":
    main()
