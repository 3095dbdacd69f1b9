"""The rows of a table in the order in which they are searched, so that order does not matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Whole-number weights repeat rows as long as these become at most so many times as many.
MOST_COPIES = 10

# Of a class at least so many rows are sampled, if it has them.
RARE = 10

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SortedRows:
    """Rows to fit.

    Args:
        x: Inputs, [rows, inputs].
        targets: What the formulas are fitted to, [rows, outputs].
        labels: What the losses are computed on, [rows].
        weights: Weight of each row; they sum to 1.
    """

    x: Array
    targets: Array
    labels: NDArray[Any]
    weights: Array

    def part(self, rows: NDArray[np.intp]) -> SortedRows:
        """Some of the rows, their weights scaled to sum to 1 again."""
        weights = self.weights[rows]
        return SortedRows(
            self.x[rows], self.targets[rows], self.labels[rows], weights / weights.sum()
        )

    def sample(self, most: int, seed: int) -> NDArray[np.intp]:
        """Rows at equal steps along the sorted labels, at most so many, ascending.

        Every quantile of a target, and every class, has its share, however long the tails are; of
        a rare class some rows are among them in any case.
        """
        if len(self.x) <= most:
            return np.arange(len(self.x))
        random = np.random.default_rng(seed)
        order = random.permutation(len(self.x))
        order = order[np.argsort(self.labels[order], kind="stable")]
        steps = (np.arange(most) + random.uniform()) * (len(order) / most)
        kept = order[steps.astype(np.intp)]
        if self.labels.dtype.kind in "iu":
            counts = np.bincount(self.labels)
            rare = np.flatnonzero((counts > 0) & (counts * most < RARE * len(order)))
            of_rare = [order[self.labels[order] == label][:RARE] for label in rare]
            kept = np.unique(np.concatenate([kept, *of_rare]))
        return np.sort(kept)


def sort_rows(x: Array, targets: Array, labels: NDArray[Any], weights: Array) -> SortedRows:
    """Rows in a canonical order, as many copies of each as its weight says.

    A table and a shuffled one, or one whose weights count its repeated rows, give equal arrays.
    So they give the same formula, however the folds are cut.
    """
    copies = np.ones(len(x), np.intp)
    if np.array_equal(weights, np.round(weights)) and weights.sum() <= MOST_COPIES * len(x):
        copies, weights = weights.astype(np.intp), np.minimum(weights, 1.0)
    rows = np.argsort(x[:, 0], kind="stable")
    if (np.diff(x[rows, 0]) == 0).any():
        rows = np.lexsort((weights, labels, *x.T[::-1]))
    rows = np.repeat(rows, copies[rows])
    rows = rows[weights[rows] > 0]
    return SortedRows(x, targets, labels, weights).part(rows)
