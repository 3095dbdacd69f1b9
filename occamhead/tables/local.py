"""What rows near a row say of its target: a first guess that needs no formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from occamhead.tables.linear_models import standardised
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

# Neighbours of which the median is taken, and those among whose targets a loss chooses: enough for
# some to lie beyond a quantile of 90 %.
NEIGHBOURS, CHOSEN_FROM = 9, 25

# A normal deviate's standard deviation over its median absolute deviation.
NORMAL = 1.4826
# Rows that the size of errors is taken from.
ROWS = 2000


def local_medians(table: SortedRows) -> Array:
    """Median target of the nearest other rows of each row, inputs by their deviations, [rows].

    Gross outliers do not move it, whatever the law is.

    Args:
        table: Rows with one target.
    """
    return np.asarray(np.median(_nearby(table, NEIGHBOURS), axis=1), np.float64)


def local_levels(table: SortedRows, rows: Callable[[Array, Array], Array]) -> Array:
    """That target among those near each row which is the best prediction of them all, [rows].

    Args:
        table: Rows with one target.
        rows: Loss of each row from targets and predictions, [any] to [any].
    """
    targets = _nearby(table, min(CHOSEN_FROM, max(len(table.x) // 4, 1)))
    with np.errstate(all="ignore"):
        costs = [
            rows(targets.ravel(), np.repeat(level, targets.shape[1])).reshape(targets.shape).sum(1)
            for level in targets.T
        ]
    return targets[np.arange(len(targets)), np.argmin(costs, axis=0)]


def _nearby(table: SortedRows, neighbours: int) -> Array:
    """Targets of the nearest other rows of each row, inputs by their deviations."""
    x, _, _ = standardised(table)
    finder = NearestNeighbors(n_neighbors=min(neighbours, len(x) - 1)).fit(x)
    return np.asarray(table.labels[finder.kneighbors()[1]], np.float64)


def error_scale(table: SortedRows) -> float:
    """Standard deviation of a target's errors that are no outliers, roughly: about what is near.

    Args:
        table: Rows with one target.
    """
    part = table.part(table.sample(ROWS, 0))
    if len(part.x) < 2:
        return 0.0
    return NORMAL * float(np.median(np.abs(part.labels - local_medians(part))))
