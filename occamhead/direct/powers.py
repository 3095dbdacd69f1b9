"""Products of powers: linear in the logarithms, with free exponents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct import grids
from occamhead.direct.pool import Pool, product
from occamhead.direct.scan import Scan, coefficients
from occamhead.direct.transforms import Transform
from occamhead.expression import Affine, Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# How near to a multiple of a half or a third an exponent must be to be read as one.
NEAR, SIMPLE = 0.06, (1, 2, 3)

# Factors that are tried in pairs.
PAIRED = 2400

# Exponents below this are none.
NONE = 1e-7


class Powers:
    """Fits ``c * prod(x_i**a_i) * f**b * exp(d*g)`` to targets, with all powers free.

    Args:
        pool: The functions f and g.
        x: Inputs, [rows, inputs].
        rows: Those on which the targets have a logarithm, [rows] of bool.
        exponentials: How many of the pool may stand in an exponent.
    """

    def __init__(self, pool: Pool, x: Array, rows: NDArray[np.bool_], exponentials: int) -> None:
        self.builder, self.inputs, self.rows = pool.builder, x.shape[1], rows
        x, values = x[rows], pool.values[:, rows]
        self.places = [i for i in range(x.shape[1]) if (x[:, i] != 0).all()]
        base = [np.ones(len(x)), *(np.log(np.abs(x[:, i])) for i in self.places)]
        self.base, self.usable = np.array(base), [self.builder.input(i) for i in self.places]
        whole = (values != 0).all(axis=1)
        negative = np.asarray((values < 0).all(axis=1))
        self.nodes = [
            (_minus(pool.builder, node) if below else node, True)
            for node, kept, below in zip(pool.nodes, whole, negative, strict=True)
            if kept
        ]
        self.nodes += [(node, False) for node in pool.nodes[:exponentials]]
        self.columns = np.concatenate([np.log(np.abs(values[whole])), values[:exponentials]])
        self.scan = Scan(self.columns, self.base, PAIRED)

    def logarithms(self, target: Transform) -> Array | None:
        """Logarithms of the sizes of a target [rows of the fit]; None if one is zero."""
        values = target.values[self.rows]
        return np.log(np.abs(values)) if np.isfinite(values).all() and values.all() else None

    def laws(self, target: Transform, alone: int, pairs: int = 0) -> Iterator[Expression]:
        """Formulas, likeliest first; their numbers are rough.

        Args:
            target: The target.
            alone, pairs: How many functions and pairs to offer; for each pair the product with the
                third that helps it most comes, too.
        """
        logs = self.logarithms(target)
        if logs is None:
            return
        hits = self.scan.alone(logs, alone)
        if pairs:
            hits += (two := self.scan.pairs(logs, pairs))
            hits += self.scan.longer(logs, two, pairs)
        for hit in hits:
            columns = self.columns[list(hit.columns)]
            yield from self._formulas(target, logs, columns, [self.nodes[i] for i in hit.columns])

    def laws_with_numbers(
        self, target: Transform, pool: Pool, places: Sequence[int], beside: int, count: int
    ) -> Iterator[Expression]:
        """Formulas with one factor that has a number of its own, alone and beside another factor.

        Args:
            target: The target.
            pool: Where the arguments of these factors are.
            places: Which ones.
            beside: How many functions to try beside it.
            count: How many formulas to offer, for each of these.
        """
        logs = self.logarithms(target)
        if logs is None:
            return
        for hit in self.scan.alone(logs, beside):
            columns = self.columns[list(hit.columns)]
            nodes = [self.nodes[i] for i in hit.columns]
            base = np.concatenate([self.base, columns])
            for guess in grids.guesses(
                pool, places, grids.FACTORS, logs, base, self.rows, True, count
            ):
                values = guess.values[self.rows]
                node = _minus(self.builder, guess.node) if (values < 0).all() else guess.node
                both = np.concatenate([columns, np.log(np.abs(values))[None]])
                yield from self._formulas(target, logs, both, [*nodes, (node, True)])

    def exponents(self, target: Transform) -> tuple[Array, Array] | None:
        """Exponents of the inputs without any function, and their standard errors, [inputs].

        NaN for an input with zeros; None for a target with zeros.
        """
        logs = self.logarithms(target)
        if logs is None:
            return None
        found = np.linalg.lstsq(self.base.T, logs, rcond=1e-13)[0]
        rest = logs - self.base.T @ found
        left = max(len(rest) - len(found), 1)
        spread = np.sqrt(
            float(rest @ rest) / left * np.diag(np.linalg.pinv(self.base @ self.base.T)).clip(0)
        )
        sizes, errors = np.full((2, self.inputs), np.nan)
        sizes[self.places], errors[self.places] = found[1:], spread[1:]
        return sizes, errors

    def _formulas(
        self, target: Transform, logs: Array, columns: Array, nodes: list[tuple[int, bool]]
    ) -> Iterator[Expression]:
        """With exponents that are simple where they are nearly so, and with those of the fit."""
        found = coefficients(np.concatenate([self.base, columns]), logs)
        if not np.isfinite(found).all():
            return
        # A factor's exponent is one of the law's numbers, an exponent's coefficient is not.
        kinds = [True] * len(self.base) + [is_factor for _, is_factor in nodes]
        simple = np.where(kinds, [_simple(number) for number in found], found)
        yield self._built(target, simple, nodes)
        if np.abs(simple - found)[1:].max(initial=0) > NONE:
            yield self._built(target, found, nodes)

    def _built(
        self, target: Transform, numbers: Array, nodes: list[tuple[int, bool]]
    ) -> Expression:
        builder, split = self.builder, len(self.base)
        powers: dict[int, float] = {}
        exponent: list[tuple[float, int]] = []
        for node, number in zip(self.usable, numbers[1:split], strict=True):
            powers[node] = powers.get(node, 0.0) + float(number)
        for (node, is_factor), number in zip(nodes, numbers[split:], strict=True):
            if is_factor:
                powers[node] = powers.get(node, 0.0) + float(number)
            else:
                exponent.append((float(number), node))
        powers = {node: power for node, power in powers.items() if abs(power) > NONE}
        top = product(builder, powers)
        if exponent:
            factor = builder.apply("exp", builder.affine(0.0, exponent))
            top = builder.apply("mul", top, factor)
        # A start: the least squares of the fit say what it is, and its sign.
        top = builder.affine(0.0, [(1.5, top)])
        return builder.build([target.undo(builder, top)], self.inputs)


def _minus(builder: ExpressionBuilder, node: int) -> int:
    """Minus a sum or a function: what is positive, and so has any power."""
    inner = builder.nodes[node]
    if isinstance(inner, Affine):
        return builder.affine(-inner.constant, [(-c, child) for c, child in inner.terms])
    return builder.affine(0.0, [(-1.0, node)])


def _simple(number: float) -> float:
    """The nearest multiple of 1, 1/2 or 1/3, whichever is near first; else the number."""
    for parts in SIMPLE:
        nearest = round(number * parts) / parts
        if abs(nearest - number) <= NEAR / parts:
            return nearest
    return number


__all__ = ["Powers"]
