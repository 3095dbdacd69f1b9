"""The search on a table: candidates from every source, held-out rows, the choice."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from occamhead.checks import needs
from occamhead.expression import Expression
from occamhead.search.compiling import cpu_seconds
from occamhead.search.result import Result
from occamhead.tables.before_search import first_exact, fitted_directly, suggested
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.candidates import (
    DIRECT,
    LINEAR,
    SEARCH,
    Candidate,
    joined,
    onto,
    pareto,
)
from occamhead.tables.column_units import ColumnUnits
from occamhead.tables.fitted import fitted
from occamhead.tables.held_out import Verdict, judge
from occamhead.tables.screening import screen
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task, mean_of
from occamhead.tables.written_down import without_search

Array: TypeAlias = NDArray[np.float64]

# Of more rows so many are searched on, so many judge, and so many give the chosen formula its
# numbers; fewer judge where they hold more numbers than these, or where there are many classes.
SEARCH_ROWS, JUDGED_ROWS, NUMBERS_ROWS = 2_000, 10_000, 100_000
JUDGED_NUMBERS = 1_000_000

# A step of the front must lower the loss by this share to be listed.
LISTED_GAIN = 0.01


@dataclass(frozen=True)
class FittedTable:
    """What was found in a table.

    Args:
        best: The formula that was chosen.
        equations: The formulas of all sources that no simpler one equals, as a data frame.
        result: The search.
        inputs: The inputs that it looked at.
        verdict: What the held-out rows decided; None where they were not asked to the end.
    """

    best: Expression
    equations: Any
    result: Result
    inputs: list[int]
    verdict: Verdict | None


@dataclass(frozen=True)
class Start:
    """Where a search goes on.

    Args:
        routes: Routes to start from, in the network of `inputs`.
        inputs: The inputs that the last search looked at.
    """

    routes: NDArray[np.int32]
    inputs: list[int]


def fit_table(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seeds: NDArray[np.int64],
    names: Sequence[str] | None = None,
    start: Start | None = None,
    units: ColumnUnits | None = None,
) -> FittedTable:
    """Collect formulas, judge all of them on held-out rows, keep one.

    Args:
        table: The rows.
        task: What is asked of the formulas.
        settings: How to search.
        seeds: Of the search, then of the folds, [2].
        names: Names of the inputs in the formulas; None keeps x0, x1, ...
        start: The last fit, to go on from.
        units: Of the columns, which every formula must respect; of one target.
    """
    began = cpu_seconds()
    judging = min(JUDGED_ROWS // table.targets.shape[1], JUDGED_NUMBERS // table.x.shape[1])
    judged = table.part(table.sample(max(judging, SEARCH_ROWS), int(seeds[0])))
    simple = task.simple(judged, settings.max_complexity)
    inputs = screen(judged) if start is None else start.inputs
    direct = [] if units is None else suggested(judged, task, settings, units, inputs, began)
    if not any(each.exact for each in direct):
        direct += fitted_directly(judged, task, settings, inputs, began, units)
    if any(each.exact for each in direct):
        result = without_search(first_exact(direct, inputs), cpu_seconds() - began)
        searched: list[Candidate] = []
    else:
        result, searched = _search(
            judged, task, settings, int(seeds[0]), simple, inputs, start, began
        )
    linear = simple[-1]
    if units is not None:
        simple, searched = [*units.allowed(simple[:-1]), linear], units.allowed(searched)
    candidates = sorted(
        [*simple, *pareto([*direct, *searched])], key=lambda each: (each.complexity, each.loss)
    )
    chosen, verdict = _chosen(candidates, linear, result, judged, task, settings, seeds, began)
    best = candidates[chosen]
    if len(table.x) > len(judged.x):
        part = table.part(table.sample(NUMBERS_ROWS, int(seeds[0])))
        formula = best.refit(part)
        candidates[chosen] = best = replace(
            best, formula=formula, loss=mean_of(task, formula, judged)
        )
    if names is not None:
        candidates = [replace(each, formula=each.formula.renamed(names)) for each in candidates]
    equations = _equations(candidates, chosen, verdict, task.mean_loss(judged) or 1.0)
    return FittedTable(candidates[chosen].formula, equations, result, inputs, verdict)


def _search(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seed: int,
    simple: list[Candidate],
    inputs: list[int],
    start: Start | None,
    began: float,
) -> tuple[Result, list[Candidate]]:
    """Search for formulas of some inputs; those that are sound, with numbers of all rows.

    Where the loss is not that of least squares the rows are weighted so that these stand for it:
    around what is known at first, then, in a second search, around what the first one found.
    """
    part = table
    if len(table.x) > SEARCH_ROWS:
        part = table.part(table.sample(SEARCH_ROWS, seed))
    narrow = replace(part, x=part.x[:, inputs])
    routes = None if start is None else start.routes
    if task.rounds == 1:
        strategy = settings.strategy_of(seed, 1.0, settings.seconds(1.0, began))
        result = settings.search(narrow, strategy, "search", routes)
        return result, listed(result, inputs, part, table, task, settings)
    known = min(
        (each.formula(part.x)[:, 0] for each in simple[1:]),
        key=lambda each: task.cost(each, part), default=part.targets[:, 0],
    )  # fmt: skip
    predicted = min(known, task.nearby(part), key=lambda each: task.cost(each, part))
    found: list[Candidate] = []
    for turn in range(2):
        weighted = task.around(predicted, narrow)
        seconds = settings.seconds(0.5 * (1 + turn), began)
        strategy = settings.strategy_of(seed + turn, 0.5, seconds)
        title = f"search {turn + 1} of 2"
        result = settings.search(weighted, strategy, title, routes)
        found += listed(result, inputs, part, table, task, settings)
        if result.reason == "interrupted" or not found:
            break
        routes = result.routes
        predicted = min(found, key=lambda each: each.loss).formula(part.x)[:, 0]
    return result, pareto(found)


def listed(
    result: Result,
    inputs: list[int],
    part: SortedRows,
    table: SortedRows,
    task: Task,
    settings: TableSettings,
) -> list[Candidate]:
    """The formulas of a search that are sound, those that no simpler one equals.

    Args:
        result: The search.
        inputs: Which inputs it looked at.
        part: The rows that it was made on.
        table: The rows that the formulas are fitted to.
        task: What is asked of them.
        settings: How it was searched.
    """
    between, anew = BetweenRows(table.x, table.targets), part is not table

    def score(formula: Expression) -> float:
        return mean_of(task, task.finish(onto(formula, inputs, part.x.shape[1]), part), part)

    node = math.log(settings.choices + len(inputs))
    made = joined(result, node, score, settings.max_complexity * len(result.fronts))
    wide = [(onto(formula, inputs, table.x.shape[1]), nats) for formula, nats in made]
    found = [
        candidate
        for formula, nats in wide
        if (candidate := fitted(formula, SEARCH, nats, node, table, task, between, anew))
    ]
    return pareto(found)


def _chosen(
    candidates: list[Candidate],
    linear: Candidate,
    result: Result,
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seeds: NDArray[np.int64],
    began: float,
) -> tuple[int, Verdict | None]:
    """Place of the candidate to take, and what the held-out rows said."""
    exact = [place for place, each in enumerate(candidates) if each.exact]
    if exact:
        return min(exact, key=lambda place: candidates[place].unit_numbers), None
    try:
        if result.reason == "interrupted":
            raise KeyboardInterrupt
        verdict = judge(candidates, table, task, settings, int(seeds[1]), began)
    except KeyboardInterrupt:
        warnings.warn("the search was interrupted; the best formula so far is kept",
                      ConvergenceWarning, stacklevel=5)  # fmt: skip
        return _shortest(candidates, table, task, settings), None
    if verdict is None:
        return next(place for place, each in enumerate(candidates) if each is linear), None
    return verdict.chosen, verdict


def _shortest(
    candidates: list[Candidate], table: SortedRows, task: Task, settings: TableSettings
) -> int:
    """Place of the shortest description of the rows, which needs no folds."""
    places = [place for place, each in enumerate(candidates) if each.kind in (SEARCH, DIRECT)]
    places = places or list(range(len(candidates)))
    choices = np.log(settings.choices + table.x.shape[1])
    losses = np.array([candidates[place].loss for place in places]) / (task.mean_loss(table) or 1.0)
    nats = choices * np.array([candidates[place].complexity for place in places])
    rows = np.full(len(places), 1 / float(table.weights @ table.weights))
    return places[int(np.argmin(task.penalised(losses[None], nats, rows)[0]))]


def _equations(
    candidates: list[Candidate], chosen: int, verdict: Verdict | None, scale: float
) -> Any:
    """The candidates worth listing as a data frame; `scale` is the loss of the mean."""
    with needs("pandas", "the table of formulas", "tabular"):
        import pandas as pd

    front = pareto(candidates, LISTED_GAIN)
    rows = []
    for place, candidate in enumerate(candidates):
        if place != chosen and candidate.kind != LINEAR and not any(c is candidate for c in front):
            continue
        held_out = np.nan if verdict is None else scale * verdict.losses[place]
        rows.append(
            {
                "complexity": candidate.complexity,
                "loss": candidate.loss,
                "cross_validated_loss": held_out,
                "equation": str(candidate.formula),
                "expression": candidate.formula,
                "kind": candidate.kind,
                "chosen": place == chosen,
            }
        )
    return pd.DataFrame(rows)
