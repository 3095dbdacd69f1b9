"""``occamhead demo``: a first look on pictures that pip installed, without a network."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from occamhead.checks import needs
from occamhead.commands.pictures import run_pictures
from occamhead.commands.task import Task
from occamhead.vision.pictures import PictureArrays, Splits, hold_out

DIGITS = (3, 8)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Tell two of scikit-learn's digits apart by a few of their 64 pixels."""
    with needs("scikit-learn", "the pictures of the demo", "tabular"):
        from sklearn.datasets import load_digits
    found = load_digits()
    chosen = np.flatnonzero(np.isin(found.target, DIGITS))
    pictures = PictureArrays(
        np.round(found.images[chosen] * (255 / 16)).astype(np.uint8),
        [f"digits/{i:04d}" for i in chosen],
        [DIGITS.index(digit) for digit in found.target[chosen]],
        [str(digit) for digit in DIGITS],
    )
    # The test part is the same whatever the seed.
    rest, test = hold_out(pictures, 0.3, seed=0)
    splits = Splits(*hold_out(rest, 0.2, args.seed), test)
    words = {i: f"row {i // 8 + 1}, column {i % 8 + 1}" for i in range(64)}
    source = "scikit-learn's handwritten digits of 8 x 8 pixels, from 0 (black) to 1 (white)"
    return run_pictures(Task("demo", splits, source, pixels=True), args, words)
