"""Losses on held-out rows: structures stay, only numbers are fitted anew in each fold.

A structure was searched on all rows, so held-out rows flatter it: the best of N structures may be
better on these rows than on others by up to log N nats in all, by the union bound. That much is
charged to it; see :meth:`occamhead.tables.task.Task.penalised`. What the rows say of its numbers
is honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.search.compiling import cpu_seconds
from occamhead.tables.candidates import Candidate, charges
from occamhead.tables.selection import Verdict, choose
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task

Array: TypeAlias = NDArray[np.float64]

# A fold must leave so many rows to judge on.
ROWS_PER_FOLD = 8


def judge(
    candidates: Sequence[Candidate],
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seed: int,
    began: float,
) -> Verdict | None:
    """Choose among candidates by held-out rows; None where there are too few rows for folds.

    When the time is used up the rows of the folds that are done decide, of one at least.
    """
    folds = min(settings.folds, len(table.x) // ROWS_PER_FOLD)
    splits = task.splits(table, folds, seed) if folds > 1 else []
    if not splits:
        return None
    losses = np.zeros((len(table.x), len(candidates)))
    judged = np.zeros(len(table.x))
    for rows, held in splits:
        budget = settings.time_budget
        if budget is not None and judged.any() and cpu_seconds() - began > budget:
            break
        judged[held] = table.weights[held]
        part, x, labels = table.part(rows), table.x[held], table.labels[held]
        for place, candidate in enumerate(candidates):
            losses[held, place] = task.losses(candidate.refit(part), x, labels)
    judged /= judged.sum()
    complexities = np.array([candidate.complexity for candidate in candidates], np.float64)
    return choose(
        losses / (task.mean_loss(table) or 1.0),
        complexities,
        judged,
        charges(candidates),
        task.penalised,
    )
