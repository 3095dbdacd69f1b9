"""Functions without numbers of their own, shortest first, each distinct one once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import ExpressionBuilder
from occamhead.expression.operators import get_operator

Array: TypeAlias = NDArray[np.float64]

# Functions whose values agree to so many digits, but for a factor, are one.
DIGITS = 10

# Beyond this a value says nothing that a fit could use.
LARGEST = 1e150


class Pool:
    """Functions of the inputs and their values, in the order in which they were added.

    Args:
        x: Inputs, [rows, inputs].
        builder: Where their nodes are.

    Attributes:
        nodes: Node of each in the builder.
        sizes: Inputs and operations of each.
    """

    def __init__(self, x: Array, builder: ExpressionBuilder) -> None:
        self.builder, self.rows, self.inputs = builder, len(x), x.shape[1]
        self.nodes: list[int] = []
        self.sizes: list[int] = []
        self._values: list[Array] = []
        self._place: dict[bytes, int] = {}
        self._array = np.empty((0, len(x)))

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def values(self) -> Array:
        """Of all functions, [functions, rows]."""
        if len(self._array) != len(self._values):
            self._array = np.array(self._values)
        return self._array

    def add(self, node: int, values: Array, size: int) -> int | None:
        """Add a function, unless it is undefined, constant, or a multiple of one that is there.

        Returns:
            Its place, or that of the one it is a multiple of; None if it is no use.
        """
        if not np.isfinite(values).all():
            return None
        largest = float(np.abs(values).max())
        if not 1 / LARGEST < largest < LARGEST or np.ptp(values) <= 1e-9 * largest:
            return None
        scaled = values / values[int(np.argmax(np.abs(values)))]
        key = (np.round(scaled, DIGITS) + 0.0).tobytes()
        if key not in self._place:
            self._place[key] = len(self.nodes)
            self.nodes.append(node)
            self.sizes.append(size)
            self._values.append(values)
        return self._place[key]

    def apply(self, operator: str, *places: int) -> int | None:
        """Add an operator on functions that are there."""
        builder = self.builder
        with np.errstate(all="ignore"):
            values = get_operator(operator).numpy(*(self._values[place] for place in places))
        node = builder.apply(operator, *(self.nodes[place] for place in places))
        return self.add(node, values, 1 + sum(self.sizes[place] for place in places))

    def sum(self, first: int, second: int, sign: float) -> int | None:
        """Add a sum or a difference of two functions that are there."""
        a, b = self._values[first], self._values[second]
        node = self.builder.affine(0.0, [(1.0, self.nodes[first]), (sign, self.nodes[second])])
        return self.add(node, a + sign * b, 1 + self.sizes[first] + self.sizes[second])

    def shifted(self, place: int, sign: float) -> int | None:
        """Add one plus or minus a function."""
        node = self.builder.affine(1.0, [(sign, self.nodes[place])])
        return self.add(node, 1 + sign * self._values[place], 2 + self.sizes[place])

    def total(self, places: Iterable[int]) -> int | None:
        """Add the sum of functions that are there."""
        places = list(places)
        node = self.builder.affine(0.0, [(1.0, self.nodes[place]) for place in places])
        values = np.sum([self._values[place] for place in places], axis=0)
        return self.add(node, values, len(places) - 1 + sum(self.sizes[p] for p in places))

    def power(self, place: int, exponent: float) -> int | None:
        """Add a power of a function that is there."""
        with np.errstate(all="ignore"):
            values = self._values[place] ** exponent
        node = self.builder.apply("pow", self.nodes[place], self.builder.constant(exponent))
        return self.add(node, values, 2 + self.sizes[place])

    def decay(self, place: int) -> int | None:
        """Add the exponential of minus a function that is there."""
        minus = self.builder.affine(0.0, [(-1.0, self.nodes[place])])
        with np.errstate(all="ignore"):
            values = np.exp(-self._values[place])
        return self.add(self.builder.apply("exp", minus), values, 1 + self.sizes[place])

    def halved(self, operator: str, place: int) -> int | None:
        """Add an operator on half a function that is there."""
        half = self.builder.affine(0.0, [(0.5, self.nodes[place])])
        values = get_operator(operator).numpy(0.5 * self._values[place])
        return self.add(self.builder.apply(operator, half), values, 3 + self.sizes[place])

    def monomial(self, exponents: Iterable[int], x: Array) -> int | None:
        """Add a product of powers of the inputs."""
        powers = {i: float(e) for i, e in enumerate(exponents) if e}
        with np.errstate(all="ignore"):
            values = np.prod([x[:, i] ** e for i, e in powers.items()], axis=0)
        node = product(self.builder, {self.builder.input(i): e for i, e in powers.items()})
        size = 2 * len(powers) - 1 + sum(2 * (abs(e) != 1) for e in powers.values())
        size += 2 * all(e < 0 for e in powers.values())
        return self.add(node, values, size)


def product(builder: ExpressionBuilder, powers: dict[int, float]) -> int:
    """The node of a product of powers of nodes: what has a negative one stands below."""

    def multiplied(chosen: list[tuple[int, float]]) -> int | None:
        top = None
        for node, exponent in chosen:
            power = node
            if exponent != 1:
                power = builder.apply("pow", node, builder.constant(exponent))
            top = power if top is None else builder.apply("mul", top, power)
        return top

    above = multiplied([(node, e) for node, e in powers.items() if e > 0])
    below = multiplied([(node, -e) for node, e in powers.items() if e < 0])
    if below is None:
        return builder.constant(1.0) if above is None else above
    return builder.apply("div", builder.constant(1.0) if above is None else above, below)


def exponents(inputs: int, largest: int, most: int) -> Iterator[tuple[int, ...]]:
    """Exponents of the inputs, least sum of magnitudes first, each of at most `largest`."""
    for total in range(1, most * largest + 1):
        for used in range(1, min(inputs, total, most) + 1):
            for which in itertools.combinations(range(inputs), used):
                for sizes in _parts(total, used, largest):
                    for signs in itertools.product((1, -1), repeat=used):
                        found = [0] * inputs
                        for place, size, sign in zip(which, sizes, signs, strict=True):
                            found[place] = sign * size
                        yield tuple(found)


def _parts(total: int, count: int, largest: int) -> Iterator[tuple[int, ...]]:
    """The ways to write a total as so many numbers from 1 to `largest`, in order."""
    if count == 1:
        if 1 <= total <= largest:
            yield (total,)
        return
    for first in range(1, min(largest, total - count + 1) + 1):
        for rest in _parts(total - first, count - 1, largest):
            yield (first, *rest)
