"""Symbolic rounding: whole-number directions near a real one."""

from __future__ import annotations

import numpy as np

from occamhead.essence.arrays import Floats, Ints

_GRIDS = 12  # the largest weight is rounded to 1..12
_MULTIPLES = 6  # the smallest weight is rounded to 1..6
_LARGEST_MULTIPLE = 2**16  # of the smallest weight, of weights that run up to powers of two
_NEGLIGIBLE = 1e-3  # weights below this share of the largest count as zero
_FINEST_GRID = 24  # bits of a weight, beyond which products with large inputs overflow


def primitive(weights: Ints) -> Ints:
    """The weights without common divisor, the first that is not zero being positive."""
    divisor = int(np.gcd.reduce(weights)) or 1
    leading = weights[np.flatnonzero(weights)[:1]]
    return weights // (-divisor if len(leading) and leading[0] < 0 else divisor)


def rounded(weights: Floats) -> list[Ints]:
    """Whole-number directions near a real one, simple kinds first, [inputs] each.

    Signs of the k largest weights; the largest weight as 1..12; the smallest as 1..6, which
    finds powers of two, and the median as 1..6.

    Differs from the paper (Blazek et al., Nat Comput Sci 4, 110-118, 2024), which rounds each
    plane by one rule: which candidate is taken depends on the whole network's description.
    """
    size = np.abs(weights)
    largest = size.max()
    exact = np.where(size < _NEGLIGIBLE * largest, 0.0, weights) / largest
    levels = np.unique(size[size >= _NEGLIGIBLE * largest])[::-1]
    scales = [float(grid) for grid in range(1, _GRIDS + 1)]
    for smallest in (levels[-1], np.median(levels)):
        if largest < _LARGEST_MULTIPLE * smallest:
            scales += [largest / smallest * multiple for multiple in range(1, _MULTIPLES + 1)]
    found = [np.sign(np.where(size >= level, weights, 0.0)) for level in levels]
    found += [np.round(exact * scale) for scale in scales]
    return _distinct(found)


def _distinct(weights: list[Floats]) -> list[Ints]:
    whole = (primitive(row.astype(np.int64)) for row in weights if row.any())
    return list({row.tobytes(): row for row in whole}.values())


def finely_rounded(plane: Floats, a: Ints, b: Ints) -> Ints:
    """The direction on the coarsest grid, of powers of two, that separates both sets.

    Raises:
        ValueError: If weights of 24 bits do not.
    """
    for bits in range(4, _FINEST_GRID):
        fine = np.round(plane / np.abs(plane).max() * 2**bits).astype(np.int64)
        if separate(fine, a, b):
            return primitive(fine)
    raise ValueError(
        f"two sets of patterns are separated by no plane with weights below 2**{_FINEST_GRID},"
        f" since inputs reach {max(np.abs(a).max(), np.abs(b).max())}; bin the inputs more coarsely"
    )


def separate(weights: Ints, a: Ints, b: Ints) -> bool:
    """Whether all products with one set of points exceed all those with the other."""
    of_a, of_b = a @ weights, b @ weights
    return bool(of_a.min() > of_b.max() or of_b.min() > of_a.max())
