"""A table that is a lookup: some 0/1 coordinates are the number of what the class is.

Source: the multiplexer of digital circuits; that a table is searched for one is a design of ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.distill.table import Table, Test
from occamhead.expression import ExpressionBuilder

# A class, or what a single coordinate tells.
Option: TypeAlias = int | Test
# One digit chooses between two, which `where` says shorter; more entries are no program any more.
_FEWEST_DIGITS, _MOST_DIGITS = 2, 4


@dataclass(frozen=True)
class Lookup:
    """The class is the choice whose number the digits are, in base two.

    Args:
        digits: Axes of 0/1 coordinates, the most significant first.
        flipped: Per digit whether it counts where the coordinate is 0.
        choices: One per number, from 0.
        negated: Whether the class, then 0 or 1, is what the choice is not.
    """

    digits: tuple[int, ...]
    flipped: tuple[bool, ...]
    choices: tuple[Option, ...]
    negated: bool = False

    def node(self, builder: ExpressionBuilder, coordinates: Mapping[int, int]) -> int:
        """The lookup as a node of a formula, given the nodes of the coordinates."""
        start, terms = 0, list[tuple[int, int]]()
        for place, (axis, flip) in enumerate(zip(self.digits, self.flipped, strict=True), 1):
            weight = 1 << (len(self.digits) - place)
            start += weight * flip
            terms.append((-weight if flip else weight, coordinates[axis]))
        number = builder.affine(start, terms)
        nodes = [
            builder.constant(choice)
            if isinstance(choice, int)
            else choice.node(builder, coordinates[choice.axis])
            for choice in self.choices
        ]
        chosen = builder.apply("choose", number, *nodes)
        return builder.affine(1, [(-1, chosen)]) if self.negated else chosen


def lookups(table: Table) -> Iterator[Lookup]:
    """The lookups with the fewest digits that a table is: of two to four digits.

    A choice is a class or a test of one coordinate; of a coordinate whose value is the class, it
    is that coordinate. The digits stand in the order that makes the choices neighbours among the
    inputs where there is such an order.
    """
    is_truth, opposite = set(table.classes) == {0, 1}, replace(table, values=1 - table.values)
    binary = [axis for axis, c in enumerate(table.coordinates) if c.is_binary]
    for count in range(_FEWEST_DIGITS, min(_MOST_DIGITS, len(binary)) + 1):
        if table.values.ndim > count + (1 << count):  # each choice is of one coordinate
            continue
        found = False
        for digits in itertools.combinations(binary, count):
            if (choices := _choices(table, digits)) is None:
                continue
            found = True
            yield _ordered(table, digits, choices)
            if is_truth and (choices := _choices(opposite, digits)):
                yield replace(_ordered(table, digits, choices), negated=True)
        if found:
            return


def _choices(table: Table, digits: Sequence[int]) -> tuple[Option, ...] | None:
    """What the table is for each value of the digits; None if that is not so simple."""
    choices: list[Option] = []
    for place in itertools.product((0, 1), repeat=len(digits)):
        cut = [slice(None)] * table.values.ndim
        for axis, value in zip(digits, place, strict=True):
            cut[axis] = slice(value, value + 1)
        choice = _choice(table, table.values[tuple(cut)])
        if choice is None:
            return None
        choices.append(choice)
    return tuple(choices)


def _choice(table: Table, values: NDArray[np.int64]) -> Option | None:
    """A class or a test that says these values, which are a part of a table."""
    axes = [a for a in range(values.ndim) if (values != np.take(values, [0], axis=a)).any()]
    if not axes:
        return int(values.flat[0])
    if len(axes) > 1:
        return None
    (axis,) = axes
    coordinate = table.coordinates[axis]
    line = np.moveaxis(values, axis, 0).reshape(len(coordinate), -1)[:, 0]
    if coordinate.is_whole and line.tolist() == [*coordinate.starts]:
        return Test(axis, "is")
    if set(line.tolist()) != {0, 1}:
        return None
    inside = sum(1 << int(cell) for cell in np.flatnonzero(line))
    return table.test(axis, inside, (1 << len(coordinate)) - 1)


def _ordered(table: Table, digits: Sequence[int], choices: Sequence[Option]) -> Lookup:
    """The digits in the order, and turned, so that the choices are neighbours if they can be."""
    natural = Lookup(tuple(digits), (False,) * len(digits), tuple(choices))
    inputs = [index for choice in choices if (index := _input(table, choice)) is not None]
    if len(inputs) < len(choices):
        return natural
    # How far a digit moves along the inputs: by its weight, if these are neighbours.
    weights = [1 << k for k in reversed(range(len(digits)))]
    steps = [inputs[weight] - inputs[0] for weight in weights]
    order = sorted(range(len(digits)), key=lambda k: -abs(steps[k]))
    flipped = [step < 0 for step in steps]
    numbers = [
        sum(weights[k] * (value ^ flipped[k]) for k, value in zip(order, values, strict=True))
        for values in itertools.product((0, 1), repeat=len(digits))
    ]
    first = inputs[numbers[0]]
    if [inputs[number] for number in numbers] != [*range(first, first + len(inputs))]:
        return natural
    return Lookup(
        tuple(digits[k] for k in order),
        tuple(flipped[k] for k in order),
        tuple(choices[number] for number in numbers),
    )


def _input(table: Table, choice: Option) -> int | None:
    """The input that a choice is, if it is one."""
    if isinstance(choice, int) or choice.kind != "is":
        return None
    match table.coordinates[choice.axis].terms:
        case ((1, index),):
            return index
    return None
