"""The numbers of a reported formula: dropped or made simple where that costs no accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from occamhead.expression.core import Expression
from occamhead.expression.graph import GraphBuilder
from occamhead.expression.nodes import Affine, Apply, Constant

# What simple numbers, and shorter ones, may add to n log(error), in nats. A number that is off by
# one standard error of its fit adds 0.5, one off by two adds 2: not enough to reject what is
# simple a priori.
SIMPLE_COST, DECIMAL_COST = 2.0, 0.1

# A formula below this error (over the target's deviation) is exact but for rounding, and stays so.
EXACT = 1e-9
STILL_EXACT = 1e-11

# Denominators, and units, of what counts as simple. Thirds and multiples of pi lie so dense that
# noise would meet them everywhere: only an exact formula is read so.
FRACTIONS, EXACT_FRACTIONS = (1, 2, 4), (1, 2, 3, 4)
UNITS, EXACT_UNITS = (1.0,), (1.0, math.pi)
LARGEST_SIMPLE = 20
DIGITS = range(2, 16)

# By how much of its deviation an output may move when numbers that nobody searched are shortened.
SHORTENED_SHARE, SHORTENED_DIGITS = 1e-4, range(6, 17)


def tidy(
    expression: Expression,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64],
    deviation: float,
) -> Expression:
    """The formula with simpler numbers: 0, whole numbers, fractions, multiples of pi, decimals.

    Terms are dropped, then simple numbers looked for, then decimals shortened: one number after
    another, the others held fixed. In all, n log(error) rises by at most `SIMPLE_COST` for what
    became simple and `DECIMAL_COST` for what was shortened, where n is the effective number of
    rows. An exact formula stays exact.

    Args:
        expression: A formula of one output, its numbers fitted.
        x: Inputs, [rows, inputs].
        y: Target, [rows].
        weights: Weight of each row; they sum to 1.
        deviation: What errors are divided by.
    """

    def error(candidate: Expression) -> float:
        residual = candidate(x)[:, 0] - y
        return float(np.sqrt(weights @ residual**2)) / deviation

    def most(cost: float) -> float:
        current = error(expression)
        return max(current, STILL_EXACT) if exact else current * math.exp(cost / rows)

    rows = 1 / float(weights @ weights)
    with np.errstate(all="ignore"):
        exact = error(expression) <= EXACT
        expression = pulled(expression).simplified()
        limit = most(SIMPLE_COST)
        expression = _replaced(expression, lambda value: iter([0.0]), error, limit)
        expression = _replaced(expression, lambda value: simple(value, exact), error, limit)
        expression = _replaced(expression, decimals, error, most(DECIMAL_COST))
    return expression.simplified()


def _replaced(
    expression: Expression,
    simpler: Callable[[float], Iterator[float]],
    error: Callable[[Expression], float],
    most: float,
) -> Expression:
    """The formula with the first simpler value of each number, in turn, that errs by no more."""
    place = 0
    while place < len(values := numbers(expression)):
        value = values[place]
        if value != round(value) or abs(value) > LARGEST_SIMPLE:
            for candidate in simpler(value):
                changed = with_number(expression, place, candidate)
                if error(changed) <= most:
                    # A zero removes its term, and with it numbers: the next has its place.
                    place -= len(values) - len(numbers(changed))
                    expression = changed
                    break
        place = max(place + 1, 0)
    return expression


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


def shortened(expression: Expression, x: NDArray[np.float64]) -> Expression:
    """The formula with rounded numbers, which moves no output by more than a reader can see.

    Args:
        expression: Formulas.
        x: Inputs, [rows, inputs]. On them the root mean square by which an output moves is at
            most `SHORTENED_SHARE` of its standard deviation, or of a constant's size.
    """
    with np.errstate(all="ignore"):
        values = expression(x)
        mean, deviation = np.abs(values.mean(axis=0)), values.std(axis=0)
        most = SHORTENED_SHARE * np.where(deviation > 1e-12 * mean, deviation, mean)
        for digits in SHORTENED_DIGITS:
            rounded = expression.rounded(digits)
            if (np.sqrt(((rounded(x) - values) ** 2).mean(axis=0)) <= most).all():
                return rounded
    return expression


def pulled(expression: Expression) -> Expression:
    """The formula with factors pulled out of powers and numerators.

    ``(c*f)**n`` becomes ``c**n * f**n``, for the number before a power is the one that laws have:
    pi/4 rather than its root. ``(c*f)/g`` becomes ``c * f/g``.
    """
    builder = GraphBuilder()
    index: list[int] = []
    for node in expression.nodes:
        match node:
            case Apply("pow", (base, power)):
                index.append(_power(builder, index[base], index[power]))
            case Apply("div", (top, bottom)):
                factor, rest = _factor(builder, index[top])
                index.append(
                    builder.affine(0.0, [(factor, builder.apply("div", rest, index[bottom]))])
                )
            case Apply(operator, children):
                index.append(builder.apply(operator, *(index[child] for child in children)))
            case Affine(constant, terms):
                index.append(builder.affine(constant, [(c, index[child]) for c, child in terms]))
            case Constant(value):
                index.append(builder.constant(value))
            case _:
                index.append(builder.input(node.index))
    return expression.rebuilt(builder, [index[output] for output in expression.outputs])


def _power(builder: GraphBuilder, base: int, power: int) -> int:
    (factor, rest), exponent = _factor(builder, base), builder.value(power)
    if exponent and (factor > 0 or exponent == round(exponent)):
        try:
            scale = factor**exponent
        except OverflowError:
            scale = math.inf
        if scale and math.isfinite(scale):
            return builder.affine(0.0, [(scale, builder.apply("pow", rest, power))])
    return builder.apply("pow", base, power)


def _factor(builder: GraphBuilder, index: int) -> tuple[float, int]:
    """A node's factor and what it multiplies; a mere sign is none."""
    node = builder.nodes[index]
    if isinstance(node, Affine) and node.constant == 0 and len(node.terms) == 1:
        factor, child = node.terms[0]
        if abs(factor) != 1:
            return factor, child
    return 1.0, index


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
