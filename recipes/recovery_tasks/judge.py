"""When a formula counts as the law: on fresh rows without noise, for every method alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from occamhead import Expression
from occamhead.problems import Problem
from recipes.laws_of_nature.judge import refit
from recipes.others.regressors import Fitted, count_nodes
from recipes.shared.rows import Part

UNEXPLAINED = 1.2e-7  # share of variance; that of Flash-ANSR (arXiv 2602.08885)
EXACT = 1e-6  # largest relative error of a law that is found to the letter
STRUCTURE = 0.2  # how far its numbers may be off where only the structure is
NEAR = 0.01  # relative error, root mean square, of a law that serves
_HOPELESS = 0.1  # unexplained variance beyond which no number is moved


@dataclass(frozen=True)
class Verdict:
    """What a formula is worth.

    Args:
        found: Its unexplained variance is at most :data:`UNEXPLAINED` as it stands.
        exact: It is the law to :data:`EXACT` as it stands, after a refit or with rounded numbers.
        structure: It is the law, or is after moving its numbers by at most 20 %.
        near: Its relative error is at most :data:`NEAR`.
        fvu: Its unexplained variance on fresh rows of the same ranges.
        error: The largest relative error of the best of its forms on the wide rows; relative to
            the value and a thousandth of the root mean square.
        rmse: Its relative error, root mean square, on the wide rows.
        text: The form that was best.
    """

    found: bool
    exact: bool
    structure: bool
    near: bool
    fvu: float
    error: float
    rmse: float
    text: str


def judge(fitted: Fitted, problem: Problem, train: Part, fresh: Part, wide: Part) -> Verdict:
    """Compare what a method found with the law.

    Args:
        fitted: It.
        problem: Says the names of the inputs.
        train: Rows on which its numbers may be fitted again.
        fresh: Rows of the same ranges, without noise.
        wide: Rows of the ranges of extrapolation, without noise.
    """
    fvu = unexplained(fitted.predict(fresh[0]), fresh[1])
    prediction = fitted.predict(wide[0])
    errors = [(largest_error(prediction, wide[1]), fitted.formula)]
    structure = False
    if fitted.expression is not None:
        formula = fitted.expression.renamed(problem.names)
        # Where it is undefined its numbers may still be near; where it explains little, hardly.
        hopeful = fvu < _HOPELESS or not math.isfinite(fvu)
        forms = [formula, *([_refitted(formula, train)] if hopeful else [])]
        errors = _errors(forms, wide)
        if min(errors)[0] > EXACT and hopeful:
            structure = min(_errors([_refitted(formula, fresh, STRUCTURE)], wide))[0] <= EXACT
    error, text = min(errors, key=lambda pair: pair[0])
    rmse = math.sqrt(unexplained(prediction, wide[1], centred=False))
    exact = error <= EXACT
    return Verdict(
        fvu <= UNEXPLAINED, exact, exact or structure, rmse <= NEAR, fvu, error, rmse, text
    )


def true_nodes(problem: Problem) -> int:
    """Nodes of the shortest published form of the law."""
    forms = [problem.formula, *(problem.parse(text) for text in problem.accepted)]
    return min(count_nodes(form) for form in forms)


def unexplained(prediction: np.ndarray, y: np.ndarray, centred: bool = True) -> float:
    """The mean squared error over the variance, or over the mean square; inf if not finite."""
    unit = float(np.max(np.abs(y)))  # the squares of some laws' values are beyond float64
    with np.errstate(all="ignore"):
        error = float(np.mean((prediction / unit - y / unit) ** 2))
    share = error / float(np.var(y / unit) if centred else np.mean((y / unit) ** 2))
    return share if math.isfinite(share) else math.inf


def largest_error(prediction: np.ndarray, y: np.ndarray) -> float:
    """The largest ``|p - y| / (|y| + 1e-3 rms)``; inf where a prediction is not finite."""
    with np.errstate(all="ignore"):
        error = float(np.max(np.abs(prediction - y) / _sizes(y)))
    return error if math.isfinite(error) else math.inf


def _sizes(y: np.ndarray) -> np.ndarray:
    unit = float(np.max(np.abs(y)))
    return np.abs(y) + 1e-3 * unit * math.sqrt(float(np.mean((y / unit) ** 2)))


def _errors(forms: list[Expression], wide: Part) -> list[tuple[float, str]]:
    """The error of each form as it is and with its numbers rounded to 6, 5, ... 2 digits."""
    found = []
    for form in forms:
        for one in (form, *(form.rounded(digits) for digits in range(6, 1, -1))):
            found.append((largest_error(one(wide[0])[:, 0], wide[1]), str(one)))
    return found


def _refitted(formula: Expression, rows: Part, within: float = math.inf) -> Expression:
    return refit(formula, *rows, within=within, weights=1 / _sizes(rows[1]))
