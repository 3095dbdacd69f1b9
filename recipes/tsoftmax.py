"""T-softmax before the last layer of a classifier of digits (paper, supplement K.B).

``python -m recipes.tsoftmax`` trains the last layer on a frozen backbone's features of all ten
digits, with and without temperature-controlled connectivity before it, as the paper does: rate
0.05, batches of 64, 10 epochs, T = 1. The paper trained the backbone as well, and reports the
maximum over epochs, on the test digits; that is shown, and beside it the last epoch, which nothing
chose. The layer at T = 1 is no formula: what its most probable edges spell is tested too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.flags import add_backbone, positive
from occamhead.commands.output import quieten, say
from occamhead.commands.results import results_run
from recipes.shared.flags import recipe_parser


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("tsoftmax", __doc__, seeds=range(5))
    add_backbone(parser, picture_size=96)
    add = parser.add_argument
    add("--data", help="folder of MNIST; also looked for below $OCCAMHEAD_DATA")
    add("--nodes", type=positive, help="P-nodes; default: as many as features")
    add("--epochs", type=positive, default=10)
    add("--rows", type=positive, help="train on so many digits only, for a quick look")
    args = parser.parse_args(argv)
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    import torch

    from occamhead.commands.backbone import backbone_of
    from occamhead.rows.arrays import as_rows
    from occamhead.vision import featurise, mnist_splits
    from recipes.features.last_layer import PAPER, run_one, say_summary, summary

    quieten()
    with results_run(args, "tsoftmax") as run:
        splits, source = mnist_splits(range(10), args.data)
        backbone = backbone_of(args)
        say(f"data: {source}\nfeatures: {backbone.name}, {backbone.weights}")
        arrays = featurise(splits, source, backbone, args.cache, sys.stderr.isatty())
        # Nothing is chosen here, so no rows need be held out.
        parts = [as_rows(arrays.train), as_rows(arrays.validation)]
        features, labels = (torch.cat(tensors)[: args.rows] for tensors in zip(*parts, strict=True))
        test = as_rows(arrays.test)
        about: dict[str, Any] = {"task": "tsoftmax", "data": source, "backbone": backbone.name}
        about |= {"weights": backbone.weights, "notice": backbone.notice}
        about |= {"picture_size": args.picture_size, "nodes": args.nodes or features.shape[1]}
        about |= {"n_train": len(features), "n_test": len(test[0])}
        rows, results = [], {}
        for seed in args.seeds:
            for variant in PAPER:
                make = partial(
                    run_one, variant, (features, labels), test, seed, args.epochs, args.nodes
                )
                row = run.once(f"{seed} {variant}", make)
                rows.append(row)
                say(f"seed {row['seed']} {variant:>9}: maximum {row['maximum']:.2%}, last"
                    f" {row['last']:.2%}, {row['seconds']:.0f} s")  # fmt: skip
                results = run.save({**about, "rows": rows, "summary": summary(rows)})
        say_summary(results["summary"])
        if backbone.notice:
            say(f"notice: {backbone.notice}")
        say(f"results in {run.final}")
        return results


if __name__ == "__main__":
    main()
