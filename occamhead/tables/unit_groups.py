"""Groups without units of a table's inputs, and products that have the unit of the target.

Buckingham (1914): a law is a product that has the target's unit times a function of groups that
have none. Such a function has fewer inputs than the law, often one or none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.products import factored
from occamhead.expression.units import Unit

Array: TypeAlias = NDArray[np.float64]
Powers: TypeAlias = tuple[Fraction, ...]

# No exponent of a product is finer than this, nor larger.
_SMALLEST, _LARGEST = 12, 12
# Groups by which products are multiplied where many are wanted.
_STEPS = 12


@dataclass(frozen=True)
class Product:
    """Inputs to powers, and what makes up for units such as mm beside m.

    Args:
        powers: Of each input.
        scale: What the product is multiplied with to have exactly the unit that it is for.
    """

    powers: Powers
    scale: float = 1.0

    @property
    def size(self) -> float:
        """Sum of the absolute exponents; fractions count double."""
        return sum(float(abs(power)) * (1 + (power.denominator > 1)) for power in self.powers)

    def values(self, x: Array) -> Array:
        """Of inputs [rows, inputs]: [rows]; NaN or inf where it has none."""
        used = [place for place, power in enumerate(self.powers) if power]
        with np.errstate(all="ignore"):
            factors = [x[:, place] ** float(self.powers[place]) for place in used]
        return np.asarray(self.scale * np.prod(factors, axis=0) * np.ones(len(x)), np.float64)

    def build(self, builder: ExpressionBuilder) -> int:
        """The node of it."""
        above: list[int] = []
        below: list[int] = []
        for place, power in enumerate(self.powers):
            if power:
                node = builder.input(place)
                if abs(power) != 1:
                    node = builder.apply("pow", node, builder.constant(float(abs(power))))
                (above if power > 0 else below).append(node)
        top = builder.constant(1.0)
        if above:
            top = _multiplied(builder, above)
        if below:
            top = builder.apply("div", top, _multiplied(builder, below))
        return builder.affine(0.0, [(self.scale, top)])


def _multiplied(builder: ExpressionBuilder, nodes: Sequence[int]) -> int:
    product, *others = nodes
    for node in others:
        product = builder.apply("mul", product, node)
    return product


@dataclass(frozen=True)
class Groups:
    """What the units of a table's columns allow.

    Args:
        groups: Independent products without units, the simplest first.
        products: Products that have the target's unit, the simplest first; empty if none has.
    """

    groups: tuple[Product, ...]
    products: tuple[Product, ...]

    def values(self, x: Array) -> Array:
        """Of inputs [rows, inputs]: [rows, groups]."""
        return np.array([group.values(x) for group in self.groups]).reshape(-1, len(x)).T

    def composed(self, product: Product, formula: Expression, x: Array) -> Expression:
        """A formula of the groups times a product, as the shortest one of the inputs.

        Args:
            product: What the formula is multiplied with.
            formula: Of the groups.
            x: Inputs, [rows, inputs], on which rewritten forms must agree.
        """
        builder = ExpressionBuilder()
        groups = [group.build(builder) for group in self.groups]
        (top,) = builder.copy(formula, groups)
        value = builder.value(top)
        factor = product.build(builder)
        if value is not None:
            whole = builder.affine(0.0, [(value, factor)])
        elif not any(product.powers):
            whole = builder.affine(0.0, [(product.scale, top)])
        else:
            whole = builder.apply("mul", factor, top)
        return factored(builder.build([whole], x.shape[1]).simplified(), x)


def find_groups(inputs: Sequence[Unit], target: Unit, products: int = 6) -> Groups:
    """The groups and the products of the target's unit that few inputs make.

    Args:
        inputs: Unit of each input.
        target: Unit of the target.
        products: Most products to give.
    """
    table = np.array([[float(each) for each in unit.exponents] for unit in inputs])
    wanted = np.array([float(each) for each in target.exponents])
    rank = int(np.linalg.matrix_rank(table)) if len(inputs) else 0
    with_units = [place for place, row in enumerate(table) if row.any()]
    groups: set[Powers] = set()
    found: set[Powers] = set()
    for repeated in itertools.combinations(with_units, rank):
        basis = table[list(repeated)]
        if rank and np.linalg.matrix_rank(basis) < rank:
            continue
        for place in (*(each for each in with_units if each not in repeated), None):
            powers = _powers(basis, wanted if place is None else table[place])
            if powers is None:
                continue
            full = [Fraction(0)] * len(inputs)
            for one, power in zip(repeated, powers, strict=True):
                full[one] = power
            if place is None:
                found.add(tuple(full))
            else:
                full[place] -= 1
                groups.add(_whole(full))
    pure = [
        tuple(Fraction(int(i == place)) for i in range(len(inputs)))
        for place in range(len(inputs))
        if place not in with_units
    ]
    chosen = _independent([*pure, *_sorted(groups)])
    steps = chosen[len(pure) :]
    if products > _STEPS:
        some = _sorted(groups)[:_STEPS]
        steps = [*chosen, *some, *(tuple(each / 2 for each in group) for group in some)]
    return Groups(
        tuple(Product(each, _scale(each, inputs)) for each in chosen),
        tuple(
            Product(each, _scale(each, inputs) / target.scale)
            for each in _walked(found, steps, products)
        ),
    )


def _walked(found: set[Powers], steps: Sequence[Powers], most: int) -> list[Powers]:
    """The simplest products, from few and by multiplying them with groups or dividing by these."""
    simplest = _sorted(found)[:most]
    while True:
        reached = {
            tuple(a + sign * b for a, b in zip(one, step, strict=True))
            for one, step, sign in itertools.product(simplest, steps, (1, -1))
        }
        better = _sorted({*simplest, *reached})[:most]
        if better == simplest:
            return simplest
        simplest = better


def _powers(basis: Array, row: Array) -> list[Fraction] | None:
    """Exponents of independent units that make another one; None if none do."""
    found = np.linalg.lstsq(basis.T, row, rcond=None)[0] if len(basis) else np.zeros(0)
    powers = [Fraction(float(each)).limit_denominator(_SMALLEST) for each in found]
    made = np.array([float(power) for power in powers]) @ basis if len(basis) else np.zeros(7)
    if not np.allclose(made, row, atol=1e-9) or any(abs(power) > _LARGEST for power in powers):
        return None
    return powers


def _whole(powers: Sequence[Fraction]) -> Powers:
    """The same group with whole exponents without common divisor, the larger ones above.

    Of ratios of what has one unit the first input is below in all of them, where they share it.
    """
    common = math.lcm(*(power.denominator for power in powers))
    numbers = [int(power * common) for power in powers]
    divisor = math.gcd(*numbers)
    total, first = sum(numbers), next(number for number in numbers if number)
    sign = -1 if total < 0 or (total == 0 and first > 0) else 1
    return tuple(Fraction(sign * number, divisor) for number in numbers)


def _sorted(found: Iterable[Powers]) -> list[Powers]:
    def key(powers: Powers) -> tuple[float, int, Powers]:
        used = sum(1 for power in powers if power)
        return Product(powers).size, used, tuple(-power for power in powers)

    return sorted(found, key=key)


def _independent(groups: Sequence[Powers]) -> list[Powers]:
    """The first of each that is no product of those before."""
    chosen: list[Powers] = []
    for group in groups:
        rows = np.array([[float(power) for power in each] for each in (*chosen, group)])
        if np.linalg.matrix_rank(rows) > len(chosen):
            chosen.append(group)
    return chosen


def _scale(powers: Powers, inputs: Sequence[Unit]) -> float:
    return math.prod(unit.scale ** float(power) for unit, power in zip(inputs, powers, strict=True))
