"""Sums of one to three functions, of the target or of a transform of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct import grids
from occamhead.direct.pool import Pool
from occamhead.direct.scan import Hit, Scan, coefficients
from occamhead.direct.transforms import Transform
from occamhead.expression import Apply, Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Sums that are kept while longer ones are looked for, and functions that are tried in pairs.
BEAM, PAIRED = 8, 1200

# Monomials that are multiplied by a function with a number, and most inputs in a sum beside it.
MULTIPLIED, MOST_BESIDE = 10, 4


class Sums:
    """Fits ``a*f + b*g + c*h + d`` to targets, all numbers free.

    Args:
        pool: The functions.
        x: Inputs, [rows, inputs].
    """

    def __init__(self, pool: Pool, x: Array) -> None:
        self.pool, self.inputs, self.ones = pool, x.shape[1], np.ones((1, len(x)))
        self.scans = tuple(Scan(pool.values, base, PAIRED) for base in (self.ones, self.ones[:0]))

    def laws(
        self, target: Transform, alone: int, pairs: int = 0, longer: int = 0
    ) -> Iterator[Expression]:
        """Formulas for a target, likeliest first; their numbers are rough.

        Args:
            target: The target.
            alone, pairs: How many functions, and pairs of the first of them, to offer; for each
                pair the sum with the third that helps it most comes, too.
            longer: How many sums of two and of three to offer, found one term after another.
        """
        values = target.values
        if not np.isfinite(values).all():
            return
        for scan, base in zip(self.scans, (self.ones, self.ones[:0]), strict=True):
            hits = scan.alone(values, alone)
            if longer:
                two = scan.longer(values, scan.alone(values, BEAM)[1:], BEAM)
                hits += [*two[:longer], *scan.longer(values, two, longer)]
            if pairs:
                hits += (two := scan.pairs(values, pairs))
                hits += scan.longer(values, two, pairs)
            for hit in hits:
                formula = self._formula(hit, target, base) if hit.columns or len(base) else None
                if formula is not None:
                    yield formula

    def laws_with_numbers(
        self, target: Transform, places: Sequence[int], count: int
    ) -> Iterator[Expression]:
        """Formulas ``a*g(c*u) + b`` of one function with a number c of its own."""
        if not np.isfinite(target.values).all():
            return
        rows = np.ones(len(target.values), np.bool_)
        for guess in grids.guesses(
            self.pool, places, grids.TERMS, target.values, self.ones, rows, False, count
        ):
            top = self.pool.builder.affine(0.1, [(0.5, guess.node)])
            yield self.pool.builder.build([target.undo(self.pool.builder, top)], self.inputs)

    def laws_with_terms(
        self, target: Transform, x: Array, places: Sequence[int], count: int
    ) -> Iterator[Expression]:
        """Formulas ``a*m*g(c*u) + b + d*x_0 + ...``, m a short monomial, c a number of its own.

        Args:
            target: The target.
            x: Inputs, [rows, inputs].
            places: Of m, the first ones, and u.
            count: How many formulas to offer for each m.
        """
        builder, inputs = self.pool.builder, x.shape[1]
        values = target.values
        if not np.isfinite(values).all() or inputs > MOST_BESIDE:
            return
        rows = np.ones(len(values), np.bool_)
        base = np.concatenate([self.ones, x.T])
        for m in places[:MULTIPLIED]:
            for guess in grids.guesses(
                self.pool, places, grids.MULTIPLIERS, values, base, rows, False, count,
                self.pool.values[m],
            ):  # fmt: skip
                term = _times(builder, self.pool.nodes[m], guess.node)
                columns = np.concatenate([base, (self.pool.values[m] * guess.values)[None]])
                found = coefficients(columns, values)
                if not (np.isfinite(found).all() and found.all()):
                    continue
                terms = [(float(found[1 + i]), builder.input(i)) for i in range(inputs)]
                top = builder.affine(float(found[0]), [*terms, (float(found[-1]), term)])
                yield builder.build([target.undo(builder, top)], inputs)

    def _formula(self, hit: Hit, target: Transform, base: Array) -> Expression | None:
        pool, builder = self.pool, self.pool.builder
        columns = sorted(hit.columns)
        found = coefficients(np.concatenate([base, pool.values[columns]]), target.values)
        if not np.isfinite(found).all():
            return None
        terms = [
            (float(number), pool.nodes[column])
            for number, column in zip(found[len(base) :], columns, strict=True)
        ]
        top = builder.affine(float(found[0]) if len(base) else 0.0, terms)
        return builder.build([target.undo(builder, top)], self.inputs)


def _times(builder: ExpressionBuilder, node: int, other: int) -> int:
    """A product, with one over something as a quotient."""
    inner = builder.nodes[other]
    if (
        isinstance(inner, Apply)
        and inner.operator == "div"
        and builder.value(inner.children[0]) == 1
    ):
        return builder.apply("div", node, inner.children[1])
    return builder.apply("mul", node, other)


__all__ = ["Sums"]
