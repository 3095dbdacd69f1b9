"""The numbers of a reported formula: dropped or made simple where that costs no accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from occamhead.expression.core import Expression
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.numbers import (
    LARGEST_SIMPLE,
    decimals,
    free_numbers,
    numbers,
    simple,
    with_number,
)
from occamhead.expression.pulled import pulled
from occamhead.expression.spared import spared

# What simple numbers, and shorter ones, may add to n log(error), in nats, the others being held. A
# number that is off by one standard error of its fit adds 0.5, one off by two adds 2: not enough to
# reject what is simple a priori.
SIMPLE_COST, DECIMAL_COST = 2.0, 0.1

# A formula below this error (over the target's deviation) is exact but for rounding, and stays so.
EXACT = 1e-9
STILL_EXACT = 1e-11

# Steps of the fit of a formula that is not exact; a search has fitted it already.
STEPS = 20

# By how much of its deviation an output may move when numbers that nobody searched are shortened.
SHORTENED_SHARE, SHORTENED_DIGITS = 1e-4, range(6, 17)


def tidy(
    expression: Expression,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64],
    deviation: float,
    refitted: bool = False,
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
        refitted: Whether the numbers of a formula that is not exact are fitted again after each
            change, and what is accepted is a shorter description of the rows, see
            :func:`occamhead.expression.spared.spared`. It is what a law in noise wants; what is to
            stay the function that was found is better held.
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
        if refitted and not exact:
            expression = fit_numbers(expression, x, y, weights, free_numbers(expression), STEPS)
            if not math.isfinite(error(expression)):
                return expression
            if error(expression) > EXACT:
                return spared(expression, (x, y, weights))
            exact = True
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
