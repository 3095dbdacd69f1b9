"""Candidates that are there before anything is searched."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.by_units import laws_by_units
from occamhead.tables.candidates import DIRECT, UNITS, Candidate, onto, pareto
from occamhead.tables.column_units import ColumnUnits
from occamhead.tables.fitted import fitted
from occamhead.tables.regression import Regression
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task
from occamhead.tables.written_down import written_down


def suggested(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    units: ColumnUnits,
    inputs: list[int],
    began: float,
) -> list[Candidate]:
    """The laws that units suggest."""
    between, node = BetweenRows(table.x, table.targets), math.log(settings.choices + len(inputs))
    narrow = replace(table, x=table.x[:, inputs])
    laws = laws_by_units(narrow, units.part(inputs), settings, began)
    wide = [(onto(formula, inputs, table.x.shape[1]), nats) for formula, nats in laws]
    made = (fitted(each, UNITS, nats, node, table, task, between, True) for each, nats in wide)
    return units.allowed([candidate for candidate in made if candidate is not None])


def fitted_directly(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    inputs: list[int],
    began: float,
    units: ColumnUnits | None,
) -> list[Candidate]:
    """Formulas that fit one target of numbers directly.

    Where the loss is not that of least squares, they fit what the rows near each row say by
    themselves, then what stands for the loss around that.
    """
    if not isinstance(task, Regression) or np.ptp(table.labels) == 0:
        return []
    parts = [table]
    if task.rounds > 1:
        near = task.nearby(table)
        parts = [replace(table, targets=near[:, None]), task.around(near, table)]
    between = BetweenRows(table.x, table.targets)
    node = math.log(settings.choices + len(inputs))
    found = []
    for part in parts:
        for formula in written_down(part, settings, began, inputs):
            wide = onto(formula, inputs, table.x.shape[1])
            nats = wide.complexity * node
            candidate = fitted(wide, DIRECT, nats, node, table, task, between)
            if candidate is not None:
                found.append(candidate)
    return pareto(found if units is None else units.allowed(found))


def first_exact(candidates: list[Candidate], inputs: list[int]) -> Expression:
    """The simplest exact formula, as one of the inputs that were looked at."""
    formula = next(each.formula for each in candidates if each.exact)
    builder = ExpressionBuilder()
    places = {place: number for number, place in enumerate(inputs)}
    outputs = builder.copy(formula, {i: builder.input(places[i]) for i in formula.features})
    return builder.build(outputs, len(inputs))
