"""Whether a formula stays reasonable between the rows that it was fitted to, and just beyond.

A formula with a pole between two rows fits both and explodes on the next one. What a formula does
far from the rows tells nothing (a true law has a pole at r = 0), nor does a corner of the box that
no row is near: inputs that depend on each other never meet there. So it is followed along the
straight lines between rows, and a short way past their ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression

Array: TypeAlias = NDArray[np.float64]

# Lines between neighbours, and between any two rows; points on each; how far past the ends.
NEIGHBOURS, PAIRS, POINTS, BEYOND = 400, 400, 3, 0.1
# Neighbours are sought among so many rows.
MOST_ROWS = 2000
# A value further from the median than so many times the furthest target explodes: between
# neighbours, between any two rows, and beyond these.
NEAR, FAR, OUTSIDE = 3.0, 10.0, 100.0


@dataclass(frozen=True)
class BetweenRows:
    """Points between and just beyond the rows of a table.

    Args:
        x: Inputs, [rows, inputs].
        targets: What the formulas give there, [rows, outputs].
    """

    x: Array
    targets: Array

    @cached_property
    def points(self) -> tuple[Array, Array]:
        """Points [points, inputs] and how far a value may lie there, in units of the furthest."""
        random = np.random.default_rng(0)
        x = np.unique(self.x, axis=0)
        if len(x) > MOST_ROWS:
            x = x[random.choice(len(x), MOST_ROWS, replace=False)]
        if len(x) < 2:
            return x, np.full(len(x), NEAR)
        pairs = random.integers(0, len(x), (PAIRS, 2))
        first = np.arange(len(x)) if len(x) <= NEIGHBOURS else random.choice(
            len(x), NEIGHBOURS, replace=False
        )  # fmt: skip
        near = np.stack([first, _nearest(x, first)], axis=1)
        made = [
            _along(x, near, random.uniform(0, 1, (len(near), POINTS))),
            _along(x, pairs, random.uniform(0, 1, (len(pairs), POINTS))),
            _along(x, pairs, 1 + random.uniform(0, BEYOND, (len(pairs), 1))),
        ]
        most = [
            np.full(len(points), each)
            for points, each in zip(made, (NEAR, FAR, OUTSIDE), strict=True)
        ]
        return np.concatenate(made), np.concatenate(most)

    def is_sound(self, formula: Expression) -> bool:
        """Whether no value explodes, and none between the rows is undefined."""
        points, most = self.points
        with np.errstate(all="ignore"):
            values = formula(points)
        middle = np.median(self.targets, axis=0)
        reach = np.abs(self.targets - middle).max(axis=0)
        inside = most < OUTSIDE
        if not np.isfinite(values[inside]).all():
            return False
        with np.errstate(all="ignore"):
            exploding = np.abs(values - middle) > most[:, None] * np.maximum(reach, 1e-300)
        return not exploding.any()


def _nearest(x: Array, first: NDArray[np.intp]) -> NDArray[np.intp]:
    """The nearest other row of some rows, inputs by their standard deviation."""
    scaled = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    square = (scaled**2).sum(axis=1)
    distance = square - 2 * scaled[first] @ scaled.T
    distance[np.arange(len(first)), first] = np.inf
    return distance.argmin(axis=1)


def _along(x: Array, pairs: NDArray[np.intp], share: Array) -> Array:
    """Points at shares [pairs, points] of the way from the first to the second row of each pair."""
    start, end = x[pairs[:, 0], None], x[pairs[:, 1], None]
    return (start + share[:, :, None] * (end - start)).reshape(-1, x.shape[1])
