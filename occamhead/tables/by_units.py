"""Laws that the units of a table suggest, fitted before anything is searched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.products import factored
from occamhead.expression.tidy import EXACT, tidy
from occamhead.tables.column_units import ColumnUnits
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.unit_sums import unit_sums

Array: TypeAlias = NDArray[np.float64]

# Rows that laws are looked for on.
ROWS = 1000


def laws_by_units(
    table: SortedRows, units: ColumnUnits, max_complexity: int
) -> list[tuple[Expression, float]]:
    """Laws that respect the units, until one is exact, fitted and tidied, and the nats of each.

    None where the unit of a column is not known.

    Args:
        table: Rows with one target.
        units: Of its columns.
        max_complexity: Longest law.
    """
    if units.target is None or None in units.inputs:
        return []
    part = table.part(table.sample(ROWS, 0))
    y = part.targets[:, 0]
    deviation = float(np.sqrt(part.weights @ (y - part.weights @ y) ** 2))
    found: list[tuple[Expression, float]] = []
    for rough, nats in _rough(part, units) if deviation else ():
        formula = fit_numbers(rough, part.x, y, part.weights)
        formula = factored(formula.simplified(), part.x)
        formula = tidy(formula, part.x, y, part.weights, deviation)
        with np.errstate(all="ignore"):
            error = float(np.sqrt(part.weights @ (formula(part.x)[:, 0] - y) ** 2)) / deviation
        if not np.isfinite(error) or formula.complexity > max_complexity:
            continue
        if units.check(formula).consistent:
            found.append((formula, nats))
            if error <= EXACT:
                break
    return found


def _rough(table: SortedRows, units: ColumnUnits) -> Iterator[tuple[Expression, float]]:
    inputs = [unit for unit in units.inputs if unit is not None]
    assert units.target is not None
    yield from unit_sums(table.x, table.targets[:, 0], table.weights, inputs, units.target)
