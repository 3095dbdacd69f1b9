"""The search on a table: candidates from every source, held-out rows, the choice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.search.compiling import cpu_seconds
from occamhead.search.result import Result
from occamhead.search.strategy import Strategy
from occamhead.tables.before_search import before_search
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.candidates import (
    CONSTANT,
    DIRECT,
    GUESS,
    INTERRUPTED,
    LINEAR,
    SEARCH,
    UNITS,
    Candidate,
    joined,
    onto,
    pareto,
)
from occamhead.tables.equations import equations_of
from occamhead.tables.fitted import fitted
from occamhead.tables.held_out import Verdict, judge
from occamhead.tables.no_law import why_no_law
from occamhead.tables.screening import screen
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.stages import Stages
from occamhead.tables.task import Task, mean_of
from occamhead.tables.template_fit import parts_of
from occamhead.tables.warn import warn
from occamhead.tables.wishes import Wishes
from occamhead.tables.written_down import without_search

Array: TypeAlias = NDArray[np.float64]

# Of more rows so many are searched on, so many judge, and so many give the chosen formula its
# numbers; fewer judge where they hold more numbers than these, or where there are many classes.
SEARCH_ROWS, JUDGED_ROWS, NUMBERS_ROWS = 2_000, 10_000, 100_000
JUDGED_NUMBERS = 1_000_000

# Shares of the time that is left: of what is found without a search, and of fitting what a search
# found.
SIMPLE_SHARE, LISTED_SHARE = 0.4, 0.5


@dataclass(frozen=True)
class FittedTable:
    """What was found in a table.

    Args:
        best: The formula that was chosen.
        equations: The formulas of all sources that no simpler one equals, as a data frame.
        result: The search.
        inputs: The inputs that it looked at.
        exact: Whether it gives all targets.
        verdict: What the held-out rows decided; None where they were not asked to the end.
        left_out: How many candidates broke each limit.
        parts: The functions of a template; None without one, or where none fits.
        constant_loss: Of the best constant, 1 if that is 0.
        no_law: What to warn of, if there is no law.
    """

    best: Expression
    equations: Any
    result: Result
    inputs: list[int]
    exact: bool
    verdict: Verdict | None
    left_out: Mapping[str, int]
    parts: dict[str, Expression] | None
    constant_loss: float
    no_law: str | None


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
    wishes: Wishes | None = None,
    stages: Stages | None = None,
) -> FittedTable:
    """Collect formulas, judge all of them on held-out rows, keep one.

    Args:
        table: The rows.
        task: What is asked of the formulas.
        settings: How to search.
        seeds: Of the search, then of the folds, [2].
        names: Names of the inputs in the formulas; None keeps x0, x1, ...
        start: The last fit, to go on from.
        wishes: What every formula must keep to, and guesses; of one target.
        stages: Where stages that are done are kept.
    """
    stages = stages or Stages()
    began = stages.began
    width = table.x.shape[1]
    judging = min(JUDGED_ROWS // table.targets.shape[1], JUDGED_NUMBERS // width)
    judged = table.part(table.sample(max(judging, SEARCH_ROWS), int(seeds[0])))
    wishes = (wishes or Wishes()).on(judged.x, settings.max_complexity)
    seconds = settings.seconds(SIMPLE_SHARE, began)
    seconds = math.inf if seconds is None else seconds
    simple = _allowed_simple(task.simple(judged, settings.max_complexity, seconds), wishes)
    inputs = screen(judged) if start is None else start.inputs
    found: list[Candidate] = []
    try:
        called = names or [f"x{i}" for i in range(width)]
        for candidate in before_search(
            judged, task, settings, inputs, called, wishes, int(seeds[0]), stages
        ):
            found.append(candidate)
        if exact := [each for each in found if each.exact]:
            result = without_search(exact[0].formula, cpu_seconds() - began)
        elif wishes.template is not None:
            best = min((*simple, *found), key=lambda each: each.loss)
            result = without_search(best.formula, cpu_seconds() - began, "fitted to the template")
        else:
            result = _search(
                judged, task, settings, int(seeds[0]), simple, inputs, start, stages, wishes, found
            )
    except KeyboardInterrupt:
        best = min((*simple, *found), key=lambda each: each.loss)
        result = without_search(best.formula, cpu_seconds() - began, INTERRUPTED)
    guesses = [each for each in found if each.kind == GUESS]
    # A formula of no input is a constant, and the best one is there.
    front = pareto(each for each in found if each.kind != GUESS and (each.exact or _tells(each)))
    simple = [each for each in simple if each.kind in (CONSTANT, LINEAR) or _tells(each)]
    candidates = sorted([*simple, *guesses, *front], key=lambda each: (each.complexity, each.loss))
    chosen, verdict = _chosen(candidates, result, judged, task, settings, seeds, stages)
    constant = next(each for each in simple if each.kind == CONSTANT)
    no_law = why_no_law(candidates[chosen], constant, verdict, judged, task, wishes.template)
    if len(table.x) > len(judged.x):
        candidates[chosen] = _on_more_rows(candidates[chosen], table, judged, task, seeds, wishes)
    parts = None if wishes.template is None else _parts(candidates[chosen], judged, wishes)
    if names is not None:
        candidates = [replace(each, formula=each.formula.renamed(names)) for each in candidates]
    scale = task.mean_loss(judged) or 1.0
    equations = equations_of(candidates, chosen, verdict, scale)
    return FittedTable(
        best=candidates[chosen].formula,
        equations=equations,
        result=result,
        inputs=inputs,
        exact=candidates[chosen].exact,
        verdict=verdict,
        left_out=wishes.left_out,
        parts=parts,
        constant_loss=scale,
        no_law=no_law,
    )


def _tells(candidate: Candidate) -> bool:
    """Whether a formula takes an input."""
    return bool(candidate.formula.features)


def _allowed_simple(simple: list[Candidate], wishes: Wishes) -> list[Candidate]:
    """The constant and the linear models that keep to what is wished."""
    allowed = wishes.allowed(simple if wishes.template is None else simple[:1])
    if not any(each.kind == CONSTANT for each in allowed):
        broken = wishes.limits.broken(simple[0].formula)
        raise ValueError(
            f"not even the best constant, {simple[0].formula.rounded(6)}, keeps to the limits"
            f" ({broken}); are they those of the target?"
        )
    return allowed


def _parts(best: Candidate, table: SortedRows, wishes: Wishes) -> dict[str, Expression] | None:
    """The functions of the template that make up the chosen formula."""
    assert wishes.template is not None
    return None if not best.parts else parts_of(best.formula, wishes.template, best.parts, table.x)


def _on_more_rows(
    best: Candidate,
    table: SortedRows,
    judged: SortedRows,
    task: Task,
    seeds: NDArray[np.int64],
    wishes: Wishes,
) -> Candidate:
    """The chosen formula with numbers of more rows, if it keeps to the limits with these."""
    try:
        formula = best.refit(table.part(table.sample(NUMBERS_ROWS, int(seeds[0]))))
    except KeyboardInterrupt:
        _warn_interrupted()
        return best
    if not wishes.limits.is_none and wishes.limits.broken(formula):
        return best
    return replace(best, formula=formula, loss=mean_of(task, formula, judged))


def _search(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seed: int,
    simple: list[Candidate],
    inputs: list[int],
    start: Start | None,
    stages: Stages,
    wishes: Wishes,
    found: list[Candidate],
) -> Result:
    """Search for formulas of some inputs; those that are sound, with numbers of all rows, join.

    Where the loss is not that of least squares the rows are weighted so that these stand for it:
    around what is known at first, then, in a second search, around what the first one found.
    """
    part = table
    if len(table.x) > SEARCH_ROWS:
        part = table.part(table.sample(SEARCH_ROWS, seed))
    narrow = replace(part, x=part.x[:, inputs])
    routes = None if start is None else start.routes

    def of_search(
        rows: SortedRows, strategy: Strategy, title: str, routes: NDArray[np.int32] | None
    ) -> tuple[Result, list[Candidate]]:
        since = cpu_seconds()
        result = settings.search(rows, strategy, title, routes, stages.kept.part(title))
        stages.searched(result, since)
        made = listed(result, inputs, part, table, task, settings, stages.began)
        if result.reason != INTERRUPTED:
            made = stages.candidates(f"formulas of {title}", made, task)
        own = []
        for each in made:
            own.append(each)
            found.extend(wishes.allowed([each]))
        return result, own

    if task.rounds == 1:
        seconds = settings.seconds(task.searched, stages.began)
        return of_search(narrow, settings.strategy_of(seed, 1.0, seconds), "search", routes)[0]
    known = min(
        (each.formula(part.x)[:, 0] for each in simple[1:]),
        key=lambda each: task.cost(each, part), default=part.targets[:, 0],
    )  # fmt: skip
    predicted = min(known, task.nearby(part), key=lambda each: task.cost(each, part))
    own: list[Candidate] = []
    for turn in range(2):
        weighted = task.around(predicted, narrow)
        seconds = settings.seconds(0.5 * (1 + turn), stages.began)
        strategy = settings.strategy_of(seed + turn, 0.5, seconds)
        result, more = of_search(weighted, strategy, f"search {turn + 1} of 2", routes)
        own += more
        if result.reason == INTERRUPTED or not own:
            break
        routes = result.routes
        predicted = min(own, key=lambda each: each.loss).formula(part.x)[:, 0]
    return result


def listed(
    result: Result,
    inputs: list[int],
    part: SortedRows,
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    began: float,
) -> Iterator[Candidate]:
    """The formulas of a search that are sound.

    When a share of the time that is left is used up the longer ones are left out.

    Args:
        result: The search.
        inputs: Which inputs it looked at.
        part: The rows that it was made on.
        table: The rows that the formulas are fitted to.
        task: What is asked of them.
        settings: How it was searched.
        began: CPU seconds when the fit began.
    """
    between, anew = BetweenRows(table.x, table.targets), part is not table

    def score(formula: Expression) -> float:
        return mean_of(task, task.finish(onto(formula, inputs, part.x.shape[1]), part), part)

    # The inputs that a search looks at were picked from all of them.
    num_inputs = table.x.shape[1]
    node, picked = math.log(settings.choices + num_inputs), math.log(num_inputs / len(inputs))
    late = math.inf
    if settings.time_budget is not None:
        late = cpu_seconds() + LISTED_SHARE * (settings.time_budget - (cpu_seconds() - began))

    def is_late() -> bool:
        return cpu_seconds() > late

    most = settings.max_complexity * len(result.fronts)
    made = joined(result, node, score, most, is_late)
    for place, (formula, nats) in enumerate(made):
        if place > 0 and is_late():
            settings.say_used_up(f"{place} of {len(made)} formulas of the search were fitted")
            break
        wide = onto(formula, inputs, table.x.shape[1])
        nats += len(wide.features) * picked
        candidate = fitted(wide, SEARCH, nats, node, table, task, between, anew)
        if candidate is not None:
            yield candidate


def _chosen(
    candidates: list[Candidate],
    result: Result,
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seeds: NDArray[np.int64],
    stages: Stages,
) -> tuple[int, Verdict | None]:
    """Place of the candidate to take, and what the held-out rows said."""
    exact = [place for place, each in enumerate(candidates) if each.exact]
    if exact:
        return min(exact, key=lambda place: candidates[place].unit_numbers), None
    try:
        if result.reason == INTERRUPTED:
            raise KeyboardInterrupt
        verdict = judge(candidates, table, task, settings, int(seeds[1]), stages)
    except KeyboardInterrupt:
        _warn_interrupted()
        return _shortest(candidates, table, task, settings), None
    if verdict is None:
        kinds = [each.kind for each in candidates]
        return kinds.index(LINEAR if LINEAR in kinds else CONSTANT), None
    return verdict.chosen, verdict


def _warn_interrupted() -> None:
    warn("the search was interrupted; the best formula so far is kept")


def _shortest(
    candidates: list[Candidate], table: SortedRows, task: Task, settings: TableSettings
) -> int:
    """Place of the shortest description of the rows, which needs no folds."""
    places = [
        place
        for place, each in enumerate(candidates)
        if each.kind in (SEARCH, DIRECT, UNITS, GUESS)
    ]
    places = places or list(range(len(candidates)))
    choices = np.log(settings.choices + table.x.shape[1])
    losses = np.array([candidates[place].loss for place in places]) / (task.mean_loss(table) or 1.0)
    nats = choices * np.array([candidates[place].complexity for place in places])
    rows = np.full(len(places), 1 / float(table.weights @ table.weights))
    return places[int(np.argmin(task.penalised(losses[None], nats, rows)[0]))]
