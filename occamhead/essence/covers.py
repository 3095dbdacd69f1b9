"""The fewest and simplest whole-number hyperplanes between subconcepts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from occamhead.essence.arrays import Floats, Ints
from occamhead.essence.rounding import finely_rounded, primitive, rounded, separate
from occamhead.essence.subconcepts import Partition

# Price of the description, in bits as it were: of a distinct input column, and of a neuron.
COLUMN_PRICE, NEURON_PRICE = 4.0, 2.0

_MAX_DIRECTIONS = 300  # kept for the cover
_MAX_SEEDS = 8  # directions that a cover is grown from
# Kinds of columns that are made equal; with more of them there is little symmetry to restore, and
# the attempts grow with their square.
MAX_KINDS = 16


def planes_price(weights: Ints, bias: Floats) -> float:
    """Price of hyperplanes, weights [differentiae, inputs] and bias [differentiae], beside neurons.

    Parallel planes share the price of a direction.
    """
    distinct = np.unique(weights, axis=1)
    directions = np.unique(np.array([primitive(row) for row in distinct]), axis=0)
    numbers = number_price(directions).sum() + number_price(bias).sum()
    return float(COLUMN_PRICE * distinct.shape[1] + numbers)


def number_price(values: Ints | Floats) -> Floats:
    """Price of each weight or bias: its binary digits, roughly, and nothing for a 0."""
    return np.asarray(np.log2(1 + np.abs(values)))


def _direction_price(directions: Ints) -> Floats:
    """Price of each direction on its own, [directions]: that of its distinct weights."""
    ordered = np.sort(directions, axis=1)
    first = np.diff(ordered, axis=1, prepend=ordered[:, :1] - 1) != 0
    return np.asarray((number_price(ordered) * first).sum(axis=1))


@dataclass(frozen=True)
class Planes:
    """Hyperplanes: weights [differentiae, inputs]; bias [differentiae], whole or half numbers."""

    weights: Ints
    bias: Floats

    @property
    def price(self) -> float:
        return planes_price(self.weights, self.bias) + NEURON_PRICE * len(self.weights)


def choose_planes(points: Ints, parts: Partition) -> Planes:
    """Whole-number hyperplanes that separate every two subconcepts of different classes.

    Every plane of widest margin proposes roundings, and each of them is tried on all pairs.
    Of the covers of all pairs the one of the shortest description is taken; then inputs' columns
    are made equal wherever all pairs stay separated and the description gets shorter. On partial
    data that restores the symmetry which the margin shows only approximately.

    Args:
        points: The patterns, [patterns, inputs].
        parts: Their partition into subconcepts.

    Source: design of ours, after the principle of minimum description length (Rissanen 1978).
    """
    pairs = list(parts.planes)
    proposed: dict[bytes, Ints] = {}
    for (s, t), plane in parts.planes.items():
        a, b = points[parts.members[s]], points[parts.members[t]]
        candidates = rounded(plane)
        valid = [row for row in candidates if separate(row, a, b)]
        proposed.update((row.tobytes(), row) for row in valid or [finely_rounded(plane, a, b)])
    for cut in parts.cuts:
        proposed.update((row.tobytes(), row) for row in rounded(cut))
    cover = _Cover(points, parts.members, pairs)
    directions = cover.useful(np.array(list(proposed.values())))
    best = min(cover.grown(directions), key=lambda planes: planes.price)
    return _with_equal_columns(best, cover)


def _with_equal_columns(best: Planes, cover: _Cover) -> Planes:
    """Give inputs the column of others while that separates all pairs and costs less."""
    while True:
        directions = np.unique(np.array([primitive(row) for row in best.weights]), axis=0)
        covers = (cover.of(merged) for merged in _merged(directions))
        cheaper = (planes for planes in covers if planes is not None and planes.price < best.price)
        better = next(cheaper, None)
        if better is None:
            return best
        best = better


def _merged(directions: Ints) -> Iterator[Ints]:
    """The directions with one kind of column in the place of another, or its opposite."""
    columns, kind = np.unique(directions, axis=1, return_inverse=True)
    if columns.shape[1] > MAX_KINDS:
        return
    for source, target in itertools.permutations(range(columns.shape[1]), 2):
        for sign in (1, -1):
            merged = directions.copy()
            merged[:, kind.reshape(-1) == source] = sign * columns[:, [target]]
            merged = merged[merged.any(axis=1)]
            if len(merged):
                yield merged


class _Cover:
    """Which pairs of subconcepts which thresholds of which directions separate."""

    def __init__(self, points: Ints, members: list[Ints], pairs: list[tuple[int, int]]) -> None:
        self.points = points[np.concatenate(members)]
        self.starts = np.cumsum([0, *(len(rows) for rows in members[:-1])])
        self.s, self.t = np.array(pairs).T

    def gaps(self, directions: Ints) -> tuple[Ints, Ints]:
        """Per direction and pair, the largest value below and the smallest above, [d, pairs].

        The pair is separated where the first is less than the second.
        """
        values = directions @ self.points.T
        low = np.minimum.reduceat(values, self.starts, axis=1)
        high = np.maximum.reduceat(values, self.starts, axis=1)
        rising = high[:, self.s] < low[:, self.t]
        below = np.where(rising, high[:, self.s], high[:, self.t])
        above = np.where(rising, low[:, self.t], low[:, self.s])
        return below, above

    def useful(self, directions: Ints) -> Ints:
        """The directions that separate most pairs, and cheap ones first of those that tie."""
        below, above = self.gaps(directions)
        valid = below < above
        price = _direction_price(directions)
        order = np.lexsort([price, -valid.sum(axis=1)])
        kept: list[int] = []
        taken = np.zeros(len(self.s), dtype=np.int64)
        for index in order:
            # Whatever separates a pair that few others do has to stay.
            if len(kept) < _MAX_DIRECTIONS or (taken[valid[index]] < 4).any():
                kept.append(int(index))
                taken += valid[index]
        return directions[kept]

    def grown(self, directions: Ints) -> list[Planes]:
        """Covers of all pairs, each grown greedily from another first direction."""
        options = _Options(directions, *self.gaps(directions))
        return [options.planes(chosen) for chosen in options.covers()]

    def of(self, directions: Ints) -> Planes | None:
        """The planes along these directions that separate all pairs, or None."""
        options = _Options(directions, *self.gaps(directions))
        if not options.separated.any(axis=0).all():
            return None
        return options.planes(options.grow(options.first()))


class _Options:
    """Candidate hyperplanes, a direction and a threshold each, and the pairs they separate."""

    def __init__(self, directions: Ints, below: Ints, above: Ints) -> None:
        self.directions, self.below, self.above = directions, below, above
        self.separated = below < above
        origin, limit = [], []
        for index in range(len(directions)):
            ends = np.unique(above[index, self.separated[index]])
            origin.append(np.full(len(ends), index))
            limit.append(ends)
        self.origin, self.limit = np.concatenate(origin), np.concatenate(limit)
        # A threshold just below `limit` separates the pairs whose gap holds it.
        self.covers_pair = (below[self.origin] < self.limit[:, None]) & (
            self.limit[:, None] <= above[self.origin]
        )
        self.price = _direction_price(directions)
        least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
        low = np.where(self.covers_pair, below[self.origin], least).max(axis=1)
        high = np.where(self.covers_pair, above[self.origin], most).min(axis=1)
        # A comparison of inputs, as in an argmax, is one with 0 wherever the gap allows it.
        self.bias = np.where((low < 0) & (high > 0), 0.0, -(low + high) / 2)
        self.neuron_price = NEURON_PRICE + number_price(self.bias)

    def first(self) -> int:
        return int(self.covers_pair.sum(axis=1).argmax())

    def covers(self) -> list[list[int]]:
        """Greedy covers from the most promising first candidates, of a direction each."""
        worth = self.covers_pair.sum(axis=1) / (self._cost(None) + self.neuron_price)
        order = np.argsort(-worth, kind="stable")
        _, first = np.unique(self.origin[order], return_index=True)
        return [self.grow(int(order[i])) for i in np.sort(first)[:_MAX_SEEDS]]

    def grow(self, candidate: int) -> list[int]:
        chosen = [candidate]
        missing = ~self.covers_pair[candidate]
        while missing.any():
            gain = self.covers_pair[:, missing].sum(axis=1)
            cost = self._cost(self.directions[np.unique(self.origin[chosen])])
            cost[np.isin(self.origin, self.origin[chosen])] = 0.0
            chosen.append(int((gain / (cost + self.neuron_price)).argmax()))
            missing &= ~self.covers_pair[chosen[-1]]
        for index in [*chosen]:
            rest = [other for other in chosen if other != index]
            if rest and self.covers_pair[rest].any(axis=0).all():
                chosen = rest
        return chosen

    def _cost(self, used: Ints | None) -> Floats:
        """Per candidate, what its direction adds to the price, beside a neuron."""
        inputs = self.directions.shape[1]
        block = np.zeros(inputs, np.int64)
        if used is not None:
            block = np.unique(used, axis=1, return_inverse=True)[1].reshape(-1)
        spread = int(self.directions.max() - self.directions.min()) + 1
        codes = np.sort(block * spread + self.directions - self.directions.min(), axis=1)
        columns = 1 + (np.diff(codes, axis=1) != 0).sum(axis=1)
        added = COLUMN_PRICE * (columns - block.max() - 1) + self.price
        return np.asarray(added[self.origin])

    def planes(self, chosen: list[int]) -> Planes:
        order = sorted(chosen, key=lambda index: (self.origin[index], self.limit[index]))
        return Planes(self.directions[self.origin[order]], self.bias[order])
