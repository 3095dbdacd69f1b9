"""A discrete head as a table over few coordinates: integer sums of its inputs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import ExpressionBuilder


@dataclass(frozen=True)
class Coordinate:
    """A weighted sum of inputs, its values cut into cells.

    Args:
        terms: (coefficient, input) pairs.
        starts: The least value of each cell, ascending; a cell ends where the next begins.
        high: The largest value of the last cell.
    """

    terms: tuple[tuple[int, int], ...]
    starts: tuple[int, ...]
    high: int

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def whole(cls, terms: tuple[tuple[int, int], ...], low: int, high: int) -> Coordinate:
        """One cell per value."""
        return cls(terms, tuple(range(low, high + 1)), high)

    @property
    def is_binary(self) -> bool:
        return self.starts == (0, 1) and self.high == 1

    @property
    def is_whole(self) -> bool:
        """Whether each cell holds one value."""
        return len(self) == self.high - self.starts[0] + 1

    def ends(self, cell: int) -> tuple[int, int]:
        """The least and the largest value of a cell."""
        last = self.high if cell + 1 == len(self) else self.starts[cell + 1] - 1
        return self.starts[cell], last

    def node(self, builder: ExpressionBuilder) -> int:
        return builder.affine(0, [(c, builder.input(i)) for c, i in self.terms])


@dataclass(frozen=True)
class Test:
    """Whether a coordinate lies in one of some cells; each run holds its first and last value.

    Args:
        axis: Index of the coordinate.
        kind: How it is written: "is" and "not" for a 0/1 coordinate itself, "is" also for one whose
            value is the class; "<=", ">=", "==", "!=", "between", "in" or "not in"; "odd" and
            "even"; "residue" and "no residue".
        values: The numbers that it is compared with; of a residue the period, and the residue.
    """

    axis: int
    kind: str
    values: tuple[int, ...] = ()

    @property
    def tokens(self) -> int:
        """Python tokens of the test, the coordinate being one name."""
        match self.kind:
            case "is":
                return 1
            case "not":
                return 2
            case "even":
                return 4
            case "between" | "residue" | "no residue":
                return 5
            case "in" | "not in":
                return 3 + 2 * len(self.values) + (self.kind == "not in")
        return 3

    def node(self, builder: ExpressionBuilder, coordinate: int) -> int:
        """The test as a node of a formula, given the node of the coordinate."""

        def compare(operator: str, value: int) -> int:
            return builder.apply(operator, coordinate, builder.constant(value))

        match self.kind:
            case "is":
                return coordinate
            case "not":
                return builder.affine(1, [(-1, coordinate)])
            case "between":
                low, high = self.values
                return builder.apply("min", compare("ge", low), compare("le", high))
            case "in":
                return builder.apply("max", *(compare("eq", value) for value in self.values))
            case "not in":
                return builder.apply("min", *(compare("ne", value) for value in self.values))
            case "odd" | "even":
                odd = builder.apply("mod", coordinate, builder.constant(2))
                return odd if self.kind == "odd" else builder.affine(1, [(-1, odd)])
            case "residue" | "no residue":
                period, residue = map(builder.constant, self.values)
                operator = "eq" if self.kind == "residue" else "ne"
                return builder.apply(operator, builder.apply("mod", coordinate, period), residue)
        operator = {"<=": "le", ">=": "ge", "==": "eq", "!=": "ne"}[self.kind]
        return compare(operator, self.values[0])


@dataclass(frozen=True)
class Table:
    """The class of each cell, shape of `values` = cells of each coordinate."""

    coordinates: tuple[Coordinate, ...]
    values: NDArray[np.int64]

    @cached_property
    def classes(self) -> tuple[int, ...]:
        return tuple(int(value) for value in np.unique(self.values))

    def groups(self, axis: int) -> list[int]:
        """The cells of an axis as bit masks, those together that the table does not tell apart."""
        slices = np.moveaxis(self.values, axis, 0).reshape(len(self.coordinates[axis]), -1)
        _, label = np.unique(slices, axis=0, return_inverse=True)
        label = label.ravel()
        first = {int(v): int(np.argmax(label == v)) for v in label}
        ordered = sorted(first, key=lambda v: first[v])
        return [sum(1 << int(i) for i in np.flatnonzero(label == v)) for v in ordered]

    def test(self, axis: int, cells: int, among: int) -> Test | None:
        """The shortest way to tell `cells` from the rest of `among`, both bit masks of an axis.

        None if it takes more numbers than a person would list.
        """
        coordinate = self.coordinates[axis]
        if coordinate.is_binary:
            return Test(axis, "is" if cells & 2 else "not")
        inside, outside = bits(cells), bits(among & ~cells)
        if len(inside) == 1 and _single(coordinate, inside[0]):
            return Test(axis, "==", (coordinate.starts[inside[0]],))
        if inside[-1] < outside[0]:
            return Test(axis, "<=", (coordinate.ends(inside[-1])[1],))
        if inside[0] > outside[-1]:
            return Test(axis, ">=", (coordinate.ends(inside[0])[0],))
        if len(outside) == 1 and _single(coordinate, outside[0]):
            return Test(axis, "!=", (coordinate.starts[outside[0]],))
        options = []
        if not any(inside[0] < cell < inside[-1] for cell in outside):
            ends = coordinate.ends(inside[0])[0], coordinate.ends(inside[-1])[1]
            options.append(Test(axis, "between", ends))
        for kind, listed in (("in", inside), ("not in", outside)):
            if all(_single(coordinate, cell) for cell in listed) and len(listed) <= _MOST_LISTED:
                options.append(Test(axis, kind, tuple(coordinate.starts[c] for c in listed)))
        if all(_single(coordinate, cell) for cell in inside + outside):
            sides = ([coordinate.starts[cell] for cell in side] for side in (inside, outside))
            options += _residue_tests(axis, *sides)
        return min(options, key=lambda option: option.tokens, default=None)

    def tests(self, axis: int) -> dict[int, Test]:
        """Tests of an axis by the cells in which they hold: those that can be of use."""
        groups = self.groups(axis)
        everything = (1 << len(self.coordinates[axis])) - 1
        wanted = set(groups) | self._slices(axis)
        owner = {cell: group for group in groups for cell in bits(group)}
        prefix = 0
        for cell in range(len(owner) - 1):
            prefix |= 1 << cell
            if owner[cell] != owner[cell + 1]:
                wanted.add(prefix)
        runs = sorted(wanted, key=lambda cells: (cells.bit_count(), cells))
        wanted |= {a & ~b for a, b in itertools.product(runs, repeat=2) if _is_run(a & ~b)}
        found: dict[int, Test] = {}
        for cells in sorted(wanted | {everything & ~cells for cells in wanted}):
            if cells not in (0, everything) and (test := self.test(axis, cells, everything)):
                found[cells] = test
        return found

    def _slices(self, axis: int) -> set[int]:
        """For tables of 0 and 1: where along the axis it is 1, for each place on the others."""
        if not set(self.classes) <= {0, 1} or math.prod(self.values.shape) > _MOST_SLICED:
            return set()
        slices = np.moveaxis(self.values, axis, -1).reshape(-1, len(self.coordinates[axis]))
        return {sum(1 << int(i) for i in np.flatnonzero(row)) for row in np.unique(slices, axis=0)}


# More numbers than this in "s in (...)" are a table in disguise.
_MOST_LISTED = 12
# Fewer numbers than this are listed rather than called a residue: s in (2, 7), not s % 5 == 2.
_FEWEST_LISTED = 3
_MOST_SLICED = 4096


def bits(mask: int) -> list[int]:
    """Which bits of a mask are set, ascending."""
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _residue_tests(axis: int, inside: list[int], outside: list[int]) -> Iterator[Test]:
    """Tests by the residue of a value, if there are values enough to call it a period."""
    for period in range(2, (len(inside) + len(outside) + 1) // 2 + 1):
        residues, others = ({value % period for value in side} for side in (inside, outside))
        if residues & others:
            continue
        if period == 2:
            yield Test(axis, "odd" if residues == {1} else "even")
        elif len(residues) == 1 and len(inside) >= _FEWEST_LISTED:
            yield Test(axis, "residue", (period, *residues))
        elif len(others) == 1 and len(outside) >= _FEWEST_LISTED:
            yield Test(axis, "no residue", (period, *others))


def _single(coordinate: Coordinate, cell: int) -> bool:
    low, high = coordinate.ends(cell)
    return low == high


def _is_run(mask: int) -> bool:
    """Whether the set bits follow each other without a gap."""
    return mask > 0 and (mask // (mask & -mask) + 1).bit_count() == 1
