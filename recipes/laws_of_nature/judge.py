"""When a formula counts as a law: on points that no method saw, as it stands or nearly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from occamhead import Expression
from recipes.laws_of_nature.laws import Law
from recipes.others.regressors import largest_error, mse

TOLERANCE = 1e-6  # relative error of a law that is found
STRUCTURE = 0.01  # how far its numbers may be off where only the structure is
_WORST = 1e100  # stands for a residual that is not finite


@dataclass(frozen=True)
class Verdict:
    """What a formula is worth.

    Args:
        found: It is the law, to :data:`TOLERANCE`.
        structure: It is the law but for numbers within 1 %; true of every law that is found.
        error: Its largest relative error on the fresh points of the wide domain, the smallest
            over the roundings.
        r2: Its share of explained variance on fresh points of the training domain.
        formula: The formula that was judged best, rounded where that is as good.
    """

    found: bool
    structure: bool
    error: float
    r2: float
    formula: str


def judge(formula: Expression, law: Law, seed: int, rows: int = 2000) -> Verdict:
    """Compare a formula with the law on points that no method saw."""
    wide = law.sample(rows, 7777 + seed, wide=True)
    x, y = law.sample(rows, 8888 + seed)
    candidates = [formula, *(formula.rounded(digits) for digits in range(6, 1, -1))]
    errors = [largest_error(candidate, *wide) for candidate in candidates]
    found = min(errors) <= TOLERANCE
    # Of the formulas that are the law, the one with the fewest digits.
    best = max((i for i, e in enumerate(errors) if e <= TOLERANCE), default=0)
    structure = found
    if not found:
        moved = refit(formula, *wide, within=STRUCTURE, weights=1 / np.abs(wide[1]))
        structure = largest_error(moved, *wide) <= TOLERANCE
    r2 = 1 - mse(formula(x)[:, 0], y) / float(np.var(y))
    return Verdict(found, structure, min(errors), r2, str(candidates[best]))


def refit(
    expression: Expression,
    x: np.ndarray,
    y: np.ndarray,
    within: float = math.inf,
    weights: np.ndarray | float = 1.0,
) -> Expression:
    """The formula with its numbers moved to the least sum of squares of ``weights * (p - y)``.

    Args:
        expression: One output. Its whole numbers up to 10 and 0.5 are structure and stay.
        x: Rows [n, inputs].
        y: Targets [n].
        within: How far each number may move, relative to itself.
        weights: One per row.
    """
    from scipy.optimize import least_squares

    start: list[float] = []

    def note(value: float) -> float:
        if not _is_structure(value):
            start.append(value)
        return value

    expression.with_numbers(note)
    if not start:
        return expression
    values = np.array(start)

    def replaced(numbers: np.ndarray) -> Expression:
        rest = iter(numbers.tolist())
        return expression.with_numbers(lambda value: value if _is_structure(value) else next(rest))

    def residuals(numbers: np.ndarray) -> np.ndarray:
        error = weights * (replaced(numbers)(x)[:, 0] - y)
        return np.clip(np.nan_to_num(error, nan=_WORST), -_WORST, _WORST)

    # In units of each number, so that they may differ by powers of ten.
    with np.errstate(all="ignore"):
        result = least_squares(
            lambda relative: residuals(values * relative),
            np.ones(len(values)),
            bounds=(1 - within, 1 + within),
            x_scale="jac",
            ftol=1e-15,
            xtol=1e-15,
            gtol=1e-15,
            max_nfev=100,
        )
    return replaced(values * result.x)


def _is_structure(value: float) -> bool:
    return value in (0.5, -0.5) or (abs(value) <= 10 and value == round(value))
