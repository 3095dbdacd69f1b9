"""Rows that make no search are refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead import OccamNet
from occamhead.search import Strategy, evolve

X, Y = np.ones((4, 2)), np.arange(4.0)
BAD = np.array([1.0, 2.0, np.nan, 4.0])


@pytest.mark.parametrize(
    ("x", "y", "weights", "message"),
    [
        (X[:, :1], Y, None, r"x must be \[rows, 2\] for this network, got \[4, 1\]"),
        (X[0], Y, None, r"x must be \[rows, 2\].*got \[2\]"),
        (X, np.ones((4, 3)), None, r"y must be \[rows, 1\].*got \[4, 3\]"),
        (X, Y[:3], None, "x has 4 rows and y 3; they must be as many"),
        (X[:0], Y[:0], None, "at least one row, got none"),
        (X, BAD, None, "y is nan at row 2, column 0; drop the row or impute the value"),
        (np.stack([Y, BAD], 1), Y, None, "x is nan at row 2, column 1; drop the row"),
        (X, np.full(4, np.inf), None, "y is inf at row 0"),
        (X, Y, np.ones(3), r"one per row, \[4\], got \[3\]"),
        (X, Y, np.zeros(4), "not all zero"),
        (X, Y, np.array([1.0, -1, 1, 1]), "not negative"),
        (X, Y, BAD, "weights must be finite"),
    ],
)
def test_rows_that_make_no_search(x, y, weights, message):
    with pytest.raises(ValueError, match=message):
        evolve(OccamNet(2, 1, ["add"], 1), x, y, Strategy(max_steps=1), weights)
