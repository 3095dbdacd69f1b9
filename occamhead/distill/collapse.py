"""From a discrete head to a table over few coordinates.

Inputs with equal weights in every differentia act only through their sum, so a network is a table
over such sums: Life's nine cells need 2 x 9 rows instead of 512. Where all differentiae share a
few directions, it is a table over the intervals of these. A table then tells itself whether two
of its coordinates act only through their sum or difference, which needs no weights.

Source: design of ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.distill.spec import FeatureSpec, grid
from occamhead.distill.table import Coordinate, Table
from occamhead.essence import Circuit

Predict: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.int64]]
Terms: TypeAlias = tuple[tuple[int, int], ...]
# The largest table whose program is looked for, and the most rows at which a callable is asked.
MOST_CELLS = 1 << 16
_MOST_MERGED = 1 << 12  # cells up to which multiples of a coordinate are tried as well
# Joining must save a fifth of the cells: 8 * a + b for a count b would be a code, not a sum.
_WORTH = 0.8
# Rows up to which a circuit is tabulated by its inputs too, as if it were a callable: what its
# weights do not show may be shorter.
SMALL = 256
LARGEST = 1 << 52  # whole numbers up to here, and halves of them, are exact in float64


@dataclass(frozen=True)
class System:
    """Linear forms of the inputs, written over fewer coordinates.

    Args:
        terms: Per coordinate its (coefficient, input) pairs.
        matrix: [forms, coordinates]: each form as a combination of the coordinates.
        bounds: The least and the largest value of each coordinate.
    """

    terms: tuple[Terms, ...]
    matrix: NDArray[np.int64]
    bounds: tuple[tuple[int, int], ...]

    @property
    def num_cells(self) -> int:
        """Combinations of the values of all coordinates."""
        return math.prod(high - low + 1 for low, high in self.bounds)


def blocks(forms: NDArray[np.int64], spec: FeatureSpec) -> System:
    """One coordinate per set of inputs that have equal coefficients in every form."""
    members: dict[tuple[int, ...], list[int]] = {}
    for i in range(spec.num_inputs):
        if forms[:, i].any():
            members.setdefault(tuple(forms[:, i].tolist()), []).append(i)
    terms = tuple(tuple((1, i) for i in group) for group in members.values())
    matrix = np.array([*members], dtype=np.int64).reshape(len(terms), len(forms)).T
    return System(terms, matrix, _bounds(terms, spec))


def directions(forms: NDArray[np.int64], spec: FeatureSpec) -> System:
    """One coordinate per direction; every form is a multiple of one of them."""
    found: dict[tuple[int, ...], int] = {}
    entries = []
    for form in forms:
        if not form.any():
            entries.append((0, 0))
            continue
        factor = int(np.gcd.reduce(form)) * (1 if form[form != 0][0] > 0 else -1)
        direction = tuple((form // factor).tolist())
        entries.append((found.setdefault(direction, len(found)), factor))
    matrix = np.zeros((len(forms), len(found)), dtype=np.int64)
    for row, (column, factor) in enumerate(entries):
        if factor:
            matrix[row, column] = factor
    terms = tuple(tuple((c, i) for i, c in enumerate(d) if c) for d in found)
    return System(terms, matrix, _bounds(terms, spec))


def _bounds(terms: Sequence[Terms], spec: FeatureSpec) -> tuple[tuple[int, int], ...]:
    found = []
    for pairs in terms:
        ends = [sorted((c * spec.domains[i].low, c * spec.domains[i].high)) for c, i in pairs]
        found.append((sum(low for low, _ in ends), sum(high for _, high in ends)))
    if large := [pair for pair in found if max(map(abs, pair)) >= LARGEST]:
        raise ValueError(
            f"a sum of the inputs reaches from {large[0][0]} to {large[0][1]}, beyond 2**52, where"
            " float64 is no longer exact; declare smaller domains"
        )
    return tuple(found)


def cuts(factor: int, offset: float) -> tuple[int, int]:
    """Where ``factor * value + offset`` changes its sign: cells begin at these two values.

    If it is zero at a whole number, that number is a cell of its own, so that any of <, <=, ==
    is constant on each cell.
    """
    zero = -offset / factor
    return math.ceil(zero), math.floor(zero) + 1


def cut_coordinates(system: System, at: Iterable[tuple[int, int]]) -> tuple[Coordinate, ...]:
    """The coordinates cut into the intervals that begin at these (coordinate, value) pairs."""
    starts = [{low} for low, _ in system.bounds]
    for k, value in at:
        low, high = system.bounds[k]
        if low < value <= high:
            starts[k].add(value)
    return tuple(
        Coordinate(terms, tuple(sorted(values)), high)
        for terms, values, (_, high) in zip(system.terms, starts, system.bounds, strict=True)
    )


def circuit_cuts(system: System, circuit: Circuit) -> Iterator[tuple[int, int]]:
    """Where the differentiae change, by coordinate: each must be a multiple of one coordinate."""
    for row, bias in zip(system.matrix, circuit.bias, strict=False):
        for k in np.flatnonzero(row):
            for value in cuts(int(row[k]), float(bias)):
                yield int(k), value


def cells_of(coordinates: Sequence[Coordinate]) -> NDArray[np.int64]:
    """One value of each coordinate per cell, [cells, coordinates]."""
    return grid([np.array(coordinate.starts) for coordinate in coordinates])


def tables_of(network: Circuit | Predict, spec: FeatureSpec) -> list[Table]:
    """Tables of a head over different coordinates, none larger than 65,536 cells.

    Args:
        network: A circuit, or a function from rows [rows, inputs] to classes [rows].
        spec: Its inputs.

    Returns:
        At least one table for a callable; none for a circuit that is too large for all forms.

    Raises:
        ValueError: If a callable has more inputs than can be tabulated.
    """
    tables: list[Table] = []
    if isinstance(network, Circuit):
        by_block = blocks(network.weights, spec)
        if by_block.num_cells <= MOST_CELLS:
            whole = [
                Coordinate.whole(t, *b)
                for t, b in zip(by_block.terms, by_block.bounds, strict=True)
            ]
            tables.append(_tabulate(network, by_block, tuple(whole)))
        by_direction = directions(network.weights, spec)
        cut = cut_coordinates(by_direction, circuit_cuts(by_direction, network))
        if math.prod(map(len, cut)) <= MOST_CELLS:
            tables.append(_tabulate(network, by_direction, cut))
        if spec.num_rows <= SMALL:
            tables.append(_by_input(network.predict, spec))
    elif spec.num_rows > MOST_CELLS:
        raise ValueError(
            f"the inputs have {spec.num_rows} values, and a callable can be asked at no more than"
            f" {MOST_CELLS}; distil a Circuit, whose weights tell how its inputs act, or narrow"
            " the domains"
        )
    else:
        tables.append(_by_input(network, spec))
    tables = _different([without_idle(table) for table in tables])
    joined = [merged for table in tables if (merged := merge(table)) is not table]
    return _different(tables + joined)


def _different(tables: Sequence[Table]) -> list[Table]:
    """The tables without those that are there twice."""
    return list({(table.coordinates, table.values.tobytes()): table for table in tables}.values())


def _by_input(predict: Predict, spec: FeatureSpec) -> Table:
    coordinates = tuple(
        Coordinate.whole(((1, i),), d.low, d.high) for i, d in enumerate(spec.domains)
    )
    values = classes_said(predict, spec.rows())
    return Table(coordinates, values.reshape([len(c) for c in coordinates]))


def classes_said(predict: Predict, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes that a callable gives rows [rows, inputs], as int64, [rows].

    Raises:
        ValueError: If it gives anything but one whole number for each row.
    """
    said: NDArray[Any] = np.asarray(predict(rows))
    if said.shape != (len(rows),) or said.dtype.kind not in "biuf":
        raise ValueError(
            f"the callable must give one class, a whole number, for each of {len(rows)} rows, got"
            f" shape {said.shape} of dtype {said.dtype}; take the argmax of scores, and number"
            " the classes"
        )
    bad = ~(np.abs(said.astype(np.float64)) < LARGEST) | (said != np.floor(said))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"the callable must give classes as whole numbers below 2**52, got {said[row]} for"
            f" {rows[row].tolist()}; round it, or take the argmax of scores"
        )
    return said.astype(np.int64)


def _tabulate(circuit: Circuit, system: System, coordinates: tuple[Coordinate, ...]) -> Table:
    reduced = replace(circuit, weights=system.matrix)
    values = reduced.predict(cells_of(coordinates))
    return Table(coordinates, values.reshape([len(c) for c in coordinates]))


def without_idle(table: Table) -> Table:
    """The table without the coordinates that it does not depend on."""
    idle = [
        axis
        for axis in range(table.values.ndim)
        if (table.values == np.take(table.values, [0], axis=axis)).all()
    ]
    kept = tuple(c for axis, c in enumerate(table.coordinates) if axis not in idle)
    values = table.values[tuple(0 if a in idle else slice(None) for a in range(table.values.ndim))]
    return Table(kept, values)


def merge(table: Table) -> Table:
    """The table with pairs of coordinates joined that act only through a sum or a difference.

    Joined are coordinates a and b if the table is a function of ``a + b``, ``a - b`` or, in small
    tables, of one and a power of two times the other, and if that saves a fifth of the cells. For
    0/1 inputs joining by a sum is the swap symmetry of the table.
    """
    while (joined := _merge_once(table)) is not None:
        table = joined
    return table


def _merge_once(table: Table) -> Table | None:
    factors = [(1, 1), (1, -1)]
    if table.values.size <= _MOST_MERGED:
        powers = [1 << k for k in range(1, 7)]
        factors += [f for p in powers for f in ((p, 1), (1, p), (p, -1), (1, -p))]
    for a, b in factors:
        for i, j in itertools.combinations(range(len(table.coordinates)), 2):
            if (joined := _joined(table, (i, j), (a, b))) is not None:
                return joined
    return None


def _joined(table: Table, axes: tuple[int, int], factors: tuple[int, int]) -> Table | None:
    first, second = (table.coordinates[axis] for axis in axes)
    if not (first.is_whole and second.is_whole):
        return None
    a, b = factors
    sums = np.add.outer(a * np.array(first.starts), b * np.array(second.starts)).ravel()
    values, where, label = np.unique(sums, return_index=True, return_inverse=True)
    gapless = len(values) == values[-1] - values[0] + 1
    if len(values) > _WORTH * len(sums) or not gapless:
        return None
    rows = np.moveaxis(table.values, axes, (0, 1))
    rest = rows.shape[2:]
    rows = rows.reshape(len(sums), -1)
    if not (rows == rows[where][label.ravel()]).all():
        return None
    terms = tuple((f * c, i) for f, u in ((a, first), (b, second)) for c, i in u.terms)
    coordinate = Coordinate.whole(
        tuple(sorted(terms, key=lambda t: t[1])), *values[[0, -1]].tolist()
    )
    others = tuple(c for axis, c in enumerate(table.coordinates) if axis not in axes)
    return Table((coordinate, *others), rows[where].reshape(len(values), *rest))
