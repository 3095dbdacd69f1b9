"""One run: rows are drawn, a method fits them, and the formula is judged."""

from __future__ import annotations

import math
import subprocess
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from occamhead.problems import Problem
from recipes.others.regressors import Method, count_nodes
from recipes.recovery_tasks.judge import judge, true_nodes
from recipes.shared.rows import Part, together

WIDE = 1.5  # how many times as wide the ranges are in which a formula must still be the law
# What published figures stand on: 512 fresh rows of the same ranges.
PUBLISHED = {"fastsrb": (512, 1.0)}
_NOTHING = {"found": False, "exact": False, "structure": False, "near": False}


@dataclass(frozen=True)
class Run:
    """A method on a draw of a problem.

    Args:
        problem: What is to be found.
        draw: Number of the draw: the seed of rows, noise and method.
        method: Name of the method.
        noise: Relative to what `noise_of` says, as of :meth:`occamhead.problems.Problem.draw`.
        seconds: Most CPU seconds of the fit.
        units: Whether the method is told the units, if any are published; it takes ``units=``.
        noise_of: "rms" or "value".
    """

    problem: Problem
    draw: int
    method: str
    noise: float
    seconds: float
    units: bool = False
    noise_of: str = "rms"


def row_of(run: Run, fit: Method) -> dict[str, Any]:
    """Fit on four fifths of the rows, choose on the others, and judge; ours gets all to fit on."""
    problem = run.problem
    train, validation = sample(problem, run.draw, run.noise, run.noise_of)
    about = {"law": problem.name, "suite": problem.suite, "method": run.method, "draw": run.draw}
    if run.units and problem.unit is not None:
        units = [*(variable.unit for variable in problem.inputs), problem.unit]
        fit = partial(cast(Any, fit), units=units)
    empty = {"seconds": run.seconds, "nodes": 0, "length": math.nan, "formula": "", **_NOTHING}
    try:
        fitted = fit(train, validation, run.seconds, run.draw)
    except (ValueError, ArithmeticError, RuntimeError, subprocess.TimeoutExpired) as reason:
        return {**about, **empty, "failure": f"{type(reason).__name__}: {reason}"}
    rows, scale = PUBLISHED.get(problem.suite, (1000, WIDE))
    fresh = problem.draw(rows, 7777 + run.draw)
    wide = fresh if scale == 1 else problem.draw(rows, 8888 + run.draw, scale=scale)
    verdict = judge(fitted, problem, together(train, validation), fresh, wide)
    formula = fitted.expression
    nodes = fitted.nodes if formula is None else count_nodes(formula)
    ratio = {"nodes": nodes, "length": nodes / true_nodes(problem)}
    judged = asdict(verdict)
    return {**about, **judged, "seconds": fitted.seconds, **ratio, "formula": judged.pop("text")}


def sample(problem: Problem, draw: int, noise: float, noise_of: str = "rms") -> tuple[Part, Part]:
    """The rows of a draw, cut into four fifths and the rest; those observed, if there are any."""
    if problem.observed:
        table = np.array(problem.observed)
        order = np.random.default_rng(draw).permutation(len(table))
        x, y = table[order, :-1], table[order, -1]
    else:
        x, y = problem.draw(problem.rows, 1000 + draw, noise, noise_of=noise_of)
    cut = int(0.8 * len(x))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
