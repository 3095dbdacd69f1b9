"""The hyperplane of widest margin between two sets of points."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog, nnls

from occamhead.essence.arrays import Floats

# The offset of a plane should be free. Penalised at this much less than the weights, it is near
# enough for points about as large as 1: the plane is rounded to whole numbers afterwards.
_OFFSET_SCALE = 30.0
# Squared distances below this are zero in exact arithmetic: the sets' hulls meet.
_ZERO = 1e-18


def widest_margin(above: Floats, below: Floats) -> Floats | None:
    """Weights of the hyperplane of widest margin, or None if no hyperplane separates the sets.

    The quadratic program of the hard margin is solved as a least-distance problem by non-negative
    least squares, which tells at no further cost whether the sets separate, faster than a linear
    program does. Being unique, the plane inherits every exchange of inputs that maps both sets
    onto themselves: exchangeable inputs get equal weights. Two single points get their bisector.

    Args:
        above: Points to lie above the plane, [a, inputs], about as large as 1.
        below: Points to lie below, [b, inputs].

    Returns:
        The weights, [inputs], of which every point of `above` has a higher product than any of
        `below`; scaled to a distance of about 2.

    Source: Lawson & Hanson, Solving Least Squares Problems (1974), chapter 23, problem LDP.
    Essence networks have such a plane between every two subconcepts (Blazek & Lin, Nat Comput Sci
    1, 607-618, 2021), there by a soft-margin support vector machine.
    """
    centre = (above.mean(axis=0) + below.mean(axis=0)) / 2
    sides = np.concatenate([above - centre, centre - below])
    offset = np.repeat([_OFFSET_SCALE, -_OFFSET_SCALE], [len(above), len(below)])
    system = np.vstack([sides.T, offset, np.ones(len(sides))])
    target = np.zeros(len(system))
    target[-1] = 1.0
    try:
        multipliers, _ = nnls(system, target, maxiter=30 * sum(system.shape))
    except RuntimeError:  # not converged
        return _any_plane(sides, above, below)
    residual = system @ multipliers - target
    if np.square(residual).sum() < _ZERO:
        return None  # the multipliers prove it: they make the same point of both sets
    weights = -residual[:-2] / residual[-1]
    return weights if separates(weights, above, below) else _any_plane(sides, above, below)


def separates(weights: Floats, above: Floats, below: Floats) -> bool:
    """Whether every product with `above` exceeds every one with `below`, beyond rounding errors."""
    gap = (above @ weights).min() - (below @ weights).max()
    return bool(gap > 1e-9 * np.abs(weights).sum())


def _any_plane(sides: Floats, above: Floats, below: Floats) -> Floats | None:
    """What a linear program says, which settles the doubtful cases, though without the margin."""
    signs = np.repeat([1.0, -1.0], [len(above), len(below)])
    table = -np.column_stack([sides, signs])
    found = linprog(
        np.zeros(table.shape[1]), A_ub=table, b_ub=-np.ones(len(table)), bounds=(None, None)
    )
    if found.status != 0:
        return None
    weights = np.asarray(found.x[:-1])
    return weights if separates(weights, above, below) else None
