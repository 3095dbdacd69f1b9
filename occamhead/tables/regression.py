"""Numbers: formulas by a loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from occamhead.expression import Expression, linear_formula
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.tidy import shortened, tidy
from occamhead.tables.candidates import CONSTANT, LINEAR, SPARSE, Candidate
from occamhead.tables.linear_models import (
    ridge,
    sparse_sums,
)
from occamhead.tables.local import local_levels
from occamhead.tables.losses import Loss
from occamhead.tables.selection import STANDARD_ERRORS
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import MOST_TERMS, SMALLEST_GAIN, Path, Splits, mean_of

Array: TypeAlias = NDArray[np.float64]

# Steps of a fit of numbers that starts near its end, and rounds of reweighted least squares.
REFIT_STEPS, REWEIGHTED_ROUNDS, LINEAR_ROUNDS = 10, 40, 12
# Quantiles of the target that are tried as a constant.
LEVELS = 101
# Log of the largest factor by which chance may flatter a loss.
MOST_CHARGE = 50.0


@dataclass(frozen=True)
class Regression:
    """Numbers, by a loss."""

    loss: Loss

    def losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.loss.rows(labels, formula(x)[:, 0]), np.float64)

    deciding = losses

    def right(self, formula: Expression, x: Array, labels: NDArray[Any]) -> None:
        return None

    heavy_tails = True
    errors = STANDARD_ERRORS
    searched = 1.0
    is_to_be_read = False

    @property
    def is_robust(self) -> bool:
        return self.loss.is_robust

    def mean_loss(self, table: SortedRows) -> float:
        return mean_of(self, self._constant(table), table)

    def _constant(self, table: SortedRows) -> Expression:
        level = float(table.weights @ table.labels)
        if not self.loss.is_squared:
            levels = np.quantile(table.labels, np.linspace(0, 1, LEVELS))
            costs = [self.cost(np.full(len(table.x), each), table) for each in levels]
            level = float(levels[int(np.argmin(costs))])
        formula = linear_formula(np.zeros((1, table.x.shape[1])), np.array([level]))
        return self._reweighted(formula, table)

    @property
    def rounds(self) -> int:
        return 1 if self.loss.is_squared else 2

    def cost(self, predicted: Array, table: SortedRows) -> float:
        with np.errstate(all="ignore"):
            return float(table.weights @ self.loss.rows(table.labels, predicted))

    def nearby(self, table: SortedRows) -> Array:
        return local_levels(table, self.loss.rows)

    def around(self, predicted: Array, table: SortedRows) -> SortedRows:
        targets, weights = self.loss.around(table.labels, predicted)
        weights = table.weights * weights
        total = float(weights.sum())
        if not (0 < total < math.inf):
            return table
        return replace(table, targets=targets[:, None], weights=weights / total)

    def refit(self, formula: Expression, table: SortedRows) -> Expression:
        if self.loss.is_squared:
            return fit_numbers(
                formula, table.x, table.labels, table.weights, iterations=REFIT_STEPS
            )
        return self._reweighted(formula, table)

    def _reweighted(self, formula: Expression, table: SortedRows) -> Expression:
        if self.loss.is_squared:
            return formula
        least = mean_of(self, formula, table)
        for _ in range(REWEIGHTED_ROUNDS):
            if not math.isfinite(least):
                break
            near = self.around(formula(table.x)[:, 0], table)
            new = fit_numbers(
                formula, near.x, near.targets[:, 0], near.weights, iterations=REFIT_STEPS
            )
            value = mean_of(self, new, table)
            if not value < least:
                break
            formula, gain, least = new, 1 - value / least, value
            if gain < SMALLEST_GAIN:
                break
        return formula

    def finish(self, formula: Expression, table: SortedRows) -> Expression:
        return self._reweighted(formula, table)

    def fit(self, formula: Expression, table: SortedRows, anew: bool) -> Expression:
        if self.loss.is_squared:
            formula = self.refit(formula, table) if anew else formula
            return _tidied(formula, table, refitted=True)
        formula = self._reweighted(formula, table)
        predicted = formula(table.x)[:, 0]
        if not np.isfinite(predicted).all():
            return formula
        near = self.around(predicted, table)
        return self._shortened(_tidied(formula, near, refitted=True), table)

    def _shortened(self, formula: Expression, table: SortedRows) -> Expression:
        return formula if self.loss.is_squared else shortened(formula, table.x)

    def simple(self, table: SortedRows, most: int, seconds: float) -> list[Candidate]:
        constant = self._constant(table)
        made = [Candidate(constant, CONSTANT, mean_of(self, constant, table), self._constant)]
        path = Path(lambda part: self._sums(part, most), table)
        for place, formula in enumerate(path.formulas):
            # It is the best of all sets of so many inputs.
            nats = math.log(math.comb(table.x.shape[1], len(formula.features)))
            made.append(
                Candidate(formula, SPARSE, mean_of(self, formula, table), path.refit(place), nats)
            )
        return [*made, self._linear(table)]

    def _sums(self, table: SortedRows, most: int) -> list[Expression]:
        return [
            self._shortened(self._reweighted(_tidied(formula, table), table), table)
            for formula in self._robust(table, most)
        ]

    def _robust(self, table: SortedRows, most: int) -> list[Expression]:
        """Sums of few inputs; under another loss on rows that are reweighted for one of them."""
        terms = min(MOST_TERMS, max((most - 1) // 4, 1))
        sums = sparse_sums(table, terms)
        for _ in range(0 if self.loss.is_squared else 3):
            if not sums:
                break
            fitted = [self._reweighted(formula, table) for formula in sums]
            best = min(fitted, key=lambda each: mean_of(self, each, table))
            sums = sparse_sums(self.around(best(table.x)[:, 0], table), terms)
        return sums

    def _linear(self, table: SortedRows) -> Candidate:
        formula, penalty = ridge(table)

        def refit(part: SortedRows) -> Expression:
            formula, _ = ridge(part, penalty)
            for _ in range(0 if self.loss.is_squared else LINEAR_ROUNDS):
                formula, _ = ridge(self.around(formula(part.x)[:, 0], part), penalty)
            return formula

        formula = formula if self.loss.is_squared else refit(table)
        return Candidate(formula, LINEAR, mean_of(self, formula, table), refit)

    def splits(self, table: SortedRows, folds: int, seed: int) -> Splits:
        return list(KFold(folds, shuffle=True, random_state=seed).split(table.x))

    def penalised(self, losses: Array, nats: Array, rows: Array) -> Array:
        # n/exponent log(loss) is the log-likelihood of errors whose scale is not known. A robust
        # loss is not for outliers to set that scale: of most rows it is the median.
        more = np.expm1(np.minimum(self.loss.exponent * nats / rows, MOST_CHARGE))
        return losses + more * (np.median(losses, axis=0) if self.loss.is_robust else losses)


def _tidied(formula: Expression, table: SortedRows, refitted: bool = False) -> Expression:
    y = table.targets[:, 0]
    deviation = math.sqrt(float(table.weights @ (y - table.weights @ y) ** 2))
    if deviation == 0:
        return formula
    return tidy(formula, table.x, y, table.weights, deviation, refitted)
