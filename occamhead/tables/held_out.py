"""Losses on held-out rows: structures stay, only numbers are fitted anew in each fold.

A structure was searched on all rows, so held-out rows flatter it: the best of N structures may be
better on these rows than on others by up to log N nats in all, by the union bound. That much is
charged to it; see :meth:`occamhead.tables.task.Task.penalised`. What the rows say of its numbers
is honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.search.compiling import cpu_seconds
from occamhead.tables.candidates import CONSTANT, Candidate, charges
from occamhead.tables.selection import choose, cut
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task

Array: TypeAlias = NDArray[np.float64]

# A fold must leave so many rows to judge on.
ROWS_PER_FOLD = 8


@dataclass(frozen=True)
class Verdict:
    """What the held-out rows decided.

    Args:
        chosen: Place of the formula to take.
        losses: Mean held-out loss of each formula, in units of the loss of the mean.
    """

    chosen: int
    losses: Array


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
    deciding = np.zeros_like(losses)
    judged = np.zeros(len(table.x))
    for rows, held in splits:
        budget = settings.time_budget
        if budget is not None and judged.any() and cpu_seconds() - began > budget:
            break
        judged[held] = table.weights[held]
        part, x, labels = table.part(rows), table.x[held], table.labels[held]
        for place, candidate in enumerate(candidates):
            refitted = candidate.refit(part)
            losses[held, place] = task.losses(refitted, x, labels)
            deciding[held, place] = task.deciding(refitted, x, labels)
    judged /= judged.sum()
    nothing = next(place for place, each in enumerate(candidates) if each.kind == CONSTANT)
    constant = candidates[nothing].formula
    scale = float(table.weights @ task.deciding(constant, table.x, table.labels)) or 1.0
    chosen = choose(
        deciding / scale,
        np.array([candidate.complexity for candidate in candidates], np.float64),
        judged,
        charges(candidates),
        task.penalised,
        task.heavy_tails,
        nothing,
    )
    return Verdict(chosen, judged @ cut(losses / (task.mean_loss(table) or 1.0)))
