"""Polynomials that are not exact: terms dropped one after another, the least missed first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.ratios import Monomials
from occamhead.direct.transforms import Transform
from occamhead.expression import Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Rows for each number of the fit that terms are dropped from, and most numbers.
ROWS_PER_NUMBER, MOST_NUMBERS = 5, 30
HIGHEST_DEGREE = 6

# Numbers of what is offered.
OFFERED = 7

# A polynomial of a transform of the target is offered if it leaves less of its squares about the
# mean than this.
EXPLAINED = 0.05

# Exchanges of a term at most, and what keeps their moments from being singular.
MOST_SWAPS, RIDGE = 6, 1e-12


def sparse_polynomials(
    builder: ExpressionBuilder, x: Array, target: Transform, always: bool
) -> Iterator[Expression]:
    """Polynomials of least squares with 2, 3, ... terms, each without a term of the next one.

    Args:
        builder: Where the nodes go.
        x: Inputs, [rows, inputs].
        target: The target.
        always: Whether they are offered even if little of the target is explained.
    """
    degree = _degree(x)
    if degree < 2 or not np.isfinite(target.values).all():
        return
    nodes = [builder.input(i) for i in range(x.shape[1])]
    monomials = Monomials(builder, nodes, x.T, x.shape[1], degree)
    system = monomials.values
    norms = np.sqrt((system**2).sum(axis=1))
    if not np.isfinite(norms).all() or not norms.all():
        return
    scaled = system / norms[:, None]
    moments, along = scaled @ scaled.T, scaled @ target.values
    about = target.values - target.values.mean()
    kept = np.ones(len(scaled), np.bool_)
    for _ in range(len(scaled) - 1):
        found, least = _solved(scaled[kept], target.values)
        rest = target.values - found @ scaled[kept]
        if not always and rest @ rest > EXPLAINED * (about @ about):
            return
        if kept.sum() <= OFFERED:
            kept = _swapped(moments, along, kept)
            found, least = _solved(scaled[kept], target.values)
            numbers = np.zeros(len(scaled))
            numbers[kept] = found / norms[kept]
            top = target.undo(builder, monomials.sum(numbers))
            yield builder.build([top], x.shape[1])
        kept[np.flatnonzero(kept)[least]] = False


def _degree(x: Array) -> int:
    """The largest degree that the rows allow."""
    rows, inputs = x.shape
    most = min(rows // ROWS_PER_NUMBER, MOST_NUMBERS)
    degrees = range(1, HIGHEST_DEGREE + 1)
    return max((d for d in degrees if math.comb(inputs + d, d) <= most), default=0)


def _solved(columns: Array, target: Array) -> tuple[Array, int]:
    """Numbers of least squares, and the place of that column which is missed least.

    Args:
        columns: [columns, rows].
        target: [rows].
    """
    found = np.linalg.lstsq(columns.T, target, rcond=1e-12)[0]
    spread = np.diag(np.linalg.pinv(columns @ columns.T, rcond=1e-12)).clip(1e-300)
    return found, int(np.argmin(found**2 / spread))


def _swapped(moments: Array, along: Array, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """As many columns that explain more: one exchanged for another as long as that helps.

    Args:
        moments: Products of the columns, [columns, columns].
        along: Products with the target, [columns].
        kept: The columns to start from, [columns].
    """

    def explained(places: list[int]) -> float:
        part = moments[np.ix_(places, places)] + RIDGE * np.eye(len(places))
        return float(along[places] @ np.linalg.solve(part, along[places]))

    chosen = np.flatnonzero(kept).tolist()
    best = explained(chosen)
    for _ in range(MOST_SWAPS):
        tried = [
            [*chosen[:i], other, *chosen[i + 1 :]]
            for i in range(len(chosen))
            for other in range(len(along))
            if other not in chosen
        ]
        value, places = max(((explained(each), each) for each in tried), default=(best, chosen))
        if value <= best * (1 + 1e-9):
            break
        best, chosen = value, places
    swapped = np.zeros_like(kept)
    swapped[chosen] = True
    return swapped


__all__ = ["sparse_polynomials"]
