"""Polynomials and quotients of polynomials: least squares, and the null vector of [P, -y Q]."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.pool import product
from occamhead.direct.transforms import Transform
from occamhead.expression import Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Singular values below this share of the largest are zero.
ZERO = 1e-11

# Rows that a fit must have for each of its numbers.
ROWS_PER_NUMBER = 1.5

MOST_COLUMNS = 160


class Monomials:
    """Products of powers of variables up to a degree.

    Args:
        builder: Where their nodes go.
        nodes: The variables.
        values: Theirs, [variables, rows].
        inputs: Inputs of the formulas.
        degree: The largest sum of exponents.
    """

    def __init__(
        self, builder: ExpressionBuilder, nodes: list[int], values: Array, inputs: int, degree: int
    ) -> None:
        self.builder, self.inputs, self.variables = builder, inputs, nodes
        self.powers: list[tuple[int, ...]] = []
        columns = []
        for total in range(degree + 1):
            for chosen in itertools.combinations_with_replacement(range(len(nodes)), total):
                self.powers.append(tuple(chosen.count(i) for i in range(len(nodes))))
                columns.append(np.prod(values[list(chosen)], axis=0))
        self.values = np.array(columns)

    def sum(self, numbers: Array) -> int:
        """The node of a weighted sum of the monomials: squares completed, zeros left out."""
        left = {p: float(c) for p, c in zip(self.powers, numbers, strict=True) if c}
        terms = []
        for power in list(left):
            if (square := self._square(power, left)) is not None:
                coefficient, ratio, common, i, j = square
                inner = self.builder.affine(
                    0.0, [(1.0, self.variables[i]), (ratio, self.variables[j])]
                )
                node = self.builder.apply("pow", inner, self.builder.constant(2.0))
                if any(common):
                    node = self.builder.apply("mul", self._node(common), node)
                terms.append((coefficient, node))
        terms += [(c, self._node(p)) for p, c in left.items()]
        return self.builder.affine(0.0, terms)

    def _node(self, power: tuple[int, ...]) -> int:
        powers = zip(self.variables, power, strict=True)
        return product(self.builder, {node: float(e) for node, e in powers if e})

    def _square(
        self, power: tuple[int, ...], left: dict[tuple[int, ...], float]
    ) -> tuple[float, float, tuple[int, ...], int, int] | None:
        """Take c*m*(u + r*v)**2 out of a sum: c, r, m, u, v; None if this is no such u*v."""
        mixed = left.get(power)
        if mixed is None:
            return None
        places = [i for i, e in enumerate(power) if e]
        for i, j in itertools.combinations(places, 2):
            first = tuple(e + (k == i) - (k == j) for k, e in enumerate(power))
            second = tuple(e + (k == j) - (k == i) for k, e in enumerate(power))
            a, c = left.get(first), left.get(second)
            if a and c and a * c > 0 and abs(mixed**2 - 4 * a * c) < 1e-6 * mixed**2:
                for each in (power, first, second):
                    del left[each]
                common = tuple(e - (k == i) - (k == j) for k, e in enumerate(power))
                return a, mixed / (2 * a), common, i, j
        return None


def polynomial(monomials: Monomials, target: Transform) -> Iterator[Expression]:
    """The polynomial of least squares, if it is exact, without what it does not need."""
    system = monomials.values
    if len(system) * ROWS_PER_NUMBER > system.shape[1]:
        return
    norms = np.sqrt((system**2).sum(axis=1))
    if not np.isfinite(norms).all() or not norms.all():
        return
    scaled = system / norms[:, None]
    found, *_ = np.linalg.lstsq(scaled.T, target.values, rcond=1e-13)
    size = np.linalg.norm(target.values)
    if np.linalg.norm(scaled.T @ found - target.values) > 1e-9 * size:
        return
    found[np.abs(found) < 1e-8 * size] = 0
    if not found.any():
        return
    top = target.undo(monomials.builder, monomials.sum(found / norms))
    yield monomials.builder.build([top], monomials.inputs)


def quotient(above: Monomials, below: Monomials, target: Transform) -> Iterator[Expression]:
    """The quotient of two polynomials that is the target, if there is just one."""
    system = np.concatenate([above.values, -target.values * below.values])
    columns, rows = system.shape
    if columns * ROWS_PER_NUMBER > rows or columns > MOST_COLUMNS:
        return
    norms = np.sqrt((system**2).sum(axis=1))
    if not np.isfinite(norms).all() or not norms.all():
        return
    _, sizes, axes = np.linalg.svd((system / norms[:, None]).T, full_matrices=False)
    if (sizes < ZERO * sizes[0]).sum() != 1:
        return
    found = axes[-1]
    found[np.abs(found) < 1e-7 * np.abs(found).max()] = 0
    numbers = found / norms
    top, bottom = numbers[: len(above.powers)], numbers[len(above.powers) :]
    if not top.any() or not bottom.any():
        return
    # One number of the quotient is free: the first below is 1.
    scale = bottom[np.flatnonzero(bottom)[0]]
    builder = above.builder
    node = builder.apply("div", above.sum(top / scale), below.sum(bottom / scale))
    yield builder.build([target.undo(builder, node)], above.inputs)


__all__ = ["Monomials", "polynomial", "quotient"]
