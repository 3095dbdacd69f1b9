"""Laws that are written down before anything is searched: candidates from the direct fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from occamhead.direct import MOST_FUNCTIONS, fit_direct
from occamhead.expression import Expression
from occamhead.search.result import Found, Result
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows

# The direct fits' share of the time; functions of a search for each that they look at, of which
# there are so many at least.
SHARE, PER_FUNCTION, FEWEST = 0.5, 20, 300
# Functions that they look at for each second that they have, most of which then goes to fits.
PER_SECOND = 5000


def written_down(
    table: SortedRows,
    settings: TableSettings,
    began: float,
    inputs: Sequence[int],
    allowed: Callable[[Expression], bool] | None = None,
) -> list[Expression]:
    """Formulas of these inputs alone that fit a target directly, simplest first.

    Args:
        table: The rows, of one target.
        settings: Their longest formula, time and bases: what these are made of is allowed.
        began: CPU seconds when the fit began.
        inputs: The inputs to look at.
        allowed: Whether a formula of them may be one; None allows all.

    Raises:
        Interrupted: See :func:`occamhead.direct.fit_direct`.
    """
    operators = settings.operators
    if "mul" not in operators and "div" not in operators:
        return []
    seconds = settings.seconds(SHARE, began)
    functions = MOST_FUNCTIONS
    if seconds is None and settings.max_functions is not None:
        functions = settings.max_functions // PER_FUNCTION
    elif seconds is not None:
        functions = int(seconds * PER_SECOND)
    laws = fit_direct(
        table.x[:, list(inputs)],
        table.targets[:, 0],
        table.weights,
        max_complexity=settings.max_complexity,
        seconds=math.inf if seconds is None else seconds,
        operators=operators,
        functions=min(max(functions, FEWEST), MOST_FUNCTIONS),
        allowed=allowed,
    )
    return [law.formula for law in laws]


def without_search(
    formula: Expression, seconds: float, reason: str = "exact, by a direct fit"
) -> Result:
    """What a search would have returned that found just this formula.

    Args:
        formula: Of the inputs that a search would have looked at.
        seconds: CPU seconds that finding it took.
        reason: Why nothing was searched.
    """
    found = Found(formula, 0.0, 1.0, formula.complexity, -math.inf)
    return Result(
        formula, formula, ((found,),), (0,), 1, reason, 0, 0, 0, 0, 0, seconds,
        np.empty((0, 0), np.int32),
    )  # fmt: skip
