"""What regression and classification of a table do differently."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from occamhead.expression import Expression, ExpressionBuilder, linear_formula
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.tidy import shortened, tidy
from occamhead.search.result import join
from occamhead.tables.candidates import CONSTANT, LINEAR, SPARSE, Candidate
from occamhead.tables.linear_models import (
    fit_terms,
    logistic,
    ridge,
    sparse_scores,
    sparse_sums,
)
from occamhead.tables.losses import Loss
from occamhead.tables.platt import calibrate, probabilities, smoothed
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]
Splits: TypeAlias = list[tuple[NDArray[np.intp], NDArray[np.intp]]]

# Steps of a fit of numbers that starts near its end, and rounds of reweighted least squares.
REFIT_STEPS, REWEIGHTED_ROUNDS = 10, 12
# Rounds and steps of Fisher scoring, which starts from least squares on the classes' indicators.
SCORING_ROUNDS, SCORING_STEPS = 4, 3
# A round that lowers the loss by less than this share is the last.
SMALLEST_GAIN = 1e-4
# Log of the largest factor by which chance may flatter a loss.
MOST_CHARGE = 50.0
# A sum has at most so many inputs.
MOST_TERMS = 10


class Task(Protocol):
    """What is asked of the formulas of a table."""

    def losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        """Loss of a formula on each row, from inputs [rows, inputs] and labels [rows]: [rows]."""

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

    def simple(self, table: SortedRows, most: int) -> list[Candidate]:
        """The constant, and linear models of few and of all inputs.

        Args:
            table: The rows.
            most: Most complexity of an output of a model of few inputs.
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
    def rounds(self) -> int:
        """Searches: 1 by least squares; 2 where :meth:`weights` follow from predictions."""

    def cost(self, predicted: Array, table: SortedRows) -> float:
        """Mean loss of predictions, [rows]."""

    def weights(self, predicted: Array, table: SortedRows) -> Array:
        """Weights of rows by which least squares stands for the loss near predictions, [rows]."""


def mean_of(task: Task, formula: Expression, table: SortedRows) -> float:
    """Mean loss of a formula on rows."""
    return float(table.weights @ task.losses(formula, table.x, table.labels))


# --- numbers ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Regression:
    """Numbers, by a loss."""

    loss: Loss

    def losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.loss.rows(labels, formula(x)[:, 0]), np.float64)

    def mean_loss(self, table: SortedRows) -> float:
        return mean_of(self, self._constant(table), table)

    def _constant(self, table: SortedRows) -> Expression:
        level = float(table.weights @ table.labels)
        if not self.loss.is_squared:
            order = np.argsort(table.labels)
            half = int(np.searchsorted(np.cumsum(table.weights[order]), 0.5))
            level = float(table.labels[order[min(half, len(order) - 1)]])
        formula = linear_formula(np.zeros((1, table.x.shape[1])), np.array([level]))
        return self._reweighted(formula, table)

    @property
    def rounds(self) -> int:
        return 1 if self.loss.is_squared else 2

    def cost(self, predicted: Array, table: SortedRows) -> float:
        with np.errstate(all="ignore"):
            return float(table.weights @ self.loss.rows(table.labels, predicted))

    def weights(self, predicted: Array, table: SortedRows) -> Array:
        weights = table.weights * self.loss.weights(table.labels, predicted)
        return np.asarray(weights / weights.sum(), np.float64)

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
            weights = self.weights(formula(table.x)[:, 0], table)
            new = fit_numbers(formula, table.x, table.labels, weights, iterations=REFIT_STEPS)
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
        if anew:
            formula = _tidied(self.refit(formula, table), table)
        return self._shortened(self._reweighted(formula, table), table)

    def _shortened(self, formula: Expression, table: SortedRows) -> Expression:
        return formula if self.loss.is_squared else shortened(formula, table.x)

    def simple(self, table: SortedRows, most: int) -> list[Candidate]:
        constant = self._constant(table)
        made = [self._made(constant, CONSTANT, table)]
        for formula, inputs in self._robust(table, most):
            formula = self._shortened(self._reweighted(_tidied(formula, table), table), table)
            total = table.x.shape[1]
            made.append(self._made(formula, SPARSE, table, math.log(math.comb(total, len(inputs)))))
        return [*made, self._linear(table)]

    def _robust(self, table: SortedRows, most: int) -> list[tuple[Expression, list[int]]]:
        """Sums of few inputs; under another loss on rows that are reweighted for one of them."""
        terms = min(MOST_TERMS, max((most - 1) // 4, 1))
        sums = sparse_sums(table, terms)
        for _ in range(0 if self.loss.is_squared else 3):
            if not sums:
                break
            fitted = [self._reweighted(formula, table) for formula, _ in sums]
            best = min(fitted, key=lambda each: mean_of(self, each, table))
            weights = self.weights(best(table.x)[:, 0], table)
            sums = sparse_sums(SortedRows(table.x, table.targets, table.labels, weights), terms)
        return sums

    def _linear(self, table: SortedRows) -> Candidate:
        formula, penalty = ridge(table)

        def refit(part: SortedRows) -> Expression:
            formula, _ = ridge(part, penalty)
            for _ in range(0 if self.loss.is_squared else REWEIGHTED_ROUNDS):
                weights = self.weights(formula(part.x)[:, 0], part)
                reweighted = SortedRows(part.x, part.targets, part.labels, weights)
                formula, _ = ridge(reweighted, penalty)
            return formula

        formula = formula if self.loss.is_squared else refit(table)
        return Candidate(formula, LINEAR, mean_of(self, formula, table), refit)

    def _made(
        self, formula: Expression, kind: str, table: SortedRows, nats: float = 0.0
    ) -> Candidate:
        def refit(part: SortedRows) -> Expression:
            return self._constant(part) if kind == CONSTANT else self.refit(formula, part)

        return Candidate(formula, kind, mean_of(self, formula, table), refit, nats)

    def splits(self, table: SortedRows, folds: int, seed: int) -> Splits:
        return list(KFold(folds, shuffle=True, random_state=seed).split(table.x))

    def penalised(self, losses: Array, nats: Array, rows: Array) -> Array:
        # n/exponent log(loss) is the log-likelihood of errors whose scale is not known. A robust
        # loss is not for outliers to set that scale: of most rows it is the median.
        more = np.expm1(np.minimum(self.loss.exponent * nats / rows, MOST_CHARGE))
        return losses + more * (np.median(losses, axis=0) if self.loss.is_robust else losses)


def _tidied(formula: Expression, table: SortedRows) -> Expression:
    y = table.labels
    deviation = math.sqrt(float(table.weights @ (y - table.weights @ y) ** 2))
    if deviation == 0:
        return formula
    return tidy(formula, table.x, y, table.weights, deviation)


# --- classes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Classification:
    """Classes, by cross-entropy."""

    def losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            chances = probabilities(formula(x))
            return -np.log(np.maximum(chances[np.arange(len(x)), labels], 1e-12))

    def mean_loss(self, table: SortedRows) -> float:
        shares = np.bincount(table.labels, weights=table.weights)
        return -float(table.weights @ np.log(shares[table.labels]))

    rounds = 1

    def cost(self, predicted: Array, table: SortedRows) -> float:
        raise NotImplementedError("classes are searched once")

    def weights(self, predicted: Array, table: SortedRows) -> Array:
        return table.weights

    def finish(self, formula: Expression, table: SortedRows) -> Expression:
        return _calibrated(formula, table)

    def fit(self, formula: Expression, table: SortedRows, anew: bool) -> Expression:
        return self.refit(formula, table)

    def refit(self, formula: Expression, table: SortedRows) -> Expression:
        """Each output's numbers by one class against the rest, then slopes and intercepts."""
        wanted = smoothed(table.labels, table.weights, max(len(formula), 2))[:, -len(formula) :]
        outputs = [
            _log_odds(formula[output], table, wanted[:, output]) for output in range(len(formula))
        ]
        before, after = (
            _calibrated(each, table)
            for each in (formula, outputs[0] if len(outputs) == 1 else join(outputs))
        )
        return min(after, before, key=lambda each: mean_of(self, each, table))

    def simple(self, table: SortedRows, most: int) -> list[Candidate]:
        outputs = table.targets.shape[1]
        inputs = table.x.shape[1]
        terms = min(MOST_TERMS * outputs, max((most - 1) // 4, 1) * outputs, 20)
        none = np.zeros((outputs, inputs), np.bool_)
        made = [self._masked(fit_terms(table, none)[0], none, table)]
        for formula, mask in sparse_scores(table, outputs, terms):
            made.append(self._masked(formula, mask, table))
        formula, strength = logistic(table)

        def refit(part: SortedRows) -> Expression:
            return logistic(part, strength)[0]

        return [*made, Candidate(formula, LINEAR, mean_of(self, formula, table), refit)]

    def _masked(self, formula: Expression, mask: NDArray[np.bool_], table: SortedRows) -> Candidate:
        def refit(part: SortedRows) -> Expression:
            return fit_terms(part, mask)[0]

        kind = SPARSE if mask.any() else CONSTANT
        nats = math.log(math.comb(mask.size, int(mask.sum())))
        return Candidate(formula, kind, mean_of(self, formula, table), refit, nats)

    def splits(self, table: SortedRows, folds: int, seed: int) -> Splits:
        folds = min(folds, int(np.bincount(table.labels).min()))
        if folds < 2:
            return []
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(splitter.split(table.x, table.labels))

    def penalised(self, losses: Array, nats: Array, rows: Array) -> Array:
        # Losses are nats, here in units of those of the best constant.
        return losses + nats / rows


def _log_odds(formula: Expression, table: SortedRows, wanted: Array) -> Expression:
    """A score whose numbers are those of the greatest likelihood of two classes, near its own.

    Fisher scoring: least squares on the working response, its weights p (1 - p), round by round.
    """

    def loss(each: Expression) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            score = each(table.x)[:, 0]
        chance = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
        value = -wanted * np.log(chance) - (1 - wanted) * np.log(1 - chance)
        finite = np.isfinite(score).all()
        return float(table.weights @ value) if finite else math.inf, score

    least, score = loss(formula)
    for _ in range(SCORING_ROUNDS):
        if not math.isfinite(least):
            break
        chance = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
        spread = np.maximum(chance * (1 - chance), 1e-6)
        response = np.clip(score, -30, 30) + (wanted - chance) / spread
        new = fit_numbers(
            formula, table.x, response, table.weights * spread, iterations=SCORING_STEPS
        )
        value, score = loss(new)
        if not value < least * (1 - SMALLEST_GAIN):
            break
        formula, least = new, value
    return formula


def _calibrated(formula: Expression, table: SortedRows) -> Expression:
    """Each score with the slope and the intercept of the greatest likelihood."""
    with np.errstate(all="ignore"):
        scores = formula(table.x)
    if not np.isfinite(scores).all():
        return formula
    slopes, intercepts = calibrate(scores, table.labels, table.weights)
    builder = ExpressionBuilder()
    tops = builder.copy(formula, {i: builder.input(i) for i in formula.features})
    outputs = [
        builder.affine(float(intercept), [(float(slope), top)])
        for slope, intercept, top in zip(slopes, intercepts, tops, strict=True)
    ]
    scaled = builder.build(outputs, formula.num_inputs).simplified()
    return shortened(scaled, table.x)
