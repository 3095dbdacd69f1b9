"""Whether a formula stays reasonable between the rows that it was fitted to, and just beyond.

A formula with a pole between two rows fits both and explodes on the next one. What a formula does
far from the rows tells nothing (a true law has a pole at r = 0), nor does a corner of the box that
no row is near: inputs that depend on each other never meet there. So it is followed along the
straight lines between rows, and a short way past their ends. Inputs of one sign that span decades
are taken by their logarithms: a straight line from 1e7 to 1e12 would not pass near what is between,
and a tenth past its lower end there is a pole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]
Pairs: TypeAlias = NDArray[np.intp]

# Lines of a kind at most; points on each; how far past the ends, in lengths of the line.
LINES, POINTS, BEYOND = 400, 4, 0.1
# So many lines on which a formula rises most above their ends are looked at more closely.
CLOSER_LINES, CLOSER_POINTS = 10, 100
# Neighbours are sought among so many rows.
MOST_ROWS = 2000
# An input of one sign whose largest size is so many times the least is taken by its logarithm.
DECADES = 1e3
# A value further from the median than so many times the furthest target explodes: between
# neighbours, between others, and beyond the ends, there on more than a share of the lines.
NEAR, FAR, OUTSIDE, OUTSIDE_SHARE = 3.0, 10.0, 100.0, 0.02


@dataclass(frozen=True)
class BetweenRows:
    """The lines between the rows of a table.

    Args:
        x: Inputs, [rows, inputs].
        targets: What the formulas give there, [rows, outputs].
    """

    x: Array
    targets: Array

    def is_sound(self, formula: Expression) -> bool:
        """Whether no value explodes, and none between the rows is undefined."""
        inputs = formula.features
        random = np.random.default_rng(0)
        x = np.unique(self.x[:, inputs], axis=0)
        if len(x) > MOST_ROWS:
            x = x[random.choice(len(x), MOST_ROWS, replace=False)]
        if not inputs or len(x) < 2:
            return True
        signs = _signs_of_wide(x)
        narrow = _narrowed(formula, inputs, signs)
        x = np.where(signs != 0, np.log(np.abs(np.where(signs != 0, x, 1.0))), x)
        any_two = random.integers(0, len(x), (LINES, 2))
        adjacent = [_adjacent(x[:, place], random) for place in range(x.shape[1])]
        lines = (
            (_nearest(x, random), NEAR),
            (np.concatenate([any_two, *adjacent]), FAR),
        )
        for pairs, most in lines:
            if not self._is_calm(narrow, x, pairs, most, random):
                return False
        share = 1 + random.uniform(0, BEYOND, (len(any_two), 1))
        beyond = self._heights(narrow, _along(x, any_two, share))
        return bool((beyond > OUTSIDE).mean() <= OUTSIDE_SHARE)

    def _is_calm(
        self, formula: Expression, x: Array, pairs: Pairs, most: float, random: np.random.Generator
    ) -> bool:
        share = random.uniform(0, 1, (len(pairs), POINTS))
        heights = self._heights(formula, _along(x, pairs, share)).reshape(len(pairs), -1)
        ends = self._heights(formula, x)[pairs].max(axis=1)
        if not (heights <= most).all():
            return False
        highest = np.argsort(ends - heights.max(axis=1))[:CLOSER_LINES]
        share = np.linspace(0, 1, CLOSER_POINTS + 2)[None, 1:-1].repeat(len(highest), axis=0)
        return bool((self._heights(formula, _along(x, pairs[highest], share)) <= most).all())

    def _heights(self, formula: Expression, x: Array) -> Array:
        """Distance from the median target over the furthest target's, the largest of the outputs.

        Undefined values have an undefined height, [rows].
        """
        middle = np.median(self.targets, axis=0)
        reach = np.maximum(np.abs(self.targets - middle).max(axis=0), 1e-300)
        with np.errstate(all="ignore"):
            return np.asarray((np.abs(formula(x) - middle) / reach).max(axis=1), np.float64)


def _signs_of_wide(x: Array) -> Array:
    """Sign of each input that is taken by its logarithm, 0 of the others, [inputs]."""
    sizes, signs = np.abs(x), np.sign(x[0])
    one_sign = (np.sign(x) == signs).all(axis=0) & (signs != 0)
    return np.where(one_sign & (sizes.max(axis=0) > DECADES * sizes.min(axis=0)), signs, 0.0)


def _narrowed(formula: Expression, inputs: Sequence[int], signs: Array) -> Expression:
    """A formula of its own inputs alone, some of them given by their logarithms."""
    builder = ExpressionBuilder()
    nodes = {}
    for place, (i, sign) in enumerate(zip(inputs, signs.tolist(), strict=True)):
        nodes[i] = builder.input(place)
        if sign:
            nodes[i] = builder.apply("exp", nodes[i])
        if sign < 0:
            nodes[i] = builder.affine(0.0, [(-1.0, nodes[i])])
    return builder.build(builder.copy(formula, nodes), len(inputs))


def _nearest(x: Array, random: np.random.Generator) -> Pairs:
    """Rows and the nearest other row of each, inputs by their standard deviation."""
    first = np.arange(len(x))
    if len(x) > LINES:
        first = random.choice(len(x), LINES, replace=False)
    scaled = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    distance = (scaled**2).sum(axis=1) - 2 * scaled[first] @ scaled.T
    distance[np.arange(len(first)), first] = np.inf
    return np.stack([first, distance.argmin(axis=1)], axis=1)


def _adjacent(column: Array, random: np.random.Generator) -> Pairs:
    """Rows between whose values of an input lies no other one's."""
    order = np.argsort(column, kind="stable")
    pairs = np.stack([order[:-1], order[1:]], axis=1)
    if len(pairs) > LINES:
        pairs = pairs[random.choice(len(pairs), LINES, replace=False)]
    return pairs


def _along(x: Array, pairs: Pairs, share: Array) -> Array:
    """Points at shares [pairs, points] of the way from the first to the second row of each pair."""
    start, end = x[pairs[:, 0], None], x[pairs[:, 1], None]
    return (start + share[:, :, None] * (end - start)).reshape(-1, x.shape[1])
