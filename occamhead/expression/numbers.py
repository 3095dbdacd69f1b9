"""The numbers of a formula: read, replaced, and which of them are simple."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence

from occamhead.expression.core import Expression
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant

# Denominators, and units, of what counts as simple. Thirds and multiples of pi lie so dense that
# noise would meet them everywhere: only an exact formula is read so.
FRACTIONS, EXACT_FRACTIONS = (1, 2, 4), (1, 2, 3, 4)
UNITS, EXACT_UNITS = (1.0,), (1.0, math.pi)
LARGEST_SIMPLE = 20
DIGITS = range(2, 16)


def numbers(expression: Expression) -> list[float]:
    """The numbers of a formula, in the order in which it is built."""
    found: list[float] = []

    def note(value: float) -> float:
        found.append(value)
        return value

    expression.with_numbers(note)
    return found


def with_number(expression: Expression, place: int, value: float) -> Expression:
    """The formula with another number at a place; a term that becomes zero is dropped."""
    count = -1

    def replace(old: float) -> float:
        nonlocal count
        count += 1
        return value if count == place else old

    return expression.with_numbers(replace)


def with_values(expression: Expression, values: Sequence[float]) -> Expression:
    """The formula with other numbers, as :func:`numbers` lists them; what becomes 0 is dropped."""
    remaining = iter(values)
    return expression.with_numbers(lambda _: next(remaining))


def exponent_nodes(graph: Graph) -> set[int]:
    """The nodes that are exponents."""
    return {
        node.children[1]
        for node in graph.nodes
        if isinstance(node, Apply) and node.operator == "pow"
    }


def written_places(graph: Graph) -> list[int]:
    """Places of all numbers that are there, factors of 1 and -1 too, but for exponents in halves.

    A sum without a constant, whose number is 0, has none there.
    """
    exponents, places, place = exponent_nodes(graph), list[int](), 0
    for index, node in enumerate(graph.nodes):
        match node:
            case Constant(value):
                if not (index in exponents and (2 * value).is_integer()):
                    places.append(place)
                place += 1
            case Affine(constant, terms):
                places += range(place, place + len(terms) + (constant != 0))
                place += len(terms) + 1
    return places


def is_simple(value: float) -> bool:
    """Whether a number is one of those that noise may be read as: whole, or halves, or quarters."""
    return abs(value) <= LARGEST_SIMPLE and any((value * parts).is_integer() for parts in FRACTIONS)


def free_numbers(expression: Expression, held: Container[float] = ()) -> list[int]:
    """Places of the numbers that are neither simple nor held."""
    return [
        place
        for place, value in enumerate(numbers(expression))
        if not (is_simple(value) or value in held)
    ]


def simple(value: float, exact: bool) -> Iterator[float]:
    """Whole numbers, fractions and, if exact, multiples of pi near a number, simplest first."""
    for unit in EXACT_UNITS if exact else UNITS:
        for parts in EXACT_FRACTIONS if exact else FRACTIONS:
            candidate = round(value / unit * parts) * unit / parts
            # What is not near would only cost an evaluation.
            if 0 < abs(candidate) <= LARGEST_SIMPLE and abs(candidate - value) < 0.1 * abs(value):
                yield candidate


def decimals(value: float) -> Iterator[float]:
    """The number with fewer digits, fewest first; none if it is a simple one already."""
    if any(value == candidate for candidate in simple(value, exact=True)):
        return
    for digits in DIGITS:
        candidate = float(f"{value:.{digits}g}")
        if candidate == value:
            return
        yield candidate
