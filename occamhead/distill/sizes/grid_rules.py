"""The network on a square as a rule for every side: weights by row and column are formulas.

Source: design of ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from occamhead.distill.sizes.grid_networks import GridNetwork, Layer
from occamhead.distill.sizes.rules import exact
from occamhead.distill.sizes.size_formulas import Formula, Polynomial, check_sizes, tokens
from occamhead.essence.arrays import Ints
from occamhead.expression import Expression, ExpressionBuilder


class Shares(NamedTuple):
    """What an entry weighs: as one of all, of the neuron's row, of its column; the threshold."""

    whole: int
    row: int
    column: int
    threshold: int


@dataclass(frozen=True)
class ShareFormulas:
    """Shares as formulas of the side m."""

    whole: Formula
    row: Formula
    column: Formula
    threshold: Formula

    def __post_init__(self) -> None:
        check_sizes((self.whole, self.row, self.column, self.threshold), ("m",))

    def at(self, side: int) -> Shares:
        formulas = (self.whole, self.row, self.column, self.threshold)
        return Shares(*(formula.value({"m": side}) for formula in formulas))

    def excess(self, square: Ints) -> Ints:
        """Of the neuron of each row and column, [m, m], over a square [m, m]."""
        whole, row, column, threshold = self.at(len(square))
        rows, columns = square.sum(axis=1, keepdims=True), square.sum(axis=0, keepdims=True)
        return np.asarray(whole * square.sum() + row * rows + column * columns - threshold)

    def node(self, builder: ExpressionBuilder, side: int, sums: Sequence[int]) -> int:
        """A neuron's excess as a node of a formula, given those of its sums: whole, row, column."""
        *shares, threshold = (exact(share) for share in self.at(side))
        return builder.affine(-threshold, list(zip(shares, sums, strict=True)))

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

    cell: ShareFormulas
    row: ShareFormulas
    column: ShareFormulas
    concept: ShareFormulas

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

    def layers(self, side: int) -> tuple[Expression, Expression, Expression]:
        """The excess of differentiae, subconcepts and concept, each over what the last puts out.

        They are sums alone, in the order of the neurons of :meth:`network`.
        """
        cells = itertools.product(range(side), range(side))
        across, down = ([(i, 0) for i in range(side)], [(0, j) for j in range(side)])
        _, row, column, threshold = self.concept.at(side)
        builder = ExpressionBuilder()
        votes = [(exact(row if i < side else column), builder.input(i)) for i in range(2 * side)]
        return (
            _over_square(side, [(self.cell, place) for place in cells]),
            _over_square(
                side, [*((self.row, p) for p in across), *((self.column, p) for p in down)]
            ),
            builder.build([builder.affine(-exact(threshold), votes)], 2 * side),
        )

    def at(self, size: int) -> Expression:
        """The class of a square of this side, row by row, [side * side], as one formula."""
        cells, lines, concept = self.layers(size)
        builder = ExpressionBuilder()
        zero = builder.constant(0)

        def is_above(excess: int) -> int:
            return builder.apply("gt", excess, zero)

        told = [
            builder.affine(0, [(1, is_above(excess)), (-1, builder.apply("lt", excess, zero))])
            for excess in builder.copy(cells, [builder.input(i) for i in range(size * size)])
        ]
        held = [is_above(excess) for excess in builder.copy(lines, told)]
        (decision,) = builder.copy(concept, held)
        return builder.build([is_above(decision)], size * size)

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


def _over_square(side: int, neurons: Sequence[tuple[ShareFormulas, tuple[int, int]]]) -> Expression:
    """The excess of neurons, each of a family, row and column, over a square row by row."""
    builder = ExpressionBuilder()
    square = np.array([builder.input(i) for i in range(side * side)]).reshape(side, side)

    def total(entries: Ints) -> int:
        return builder.affine(0, [(1, entry) for entry in entries.ravel().tolist()])

    whole, rows, columns = total(square), [*map(total, square)], [*map(total, square.T)]
    outputs = [
        family.node(builder, side, (whole, rows[i], columns[j])) for family, (i, j) in neurons
    ]
    return builder.build(outputs, side * side)
