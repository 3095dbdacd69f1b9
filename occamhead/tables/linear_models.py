"""Linear models of a table: with all inputs and a penalty, and with few inputs and none."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from occamhead.expression import Expression, linear_formula
from occamhead.expression.tidy import shortened
from occamhead.tables.sorted_rows import SortedRows

RIDGE_PENALTIES = np.logspace(-3, 3, 13)
LOGISTIC_PENALTIES = np.logspace(-3, 2, 6)

# The penalty of a logistic regression is chosen on so many rows.
PENALTY_ROWS = 2000

Array: TypeAlias = NDArray[np.float64]


def standardised(table: SortedRows) -> tuple[Array, Array, Array]:
    """Inputs with mean 0 and deviation 1 by the weights, their means and deviations."""
    mean = table.weights @ table.x
    x = table.x - mean
    deviation = np.sqrt(np.einsum("r,ri,ri->i", table.weights, x, x))
    # What is rounding of a constant is no deviation.
    deviation[deviation <= 1e-12 * np.abs(mean)] = 0.0
    scale = np.where(deviation > 0, deviation, 1.0)
    x /= scale
    x[:, deviation == 0] = 0.0
    return x, mean, scale


def unscaled(
    coefficients: Array, intercepts: Array, mean: Array, scale: Array
) -> tuple[Array, Array]:
    """Coefficients [outputs, inputs] and intercepts of the inputs as they are."""
    coefficients = coefficients / scale
    return coefficients, intercepts - coefficients @ mean


# --- numbers ----------------------------------------------------------------------------------


def ridge(table: SortedRows, penalty: float | None = None) -> tuple[Expression, float]:
    """Ridge regression on all inputs, and its penalty.

    Args:
        table: Rows with one target.
        penalty: In units of the rows' number; None takes that of the least squared leave-one-out
            error. A constant target gives its constant.
    """
    y = table.targets[:, 0]
    if np.ptp(y) == 0:  # of one row, too, which cannot be left out
        return linear_formula(np.zeros((1, table.x.shape[1])), y[:1]), penalty or 0.0
    x, mean, scale = standardised(table)
    level = float(table.weights @ y)
    weights = table.weights * len(y)
    root = np.sqrt(weights)
    x *= root[:, None]
    target = (y - level) * root
    # Of the two matrices of inner products the smaller one is taken apart.
    dual = x.shape[0] < x.shape[1]
    size, axes = np.linalg.eigh(x @ x.T if dual else x.T @ x)
    size = np.maximum(size, 0.0)
    if dual:
        left, onto = axes, axes.T @ target
    else:
        left = x @ (axes / np.sqrt(np.where(size > 0, size, 1.0)))
        onto = left.T @ target
    if penalty is None:
        errors = []
        for each in RIDGE_PENALTIES:
            kept = size / (size + each)
            hat = np.einsum("ri,i,ri->r", left, kept, left) + weights / weights.sum()
            rest = (target - left @ (kept * onto)) / np.maximum(1 - hat, 1e-12)
            errors.append(float(rest @ rest))
        penalty = float(RIDGE_PENALTIES[int(np.argmin(errors))])
    share = onto / (size + penalty)
    coefficients = x.T @ (axes @ share) if dual else axes @ (np.sqrt(size) * share)
    formula = linear_formula(*unscaled(coefficients[None], np.array([level]), mean, scale))
    return shortened(formula, table.x), penalty


def sparse_sums(table: SortedRows, most_terms: int) -> list[Expression]:
    """Sums of 1, 2, ... inputs of least squares.

    The inputs are found one after another, each that which lowers the error most (forward
    selection); the coefficients are those of all together.

    Args:
        table: Rows with one target.
        most_terms: Most inputs of a sum.
    """
    x, mean, scale = standardised(table)
    root = np.sqrt(table.weights)
    x *= root[:, None]
    target = (table.targets[:, 0] - table.weights @ table.targets[:, 0]) * root
    level = float(table.weights @ table.targets[:, 0])
    # What is left of each input when the chosen ones are projected out: its square.
    length = np.einsum("ri,ri->i", x, x)
    rest, chosen, axes = target.copy(), list[int](), list[Array]()
    found = []
    for _ in range(min(most_terms, x.shape[1], max((len(x) - 1) // 2, 0))):
        usable = length > 1e-10
        usable[chosen] = False
        if not usable.any() or rest @ rest <= 1e-28 * (target @ target):
            break
        gains = np.where(usable, (rest @ x) ** 2 / np.where(usable, length, 1.0), -1.0)
        best = int(np.argmax(gains))
        axis = x[:, best].copy()
        for _ in range(2):  # once more, for the digits that the first time leaves
            for other in axes:
                axis -= other * (other @ axis)
        axis /= np.sqrt(axis @ axis)
        rest = rest - axis * (axis @ rest)
        length = length - (axis @ x) ** 2
        axes.append(axis)
        chosen.append(best)
        coefficients = np.zeros((1, x.shape[1]))
        coefficients[0, chosen] = np.linalg.lstsq(x[:, chosen], target, rcond=None)[0]
        found.append(linear_formula(*unscaled(coefficients, np.array([level]), mean, scale)))
    return found


# --- classes ----------------------------------------------------------------------------------


def logistic(table: SortedRows, strength: float | None = None) -> tuple[Expression, float]:
    """Logistic regression on all inputs, and its inverse penalty C.

    Args:
        table: Rows whose labels are classes 0, 1, ...
        strength: C; None takes that of the best cross-validated likelihood on at most
            `PENALTY_ROWS` rows, or 1 where a class has one row.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own parameters' names and convergence
        if strength is None:
            strength = _strength(table)
        x, mean, scale = standardised(table)
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(x, table.labels, sample_weight=table.weights * len(x))
    return _formula(model.coef_, model.intercept_, mean, scale, table.x), strength


def _strength(table: SortedRows) -> float:
    rows = np.arange(len(table.x))
    if len(rows) > PENALTY_ROWS:
        rows = table.sample(PENALTY_ROWS, 0)
    part = table.part(rows)
    folds = min(5, int(np.bincount(part.labels).min()))
    if folds < 2:
        return 1.0
    x = StandardScaler().fit_transform(part.x)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    model: Any = LogisticRegressionCV(
        Cs=LOGISTIC_PENALTIES, cv=splitter, scoring="neg_log_loss", max_iter=1000
    )
    model.fit(x, part.labels, sample_weight=part.weights * len(x))
    return float(np.ravel(model.C_)[0])


def _formula(
    coefficients: Array, intercepts: Array, mean: Array, scale: Array, x: Array
) -> Expression:
    return shortened(linear_formula(*unscaled(coefficients, intercepts, mean, scale)), x)
