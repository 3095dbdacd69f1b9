"""Candidates that are there before anything is searched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from occamhead.direct import Interrupted
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.by_units import laws_by_units
from occamhead.tables.candidates import DIRECT, UNITS, Candidate, onto
from occamhead.tables.fitted import fitted
from occamhead.tables.guesses import guessed
from occamhead.tables.regression import Regression
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.stages import Stages
from occamhead.tables.task import Task
from occamhead.tables.template_fit import templated
from occamhead.tables.wishes import Wishes
from occamhead.tables.written_down import written_down


def before_search(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    inputs: list[int],
    names: Sequence[str],
    wishes: Wishes,
    seed: int,
    stages: Stages,
) -> Iterator[Candidate]:
    """Guesses, then what units suggest, then direct fits, until one is exact; one after another.

    Of a template there are only guesses and what has its form.

    Args:
        table: The rows.
        task: What is asked of the formulas.
        settings: How to search.
        inputs: The inputs to look at.
        names: Of all inputs.
        wishes: What every candidate must keep to.
        seed: Of searches.
        stages: Where what units suggest, direct fits, and what has a template's form are kept.

    Raises:
        KeyboardInterrupt: On Ctrl-C, when what was found until then is there.
    """
    began = stages.began
    # Guesses take a moment, and say what is wrong with them each time.
    sources: tuple[Iterator[Candidate], ...] = (
        guessed(wishes.guesses, table, task, names),
        stages.candidates("units", _suggested(table, task, settings, wishes, inputs, began), task),
        stages.candidates(
            "direct fits", _directly(table, task, settings, wishes, inputs, began), task
        ),
    )
    if wishes.template is not None:
        form = templated(wishes.template, table, task, settings, seed, stages)
        sources = (sources[0], stages.candidates("template", form, task))
    for source in sources:
        exact = False
        for candidate in source:
            for allowed in wishes.allowed([candidate]):
                yield allowed
                exact |= allowed.exact
        if exact:
            return


def _suggested(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    wishes: Wishes,
    inputs: list[int],
    began: float,
) -> Iterator[Candidate]:
    """The laws that units suggest."""
    if wishes.units is None:
        return
    between, node = BetweenRows(table.x, table.targets), math.log(settings.choices + len(inputs))
    narrow = replace(table, x=table.x[:, inputs])
    for law, nats in laws_by_units(narrow, wishes.units.part(inputs), settings, began):
        wide = onto(law, inputs, table.x.shape[1])
        candidate = fitted(wide, UNITS, nats, node, table, task, between, True)
        if candidate is not None:
            yield candidate


def _directly(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    wishes: Wishes,
    inputs: list[int],
    began: float,
) -> Iterator[Candidate]:
    """Formulas that fit one target of numbers directly.

    Where the loss is not that of least squares, they fit what the rows near each row say by
    themselves, then what stands for the loss around that.
    """
    if not isinstance(task, Regression) or np.ptp(table.labels) == 0:
        return
    parts = [table]
    if task.rounds > 1:
        near = task.nearby(table)
        parts = [replace(table, targets=near[:, None]), task.around(near, table)]
    width = table.x.shape[1]
    between = BetweenRows(table.x, table.targets)
    node = math.log(settings.choices + table.x.shape[1])
    for part in parts:
        interrupted = False
        try:
            formulas = written_down(
                part, settings, began, inputs, lambda each: wishes.allows(each, inputs, width)
            )
        except Interrupted as stop:
            formulas, interrupted = [law.formula for law in stop.laws], True
        for formula in formulas:
            wide = onto(formula, inputs, width)
            nats = wide.complexity * node
            candidate = fitted(wide, DIRECT, nats, node, table, task, between)
            if candidate is not None:
                yield candidate
        if interrupted:
            raise KeyboardInterrupt
