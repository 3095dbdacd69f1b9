"""The numbers of a formula fitted together, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression.core import Expression
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Constant
from occamhead.expression.numbers import exponent_nodes, with_values
from occamhead.expression.slopes import Tape

Array: TypeAlias = NDArray[np.float64]

# Levenberg and Marquardt: the damping at first, by how much it changes, when it is hopeless.
DAMPING, EASIER, HARDER, HOPELESS = 1e-3, 0.1, 8.0, 1e12

# A step that lowers the loss by a smaller share ends the fit, unless another share is asked for.
SMALLEST_GAIN = 1e-10


def free_places(graph: Graph) -> list[int]:
    """Numbers that a fit may change: all but 0, 1 and -1, and exponents in halves.

    These stand for how a formula is built: no term, a sign, one plus something, a root.
    """
    exponents = exponent_nodes(graph)
    free, place = [], 0
    for index, node in enumerate(graph.nodes):
        match node:
            case Constant(value):
                if not (abs(value) in (0, 1) or (index in exponents and (2 * value).is_integer())):
                    free.append(place)
                place += 1
            case Affine(constant, terms):
                for coefficient, _ in terms:
                    if abs(coefficient) != 1:
                        free.append(place)
                    place += 1
                if abs(constant) not in (0, 1):
                    free.append(place)
                place += 1
    return free


def fit_numbers(
    expression: Expression,
    x: Array,
    y: Array,
    weights: Array | None = None,
    places: Sequence[int] | None = None,
    iterations: int = 30,
    gain: float = SMALLEST_GAIN,
) -> Expression:
    """The formula with the numbers of least weighted squared error, found from those it has.

    Levenberg and Marquardt's method on all of them at once; those of a sum at the top, in which
    the formula is linear, are solved for anew after each step.

    Args:
        expression: A formula of one output.
        x, y: Inputs [rows, inputs] and target [rows].
        weights: Of each row; None weighs all alike.
        places: The numbers to fit, as :func:`occamhead.expression.numbers.numbers` counts them;
            None fits :func:`free_places`.
        iterations: Most steps.
        gain: A step that lowers the loss by a smaller share is the last.

    Returns:
        The formula as it was where it is undefined on a row or nothing better is found.
    """
    found = fitted_numbers(expression, x, y, weights, places, iterations, gain=gain)
    if found is None:
        return expression
    return with_values(expression, found)


def fitted_numbers(
    expression: Expression,
    x: Array,
    y: Array,
    weights: Array | None = None,
    places: Sequence[int] | None = None,
    iterations: int = 30,
    start: Sequence[float] | None = None,
    gain: float = SMALLEST_GAIN,
) -> list[float] | None:
    """The numbers of :func:`fit_numbers`; None where none are fitted or the formula is undefined.

    Args:
        expression, x, y, weights, places, iterations, gain: See :func:`fit_numbers`.
        start: Numbers to start from, as many as the formula has; None takes its own.
    """
    places = free_places(expression) if places is None else list(places)
    if not places:
        return None
    root = np.ones(len(x)) / np.sqrt(len(x)) if weights is None else np.sqrt(weights)
    fit = _Fit(expression, x, y, root, places, start)
    if not np.isfinite(fit.loss):
        return None
    fit.solve_linear()
    damping = DAMPING
    for _ in range(iterations):
        before = fit.loss
        while not fit.step(damping):
            damping *= HARDER
            if damping > HOPELESS:
                return fit.found
        damping = max(damping * EASIER, 1e-15)
        if fit.loss >= before * (1 - gain) or fit.loss == 0:
            break
    return fit.found


def standard_errors(
    expression: Expression, x: Array, y: Array, weights: Array | None = None
) -> dict[int, float]:
    """Standard error of each fitted number of a formula, by place.

    Those of least squares with independent errors of one variance, linearised at the numbers as
    they are; infinite where the rows do not tell a number, or are no more than the numbers.

    Args:
        expression, x, y, weights: See :func:`fit_numbers`.
    """
    places = free_places(expression)
    weights = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
    tape = Tape(expression, x)
    values, slopes = tape.slopes(tape.numbers, places)
    rows = 1 / float(weights @ weights)
    left = rows - len(places)
    if left <= 0 or not np.isfinite(slopes).all():
        return dict.fromkeys(places, np.inf)
    scale = np.sqrt((slopes**2) @ weights)
    scale[scale == 0] = 1.0
    moments = (slopes / scale[:, None] * weights) @ (slopes / scale[:, None]).T
    variance = float(weights @ (values - y) ** 2) / left
    size, axes = np.linalg.eigh(moments)
    with np.errstate(divide="ignore"):
        spread = np.sqrt(variance * (axes**2 @ np.where(size > 1e-14, 1 / size, np.inf)))
    return dict(zip(places, (spread / scale).tolist(), strict=True))


class _Fit:
    """A formula whose numbers are being fitted: the best so far and its loss."""

    def __init__(
        self,
        expression: Expression,
        x: Array,
        y: Array,
        root: Array,
        places: list[int],
        start: Sequence[float] | None,
    ) -> None:
        self.tape = Tape(expression, x)
        self.y, self.root, self.places = y, root, places
        self.linear = self._linear_at_top(expression)
        self.take(self.tape.numbers if start is None else list(start))

    def _linear_at_top(self, expression: Expression) -> list[int]:
        """Those of the places that are the numbers of a sum at the top."""
        node = expression.nodes[expression.outputs[0]]
        if not isinstance(node, Affine):
            return []
        # The top is the last node, and so has the last numbers: nothing stands above it.
        first = len(self.tape.numbers) - len(node.terms) - 1
        return [place for place in self.places if place >= first]

    def take(self, found: list[float]) -> None:
        """Make these the numbers."""
        values, slopes = self.tape.slopes(found, self.places)
        self.found = found
        with np.errstate(all="ignore"):
            self.residual = self.root * (self.y - values)
            self.slopes = self.root * slopes
            self.loss = float(self.residual @ self.residual)

    def solve_linear(self) -> bool:
        """Solve for the numbers in which the formula is linear; whether that was better."""
        if not self.linear:
            return False
        kept = [self.places.index(place) for place in self.linear]
        return self._try(kept, self.slopes[kept], 0.0)

    def step(self, damping: float) -> bool:
        """Try one damped step on all numbers; whether it was better."""
        if not self._try(list(range(len(self.places))), self.slopes, damping):
            return False
        if len(self.linear) < len(self.places):
            self.solve_linear()
        return True

    def _try(self, which: list[int], slopes: Array, damping: float) -> bool:
        with np.errstate(all="ignore"):
            scale = np.sqrt((slopes**2).sum(axis=1))
        if not np.isfinite(scale).all():
            return False
        scale[scale == 0] = 1.0
        scaled = slopes / scale[:, None]
        system, wanted = scaled.T, self.residual
        if damping:
            system = np.concatenate([system, np.sqrt(damping) * np.eye(len(which))])
            wanted = np.concatenate([wanted, np.zeros(len(which))])
        try:
            change = np.linalg.lstsq(system, wanted, rcond=1e-15)[0] / scale
        except np.linalg.LinAlgError:
            return False
        moved = list(self.found)
        for number, step in zip(which, change, strict=True):
            moved[self.places[number]] += float(step)
        # A number that vanishes would change the shape of the formula.
        if not all(math.isfinite(moved[p]) and moved[p] != 0 for p in self.places):
            return False
        with np.errstate(all="ignore"):
            loss = float((((self.y - self.tape.values(moved)) * self.root) ** 2).sum())
        if not loss < self.loss:
            return False
        self.take(moved)
        return True


__all__ = ["fit_numbers", "fitted_numbers", "free_places", "standard_errors"]
