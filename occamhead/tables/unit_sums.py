"""Sums of few products that each have the target's unit, possibly times a sine or cosine.

Units leave so few such products that all sums of two, and of three, can be looked at. The target
may also be a root of such a sum, its inverse, or the root of that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.units import Unit
from occamhead.tables.unit_groups import Product, find_groups

Array: TypeAlias = NDArray[np.float64]

# Powers of the target that may be a sum.
POWERS = (1, 2, -1, -2)
# Products of each power's unit, functions of them and of angles, and the best sums of each length.
PRODUCTS, COLUMNS, KEPT = 40, 90, 3
# Larger exponents make no law.
LARGEST = 9
WAVES = ("cos", "sin")


@dataclass(frozen=True)
class Term:
    """A product, perhaps times a function of one angle or of the difference of two.

    Args:
        product: The product.
        wave: Of :data:`WAVES`; empty for none.
        angles: One or two inputs.
    """

    product: Product
    wave: str = ""
    angles: tuple[int, ...] = ()

    def values(self, x: Array) -> Array:
        """Of inputs [rows, inputs]: [rows]."""
        found = self.product.values(x)
        if self.wave:
            first, *second = (x[:, place] for place in self.angles)
            found = found * getattr(np, self.wave)(first - second[0] if second else first)
        return np.asarray(found, np.float64)

    def build(self, builder: ExpressionBuilder) -> int:
        """The node of it."""
        node = self.product.build(builder)
        if not self.wave:
            return node
        first, *second = (builder.input(place) for place in self.angles)
        if second:
            first = builder.affine(0.0, [(1.0, first), (-1.0, second[0])])
        return builder.apply("mul", node, builder.apply(self.wave, first))


def unit_sums(
    x: Array, y: Array, weights: Array, inputs: Sequence[Unit], target: Unit
) -> Iterator[tuple[Expression, float]]:
    """Formulas for a target, with rough numbers, the shortest of each power of it first.

    With each comes the logarithm of the number of formulas of which it is one of the best.

    Args:
        x: Inputs, [rows, inputs].
        y: Target, [rows].
        weights: Of the rows.
        inputs: Unit of each input.
        target: Unit of the target.
    """
    angles = [place for place, unit in enumerate(inputs) if unit.is_one]
    one_sign = bool((y > 0).all() or (y < 0).all())
    sign = -1.0 if y[0] < 0 else 1.0
    for power in POWERS:
        if (power < 0 and not (y != 0).all()) or (power % 2 == 0 and not one_sign):
            continue
        products = find_groups(inputs, target**power, PRODUCTS).products
        terms = _terms(products, angles, x)
        columns = [(term, values) for term in terms
                   if np.isfinite(values := term.values(x)).all() and values.any()]  # fmt: skip
        if not columns:
            continue
        # What an error of the target makes of its power.
        own = weights / (power * np.abs(y) ** (power - 1)) ** 2
        table = np.array([values for _, values in columns])
        for chosen, numbers in _best_sums(table, y ** float(power), own / own.sum()):
            builder = ExpressionBuilder()
            pairs = [(number, columns[place][0].build(builder))
                     for number, place in zip(numbers, chosen, strict=True)]  # fmt: skip
            top = builder.affine(0.0, pairs)
            if abs(power) == 2:
                top = builder.apply("pow", top, builder.constant(0.5))
            if power < 0:
                top = builder.apply("div", builder.constant(1.0), top)
            top = builder.affine(0.0, [(sign if abs(power) == 2 else 1.0, top)])
            looked_at = len(POWERS) * math.comb(len(table), len(chosen))
            yield builder.build([top], x.shape[1]), math.log(looked_at)


def _terms(products: Sequence[Product], angles: Sequence[int], x: Array) -> list[Term]:
    """Products, then those times a function of what is no part of them, simplest first."""
    useful = [p for p in products if max(map(abs, p.powers), default=Fraction(0)) <= LARGEST]
    found = [(product.size, Term(product)) for product in useful]
    pairs = [*((a,) for a in angles), *itertools.combinations(angles, 2)]
    for product, wave, pair in itertools.product(useful, WAVES, pairs):
        if not any(product.powers[place] for place in pair):
            found.append((product.size + 1 + 2 * len(pair), Term(product, wave, pair)))
    found.sort(key=lambda each: each[0])
    return [term for _, term in found[:COLUMNS]]


def _best_sums(
    columns: Array, target: Array, weights: Array
) -> Iterator[tuple[tuple[int, ...], list[float]]]:
    """The best sums of one, two and three columns [columns, rows], by weighted least squares."""
    root = np.sqrt(weights)
    table, wanted = columns * root, target * root
    norms = np.linalg.norm(table, axis=1)
    table, sizes = table / norms[:, None], np.arange(len(table))
    gram, along = table @ table.T, table @ wanted
    for count in (1, 2, 3):
        if count > len(table):
            break
        chosen = np.array(list(itertools.combinations(sizes, count)))
        own = gram[chosen[:, :, None], chosen[:, None, :]] + 1e-14 * np.eye(count)
        right = along[chosen]
        found = np.linalg.solve(own, right[..., None])[..., 0]
        gain = (found * right).sum(axis=1)
        # Columns that nearly cancel gain nothing that lasts.
        gain[np.linalg.det(own) < 1e-9] = -np.inf
        for place in np.argsort(-gain)[:KEPT]:
            if np.isfinite(gain[place]):
                pick = tuple(int(each) for each in chosen[place])
                yield pick, (found[place] / norms[list(pick)]).tolist()
