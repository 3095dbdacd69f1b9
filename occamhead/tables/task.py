"""What is asked of the formulas of a table, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.tables.candidates import Candidate
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]
Splits: TypeAlias = list[tuple[NDArray[np.intp], NDArray[np.intp]]]

# A round of reweighted least squares that lowers the loss by less than this share is the last.
SMALLEST_GAIN = 1e-4
# A sum has at most so many inputs.
MOST_TERMS = 10


class Task(Protocol):
    """What is asked of the formulas of a table."""

    def losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        """Loss of a formula on each row, from inputs [rows, inputs] and labels [rows]: [rows]."""

    def deciding(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        """What the choice compares, on each row: [rows]."""

    def right(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array | None:
        """1 for each row whose class a formula tells, else 0, [rows]; None where there are none."""

    @property
    def heavy_tails(self) -> bool:
        """Whether few rows may have most of it; see :func:`occamhead.tables.selection.choose`."""

    @property
    def errors(self) -> float:
        """Standard errors that a simpler formula may be worse by."""

    @property
    def is_robust(self) -> bool:
        """Whether most rows alone are asked for, as outliers count little."""

    @property
    def is_to_be_read(self) -> bool:
        """Whether a formula longer than `max_complexity` must be clearly better than others.

        See :func:`occamhead.tables.selection.clearly_worse`.
        """

    def mean_loss(self, table: SortedRows) -> float:
        """Loss of the best constant."""

    def refit(self, formula: Expression, table: SortedRows) -> Expression:
        """The formula with the numbers of the least loss on some rows."""

    def finish(self, formula: Expression, table: SortedRows) -> Expression:
        """What is done first to a formula that was fitted to the targets by least squares."""

    def fit(self, formula: Expression, table: SortedRows, anew: bool) -> Expression:
        """What is done to it if it is to be listed.

        Args:
            formula: A formula whose numbers were fitted to the targets by least squares.
            table: The rows.
            anew: Whether that was on other rows.
        """

    def simple(self, table: SortedRows, most: int, seconds: float) -> list[Candidate]:
        """The constant, and linear models of few and of all inputs.

        Args:
            table: The rows.
            most: Most complexity of an output of a model of few inputs.
            seconds: CPU seconds after which those of few inputs get no further ones.
        """

    def splits(self, table: SortedRows, folds: int, seed: int) -> Splits:
        """Rows to fit and rows to judge on; none if there are too few rows."""

    def penalised(self, losses: Array, nats: Array, rows: Array) -> Array:
        """What held-out losses count for where formulas were picked from many.

        Args:
            losses: In units of the loss of the mean, [rows, formulas].
            nats: See :class:`~occamhead.tables.candidates.Candidate`, [formulas].
            rows: Number of rows in effect, [formulas].
        """

    @property
    def searched(self) -> float:
        """Share of the time for it that one search takes; folds that find rules anew need more."""

    @property
    def rounds(self) -> int:
        """Searches: 1 by least squares; 2 where :meth:`around` follows from predictions."""

    def cost(self, predicted: Array, table: SortedRows) -> float:
        """Mean loss of predictions, [rows]."""

    def nearby(self, table: SortedRows) -> Array:
        """Predictions from the rows near each row, without a formula, [rows]."""

    def around(self, predicted: Array, table: SortedRows) -> SortedRows:
        """Rows whose least squares stand for the loss near predictions [rows]."""


def mean_of(task: Task, formula: Expression, table: SortedRows) -> float:
    """Mean loss of a formula on rows."""
    return float(table.weights @ task.losses(formula, table.x, table.labels))


class Path:
    """Formulas of growing size, found anew on other rows: no held-out row chose their inputs.

    Args:
        find: Gives them on some rows, simplest first.
        table: The rows at first.
        formulas: What it gives on these, if that is known.

    Attributes:
        formulas: Those of the first rows.
    """

    def __init__(
        self,
        find: Callable[[SortedRows], list[Expression]],
        table: SortedRows,
        formulas: list[Expression] | None = None,
    ) -> None:
        self._find = find
        self.formulas = find(table) if formulas is None else formulas
        self._last = table, self.formulas

    def refit(self, place: int) -> Callable[[SortedRows], Expression]:
        """What gives the formula of this place on other rows, or the longest that these allow."""

        def refit(part: SortedRows) -> Expression:
            # Read once: in threads others may come with other rows.
            last = self._last
            if last[0] is not part:
                self._last = last = part, self._find(part) or self.formulas
            return last[1][min(place, len(last[1]) - 1)]

        return refit
