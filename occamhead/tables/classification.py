"""Classes: formulas whose values are log-odds or scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.tidy import shortened
from occamhead.search.result import join
from occamhead.tables.candidates import CONSTANT, LINEAR, SPARSE, Candidate
from occamhead.tables.linear_models import (
    fit_terms,
    logistic,
    sparse_scores,
)
from occamhead.tables.platt import calibrate, probabilities, smoothed
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import MOST_TERMS, SMALLEST_GAIN, Path, Splits, mean_of

Array: TypeAlias = NDArray[np.float64]

# Rounds and steps of Fisher scoring, which starts from least squares on the classes' indicators.
SCORING_ROUNDS, SCORING_STEPS = 4, 3


@dataclass(frozen=True)
class Classification:
    """Classes, by cross-entropy."""

    def losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            chances = probabilities(formula(x))
            return -np.log(np.maximum(chances[np.arange(len(x)), labels], 1e-12))

    heavy_tails = False

    def deciding(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        """Brier's (1950) score, which asks for right classes more than for certainty.

        Where classes are easily told apart, cross-entropies of nearly certain rows are what most
        rows differ in, and would give the longest formula the right to replace any other.
        """
        with np.errstate(all="ignore"):
            chances = probabilities(formula(x))
        chances[np.arange(len(x)), labels] -= 1
        return np.asarray((chances**2).sum(axis=1) / 2, np.float64)

    def mean_loss(self, table: SortedRows) -> float:
        shares = np.bincount(table.labels, weights=table.weights)
        return -float(table.weights @ np.log(shares[table.labels]))

    rounds = 1

    def cost(self, predicted: Array, table: SortedRows) -> float:
        raise NotImplementedError("classes are searched once")

    def nearby(self, table: SortedRows) -> Array:
        raise NotImplementedError("classes are searched once")

    def around(self, predicted: Array, table: SortedRows) -> SortedRows:
        return table

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

        def constant(part: SortedRows) -> Expression:
            return fit_terms(part, none)

        path = Path(lambda part: sparse_scores(part, outputs, terms), table)
        simple: list[tuple[Expression, str, Callable[[SortedRows], Expression]]] = [
            (constant(table), CONSTANT, constant)
        ]
        simple += [(each, SPARSE, path.refit(place)) for place, each in enumerate(path.formulas)]
        made = [Candidate(each, kind, mean_of(self, each, table), refit)
                for each, kind, refit in simple]  # fmt: skip
        formula, strength = logistic(table)

        def refit(part: SortedRows) -> Expression:
            return logistic(part, strength)[0]

        return [*made, Candidate(formula, LINEAR, mean_of(self, formula, table), refit)]

    def splits(self, table: SortedRows, folds: int, seed: int) -> Splits:
        folds = min(folds, int(np.bincount(table.labels).min()))
        if folds < 2:
            return []
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(splitter.split(table.x, table.labels))

    def penalised(self, losses: Array, nats: Array, rows: Array) -> Array:
        # Near even chances a nat is twice as much as a unit of the score, whose mean is a half.
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
