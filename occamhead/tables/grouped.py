"""One form for several groups of rows: found in single groups, judged on all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct import Interrupted
from occamhead.direct.per_group import forms_of_groups
from occamhead.direct.spelling import spelt
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.fitting import free_places
from occamhead.expression.numbers import numbers
from occamhead.expression.tidy import EXACT
from occamhead.network.bases import get_bases
from occamhead.search.compiling import cpu_seconds
from occamhead.search.result import Result
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.candidates import CONSTANT, DIRECT, GUESS, INTERRUPTED, SEARCH, onto
from occamhead.tables.group_choice import Form, choose_form
from occamhead.tables.group_forms import (
    MOST_NUMBERS,
    Description,
    fit_apart,
    shorter_forms,
    simplified_numbers,
    tied,
)
from occamhead.tables.group_numbers import Shared
from occamhead.tables.parallel import side_by_side
from occamhead.tables.screening import screen
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.stages import Stages
from occamhead.tables.warn import warn
from occamhead.tables.wishes import Wishes
from occamhead.tables.written_down import without_search, written_down

Array: TypeAlias = NDArray[np.float64]

# Groups that are looked at one by one, and that are searched in.
TELLING, SEARCHED = 3, 2
# Rows of all groups that forms are judged on, and of each at least.
JUDGED, OF_EACH = 4000, 50
# Forms of which the common numbers are sought.
TIED = 8
# Forms are fitted in a few groups first: how much longer than the shortest one may go on.
FEW_GROUPS, HOPEFUL = 3, 40.0


@dataclass(frozen=True)
class FittedGroups:
    """What was found.

    Args:
        forms: The chosen one first, then the others, shortest description first.
        result: The last search.
        rows: How many judged.
    """

    forms: list[Form]
    result: Result
    rows: int


def fit_groups(
    parts: Sequence[SortedRows],
    settings: TableSettings,
    seeds: NDArray[np.int64],
    wishes: Wishes,
    stages: Stages,
) -> FittedGroups:
    """Find forms, choose one by its description length and by held-out rows.

    Args:
        parts: The rows of each group; weights of all together sum to 1.
        settings: How to search.
        seeds: Of the search, then of the folds, [2].
        wishes: Limits that every form must keep to in every group, and guesses.
        stages: Where stages that are done are kept.
    """
    began = stages.began
    parts = [sampled(part, max(OF_EACH, JUDGED // len(parts)), int(seeds[0])) for part in parts]
    total = sum(float(part.weights.sum()) for part in parts)
    parts = [replace(part, weights=part.weights / total) for part in parts]
    whole = _joined(parts)
    inputs = screen(whole)
    node = math.log(settings.choices + len(inputs))
    race = _Race(parts, whole, node, settings.max_complexity, wishes)
    result = without_search(race.best.shared.of(0), cpu_seconds() - began, INTERRUPTED)
    try:
        if not race.goes_on(stages.read("direct fits")):
            race.enter(wishes.guesses, GUESS)
            _directly(race, settings, inputs, began)
            stages.write("direct fits", race.state())
        result = without_search(race.best.shared.of(0), cpu_seconds() - began)
        if race.best.shared.loss > EXACT**2 * race.description.variance:
            result = _searched(race, settings, inputs, int(seeds[0]), stages)
        variance = race.description.variance
        forms = choose_form(race.done, race.parts, variance, int(seeds[1]), settings, stages)
        return FittedGroups(forms, result, len(whole.x))
    except KeyboardInterrupt:
        warn("the search was interrupted; the best form so far is kept")
        race.settle()
        return FittedGroups(sorted(race.done, key=lambda f: f.length), result, len(whole.x))


def _directly(race: _Race, settings: TableSettings, inputs: list[int], began: float) -> None:
    """Let forms that fit directly enter, in single groups and in all together."""
    width = race.whole.x.shape[1]
    narrow = [(part.x[:, inputs], part.targets[:, 0]) for part in race.parts]
    direct = [*forms_of_groups(narrow, race.order[:TELLING])]
    interrupted = False
    for table in (*(_alone(race.parts[group]) for group in race.order[:TELLING]), race.whole):
        try:
            direct += written_down(table, settings, began, inputs)
        except Interrupted as stop:
            direct += [law.formula for law in stop.laws]
            interrupted = True
            break
    race.enter((onto(form, inputs, width) for form in direct), DIRECT)
    if interrupted:
        raise KeyboardInterrupt
    race.settle()


def _searched(
    race: _Race, settings: TableSettings, inputs: list[int], seed: int, stages: Stages
) -> Result:
    """Let forms that are found in the groups that tell most enter; the last search."""
    width = race.whole.x.shape[1]
    done = race.goes_on(stages.read("searches"))
    # Pickled, they bring a user's own bases to other processes.
    settings = replace(settings, bases=get_bases(settings.bases))

    def calls() -> Iterator[Callable[[], Result]]:
        for turn, group in enumerate(race.order[:SEARCHED]):
            if done and turn < SEARCHED - 1:
                continue
            table = _alone(race.parts[group])
            table = replace(table, x=table.x[:, inputs])
            seconds = settings.seconds(1 / (SEARCHED - turn), stages.began)
            strategy = settings.strategy_of(seed + turn, 1 / SEARCHED, seconds)
            title = f"search {turn + 1} of {SEARCHED}"
            kept = stages.kept.part(title)
            yield partial(settings.search, table, strategy, title, kept=kept)

    since = cpu_seconds()
    for result in side_by_side(calls(), settings.processes):
        stages.searched(result, since)
        if not done:
            found = (onto(each.expression, inputs, width) for each in result.fronts[0])
            race.enter(found, SEARCH)
        if result.reason == INTERRUPTED:
            raise KeyboardInterrupt
        since = cpu_seconds()
    if not done:
        race.settle()
        stages.write("searches", race.state())
    return result


class _Race:
    """Forms of all sources, each with its numbers in every group."""

    def __init__(
        self,
        parts: list[SortedRows],
        whole: SortedRows,
        node: float,
        max_complexity: int,
        wishes: Wishes,
    ) -> None:
        self.description = Description(parts, node)
        self.parts, self.whole, self.max_complexity = parts, whole, max_complexity
        self.wishes = wishes
        self.between = BetweenRows(whole.x, whole.targets)
        # A group tells most whose targets spread most.
        signal = [float(part.weights @ (part.targets[:, 0] - _mean(part)) ** 2) for part in parts]
        self.order = [int(place) for place in np.argsort(signal)[::-1]]
        self.few = self.order[:FEW_GROUPS]
        self.seen: set[str] = set()
        self.waiting: list[tuple[float, Shared, str]] = []
        self.done: list[Form] = []
        self.enter([_constant(whole.x.shape[1])], CONSTANT)
        self.settle()
        if not self.done:
            raise ValueError("not even a constant keeps to the limits; are they the target's?")

    def state(self) -> dict[str, Any]:
        """What a race that is settled goes on from, as plain values."""
        return {
            "seen": sorted(self.seen),
            "done": [form.plain() for form in self.done],
            "left_out": dict(self.wishes.left_out),
        }

    def goes_on(self, state: Mapping[str, Any] | None) -> bool:
        """Take the place of another race on the same rows, if there was one; whether it was."""
        if state is None:
            return False
        self.seen, self.done = set(state["seen"]), [Form.of(each) for each in state["done"]]
        self.wishes.left_out.clear()
        self.wishes.left_out.update(state["left_out"])
        return True

    @property
    def best(self) -> Form:
        return min(self.done, key=lambda form: form.length)

    def enter(self, formulas: Iterable[Expression], kind: str) -> None:
        """Fit forms in a few groups, and those that may win in all of them."""
        some = [self.parts[group] for group in self.few]
        scale = sum(float(part.weights.sum()) for part in some)
        some = [replace(part, weights=part.weights / scale) for part in some]
        heat = Description(some, self.description.node)
        starts: dict[str, list[Expression]] = {}
        for rough in formulas:
            formula = spelt(rough.simplified())
            places = free_places(formula)
            key = _structure(formula, places)
            if (
                key not in self.seen
                and len(places) <= MOST_NUMBERS
                and formula.complexity <= 2 * self.max_complexity
            ):
                starts.setdefault(key, []).append(formula)
        self.seen.update(starts)
        first = []
        for alike in starts.values():
            others = [numbers(each) for each in alike[1:]]
            shared = fit_apart(alike[0], some, range(len(some)), others)
            if math.isfinite(least := heat.least(shared)):
                first.append((least, shared, others))
        first.sort(key=lambda each: each[0])
        for least, shared, others in first:
            if least > first[0][0] + HOPEFUL:
                break
            more = [*shared.numbers.tolist(), *others]
            whole = fit_apart(shared.formula, self.parts, self.order, more)
            self.waiting.append((self.description.least(whole), whole, kind))

    def settle(self) -> None:
        """Find the common numbers of those that wait, likeliest first."""
        self.waiting.sort(key=lambda each: each[0])
        for least, shared, kind in self.waiting[:TIED]:
            if self.done and least >= self.best.length:
                break
            self._finish(shared, kind)
        self.waiting.clear()

    def _finish(self, shared: Shared, kind: str) -> None:
        made = tied(shared, self.description)
        again = True
        while again:
            again = False
            for shorter in shorter_forms(made, self.description):
                trial = tied(shorter, self.description)
                if self.description.of_shared(trial) < self.description.of_shared(made):
                    made, again = trial, True
                    break
        made = simplified_numbers(made, self.description)
        if made.formula.complexity > self.max_complexity or not math.isfinite(made.loss):
            return
        sound = all(self.between.is_sound(made.of(group)) for group in range(len(self.parts)))
        # Another spelling of what is known is no other form.
        text = str(made.of(0).rounded(6))
        if any(text == str(form.shared.of(0).rounded(6)) for form in self.done):
            return
        if not (sound or made.loss <= EXACT**2 * self.description.variance):
            return
        limits = self.wishes.limits
        broken = (limits.broken(made.of(group)) for group in range(len(self.parts)))
        if not limits.is_none and (said := next(filter(None, broken), "")):
            self.wishes.left_out[said] += 1
        else:
            self.done.append(Form(made, kind, self.description.of_shared(made)))


def sampled(part: SortedRows, most: int, seed: int) -> SortedRows:
    """At most so many rows of a group, which keep its weight."""
    rows = part.sample(most, seed)
    weights = part.weights[rows]
    return replace(part.part(rows), weights=weights * (part.weights.sum() / weights.sum()))


def _alone(part: SortedRows) -> SortedRows:
    return replace(part, weights=part.weights / part.weights.sum())


def _joined(parts: Sequence[SortedRows]) -> SortedRows:
    return SortedRows(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("x", "targets", "labels", "weights")
        )
    )


def _mean(part: SortedRows) -> float:
    return float(part.weights @ part.targets[:, 0] / part.weights.sum())


def _constant(inputs: int) -> Expression:
    builder = ExpressionBuilder()
    return builder.build([builder.constant(0.5)], inputs)


def _structure(formula: Expression, places: Sequence[int]) -> str:
    """The form as text in which its free numbers are alike."""
    place = -1

    def blank(value: float) -> float:
        nonlocal place
        place += 1
        return 0.777 if place in places else value

    return str(formula.with_numbers(blank))


__all__ = ["FittedGroups", "Form", "fit_groups", "sampled"]
