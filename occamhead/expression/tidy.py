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
) -> Expression:
    """The formula with simpler numbers: 0, whole numbers, fractions, multiples of pi, decimals.

    An exact formula stays exact: terms are dropped, then simple numbers looked for, then decimals
    shortened, one number after another. Of any other the numbers are fitted again after each
    change, and what is accepted is a shorter description of the rows: see
    :func:`occamhead.expression.spared.spared`.

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

    with np.errstate(all="ignore"):
        exact = error(expression) <= EXACT
        expression = pulled(expression).simplified()
        if not exact:
            expression = fit_numbers(expression, x, y, weights, free_numbers(expression), STEPS)
        most = error(expression)
        if not math.isfinite(most):
            return expression
        if not exact and most > EXACT:
            return spared(expression, (x, y, weights))
        most = max(most, STILL_EXACT)
        expression = _replaced(expression, lambda value: iter([0.0]), error, most)
        expression = _replaced(expression, lambda value: simple(value, True), error, most)
        expression = _replaced(expression, decimals, error, most)
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
