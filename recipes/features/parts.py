"""Rows to fit to, to choose on and to test on: tables of scikit-learn, photographs, shapes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import needs
from occamhead.vision import Backbone, featurise, load_backbone, photograph_splits
from recipes.shared.rows import Part

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHAPES: Mapping[str, Callable[[Floats], NDArray[np.bool_]]] = {
    "disc": lambda x: np.square(x).sum(axis=1) < 2,
    "product": lambda x: x[:, 0] * x[:, 1] > 0.5,
    "wave": lambda x: x[:, 1] > np.sin(2 * x[:, 0]),
}


def table(name: str, seed: int) -> tuple[Part, Part, Part]:
    """Rows to fit to, to choose on and to test on: 56, 14 and 30 of 100, each class alike."""
    with needs("scikit-learn", "these rows"):
        from sklearn import datasets
        from sklearn.model_selection import train_test_split

    loads = {"cancer": datasets.load_breast_cancer, "digits": datasets.load_digits,
             "iris": datasets.load_iris, "wine": datasets.load_wine}  # fmt: skip
    x, y = loads[name](return_X_y=True)
    split = {"random_state": seed}
    x, test_x, y, test_y = train_test_split(x, y, test_size=0.3, stratify=y, **split)
    train_x, val_x, train_y, val_y = train_test_split(x, y, test_size=0.2, stratify=y, **split)
    parts = (train_x, train_y), (val_x, val_y), (test_x, test_y)
    return tuple((a.astype(np.float64), b.astype(np.int64)) for a, b in parts)  # type: ignore


def photographs(
    name: str, seed: int, args: argparse.Namespace
) -> tuple[Part, Part, Part, str | None]:
    """Features of photographs, and what is to be said of their source."""
    backbone = resnet(args.weights)
    splits, source = photograph_splits(args.data or name, None, seed=seed)
    arrays = featurise(splits, source, backbone, args.cache, False)
    parts = [(np.asarray(x, np.float64), np.asarray(y)) for x, y in
             (arrays.train, arrays.validation, arrays.test)]  # fmt: skip
    return *parts, backbone.notice  # type: ignore[return-value]


@cache
def resnet(weights: str | None) -> Backbone:
    """The backbone, loaded once for all seeds."""
    return load_backbone("resnet50", weights, True)


def shape(name: str, rows: int, seed: int) -> Part:
    """Points drawn evenly from a square of side 4 around 0."""
    x = np.random.default_rng([seed, rows]).uniform(-2, 2, (rows, 2))
    return x, SHAPES[name](x).astype(np.int64)
