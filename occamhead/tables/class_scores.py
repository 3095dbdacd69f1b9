"""Scores of classes that are sums of a few columns: their numbers, and which column helps next."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.tables.platt import probabilities
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]
Places: TypeAlias = tuple[tuple[int, int], ...]

# Deviation of the prior of levels: so wide that it never matters.
LEVEL = 1e3
# Newton's method; a step that lowers the loss by less (in nats a row) is the last.
STEPS, HALVINGS, SMALLEST_GAIN = 25, 12, 1e-9
# A column that has less of its own beside the chosen ones, as a share, is one of them.
SMALLEST_SHARE = 1e-6


class ScoredRows:
    """Columns that scores may have, and the classes.

    Args:
        columns: Of mean 0 and deviation 1, [rows, columns].
        table: Rows whose labels are classes 0, 1, ...; its targets have a column for each output.
        width: Deviation of the prior of coefficients; it matters where few rows, or separable
            classes, leave them open.
    """

    def __init__(self, columns: Array, table: SortedRows, width: float) -> None:
        self.columns, self.weights, self.width = columns, table.weights, width
        self.outputs = table.targets.shape[1]
        # One output is the log-odds of the second class; the first one's score is 0.
        classes = max(self.outputs, 2)
        self.wanted = np.eye(classes)[table.labels]
        self.rows = 1 / float(table.weights @ table.weights)

    def fit(
        self,
        places: Places,
        start: Array | None = None,
        held: tuple[int, ...] = (),
        steps: int = STEPS,
    ) -> Scores:
        """The numbers of the greatest likelihood, by Newton's method.

        Args:
            places: Output and column of each term.
            start: Numbers to start from, [outputs + terms]; None takes zeros.
            held: Which of the numbers keep their values.
            steps: Most steps.
        """
        numbers = np.zeros(self.outputs + len(places)) if start is None else start
        free = np.setdiff1d(np.arange(len(numbers)), held)
        now = Scores(self, places, numbers)
        for _ in range(steps):
            step = np.zeros(len(numbers))
            curvature, downhill = now.newton()
            step[free] = np.linalg.solve(curvature[np.ix_(free, free)], downhill[free])
            for _ in range(HALVINGS):
                new = now.at(now.numbers + step)
                if new.penalised <= now.penalised:
                    break
                step /= 2
            else:
                break
            gain, now = now.penalised - new.penalised, new
            if gain < SMALLEST_GAIN:
                break
        return now

    def gains(self, scores: Scores, columns: NDArray[np.intp]) -> Array:
        """What the loss would fall by with one more term, by its slope and curvature.

        The numbers that are there follow (Rao's score test).

        Args:
            scores: Fitted scores.
            columns: Which columns to ask, [columns].

        Returns:
            Nats a row, [outputs, columns]; 0 for what is a sum of what is there.
        """
        x = self.columns[:, columns]
        squares = x**2
        inverse = np.linalg.inv(scores.newton()[0])
        slopes = scores.slack.T @ x
        found = np.zeros_like(slopes)
        for output in range(self.outputs):
            own = scores.own[:, output]
            weights = self.weights * own
            shared = (scores.owner == output) - scores.own[:, scores.owner]
            cross = x.T @ (weights[:, None] * shared * scores.design)
            whole = (weights * (1 - own)) @ squares
            left = whole - np.einsum("ca,ca->c", cross @ inverse, cross)
            usable = left > SMALLEST_SHARE * whole
            gain = slopes[output] ** 2 / (2 * np.where(usable, left, 1.0))
            found[output] = np.where(usable, gain, 0.0)
        return found


class Scores:
    """Sums of columns at some numbers.

    Args:
        rows: The rows.
        places: Output and column of each term.
        numbers: Levels of the outputs, then coefficients of the terms, [outputs + terms].
        design: What each number is a factor of, [rows, outputs + terms], if it is known.

    Attributes:
        owner: The output of each number.
        chances: Probability of each class, [rows, classes].
        penalised: Mean cross-entropy with the prior of the numbers, in
            nats a row.
    """

    def __init__(
        self, rows: ScoredRows, places: Places, numbers: Array, design: Array | None = None
    ) -> None:
        self.rows, self.places, self.numbers = rows, places, numbers
        outputs = rows.outputs
        self.owner = np.array([*range(outputs), *(output for output, _ in places)])
        if design is None:
            columns = rows.columns[:, [column for _, column in places]]
            design = np.concatenate([np.ones((len(columns), outputs)), columns], axis=1)
        self.design = design
        each = (self.owner[:, None] == np.arange(outputs)) * numbers[:, None]
        self.chances = probabilities(design @ each)
        widths = np.where(np.arange(len(numbers)) < outputs, LEVEL, rows.width)
        self.prior = 1 / (widths**2 * rows.rows)
        log = np.log(np.maximum(self.chances, 1e-300))
        loss = -float(rows.weights @ np.einsum("rk,rk->r", rows.wanted, log))
        self.penalised = loss + float(self.prior @ numbers**2) / 2

    @property
    def own(self) -> Array:
        """Probability of the class of each output, [rows, outputs]."""
        return self.chances[:, -self.rows.outputs :]

    @property
    def slack(self) -> Array:
        """Weighted difference of the classes to these, [rows, outputs]."""
        wanted = self.rows.wanted[:, -self.rows.outputs :]
        return np.asarray(self.rows.weights[:, None] * (wanted - self.own), np.float64)

    def at(self, numbers: Array) -> Scores:
        """The same sums at other numbers."""
        return Scores(self.rows, self.places, numbers, self.design)

    def right(self) -> float:
        """Share of rows whose class is the likeliest."""
        told = self.chances.argmax(axis=1) == self.rows.wanted.argmax(axis=1)
        return float(self.rows.weights @ told)

    def newton(self) -> tuple[Array, Array]:
        """Curvature of `penalised` along the numbers, and minus its slope."""
        pull = self.design * self.own[:, self.owner]
        weighted = self.rows.weights[:, None] * pull
        curvature = (self.design.T @ weighted) * (self.owner[:, None] == self.owner)
        curvature += np.diag(self.prior) - pull.T @ weighted
        along = (self.design.T @ self.slack)[np.arange(len(self.owner)), self.owner]
        return curvature, along - self.prior * self.numbers
