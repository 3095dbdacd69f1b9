"""Classes: formulas whose values are log-odds or scores."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.tidy import shortened
from occamhead.search.result import join
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.candidates import CONSTANT, DIRECT, LINEAR, SPARSE, Candidate
from occamhead.tables.class_rules import WIDTHS, rules
from occamhead.tables.linear_models import logistic
from occamhead.tables.platt import calibrate, probabilities, smoothed
from occamhead.tables.selection import STANDARD_ERRORS
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import SMALLEST_GAIN, Path, Splits, mean_of

Array: TypeAlias = NDArray[np.float64]

# Rounds and steps of Fisher scoring, which starts from least squares on the classes' indicators.
SCORING_ROUNDS, SCORING_STEPS = 4, 3
# A rule has at most so many terms, and one more for each output.
MOST_TERMS = 6


@dataclass(frozen=True)
class Classification:
    """Classes, by cross-entropy.

    A standard error of Brier's score on some hundred rows is about one row in a hundred that is
    told wrongly, which is what a longer rule is for; and rules are kept short by `is_to_be_read`.
    So a simpler one is taken only within a quarter of it.

    Args:
        operators: What terms of rules may be made of.
    """

    operators: Collection[str] = ()

    def losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            chances = probabilities(formula(x))
            return -np.log(np.maximum(chances[np.arange(len(x)), labels], 1e-12))

    heavy_tails = False
    errors = STANDARD_ERRORS / 4
    searched = 0.6
    is_to_be_read = True

    def deciding(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        """Brier's (1950) score, which asks for right classes more than for certainty.

        Where classes are easily told apart, cross-entropies of nearly certain rows are what most
        rows differ in, and would give the longest formula the right to replace any other.
        """
        with np.errstate(all="ignore"):
            chances = probabilities(formula(x))
        chances[np.arange(len(x)), labels] -= 1
        return np.asarray((chances**2).sum(axis=1) / 2, np.float64)

    def right(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            told = probabilities(formula(x)).argmax(axis=1)
        return np.asarray(told == labels, np.float64)

    def mean_loss(self, table: SortedRows) -> float:
        shares = np.bincount(table.labels, weights=table.weights)
        return -float(table.weights @ np.log(shares[table.labels]))

    rounds = 1
    is_robust = False

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

    def simple(self, table: SortedRows, most: int, seconds: float) -> list[Candidate]:
        made = []
        for kind, operators in ((SPARSE, ()), (DIRECT, self.operators)):
            path = self._path(table, most, operators, seconds / 2)
            for place, formula in enumerate(path.formulas):
                # The scores' own range stands for that of targets.
                sound = BetweenRows(table.x, formula(table.x)).is_sound(formula)
                if sound and (formula.features or kind == SPARSE):
                    loss = mean_of(self, formula, table)
                    each = kind if formula.features else CONSTANT
                    made.append(Candidate(formula, each, loss, path.refit(place)))
        formula, strength = logistic(table)

        def refit(part: SortedRows) -> Expression:
            return logistic(part, strength)[0]

        return [*made, Candidate(formula, LINEAR, mean_of(self, formula, table), refit)]

    def _path(
        self, table: SortedRows, most: int, operators: Collection[str], seconds: float
    ) -> Path:
        """Rules of 0, 1, 2, ... terms; as many on other rows as these rows had the time for."""
        outputs = table.targets.shape[1]
        most *= outputs
        found = rules(table, most, operators, MOST_TERMS + outputs, seconds)
        terms = (len(found) - 1) // len(WIDTHS)
        return Path(lambda part: rules(part, most, operators, terms), table, found)

    def splits(self, table: SortedRows, folds: int, seed: int) -> Splits:
        folds = min(folds, int(np.bincount(table.labels).min()))
        if folds < 2:
            return []
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(splitter.split(table.x, table.labels))

    def penalised(self, losses: Array, nats: Array, rows: Array) -> Array:
        # Near even chances a nat is half a unit of the score; the constant loses a quarter of one.
        return losses + 2 * nats / rows


def scores_of_all(formula: Expression) -> Expression:
    """A score of each class: of two, whose formula is one of log-odds, the first has 0."""
    if len(formula) > 1:
        return formula
    builder = ExpressionBuilder()
    score = builder.copy(formula, {i: builder.input(i) for i in formula.features})
    return formula.rebuilt(builder, [builder.constant(0.0), *score])


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
