"""From networks on squares of a few sides to one program for squares of every side.

The network has the paper's three layers: a differentia between every two images of different
classes, a subconcept per image over all differentiae, and a concept over all subconcepts. Each
neuron is the hyperplane of widest margin, in whole numbers. That plane inherits the exchanges of
rows and of columns that map the images onto themselves, so that its weights are a number for
the whole square plus one for a row plus one for a column; what these numbers are at several sides
becomes formulas of the side m.

Declared: the inputs are a square, and each image is a subconcept of its own. Found: all weights
and thresholds, to which row and column a neuron belongs, and the formulas.

Source: layers and activations are those of Blazek & Lin (Nat Comput Sci 1, 607-618, 2021) and
Blazek et al. (Nat Comput Sci 4, 110-118, 2024); lifting is the notes' section 3.6 (design of ours).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamhead.distill.formulas import Bound, Formula, Polynomial, fit, tokens
from occamhead.distill.lift import Lifted, LiftedCertificate
from occamhead.essence.planes import Floats, widest_margin
from occamhead.essence.rounding import Ints, rounded

Images: TypeAlias = tuple[ArrayLike, ArrayLike]

# Below it a subconcept of one line does not hold on the other lines of its class, and the
# concept differs.
_SMALLEST_SIDE = 5
_FEWEST_SIDES = 3  # two points fit any line


# --- networks of one side -------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """Weights [neurons, inputs] and thresholds [neurons], whole numbers."""

    weights: Ints
    thresholds: Ints

    def excess(self, x: ArrayLike) -> Floats:
        """By how much the sums of rows [rows, inputs] exceed the thresholds, [rows, neurons]."""
        # Whole numbers far below 2**53 are exact in float64, whose products are much faster.
        return np.asarray(np.asarray(x, np.float64) @ self.weights.T - self.thresholds)


@dataclass(frozen=True)
class GridNetwork:
    """Differentiae (-1, 0 or 1), subconcepts (0 or 1) over them, and one concept (0 or 1)."""

    differentiae: Layer
    subconcepts: Layer
    concept: Layer

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """The class, 0 or 1, of each row [rows, side * side]; 0 where it is undecided."""
        inputs = self.differentiae.weights.shape[1]
        if np.ndim(x) != 2 or np.shape(x)[1] != inputs:
            raise ValueError(f"the network takes rows of {inputs} inputs, got shape {np.shape(x)}")
        told = np.sign(self.differentiae.excess(x))
        held = self.subconcepts.excess(told) > 0
        return (self.concept.excess(held)[:, 0] > 0).astype(np.int64)


def learn_grid(x: ArrayLike, y: ArrayLike) -> GridNetwork:
    """The network of widest margins with one subconcept per image.

    Args:
        x: Distinct images, [images, inputs], 0 or 1.
        y: Classes, [images], 0 or 1, both of which occur.

    Raises:
        ValueError: If there are other classes, or what a layer puts out is not separable.
    """
    images, labels = np.asarray(x, np.int64), np.asarray(y, np.int64)
    if set(labels.tolist()) != {0, 1}:
        raise ValueError(f"classes must be 0 and 1, got {sorted(set(labels.tolist()))}; relabel")
    first, second = images[labels == 0], images[labels == 1]
    differentiae = _layer([(a[None], b[None]) for a in first for b in second])
    first, second = (np.sign(differentiae.excess(group)) for group in (first, second))
    pairs = [(own[None], second) for own in first] + [(own[None], first) for own in second]
    subconcepts = _layer(pairs)
    first, second = (subconcepts.excess(group) > 0 for group in (first, second))
    return GridNetwork(differentiae, subconcepts, _layer([(second * 1.0, first * 1.0)]))


def _layer(pairs: Sequence[tuple[NDArray[np.generic], NDArray[np.generic]]]) -> Layer:
    """A neuron per pair of sets, high on the first; its threshold is in the middle of the gap."""
    weights, thresholds = [], []
    for above, below in pairs:
        high, low = above.astype(np.float64), below.astype(np.float64)
        plane = widest_margin(high, low)
        if plane is None:
            raise ValueError(
                f"no hyperplane separates {len(above)} from {len(below)} images by what a layer"
                " puts out; images of both classes perhaps are the same"
            )
        own = _nearest(plane)
        ends = int((high @ own).min()) + int((low @ own).max())
        scale = 1 + ends % 2  # the middle is a whole number of twice the weights
        weights.append(own * scale)
        thresholds.append(ends * scale // 2)
    return Layer(np.array(weights), np.array(thresholds))


def _nearest(plane: Floats) -> Ints:
    """The whole-number direction closest by angle, the simplest kind on a tie."""

    def cosine(found: Ints) -> float:
        return round(float(found @ plane / np.linalg.norm(found) / np.linalg.norm(plane)), 6)

    found = rounded(plane)  # first weight positive, so that the plane may point the other way
    return max((s * row for row in found for s in (1, -1)), key=cosine)


# --- neurons by rows and columns ------------------------------------------------------------------


class Shares(NamedTuple):
    """What an entry weighs: as one of all, of the neuron's row, of its column; the threshold."""

    whole: int
    row: int
    column: int
    threshold: int


def _read(weights: Ints, threshold: int) -> tuple[int | None, int | None, Shares]:
    """The row and the column that a neuron over a square [m, m] belongs to, and its shares."""
    whole = _most_frequent(weights)
    other = weights - whole
    fewest = len(weights) - 1  # its entry in both may be 0
    rows, columns = (np.flatnonzero((other != 0).sum(axis=a) >= fewest) for a in (1, 0))
    own = np.zeros_like(weights)
    shares = {"row": 0, "column": 0}
    if len(rows) == 1:
        shares["row"] = _most_frequent(other[rows[0]])
        own[rows[0]] += shares["row"]
    if len(columns) == 1:
        shares["column"] = _most_frequent(other[:, columns[0]])
        own[:, columns[0]] += shares["column"]
    if not np.array_equal(own, other):
        raise ValueError(
            f"the weights of a neuron over a square of side {len(weights)} are no sum over it, a"
            " row and a column; the classes are perhaps no matter of rows and columns"
        )
    row = int(rows[0]) if len(rows) == 1 else None
    column = int(columns[0]) if len(columns) == 1 else None
    return row, column, Shares(whole, **shares, threshold=threshold)


def _most_frequent(values: Ints) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])


def _families(network: GridNetwork, side: int) -> dict[str, Shares]:
    """The shares of each kind of neuron, which all neurons of the kind have."""
    layer = network.differentiae
    cells = [_read(w.reshape(side, side), t) for w, t in _neurons(layer)]
    places = [(row, column) for row, column, _ in cells]
    if len({*places}) != side * side or len(cells) != side * side or None in sum(places, ()):
        raise ValueError(
            f"at side {side} there are {len(cells)} differentiae of {len({*places})} places;"
            " needed is one per row and column, as all lines of a square give"
        )
    order = np.array([places.index((i, j)) for i in range(side) for j in range(side)])
    kinds: dict[str, list[Shares]] = {"cell": [shares for _, _, shares in cells]}
    votes: dict[str, list[int]] = {}
    voting = network.concept.weights[0]
    for (weights, threshold), vote in zip(_neurons(network.subconcepts), voting, strict=True):
        row, column, shares = _read(weights[order].reshape(side, side), threshold)
        if (row is None) == (column is None):
            raise ValueError(
                f"a subconcept at side {side} is one of a row or of a column, got row {row} and"
                f" column {column}; leave out images other than lines"
            )
        kind = "column" if row is None else "row"
        kinds.setdefault(kind, []).append(shares)
        votes.setdefault(kind, []).append(int(vote))
    across, down = votes.get("row", []), votes.get("column", [])
    kinds["concept"] = [Shares(0, *pair, int(network.concept.thresholds[0]))
                        for pair in zip(across, down, strict=True)]  # fmt: skip
    if uneven := [kind for kind, shares in kinds.items() if len({*shares}) > 1]:
        raise ValueError(
            f"at side {side} the neurons of a {uneven[0]} differ: {sorted({*kinds[uneven[0]]})};"
            " give all lines of the square"
        )
    return {kind: shares[0] for kind, shares in kinds.items()}


def _neurons(layer: Layer) -> Iterator[tuple[Ints, int]]:
    return zip(layer.weights, layer.thresholds.tolist(), strict=True)


# --- every side -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Family:
    """Shares as formulas of the side m."""

    whole: Formula
    row: Formula
    column: Formula
    threshold: Formula

    def at(self, side: int) -> Shares:
        formulas = (self.whole, self.row, self.column, self.threshold)
        return Shares(*(formula.value({"m": side}) for formula in formulas))

    def excess(self, square: Ints) -> Ints:
        """Of the neuron of each row and column, [m, m], over a square [m, m]."""
        whole, row, column, threshold = self.at(len(square))
        rows, columns = square.sum(axis=1, keepdims=True), square.sum(axis=0, keepdims=True)
        return np.asarray(whole * square.sum() + row * rows + column * columns - threshold)

    def weights(self, side: int) -> Ints:
        """Of the neuron of each row and column over all entries, [m, m, m * m]."""
        whole, row, column, _ = self.at(side)
        same = np.eye(side, dtype=np.int64)
        found = whole + row * same[:, None, :, None] + column * same[None, :, None, :]
        return np.asarray(found.reshape(side, side, side * side))

    def sides(self, whole: str, row: str, column: str) -> tuple[str, str]:
        """Python for both sides of the comparison with the threshold, nothing negative on them."""
        left: list[str] = []
        right: list[str] = []
        terms = [(1, self.whole, whole), (1, self.row, row), (1, self.column, column)]
        for sign, formula, name in [*terms, (-1, self.threshold, "")]:
            if (opposite := _negated(formula)) is not None:
                sign, formula = -sign, opposite
            if (text := str(formula)) != "0":
                factor = text if tokens(text) == 1 or not name else f"({text})"
                product = name if name and text == "1" else f"{factor} * {name}" if name else factor
                (left if sign > 0 else right).append(product)
        return " + ".join(left) or "0", " + ".join(right) or "0"


def _negated(formula: Formula) -> Formula | None:
    """The opposite of a formula that starts with a minus sign; None of one that does not."""
    if not isinstance(formula, Polynomial) or formula.divisor > 1 or str(formula)[0] != "-":
        return None
    opposite = (-formula.square, -formula.slope, -formula.constant)
    return replace(formula, square=opposite[0], slope=opposite[1], constant=opposite[2])


@dataclass(frozen=True)
class GridRule:
    """The network of every side: `cell` differentiae, `row` and `column` subconcepts, a concept.

    The concept's shares are those of all subconcepts of rows and of all of columns.
    """

    cell: Family
    row: Family
    column: Family
    concept: Family

    @property
    def parts(self) -> int:
        return 1

    def value(self, x: Sequence[int]) -> int:
        """The class of a square that is given row by row.

        Raises:
            ValueError: If the length of x is no square number.
        """
        side = math.isqrt(len(x))
        if side * side != len(x):
            raise ValueError(f"x must be a square, row by row, got {len(x)} entries; pad or crop")
        told = np.sign(self.cell.excess(np.array(x, dtype=np.int64).reshape(side, side)))
        across = int((self.row.excess(told)[:, 0] > 0).sum())
        down = int((self.column.excess(told)[0] > 0).sum())
        _, row, column, threshold = self.concept.at(side)
        return int(row * across + column * down > threshold)

    def network(self, side: int) -> GridNetwork:
        """The network at a side, of side**4 weights of differentiae."""
        cells, rows, columns = (f.weights(side) for f in (self.cell, self.row, self.column))
        concept = self.concept.at(side)
        thresholds = [f.at(side).threshold for f in (self.row, self.column)]
        return GridNetwork(
            Layer(cells.reshape(side**2, -1), np.full(side**2, self.cell.at(side).threshold)),
            Layer(np.concatenate([rows[:, 0], columns[0]]), np.repeat(thresholds, side)),
            Layer(
                np.repeat([concept.row, concept.column], side)[None], np.array([concept.threshold])
            ),
        )

    def lines(self) -> list[str]:
        """The body of ``predict(x)``; rows are called r and columns c, of pixels and then of d."""
        left, right = self.cell.sides("sum(x)", "r", "c")
        across = " > ".join(self.row.sides("total", "sum(r)", ""))
        down = " > ".join(self.column.sides("total", "", "sum(c)"))
        answer = self.concept.sides("", "across", f"sum({down} for c in zip(*d))")
        return [
            "m = round(len(x) ** 0.5)",
            "rows, columns = [sum(x[i * m : i * m + m]) for i in range(m)],"
            " [sum(x[j::m]) for j in range(m)]",
            f"d = [[({left} > {right}) - ({left} < {right}) for c in columns] for r in rows]",
            "total = sum(map(sum, d))",
            f"across = sum({across} for r in d)",
            f"return int({' > '.join(answer)})",
        ]


def lift_grid(images: Mapping[int, Images], holdout: Mapping[int, Images]) -> Lifted:
    """Learn networks at a few sides and lift them to one program for every side.

    Args:
        images: By side, at three sides or more, distinct images [images, side * side] of 0 and 1,
            and their classes [images], 0 or 1.
        holdout: The same at other sides, which take no part in fitting: the network that is
            learned there must have the very weights that the formulas say.

    Raises:
        ValueError: If there are fewer than three sides, one below 5, or none held out, if weights
            are no matter of rows and columns, have no formula, or differ at a held-out side.

    Example:
        >>> def lines(m):
        ...     across = np.kron(np.eye(m, dtype=int), np.ones(m, dtype=int))
        ...     down = np.tile(np.eye(m, dtype=int), m)
        ...     return np.concatenate([across, down]), np.repeat([0, 1], m)
        >>> lifted = lift_grid({m: lines(m) for m in (5, 6, 7)}, {8: lines(8)})
        >>> str(lifted.rule.row.threshold)
        'm**2 - m'
    """
    both = set(images) & set(holdout)
    if len(images) < _FEWEST_SIDES or not holdout or both:
        raise ValueError(
            f"three sides or more and another that is held out are needed, got {sorted(images)} and"
            f" {sorted(holdout)}"
        )
    if (smallest := min({*images, *holdout})) < _SMALLEST_SIDE:
        raise ValueError(f"sides must be {_SMALLEST_SIDE} or more, got {smallest}; leave it out")
    seen = {m: _families(learn_grid(*pair), m) for m, pair in sorted(images.items())}
    rule = GridRule(**{kind: _fitted(kind, seen) for kind in ("cell", "row", "column", "concept")})
    for m, pair in sorted(holdout.items()):
        for kind, shares in _families(learn_grid(*pair), m).items():
            if (claimed := getattr(rule, kind).at(m)) != shares:
                raise ValueError(
                    f"the formulas of sides {sorted(images)} say {claimed} of each {kind} at side"
                    f" {m}, the network learned there has {shares}; learn at this side as well"
                )
    fitted, checked = ({m: len(np.asarray(y)) for m, (_, y) in sorted(group.items())}
                       for group in (images, holdout))  # fmt: skip
    return Lifted(rule, LiftedCertificate(fitted, checked))


def _fitted(kind: str, seen: Mapping[int, Mapping[str, Shares]]) -> Family:
    formulas = []
    for place, name in enumerate(Shares._fields):
        values = {m: families[kind][place] for m, families in seen.items()}
        formula = fit([Bound({"m": m}, value, value) for m, value in values.items()])
        if formula is None:
            raise ValueError(f"no formula of the side gives the {name} share of {kind}: {values}")
        formulas.append(formula)
    return Family(*formulas)
