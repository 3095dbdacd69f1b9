"""Truths that essence networks are to find: bits, and rules on 3x3 windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LIFE = ((3,), (2, 3))
CENTRE = 4
WINDOW_SUM = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1])  # the neighbours


def bits(n: int) -> Ints:
    """All vectors of n bits, [2**n, n]."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) & 1


def next_cell(windows: Ints, rule: tuple[tuple[int, ...], tuple[int, ...]] = LIFE) -> Ints:
    """An outer-totalistic rule (neighbours for birth, for survival) on windows, [rows, 9]."""
    neighbours = windows @ WINDOW_SUM
    alive = windows[:, CENTRE] == 1
    return np.where(alive, np.isin(neighbours, rule[1]), np.isin(neighbours, rule[0])).astype(int)
