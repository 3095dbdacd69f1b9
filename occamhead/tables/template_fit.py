"""The functions of a template found one after another, each for what the others leave of the rows.

What a function must give for the template to give the target is computed row by row where the form
can be undone; direct fits, then a search, find formulas for that. Where it cannot be undone, or on
several branches, short functions are tried in it, at many scales. All numbers are then fitted
together, the functions in turn again, until nothing becomes better (backfitting, Breiman and
Friedman 1985).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from occamhead.direct import Interrupted, fit_direct
from occamhead.direct.enumeration import enumerate_functions
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.linearised import loss_of
from occamhead.expression.numbers import (
    decimals,
    numbers,
    simple,
    with_number,
    with_values,
    written_places,
)
from occamhead.expression.tidy import EXACT
from occamhead.saving import NOWHERE, Kept
from occamhead.search.compiling import cpu_seconds
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.candidates import TEMPLATE, Candidate
from occamhead.tables.fitted import fitted
from occamhead.tables.inverse import inverse
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.stages import Stages
from occamhead.tables.task import Task
from occamhead.tables.template import Template

Array: TypeAlias = NDArray[np.float64]
Parts: TypeAlias = tuple[Expression, ...]

# Rows that functions are found on; of them so many must have a value that gives the target.
ROWS, FEWEST, SHARE = 1000, 10, 0.5
# Rounds through all functions, and the last ones, in which there are searches.
ROUNDS, SEARCHES = 4, 1
# Functions that a direct fit looks at, and that are tried in what cannot be undone.
FUNCTIONS, TRIED, TRIED_ROWS, SCALES, KEPT = 3000, 200, 128, 40, 8
PHASES = (0.0, math.pi / 2, math.pi, -math.pi / 2)
# Values that all functions have at first.
STARTS = (1.0, 0.5, 2.0, -1.0, 0.0)
# Wholes that become candidates, and a share of the loss that is no gain.
MOST, SMALLEST_GAIN = 12, 1e-3


def templated(
    template: Template, table: SortedRows, task: Task, settings: TableSettings, seed: int,
    stages: Stages,
) -> Iterator[Candidate]:  # fmt: skip
    """Formulas of a template as candidates, the best last; each knows its functions.

    Args:
        template: The template.
        table: The rows, of one target.
        task: What is asked of the formulas.
        settings: How to search.
        seed: Of the searches.
        stages: Where its searches are kept.

    Raises:
        ValueError: If the template is undefined on the rows whatever the functions are.
    """
    between = BetweenRows(table.x, table.targets)
    node = math.log(settings.choices + table.x.shape[1])
    # With a budget the clock says what is searched.
    kept = stages.kept if settings.time_budget is None else NOWHERE
    backfit = _Backfit(template, table.part(table.sample(ROWS, 0)), settings, node, kept)
    interrupted = False
    try:
        backfit.run(seed, stages.began)
    except KeyboardInterrupt:
        interrupted = True
    for parts, whole in backfit.best():
        nats = whole.complexity * node
        candidate = fitted(whole, TEMPLATE, nats, node, table, task, between, True)
        if candidate is not None:
            yield replace(candidate, parts=parts)
    if interrupted:
        raise KeyboardInterrupt


class _Backfit:
    """The functions so far, and all wholes that were fitted.

    Args:
        template: The template.
        part: The rows.
        settings: How to search.
        node: Nats of a node.
        kept: Where searches are kept.
    """

    def __init__(
        self,
        template: Template,
        part: SortedRows,
        settings: TableSettings,
        node: float,
        kept: Kept,
    ) -> None:
        self.template, self.settings, self.node, self.kept = template, settings, node, kept
        self.searches = 0
        self.x, self.y, self.weights = part.x, part.targets[:, 0], part.weights
        self.width = part.x.shape[1]
        with np.errstate(all="ignore"):
            self.arguments = [unknown.arguments(part.x) for unknown in template.unknowns]
        for unknown, values in zip(template.unknowns, self.arguments, strict=True):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"template: what {unknown.name} is of, {', '.join(unknown.labels)}, is"
                    " undefined on some rows"
                )
        self.variance = float(self.weights @ (self.y - self.weights @ self.y) ** 2)
        self.found: dict[Expression, tuple[float, Parts]] = {}
        self.parts = self._start()
        self.length, _ = self._enter(self.parts)

    def _start(self) -> Parts:
        """Constants, of least squares."""

        def of(values: Array) -> Array:
            with np.errstate(all="ignore"):
                left = self.form_values(list(values)) - self.y
            return np.sqrt(self.weights) * np.where(np.isfinite(left), left, 1e150)

        count = len(self.template.unknowns)
        defined = [
            start
            for start in STARTS
            if np.isfinite(self.form_values([start] * count)).mean() >= SHARE
        ]
        if not defined:
            raise ValueError(
                f"template: {self.template.text!r} is undefined on most rows, whatever its"
                " functions are"
            )
        best = least_squares(of, np.full(count, defined[0]), max_nfev=50).x
        return tuple(
            _constant(float(value), len(unknown.labels))
            for value, unknown in zip(best, self.template.unknowns, strict=True)
        )

    def form_values(self, values: list[Array | float]) -> Array:
        """Of the template with these values of its functions, [rows]."""
        columns = [np.broadcast_to(each, len(self.x)) for each in values]
        with np.errstate(all="ignore"):
            made = self.template.form(np.column_stack([self.x, *columns]))
        return np.asarray(made[:, 0], np.float64)

    def values(self) -> list[Array | float]:
        """Of the functions so far, [rows] each."""
        with np.errstate(all="ignore"):
            return [f(a)[:, 0] for f, a in zip(self.parts, self.arguments, strict=True)]

    def run(self, seed: int, began: float) -> None:
        """Find the functions, in turn, until nothing becomes better."""
        turn, looked = 0, dict[int, Parts]()
        while turn < ROUNDS + SEARCHES:
            before = self.length
            for place in range(len(self.parts)):
                others = (*self.parts[:place], *self.parts[place + 1 :])
                if turn < ROUNDS and looked.get(place) == others:
                    continue
                looked[place] = others
                proposals = self._proposals(place, began, seed if turn >= ROUNDS else None)
                for proposal in proposals:
                    self._try(place, proposal)
                if self.is_exact():
                    return
            # The functions are settled: only a search finds what direct fits do not.
            turn = ROUNDS if 0 < turn < ROUNDS and before - self.length < 1 else turn + 1
            budget = self.settings.time_budget
            if budget is not None and cpu_seconds() - began > budget / 2:
                return

    def is_exact(self) -> bool:
        """Whether the last whole is exact."""
        return min(each[0] for each in self.found.values()) <= EXACT**2 * self.variance

    def _try(self, place: int, proposal: Expression) -> None:
        parts = (*self.parts[:place], proposal, *self.parts[place + 1 :])
        length, whole = self._enter(parts)
        if length < self.length:
            self.length = length
            with np.errstate(all="ignore"):
                wanted = whole(self.x)[:, 0]
            self.parts = _refitted(self.template, parts, self.x, wanted)

    def _enter(self, parts: Parts) -> tuple[float, Expression]:
        """Fit all numbers of a whole together; how long rows and it are to describe."""
        whole = self.template.composed(parts).simplified()
        rows = self.x, self.y, self.weights
        whole = fit_numbers(whole, *rows)
        loss = loss_of(whole, rows)
        if not math.isfinite(loss) or whole.complexity > self.settings.max_complexity:
            return math.inf, whole
        self.found[whole] = loss, parts
        floor = EXACT**2 * self.variance
        length = len(self.x) / 2 * math.log(max(loss, floor)) + self.node * whole.complexity
        return length, whole

    def best(self) -> list[tuple[Parts, Expression]]:
        """The wholes that no simpler one equals, at most `MOST` of them, and their functions."""
        front: list[tuple[float, Parts, Expression]] = []
        order = sorted(self.found.items(), key=lambda each: (each[0].complexity, each[1][0]))
        for whole, (loss, parts) in order:
            if not front or loss < front[-1][0] * (1 - SMALLEST_GAIN):
                front.append((loss, parts, whole))
        return [(parts, whole) for _, parts, whole in front[-MOST:]]

    # --- what may stand in a place --------------------------------------------------------------

    def _proposals(self, place: int, began: float, seed: int | None) -> Iterator[Expression]:
        values = self.values()
        x = np.column_stack([self.x, *(np.broadcast_to(each, len(self.x)) for each in values)])
        undone = inverse(self.template.form, self.width + place, x, self.y)
        if undone is None or undone[1]:
            yield from self._tried_in_form(place, values)
        if undone is None:
            return
        target = undone[0]
        moved, step = list(values), 1e-4 * (np.abs(target) + 1e-8)
        moved[place] = target + step
        slope = (self.form_values(moved) - self.y) / step
        weights = self.weights * slope**2
        kept = np.isfinite(target) & np.isfinite(weights)
        if kept.sum() < max(FEWEST, SHARE * len(target)) or not weights[kept].any():
            return
        weights = weights[kept] / weights[kept].sum()
        arguments, target = self.arguments[place][kept], target[kept]
        if seed is not None:
            yield from self._searched(arguments, target, weights, seed, began)
            return
        left = self.settings.seconds(0.25, began)
        seconds = math.inf if left is None else left
        interrupted = False
        try:
            laws = fit_direct(arguments, target, weights, functions=FUNCTIONS, seconds=seconds,
                              max_complexity=self.settings.max_complexity)  # fmt: skip
        except Interrupted as stop:
            laws, interrupted = stop.laws, True
        yield from (law.formula for law in laws)
        if interrupted:
            raise KeyboardInterrupt

    def _searched(
        self, arguments: Array, target: Array, weights: Array, seed: int, began: float
    ) -> Iterator[Expression]:
        if np.ptp(target) == 0:
            return
        share = 1 / len(self.parts)
        strategy = self.settings.strategy_of(seed, share, self.settings.seconds(0.5, began))
        table = SortedRows(arguments, target[:, None], target, weights)
        self.searches += 1
        kept = self.kept.part(f"search {self.searches} of a function")
        result = self.settings.search(table, strategy, "search of a function", kept=kept)
        yield from (found.expression for found in result.fronts[0])

    def _tried_in_form(self, place: int, values: list[Array | float]) -> Iterator[Expression]:
        """Short functions c*u + d in the form as it stands, those that leave least."""
        some = np.linspace(0, len(self.x) - 1, min(TRIED_ROWS, len(self.x))).astype(int)
        arguments = self.arguments[place]
        builder = ExpressionBuilder()
        pool = enumerate_functions(arguments[some], builder, TRIED)
        fixed = np.column_stack([np.broadcast_to(each, len(self.x)) for each in values])
        rows = np.column_stack([self.x, fixed])[some]
        weights = self.weights[some]
        found = []
        for number, column in enumerate(pool.values):
            steps = math.pi / (2 * (float(np.ptp(column)) or 1.0)) * np.arange(1, SCALES + 1)
            pairs = [(float(c), d) for c in (1.0, -1.0, *steps) for d in PHASES]
            stacked = np.tile(rows, (len(pairs), 1))
            stacked[:, self.width + place] = np.concatenate([c * column + d for c, d in pairs])
            with np.errstate(all="ignore"):
                made = self.template.form(stacked)[:, 0].reshape(len(pairs), -1)
            losses = _lost(made, self.y[some], weights)
            best = int(losses.argmin())
            found.append((float(losses[best]), number, *pairs[best]))
        for _, number, scale, phase in sorted(found)[:KEPT]:
            node = builder.affine(phase, [(scale, pool.nodes[number])])
            yield builder.build([node], arguments.shape[1])


def _lost(made: Array, y: Array, weights: Array) -> Array:
    """What values leave of a target at their best slope and intercept, a share of its variance.

    Args:
        made: Values, [trials, rows]; infinite where one is undefined.
        y: Target, [rows].
        weights: Of the rows.
    """
    with np.errstate(all="ignore"):
        made = made - (made @ weights)[:, None]
        y = y - weights @ y
        lost = 1 - (made @ (weights * y)) ** 2 / (made**2 @ weights) / (weights @ y**2)
    return np.where(np.isfinite(lost), lost, np.inf)


def _left(template: Template, parts: Sequence[Expression], x: Array, wanted: Array) -> Array:
    with np.errstate(all="ignore"):
        left = template.composed(parts)(x)[:, 0] - wanted
    return np.where(np.isfinite(left), left, 1e150)


def _refitted(template: Template, parts: Parts, x: Array, wanted: Array) -> Parts:
    """The functions with the numbers by which the template gives some values."""
    values = [np.array(numbers(part)) for part in parts]
    free = [written_places(part) for part in parts]
    ends = np.cumsum([len(each) for each in free])
    if not ends[-1]:
        return parts

    def moved(flat: Array) -> Parts:
        made = []
        for part, own, places, new in zip(
            parts, values, free, np.split(flat, ends[:-1]), strict=True
        ):
            own = own.copy()
            own[places] = new
            made.append(with_values(part, own.tolist()))
        return tuple(made)

    start = np.concatenate([own[places] for own, places in zip(values, free, strict=True)])
    fit = least_squares(
        lambda flat: _left(template, moved(flat), x, wanted), start, x_scale="jac", max_nfev=100
    )
    return moved(fit.x)


def parts_of(
    whole: Expression, template: Template, parts: Parts, x: Array
) -> dict[str, Expression]:
    """The functions of a template with the numbers by which they make up a formula.

    They are those that the template leaves open: of f(x0) + g(x1) a constant may be in either.

    Args:
        whole: The formula.
        template: The template.
        parts: The functions, with other numbers.
        x: Inputs, [rows, inputs].
    """
    with np.errstate(all="ignore"):
        wanted = whole(x)[:, 0]

    def left(made: Sequence[Expression]) -> Array:
        return _left(template, made, x, wanted)

    parts = _refitted(template, parts, x, wanted)
    most = max(float(np.abs(left(parts)).max()), 1e-7 * float(np.abs(wanted).max()))
    made = [part.simplified() for part in parts]
    for place, part in enumerate(made):
        # From the last number, as those behind a term that is dropped would move up.
        for number, value in reversed([*enumerate(numbers(part))]):
            for shorter in (0.0, *simple(value, exact=True), *decimals(value)):
                trial = with_number(made[place], number, shorter)
                others = (*made[:place], trial, *made[place + 1 :])
                if float(np.abs(left(others)).max()) <= 2 * most:
                    made[place] = trial
                    break
    return {
        unknown.name: part.simplified().renamed(_argument_names(unknown.labels))
        for unknown, part in zip(template.unknowns, made, strict=True)
    }


def _argument_names(labels: tuple[str, ...]) -> list[str]:
    """What a function's inputs are called: as what it is of, if that is a name."""
    return [label.strip("`") for label in labels]


def _constant(value: float, inputs: int) -> Expression:
    builder = ExpressionBuilder()
    return builder.build([builder.constant(value)], inputs)
