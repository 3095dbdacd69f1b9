"""One run with groups: rows are drawn, one form is fitted, each group's formula is judged."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from occamhead import Expression, OccamRegressor
from occamhead.problems import Problem
from recipes.laws_of_nature.judge import refit
from recipes.others.regressors import Fitted, count_nodes
from recipes.recovery_tasks.judge import EXACT, judge, largest_error


def row_of(problem: Problem, share: float, draw: int, rows: int, groups: int) -> dict[str, Any]:
    """Fit half of the rows of each group, judge each group's formula on the others."""
    x, y, group = problem.draw_groups(2 * rows, groups, draw, noise=share)
    clean = problem.draw_groups(2 * rows, groups, draw)[1]
    train = np.arange(len(x)) % 2 == 0
    began = time.process_time()
    model = OccamRegressor(random_state=draw).fit(x[train], y[train], groups=group[train])
    seconds = time.process_time() - began
    verdicts, forms = [], []
    for label in range(groups):
        formula, own = model.formula_of(label), group == label
        fitted = Fitted(
            partial(_values, formula), str(formula), count_nodes(formula), seconds, formula
        )
        fresh = x[own & ~train], clean[own & ~train]
        forms.append(is_form(formula, problem, *fresh))
        verdicts.append(judge(fitted, problem, (x[own & train], y[own & train]), fresh, fresh))
    marks = {name: all(getattr(v, name) for v in verdicts) for name in ("exact", "near")}
    structure = all(form or v.near for form, v in zip(forms, verdicts, strict=True))
    return {"law": problem.name, "noise": share, "draw": draw, **marks, "seconds": seconds,
            "found": structure if share else marks["exact"], "formula": str(model.best_),
            "worst": max(v.rmse for v in verdicts)}  # fmt: skip


def is_form(formula: Expression, problem: Problem, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether it becomes the law with other numbers, of which it has no more than the law."""
    if formula.num_constants > problem.formula.num_constants + len(problem.constants):
        return False
    return largest_error(refit(formula, x, y)(x)[:, 0], y) <= EXACT


def _values(formula: Expression, x: np.ndarray) -> np.ndarray:
    return np.asarray(formula(x)[:, 0])
