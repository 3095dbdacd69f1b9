"""Losses on held-out rows: structures stay, only numbers are fitted anew in each fold.

A structure was searched on all rows, so held-out rows flatter it: the best of N structures may be
better on these rows than on others by up to log N nats in all, by the union bound. That much is
charged to it; see :meth:`occamhead.tables.task.Task.penalised`. What the rows say of its numbers
is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.saving.content import content_digest
from occamhead.tables.candidates import CONSTANT, LINEAR, Candidate, charges
from occamhead.tables.parallel import side_by_side
from occamhead.tables.selection import choose, clearly_worse, cut
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.stages import Stages
from occamhead.tables.task import Splits, Task

Array: TypeAlias = NDArray[np.float64]

# A fold must leave so many rows to judge on; where that is too many for two folds each row is left
# out once, unless there are fewer than these.
ROWS_PER_FOLD, FEWEST_ROWS = 8, 6
# The first fold, without which nothing is known, may go on to so many times the time.
FIRST_FOLD_BY = 1.3
# A searched formula has at most so many numbers for each row that a fold fits them to: more would
# stay what the held-out rows made them.
NUMBERS_PER_ROW = 0.5


@dataclass(frozen=True)
class Verdict:
    """What the held-out rows decided.

    Args:
        chosen: Place of the formula to take.
        losses: Mean held-out loss of each formula, in units of the loss of the mean; NaN for
            what was not judged.
        right: Share of held-out rows whose class each tells; None where there are no classes.
    """

    chosen: int
    losses: Array
    right: Array | None = None


def judge(
    candidates: Sequence[Candidate],
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seed: int,
    stages: Stages,
) -> Verdict | None:
    """Choose among candidates by held-out rows; None where there are too few rows for folds.

    When the time is used up the rows of the folds that are done decide, of one at least; what that
    one had no time for, the longest formulas, is not chosen. Without a time budget folds are judged
    in as many processes as the settings say.
    """
    folds, count = settings.folds, len(table.x)
    if folds > 1:
        few = FEWEST_ROWS <= count < 2 * ROWS_PER_FOLD
        folds = count if few else min(folds, count // ROWS_PER_FOLD)
    splits = task.splits(table, folds, seed) if folds > 1 else []
    if not splits:
        return None
    losses = np.full((len(table.x), len(candidates)), np.inf)
    deciding, right = np.full_like(losses, np.inf), np.full_like(losses, np.nan)
    judged = np.zeros(len(table.x))
    # The first fold has the constant and the linear model in any case, then what is short.
    first = [i for i, each in enumerate(candidates) if each.kind in (CONSTANT, LINEAR)]
    order = first + [i for i in range(len(candidates)) if i not in first]
    figures = _folds(candidates, table, task, settings, splits, order, len(first), stages)
    for number, (_, held) in enumerate(splits):
        if number and settings.is_used_up(stages.began):
            settings.say_used_up(f"{number} of {len(splits)} folds judged the formulas")
            break
        done, (losses[held], deciding[held], right[held]) = next(figures)
        if done < len(order):
            settings.say_used_up(f"{done} of {len(order)} formulas were judged")
            order = order[:done]
        judged[held] = table.weights[held]
    judged /= judged.sum()
    nothing = next(place for place, each in enumerate(candidates) if each.kind == CONSTANT)
    constant = candidates[nothing].formula
    scale = float(table.weights @ task.deciding(constant, table.x, table.labels)) or 1.0
    deciding = cut(deciding / scale)
    sizes = np.array([candidate.complexity for candidate in candidates], np.float64)
    charged = charges(candidates)

    def choice(among: NDArray[np.intp]) -> int:
        losses, nats = deciding[:, among], charged[np.ix_(among, among)]
        at = np.flatnonzero(among == nothing)
        place = choose(
            losses, sizes[among], judged, nats, task.penalised, task.heavy_tails,
            int(at[0]) if len(at) else None, task.errors,
        )  # fmt: skip
        return int(among[place])

    chosen = choice(np.arange(len(candidates)))
    readable = np.flatnonzero(sizes <= settings.max_complexity)
    if task.is_to_be_read and sizes[chosen] > settings.max_complexity and len(readable):
        short = choice(readable)
        if not clearly_worse(deciding[:, short], deciding[:, chosen], judged):
            chosen = short
    means = judged @ cut(losses / (task.mean_loss(table) or 1.0))
    means[np.setdiff1d(np.arange(len(candidates)), order)] = np.nan
    shares = judged[judged > 0] @ right[judged > 0]
    return Verdict(chosen, means, None if np.isnan(shares).all() else shares)


def _folds(
    candidates: Sequence[Candidate],
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    splits: Splits,
    order: Sequence[int],
    least: int,
    stages: Stages,
) -> Iterator[tuple[int, Array]]:
    """How many formulas each fold judged, and their figures; see :func:`_judged`.

    Args:
        candidates, table, task, settings, stages: See :func:`judge`.
        splits: The folds.
        order: Places of the candidates, in the order in which they are judged.
        least: How many the first fold judges however late it is.
    """
    these = content_digest([[each.formula.to_json(), each.kind] for each in candidates])
    done, kept = len(order), 0
    while kept < len(splits) and (fold := stages.read(f"fold {kept}")) is not None:
        if fold["of"] != these:
            break
        kept, done = kept + 1, fold["done"]
        yield done, fold["figures"].numpy()

    def is_late() -> bool:
        return settings.is_used_up(stages.began, FIRST_FOLD_BY)

    def calls() -> Iterator[Callable[[], tuple[int, Array]]]:
        for number in range(kept, len(splits)):
            budget = number == 0 and settings.time_budget is not None
            most = order[:done]
            late = partial(_judged, least=least, is_late=is_late) if budget else _judged
            yield partial(late, candidates, table, task, most, *splits[number])

    for number, (done, figures) in enumerate(side_by_side(calls(), settings.processes), kept):
        kept_figures = {"of": these, "done": done, "figures": torch.from_numpy(figures)}
        stages.write(f"fold {number}", kept_figures)
        yield done, figures


def _judged(
    candidates: Sequence[Candidate],
    table: SortedRows,
    task: Task,
    order: Sequence[int],
    rows: NDArray[np.intp],
    held: NDArray[np.intp],
    least: int = 0,
    is_late: Callable[[], bool] = lambda: False,
) -> tuple[int, Array]:
    """Fit the numbers of formulas to some rows, and judge them on others.

    Args:
        candidates, table, task, order, least: See :func:`_folds`.
        rows, held: Rows to fit and to judge on.
        is_late: Whether, after the least, no further one is judged.

    Returns:
        How many were judged; and [3, rows, candidates]: the losses, what decides, and which rows
        were told rightly. Those of what was not judged are infinite, and NaN.
    """
    losses = np.full((len(held), len(candidates)), np.inf)
    deciding, right = np.full_like(losses, np.inf), np.full_like(losses, np.nan)
    part, x, labels = table.part(rows), table.x[held], table.labels[held]
    for done, place in enumerate(order):
        if done > least and is_late():
            return done, np.stack([losses, deciding, right])
        candidate = candidates[place]
        if candidate.node and candidate.formula.num_constants > NUMBERS_PER_ROW * len(rows):
            continue  # its losses are infinite
        refitted = candidate.refit(part)
        losses[:, place] = task.losses(refitted, x, labels)
        deciding[:, place] = task.deciding(refitted, x, labels)
        told = task.right(refitted, x, labels)
        right[:, place] = np.nan if told is None else told
    return len(order), np.stack([losses, deciding, right])
