"""Searches for the law of a line by three engines, and what they found as a row of results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from occamhead import Expression
from occamhead.search import Regularisation, Result, Strategy, evolve
from recipes.table1_lines.judge import succeeds
from recipes.table1_lines.task import Task


@dataclass(frozen=True)
class Outcome:
    """What one search found: texts of its formulas, whether they are the law, what it took."""

    best: list[str]
    mode: list[str]
    best_succeeds: bool
    mode_succeeds: bool
    applied: int
    functions: int
    first_exact: int | None
    seconds: float
    steps: int
    reason: str


def search(
    task: Task, engine: str, seed: int, noise: float = 0.0, max_functions: int | None = None
) -> Outcome:
    """Search for the law of a task in the data of this seed, and judge what was found.

    Args:
        task: The task.
        engine: One of `recipes.table1_lines.flags.ENGINES`.
        seed: Of the data and of the search.
        noise: See :meth:`Task.data`.
        max_functions: Most functions to sample; None takes the task's limit.
    """
    found = evolved(task, engine, seed, noise, max_functions)
    return Outcome(
        best=readable(found.best),
        mode=readable(found.mode),
        best_succeeds=succeeds(task, found.best, found.recurrence, noise),
        mode_succeeds=succeeds(task, found.mode, found.recurrence, noise),
        applied=found.recurrence,
        functions=found.functions,
        first_exact=found.first_exact,
        seconds=found.seconds,
        steps=found.steps,
        reason=found.reason,
    )


def found(*args: Any) -> dict[str, Any]:
    """What :func:`search` finds, as plain values."""
    return asdict(search(*args))


def evolved(
    task: Task, engine: str, seed: int, noise: float = 0.0, max_functions: int | None = None
) -> Result:
    """The search alone; see :func:`search`."""
    settings = task.search_settings(engine)
    if max_functions is not None:
        settings["max_functions"] = max_functions
    settings["regularisation"] = Regularisation(**settings.get("regularisation", {}))
    strategy = Strategy(**settings, seed=seed)
    return evolve(task.build(engine), *task.data(seed, noise), strategy)


def readable(formula: Expression) -> list[str]:
    """Text of each output, with sums flattened and numbers cut to what a double holds surely."""
    return formula.simplified().rounded(12).text()


def summary(task: Task, engine: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The row of results.json for the seeds of one task and engine.

    The median of `first_exact` takes a search that never was exact as infinite; where most never
    were, it is null.
    """
    exact = statistics.median(
        math.inf if o.first_exact is None else o.first_exact for o in outcomes
    )
    return {
        "task": task.line,
        "title": task.title,
        "engine": engine,
        "seeds": len(outcomes),
        "success_best": statistics.fmean(o.best_succeeds for o in outcomes),
        "success_mode": statistics.fmean(o.mode_succeeds for o in outcomes),
        "cpu_seconds_median": statistics.median(o.seconds for o in outcomes),
        "functions_median": statistics.median(o.functions for o in outcomes),
        "first_exact_median": exact if math.isfinite(exact) else None,
        "formulas": [o.best for o in outcomes],
        "mode_formulas": [o.mode for o in outcomes],
        "applied": [o.applied for o in outcomes],
        "cpu_seconds": [o.seconds for o in outcomes],
        "functions": [o.functions for o in outcomes],
        "first_exact": [o.first_exact for o in outcomes],
        "steps": [o.steps for o in outcomes],
        "reasons": [o.reason for o in outcomes],
        "paper": dict(task.paper),
        "peer": task.peer,
    }
