"""T-softmax before the last layer of a classifier of digits (paper, supplement K.B).

``python -m recipes.tsoftmax`` trains the last layer on a frozen backbone's features of all ten
digits, with and without temperature-controlled connectivity before it, as the paper does: rate
0.05, batches of 64, 10 epochs, T = 1. The paper trained the backbone as well, and reports the
maximum over epochs, on the test digits; that is shown, and beside it the last epoch, which nothing
chose. The layer at T = 1 is no formula: what its most probable edges spell is tested too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from occamhead.network.tsoftmax import TSoftmaxLinear
from occamhead.rows.arrays import as_rows
from occamhead.rows.metrics import accuracy
from occamhead.rows.objective import Rows
from occamhead.vision import featurise, load_backbone, mnist_splits
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.output import quieten, say
from recipes.shared.results import prepare, versions

PAPER = {"t-softmax": 0.9918, "linear": 0.9843}
LEARNING_RATE, BATCH = 0.05, 64


def train(layer: nn.Module, rows: Rows, test: Rows, epochs: int, seed: int) -> list[float]:
    """Train by plain gradient descent; the accuracy on the test rows after each epoch."""
    features, labels = rows
    optimizer = torch.optim.SGD(layer.parameters(), LEARNING_RATE)
    order = torch.Generator().manual_seed(seed)
    accuracies = []
    for _ in range(epochs):
        for batch in torch.randperm(len(features), generator=order).split(BATCH):
            loss = nn.functional.cross_entropy(layer(features[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracies.append(accuracy(layer, test))
    return accuracies


def run_one(
    variant: str, rows: Rows, test: Rows, seed: int, epochs: int, nodes: int | None
) -> dict[str, Any]:
    """Train one layer from one seed."""
    torch.manual_seed(seed)
    width, classes = rows[0].shape[1], int(rows[1].max()) + 1
    layer: nn.Module = nn.Linear(width, classes)
    if variant == "t-softmax":
        layer = TSoftmaxLinear(width, classes, nodes)
    start = time.perf_counter()
    accuracies = train(layer, rows, test, epochs, seed)
    row: dict[str, Any] = {
        "variant": variant,
        "seed": seed,
        "accuracies": accuracies,
        "maximum": max(accuracies),
        "last": accuracies[-1],
        "spread_over_epochs": float(np.std(accuracies[len(accuracies) // 2 :])),
        "seconds": time.perf_counter() - start,
    }
    if isinstance(layer, TSoftmaxLinear):
        formula = layer.formula()
        row["formula_accuracy"] = accuracy(formula, test)
        row["formula_features"] = len(formula.features)
    return row


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean over seeds, and spread over seeds and over the second half of the epochs."""
    found = {}
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        means = {"paper": PAPER[variant]}
        for name in ("maximum", "last"):
            values = [row[name] for row in mine]
            means[name] = float(np.mean(values))
            means[f"{name}_spread"] = float(np.std(values))
        means["spread_over_epochs"] = float(np.mean([row["spread_over_epochs"] for row in mine]))
        if "formula_accuracy" in mine[0]:
            means["formula"] = float(np.mean([row["formula_accuracy"] for row in mine]))
        found[variant] = means
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("tsoftmax", __doc__)
    add = parser.add_argument
    add("--data", help="folder of MNIST; also looked for below $OCCAMHEAD_DATA")
    add("--backbone", help="torchvision or timm name, or efficientnet_lite0; default resnet50")
    add("--weights", help="file of the backbone's weights")
    add("--picture-size", type=positive, default=96, metavar="PIXELS")
    add("--nodes", type=positive, help="P-nodes; default: as many as features")
    add("--epochs", type=positive, default=10)
    add("--seeds", type=int, nargs="+", default=list(range(5)))
    add("--rows", type=positive, help="train on so many digits only, for a quick look")
    add("--cache", help="folder of the feature cache")
    args = parser.parse_args(argv)
    quieten()
    out = prepare(args.out, "tsoftmax", args.overwrite)
    splits, source = mnist_splits(range(10), args.data)
    backbone = load_backbone(
        args.backbone or "resnet50", args.weights, args.backbone is None, args.picture_size
    )
    say(f"data: {source}\nfeatures: {backbone.name}, {backbone.weights}")
    arrays = featurise(splits, source, backbone, args.cache, sys.stderr.isatty())
    # Nothing is chosen here, so no rows need be held out.
    parts = [as_rows(arrays.train), as_rows(arrays.validation)]
    features, labels = (torch.cat(tensors)[: args.rows] for tensors in zip(*parts, strict=True))
    test = as_rows(arrays.test)
    results: dict[str, Any] = {
        "task": "tsoftmax",
        "data": source,
        "backbone": backbone.name,
        "weights": backbone.weights,
        "notice": backbone.notice,
        "picture_size": args.picture_size,
        "nodes": args.nodes or features.shape[1],
        "n_train": len(features),
        "n_test": len(test[0]),
        "versions": versions(),
        "rows": [],
    }
    for seed in args.seeds:
        for variant in PAPER:
            row = run_one(variant, (features, labels), test, seed, args.epochs, args.nodes)
            results["rows"].append(row)
            say(
                f"seed {row['seed']} {variant:>9}: maximum {row['maximum']:.2%}, last"
                f" {row['last']:.2%}, {row['seconds']:.0f} s"
            )
            results["summary"] = summary(results["rows"])
            (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    titles = f"{'maximum':>16} {'last epoch':>16} {'over epochs':>11} {'formula':>8} {'paper':>7}"
    say(f"\n{'':>9} {titles}")
    for variant, means in results["summary"].items():
        formula = f"{means['formula']:.2%}" if "formula" in means else "-"
        say(
            f"{variant:>9} {means['maximum']:>8.2%} ± {means['maximum_spread']:.2%}"
            f" {means['last']:>8.2%} ± {means['last_spread']:.2%}"
            f" {means['spread_over_epochs']:>11.2%} {formula:>8} {means['paper']:>7.2%}"
        )
    if backbone.notice:
        say(f"notice: {backbone.notice}")
    say(f"results in {out}")
    return results


if __name__ == "__main__":
    main()
