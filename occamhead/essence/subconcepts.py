"""Classes split into subconcepts, until a hyperplane separates each from those of other classes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.essence.arrays import Floats, Ints
from occamhead.essence.planes import widest_margin

Mask: TypeAlias = NDArray[np.bool_]
Cuts: TypeAlias = Literal["one_sided", "joint"]

_RIDGE = 1e-3
_ZERO = 1e-9  # of norms, and of the angle between directions that are the same
# Thresholds tried per direction: all where there are fewer, else as many quantiles.
_MAX_THRESHOLDS = 48
# Numbers held at a time while cuts are scored.
_BLOCK = 2_000_000
# With more inputs than these a covariance per cut costs too much; its diagonal has to do.
_MAX_COVARIANCE = 40


@dataclass(frozen=True)
class Partition:
    """Subconcepts and the planes between them.

    Attributes:
        members: The patterns of each subconcept, as row indices.
        classes: The class of each subconcept.
        planes: The weights of the widest margin, [inputs], of each pair (s, t) of subconcepts of
            different classes, s < t; higher on s.
        cuts: Directions of the cuts that were made, each [inputs].
    """

    members: list[Ints]
    classes: list[int]
    planes: dict[tuple[int, int], Floats]
    cuts: list[Floats]


def partition(
    points: Floats, labels: Ints, cuts: Cuts, max_subconcepts: int, deadline: float = math.inf
) -> Partition | None:
    """Split classes until every two subconcepts of different classes are linearly separable.

    It starts from one subconcept per class. The pair that a linear discriminant separates worst
    is cut: either one of the two (`one_sided`), or both by one hyperplane (`joint`), whereupon
    the crossed pairs are separated by the cut itself. Of all cuts the one that leaves the fewest
    errors is made. That ends, at single points at the latest.

    Args:
        points: Distinct patterns, [patterns, inputs], centred and about as large as 1.
        labels: Class of each, [patterns].
        cuts: Whether a cut goes through one of two subconcepts or both.
        max_subconcepts: The most that may be made.
        deadline: CPU time of the process, in seconds, at which it is given up.

    Returns:
        The partition, or None if it takes more subconcepts or time.

    Source: cutting one side of the worst pair is Blazek & Lin (Nat Comput Sci 1, 607-618, 2021).
    Differs from the paper: joint cuts; every threshold of several directions rather than the
    plane between two means; and no errors are left, for the logic on top to be exact.
    """
    return _Splitter(points, labels, cuts, max_subconcepts).run(deadline)


class _Splitter:
    def __init__(self, points: Floats, labels: Ints, cuts: Cuts, limit: int) -> None:
        self.points, self.joint, self.limit = points, cuts == "joint", limit
        self.members = [np.flatnonzero(labels == c) for c in np.unique(labels)]
        self.classes = [int(c) for c in np.unique(labels)]
        self.alive = list(range(len(self.members)))
        self.planes: dict[tuple[int, int], Floats] = {}
        self.open: dict[tuple[int, int], float] = {}  # the errors of pairs that do not separate
        self.cuts: list[Floats] = []

    def run(self, deadline: float) -> Partition | None:
        for t in self.alive:
            for s in range(t):
                self.check(s, t)
        while self.open:
            if len(self.alive) >= self.limit or time.process_time() > deadline:
                return None
            worst = max(self.open, key=lambda pair: (self.open[pair], -pair[0], -pair[1]))
            self.cut(*worst)
        return Partition(
            members=[self.members[s] for s in self.alive],
            classes=[self.classes[s] for s in self.alive],
            planes={
                (i, j): self.plane(s, t)
                for j, t in enumerate(self.alive)
                for i, s in enumerate(self.alive[:j])
                if self.classes[s] != self.classes[t]
            },
            cuts=self.cuts,
        )

    def plane(self, s: int, t: int) -> Floats:
        """The widest margin of a pair that is separable, if only as part of larger ones."""
        if (s, t) not in self.planes:
            self.check(s, t)
        return self.planes[s, t]

    def check(self, s: int, t: int) -> None:
        """Look for a plane between two subconcepts of different classes."""
        a, b = self.points[self.members[s]], self.points[self.members[t]]
        plane = widest_margin(a, b)
        if plane is not None:
            self.planes[s, t] = plane
        else:
            self.open[s, t] = float(errors_left(a, b, _whole(a), _whole(b))[0])

    def cut(self, s: int, t: int) -> None:
        a, b = self.points[self.members[s]], self.points[self.members[t]]
        directions = self.directions(a, b)
        if self.joint:
            cuts = [_best_cut(a, b, directions, True, True)]
        else:  # of the two, a single point cannot be cut
            cuts = [_best_cut(a, b, directions, True, False)] if len(a) > 1 else []
            cuts += [_best_cut(a, b, directions, False, True)] if len(b) > 1 else []
        best = min(cuts, key=lambda cut: cut.errors)
        self.cuts.append(best.direction)
        for old, high in ((s, best.high_a), (t, best.high_b)):
            if high.any() and not high.all():
                self.replace(old, [self.members[old][high], self.members[old][~high]])

    def replace(self, old: int, parts: list[Ints]) -> None:
        """Put parts in the place of a subconcept; what was separated from it is from them."""
        self.alive.remove(old)
        rivals = [pair for pair in self.open if old in pair]
        for part in parts:
            new = len(self.members)
            self.members.append(part)
            self.classes.append(self.classes[old])
            self.alive.append(new)
            for s, t in rivals:
                self.check(s + t - old, new)
        for pair in rivals:
            del self.open[pair]

    def directions(self, a: Floats, b: Floats) -> Floats:
        """Unit directions to cut along, [directions, inputs].

        Earlier cuts come first, since a cut that is shared costs less.
        """
        inputs = self.points.shape[1]
        difference = a.mean(axis=0) - b.mean(axis=0)
        spread = np.cov(a.T, bias=True) + np.cov(b.T, bias=True) + _RIDGE * np.eye(inputs)
        discriminant = np.linalg.solve(spread, difference)
        proposed = np.vstack(
            [*self.cuts, np.ones(inputs), discriminant, difference, np.eye(inputs)]
        )
        norms = np.linalg.norm(proposed, axis=1, keepdims=True)
        units = proposed[norms[:, 0] > _ZERO] / norms[norms > _ZERO, None]
        again = np.triu(np.abs(units @ units.T) > 1 - _ZERO, k=1).any(axis=0)
        return np.asarray(units[~again])


@dataclass(frozen=True)
class _Cut:
    """A cut, what it leaves wrong, and which points of a and of b lie above it, [points]."""

    errors: float
    direction: Floats
    high_a: Mask
    high_b: Mask


def _best_cut(a: Floats, b: Floats, directions: Floats, through_a: bool, through_b: bool) -> _Cut:
    """The cut that leaves fewest errors: one per direction and gap between values of points.

    A set that the cut does not go through has to be told from both parts of the other.
    """
    high_a, high_b, origin = [], [], []
    points = np.concatenate([a] * through_a + [b] * through_b)
    for index, direction in enumerate(directions):
        values = np.unique(np.round(points @ direction, 12))
        middles = (values[1:] + values[:-1]) / 2
        if len(middles) > _MAX_THRESHOLDS:
            ranks = np.linspace(0, len(middles) - 1, _MAX_THRESHOLDS)
            middles = middles[np.unique(ranks.astype(np.int64))]
        high_a.append((a @ direction)[None] > middles[:, None])
        high_b.append((b @ direction)[None] > middles[:, None])
        origin.append(np.full(len(middles), index))
    in_a, in_b = np.concatenate(high_a), np.concatenate(high_b)
    above = (in_a if through_a else _whole(a)), (in_b if through_b else _whole(b))
    below = (~in_a if through_a else _whole(a)), (~in_b if through_b else _whole(b))
    errors = errors_left(a, b, *above) + errors_left(a, b, *below)
    best = int(errors.argmin())
    return _Cut(
        errors=float(errors[best]),
        direction=directions[np.concatenate(origin)[best]],
        high_a=in_a[best] if through_a else _whole(a)[0],
        high_b=in_b[best] if through_b else _whole(b)[0],
    )


def _whole(points: Floats) -> Mask:
    return np.ones((1, len(points)), dtype=bool)


def errors_left(a: Floats, b: Floats, in_a: Mask, in_b: Mask) -> NDArray[np.float64]:
    """Errors of the best threshold on a ridge-regularised linear discriminant, [cuts].

    Args:
        a, b: Two sets of points, [points, inputs].
        in_a, in_b: Which of them count, [cuts, points] (or [1, points]).
    """
    count = max(len(in_a), len(in_b))
    in_a = np.broadcast_to(in_a, (count, len(a)))
    in_b = np.broadcast_to(in_b, (count, len(b)))
    inputs = a.shape[1]
    size = inputs * inputs if inputs <= _MAX_COVARIANCE else inputs
    step = max(1, _BLOCK // (len(a) + len(b) + size))
    parts = [_errors(a, b, in_a[i : i + step], in_b[i : i + step]) for i in range(0, count, step)]
    return np.concatenate(parts)


def _errors(a: Floats, b: Floats, in_a: Mask, in_b: Mask) -> NDArray[np.float64]:
    (mean_a, spread_a), (mean_b, spread_b) = _moments(a, in_a), _moments(b, in_b)
    spread = spread_a + spread_b
    if spread.ndim == 3:
        spread += _RIDGE * np.eye(a.shape[1])
        weights = np.linalg.solve(spread, (mean_a - mean_b)[..., None])[..., 0]
    else:
        weights = (mean_a - mean_b) / (spread + _RIDGE)
    values = np.round(np.hstack([weights @ a.T, weights @ b.T]), 9)
    order = values.argsort(axis=1)
    values = np.take_along_axis(values, order, axis=1)
    step = np.hstack([in_a, -in_b.astype(np.int64)])
    # Errors where all below a threshold are told b: the a's below it and the b's above it.
    wrong = in_b.sum(axis=1)[:, None] + np.take_along_axis(step, order, axis=1).cumsum(axis=1)
    wrong[:, :-1][values[:, 1:] == values[:, :-1]] = len(a) + len(b)
    return np.asarray(np.minimum(wrong.min(axis=1), in_b.sum(axis=1)), dtype=np.float64)


def _moments(points: Floats, chosen: Mask) -> tuple[Floats, Floats]:
    """Mean and covariance (or variances, of many inputs) of the chosen points, per cut."""
    weight = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    mean = weight @ points
    inputs = points.shape[1]
    if inputs > _MAX_COVARIANCE:
        return mean, np.maximum(weight @ points**2 - mean**2, 0)
    products = (points[:, :, None] * points[:, None, :]).reshape(len(points), -1)
    second = (weight @ products).reshape(-1, inputs, inputs)
    return mean, second - mean[:, :, None] * mean[:, None, :]
