"""The rows of `recipes.compare_heads`: photographs, MNIST, or scikit-learn's digits."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from occamhead.checks import needs
from occamhead.rows.arrays import LabelledArrays
from occamhead.vision import (
    Backbone,
    featurise,
    mnist_splits,
    photograph_splits,
    stored_features,
)


def read(args: argparse.Namespace, backbone: Backbone | None, seed: int) -> LabelledArrays:
    """Features of the split of one seed; the data's own test rows are those of every seed."""
    if args.data == "digits":
        return small_digits(seed)
    if args.data and args.data.endswith(".npz"):
        return stored_features(args.data, seed=seed)
    if args.pixels or args.data == "mnist":
        digits = [int(digit) for digit in args.classes or range(10)]
        folder = None if args.data == "mnist" else args.data
        splits, source = mnist_splits(digits, folder, seed=seed)
    else:
        splits, source = photograph_splits(args.data, args.classes, seed=seed)
    return featurise(splits, source, backbone, args.cache, sys.stderr.isatty())


def small_digits(seed: int) -> LabelledArrays:
    """Scikit-learn's digits; a tenth of each class to test on and another to validate, by seed."""
    with needs("scikit-learn", "the digits"):
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
