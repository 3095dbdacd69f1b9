"""A formula as a linear function of its numbers, near those that it has: what a change costs."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression.core import Expression
from occamhead.expression.numbers import free_numbers
from occamhead.expression.slopes import Tape

Array: TypeAlias = NDArray[np.float64]
# Inputs [rows, inputs], target [rows], and weights of the rows that sum to 1.
Rows: TypeAlias = tuple[Array, Array, Array]

# Numbers that rows do not tell apart have moments of so small a share of their own.
RIDGE = 1e-12


def loss_of(expression: Expression, rows: Rows) -> float:
    """Weighted mean squared error; inf where the formula is undefined on a row."""
    x, y, weights = rows
    with np.errstate(all="ignore"):
        loss = float(weights @ (expression(x)[:, 0] - y) ** 2)
    return loss if math.isfinite(loss) else math.inf


class Linearised:
    """A formula of one output on rows: its numbers, and how the error changes with them.

    Args:
        expression: The formula.
        rows: The rows.
        held: Numbers that keep their values, besides simple ones.

    Attributes:
        values: The numbers, as :func:`occamhead.expression.numbers.numbers` lists them.
        free: Places of those that may follow when another is changed.
        rows: Number of rows in effect.
        loss: Weighted mean squared error.
    """

    def __init__(
        self, expression: Expression, rows: Rows, held: frozenset[float] = frozenset()
    ) -> None:
        x, y, weights = rows
        tape = Tape(expression, x)
        self.expression, self.values = expression, tape.numbers
        self.free = free_numbers(expression, held)
        self.rows = 1 / float(weights @ weights)
        # A row that is not finite tells nothing about a number; the error of a change does.
        values, slopes = tape.slopes(self.values, range(len(self.values)))
        slopes = np.where(np.isfinite(slopes), slopes, 0.0)
        residual = y - values
        self.loss = float(weights @ residual**2)
        self._size = np.sqrt(slopes**2 @ weights)
        self._size[self._size == 0] = 1.0
        slopes /= self._size[:, None]
        self._moments = (slopes * weights) @ slopes.T + RIDGE * np.eye(len(slopes))
        self._gains = slopes @ (weights * residual)

    def change(self, place: int, value: float) -> tuple[float, list[float]]:
        """What it costs to give one number another value while the free ones follow.

        Returns:
            The rise of n log(error) in nats, and all numbers then; by linearised slopes.
        """
        others = [p for p in self.free if p != place]
        step = np.zeros(len(self.values))
        step[place] = (value - self.values[place]) * self._size[place]
        wanted = self._gains[others] - step[place] * self._moments[others, place]
        step[others] = np.linalg.solve(self._moments[np.ix_(others, others)], wanted)
        loss = self.loss + float(step @ (self._moments @ step) - 2 * step @ self._gains)
        values = [v + float(s) for v, s in zip(self.values, step / self._size, strict=True)]
        values[place] = value
        return nats(loss, self.loss, self.rows), values

    def limit(self, most: float) -> float:
        """The loss that is so many nats of n log(error) above this one."""
        return self.loss * math.exp(2 * most / self.rows)

    def errors(self) -> dict[int, float]:
        """Standard error of each free number, the others held; inf for as many as rows."""
        left = self.rows - len(self.free)
        if left <= 0:
            return dict.fromkeys(self.free, math.inf)
        inverse = np.linalg.inv(self._moments[np.ix_(self.free, self.free)])
        spread = np.sqrt(np.maximum(inverse.diagonal(), 0) * self.loss / left)
        return dict(zip(self.free, (spread / self._size[self.free]).tolist(), strict=True))


def nats(loss: float, before: float, rows: float) -> float:
    """Rise of n log(error), in nats, from one mean squared error to another."""
    return rows / 2 * math.log(max(loss, 1e-300) / max(before, 1e-300))
