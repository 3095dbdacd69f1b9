"""A formula from anywhere, as a candidate: its numbers fitted, its soundness looked at."""

from __future__ import annotations

import numpy as np

from occamhead.expression import Expression
from occamhead.expression.tidy import EXACT, STILL_EXACT
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.candidates import Candidate
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task, mean_of

# An error that is rounding and nothing else, that of printed numbers too; approximations that reach
# `EXACT` do not reach this.
ROUNDING = STILL_EXACT
# Of a target that spans decades squares see the largest rows alone: half of the rows must be given
# to such a share of themselves, too.
OF_ITSELF = 1e-6


def fitted(
    formula: Expression,
    kind: str,
    nats: float,
    node: float,
    table: SortedRows,
    task: Task,
    between: BetweenRows,
    anew: bool = False,
) -> Candidate | None:
    """A formula from anywhere as a candidate; None if it explodes or is undefined between rows.

    Args:
        formula: One of all outputs, its numbers fitted to the targets.
        kind: Where it comes from.
        nats, node: See :class:`~occamhead.tables.candidates.Candidate`; a formula that gets shorter
            when it is tidied is charged as what it has become.
        table: The rows.
        task: What is asked of it.
        between: The points between them.
        anew: Whether its numbers were fitted on other rows.
    """
    exact = _is_exact(formula, table)
    if not between.is_sound(formula) and not (exact and _is_exact(formula, table, ROUNDING)):
        return None
    finished = task.fit(formula, table, anew)
    if node > 0:
        nats = min(nats, finished.complexity * node)
    return Candidate(
        finished, kind, mean_of(task, finished, table),
        lambda part: task.refit(finished, part), nats, node, exact,
    )  # fmt: skip


def _is_exact(formula: Expression, table: SortedRows, most: float = EXACT) -> bool:
    # As many numbers as rows fit any target: that is no law.
    if formula.num_constants >= len(table.x):
        return False
    with np.errstate(all="ignore"):
        errors = np.abs(formula(table.x) - table.targets)
        error = np.sqrt(table.weights @ errors**2)
    deviation = np.sqrt(table.weights @ (table.targets - table.weights @ table.targets) ** 2)
    given = (errors <= OF_ITSELF * np.abs(table.targets)) | (table.targets == 0)
    return bool((error <= most * deviation).all() and (given.mean(axis=0) >= 0.5).all())
