"""What regression and classification of a table do differently."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from occamhead.expression import Expression, ExpressionBuilder, linear_formula
from occamhead.expression.tidy import shortened
from occamhead.tables.platt import calibrate, probabilities
from occamhead.tables.sorted_rows import SortedRows

RIDGE_PENALTIES = np.logspace(-3, 3, 13)
LOGISTIC_PENALTIES = np.logspace(-3, 2, 6)

Array = NDArray[np.float64]
Splits = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True)
class Task:
    """What is asked of the formulas of a table.

    Args:
        linear: The linear model that formulas are compared with.
        losses: Loss of a formula on each row, from inputs [rows, inputs] and labels [rows]: [rows].
        mean_loss: Loss of the best constant.
        finish: What is done to a formula of the search, on the rows that it was fitted to.
        splits: Rows to fit and rows to judge on, of so many folds by a seed; none if there are
            too few rows.
    """

    linear: Callable[[SortedRows], Expression]
    losses: Callable[[Expression, Array, NDArray[Any]], Array]
    mean_loss: Callable[[SortedRows], float]
    finish: Callable[[Expression, SortedRows], Expression]
    splits: Callable[[SortedRows, int, int], Splits]

    def loss(self, formula: Expression, table: SortedRows) -> float:
        """Mean loss of a formula."""
        return float(table.weights @ self.losses(formula, table.x, table.labels))


# --- numbers ----------------------------------------------------------------------------------


def _ridge(table: SortedRows) -> Expression:
    """Ridge regression, its penalty by leave-one-out; the constant of a constant target."""
    if np.ptp(table.labels) == 0:  # of one row, too, which cannot be left out
        return linear_formula(np.zeros((1, table.x.shape[1])), table.labels[:1])
    weights = table.weights * len(table.x)
    scaler = StandardScaler().fit(table.x, sample_weight=weights)
    model = RidgeCV(RIDGE_PENALTIES).fit(
        scaler.transform(table.x), table.labels, sample_weight=weights
    )
    return _unscaled(model, scaler, table.x)


def _squared_errors(formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
    with np.errstate(all="ignore"):
        return (formula(x)[:, 0] - labels) ** 2


def _variance(table: SortedRows) -> float:
    return float(table.weights @ (table.labels - table.weights @ table.labels) ** 2)


def _as_it_is(formula: Expression, table: SortedRows) -> Expression:
    return formula


def _folds(table: SortedRows, folds: int, seed: int) -> Splits:
    return list(KFold(folds, shuffle=True, random_state=seed).split(table.x))


REGRESSION = Task(_ridge, _squared_errors, _variance, _as_it_is, _folds)


# --- classes ----------------------------------------------------------------------------------


def _logistic(table: SortedRows) -> Expression:
    """Logistic regression, its penalty by cross-validation where the rarest class allows it."""
    weights = table.weights * len(table.x)
    scaler = StandardScaler().fit(table.x, sample_weight=weights)
    folds = min(5, int(np.bincount(table.labels).min()))
    model: Any
    if folds < 2:
        model = LogisticRegression(max_iter=1000)
    else:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
        model = LogisticRegressionCV(
            Cs=LOGISTIC_PENALTIES, cv=splitter, scoring="neg_log_loss", max_iter=1000
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own parameters' names and convergence
        model.fit(scaler.transform(table.x), table.labels, sample_weight=weights)
    return _unscaled(model, scaler, table.x)


def _cross_entropies(formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
    with np.errstate(all="ignore"):
        chances = probabilities(formula(x))
        return -np.log(np.maximum(chances[np.arange(len(x)), labels], 1e-12))


def _entropy(table: SortedRows) -> float:
    shares = np.bincount(table.labels, weights=table.weights)
    return -float(table.weights @ np.log(shares[table.labels]))


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


def _stratified_folds(table: SortedRows, folds: int, seed: int) -> Splits:
    folds = min(folds, int(np.bincount(table.labels).min()))
    if folds < 2:
        return []
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(table.x, table.labels))


CLASSIFICATION = Task(_logistic, _cross_entropies, _entropy, _calibrated, _stratified_folds)


def _unscaled(model: Any, scaler: StandardScaler, x: Array) -> Expression:
    """The formula, on the inputs as they are, of a linear model of standardised inputs."""
    coefficients = np.atleast_2d(model.coef_) / scaler.scale_
    intercepts = np.atleast_1d(model.intercept_) - coefficients @ scaler.mean_
    return shortened(linear_formula(coefficients, intercepts), x)
