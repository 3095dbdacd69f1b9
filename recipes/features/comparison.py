"""The heads that are compared, each fitted and tested, and what counts as won."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from occamhead.rows.arrays import LabelledArrays
from occamhead.rows.objective import one_thread
from recipes.others import heads as peer_heads
from recipes.others import linear_heads as sparse_heads
from recipes.others import ours as formula_heads

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
# What pip calls the packages that a method needs.
NEEDS = {
    "ebm": ("interpret", "interpret-core"),
    "kan": ("kan", "pykan"),
    "gplearn": ("gplearn",) * 2,
}

Means = dict[str, dict[int, float]]


def installed(names: Sequence[str], classes: int) -> tuple[list[str], dict[str, str]]:
    """The methods that can tell so many classes, and why the others are not among them."""
    missing = {}
    for name in names:
        if name in NEEDS and importlib.util.find_spec(NEEDS[name][0]) is None:
            missing[name] = f"needs {NEEDS[name][1]}: pip install 'occamhead[benchmark]'"
        elif name == "gplearn" and classes > 2:
            missing[name] = f"tells two classes apart, not {classes}"
    return [name for name in names if name not in missing], missing


@one_thread()
def fit_and_test(
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
