"""Laws that the units of a table suggest, fitted before anything is searched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.linearised import loss_of
from occamhead.expression.products import factored
from occamhead.expression.tidy import EXACT, tidy
from occamhead.tables.column_units import ColumnUnits
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.unit_groups import Groups, Product, find_groups
from occamhead.tables.unit_sums import unit_sums
from occamhead.tables.written_down import written_down

Array: TypeAlias = NDArray[np.float64]

# Rows that laws are looked for on, and products that the target is divided by, one after another.
ROWS, PRODUCTS = 1000, 2


def laws_by_units(
    table: SortedRows, units: ColumnUnits, settings: TableSettings, began: float
) -> Iterator[tuple[Expression, float]]:
    """Laws that respect the units, until one is exact, fitted and tidied, and the nats of each.

    None where the unit of a column is not known.

    Args:
        table: Rows with one target.
        units: Of its columns.
        settings: Longest law, time, and bases.
        began: CPU seconds when the fit began.
    """
    if units.target is None or None in units.inputs:
        return
    part = table.part(table.sample(ROWS, 0))
    y = part.targets[:, 0]
    deviation = float(np.sqrt(part.weights @ (y - part.weights @ y) ** 2))
    for rough, nats in _rough(part, units, settings, began) if deviation else ():
        formula = fit_numbers(rough, part.x, y, part.weights)
        formula = factored(formula.simplified(), part.x)
        formula = tidy(formula, part.x, y, part.weights, deviation, refitted=True)
        error = math.sqrt(loss_of(formula, (part.x, y, part.weights))) / deviation
        if not math.isfinite(error) or formula.complexity > settings.max_complexity:
            continue
        if units.check(formula).consistent:
            yield formula, nats
            if error <= EXACT:
                break


def _rough(
    table: SortedRows, units: ColumnUnits, settings: TableSettings, began: float
) -> Iterator[tuple[Expression, float]]:
    inputs = [unit for unit in units.inputs if unit is not None]
    assert units.target is not None
    yield from unit_sums(table.x, table.targets[:, 0], table.weights, inputs, units.target)
    groups = find_groups(inputs, units.target)
    if 0 < len(groups.groups) < len(inputs):
        for product in groups.products[:PRODUCTS]:
            yield from _in_groups(table, groups, product, settings, began)


def _in_groups(
    table: SortedRows, groups: Groups, product: Product, settings: TableSettings, began: float
) -> Iterator[tuple[Expression, float]]:
    """The target over a product, as what fits it directly among functions of the groups."""
    factor, values = product.values(table.x), groups.values(table.x)
    if not (np.isfinite(values).all() and np.isfinite(factor).all() and factor.all()):
        return
    over = table.targets / factor[:, None]
    # So weighted, squares of what is left of the target are those of the target itself.
    weights = table.weights * factor**2
    reduced = SortedRows(values, over, over[:, 0], weights / weights.sum())
    node = math.log(settings.choices + values.shape[1])
    for formula in written_down(reduced, settings, began, range(values.shape[1])):
        yield groups.composed(product, formula, table.x), formula.complexity * node
