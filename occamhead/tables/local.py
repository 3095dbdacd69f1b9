"""What rows near a row say of its target: a first guess that needs no formula."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from occamhead.tables.linear_models import standardised
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

NEIGHBOURS = 9

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
    x, _, _ = standardised(table)
    neighbours = min(NEIGHBOURS, len(x) - 1)
    finder = NearestNeighbors(n_neighbors=neighbours).fit(x)
    return np.asarray(np.median(table.labels[finder.kneighbors()[1]], axis=1), np.float64)


def error_scale(table: SortedRows) -> float:
    """Standard deviation of a target's errors that are no outliers, roughly: about what is near.

    Args:
        table: Rows with one target.
    """
    part = table.part(table.sample(ROWS, 0))
    if len(part.x) < 2:
        return 0.0
    return NORMAL * float(np.median(np.abs(part.labels - local_medians(part))))
