"""The numbers of a chosen formula, and how well the rows tell each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import needs
from occamhead.expression import Expression
from occamhead.expression.fitting import free_places, standard_errors
from occamhead.expression.numbers import numbers
from occamhead.expression.recognised import recognised
from occamhead.expression.slopes import Tape
from occamhead.expression.spared import LAST_DIGIT
from occamhead.expression.units import Unit
from occamhead.tables.fit_table import NUMBERS_ROWS
from occamhead.tables.losses import Loss
from occamhead.tables.regression import Regression
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

# Slopes of at most so many rows times numbers are held at once.
MOST_SLOPES = 20_000_000
# Standard deviations that a median absolute error is, of normal errors.
MAD = 1.4826
# Rows tell numbers whose least moment is at least this share of the largest.
TELLING = 1e-13
# A share of the number below which an error is rounding.
EXACT = 1e-11
# Numbers of more digits before the point, or noughts behind it, are written with a power of ten.
LARGEST, SMALLEST = 1e5, 1e-3


def named_constants(constants: Sequence[float] | Mapping[str, float]) -> dict[str, float]:
    """The constants that have names."""
    return {**constants} if isinstance(constants, Mapping) else {}


def number_errors(formula: Expression, table: SortedRows, task: Regression) -> dict[int, float]:
    """Standard error of each fitted number, by its place; infinite where the rows do not tell it.

    Those of least squares, see :func:`occamhead.expression.fitting.standard_errors`. Of another
    loss those of Huber's sandwich (1967), whose curvature is that of the loss over a width of
    errors, as the absolute value has none at a point (Powell 1991).

    Args:
        formula: Of one output, its numbers fitted.
        table: The rows.
        task: By which loss.
    """
    places = free_places(formula)
    if not places:
        return {}
    fitted = min(len(table.x), NUMBERS_ROWS)
    rows = min(fitted, max(MOST_SLOPES // len(places), 1000))
    part = table.part(table.sample(rows, 0)) if rows < len(table.x) else table
    if task.loss.is_squared:
        found = standard_errors(formula, part.x, part.labels, part.weights)
    else:
        found = _sandwich(formula, part, task.loss, places)
    share = math.sqrt(rows / fitted)
    return {place: error * share for place, error in found.items()}


def _sandwich(
    formula: Expression, table: SortedRows, loss: Loss, places: Sequence[int]
) -> dict[int, float]:
    tape, rows = Tape(formula, table.x), 1 / float(table.weights @ table.weights)
    values, slopes = tape.slopes(tape.numbers, places)
    if rows <= len(places) or not np.isfinite(slopes).all():
        return dict.fromkeys(places, math.inf)
    size = np.sqrt((slopes**2) @ table.weights)
    size[size == 0] = 1.0
    slopes = slopes / size[:, None]
    scale = MAD * float(np.median(np.abs(values - table.labels)))
    scale = scale or float(np.abs(values - table.labels).max())
    if scale == 0:
        return dict.fromkeys(places, 0.0)

    def pull(moved: float) -> Array:
        step = 1e-4 * scale
        up, down = (loss.rows(table.labels, values + moved + each) for each in (step, -step))
        return np.asarray((up - down) / (2 * step), np.float64)

    width = scale * rows**-0.2
    curvature = table.weights * (pull(width) - pull(-width)) / (2 * width)
    pulls = table.weights * pull(0.0)
    bread = (slopes * curvature) @ slopes.T
    meat = (slopes * pulls) @ (slopes * pulls).T * rows / (rows - len(places))
    sizes, axes = np.linalg.eigh(bread)
    if sizes.min() <= TELLING * sizes.max():
        return dict.fromkeys(places, math.inf)
    inverse = (axes / sizes) @ axes.T
    spread = np.sqrt(np.diag(inverse @ meat @ inverse)) / size
    return dict(zip(places, spread.tolist(), strict=True))


def number_frame(
    formula: Expression,
    errors: Mapping[int, float],
    named: Mapping[str, float],
    units: Sequence[tuple[float, Unit]] | None = None,
) -> Any:
    """A row for each number: `number`, `error`, `printed`, `reads_as`, under units also `unit`.

    Args:
        formula: The formula.
        errors: Of its numbers, by place.
        named: Constants that the user names.
        units: The numbers that may have a unit, and it.
    """
    values = numbers(formula)
    return frame_of([(values[place], error) for place, error in errors.items()], named, units)


def frame_of(
    known: Sequence[tuple[float, float]],
    named: Mapping[str, float],
    units: Sequence[tuple[float, Unit]] | None = None,
) -> Any:
    """As :func:`number_frame`, of numbers and their errors."""
    with needs("pandas", "the table of numbers", "tabular"):
        import pandas as pd

    rows = []
    for value, error in known:
        error = 0.0 if error <= EXACT * abs(value) else error
        unit = next((unit for number, unit in units or () if number == value), None)
        row = {
            "number": value,
            "error": error,
            "printed": with_error(value, error),
            "reads_as": recognised(value, error, named, unit),
        }
        if units is not None:
            row["unit"] = "" if unit is None or unit.is_one else str(unit)
        rows.append(row)
    columns = ["number", "error", "printed", "reads_as", *(["unit"] if units is not None else [])]
    return pd.DataFrame(rows, columns=columns)


def with_error(value: float, error: float) -> str:
    """A number and its standard error, such as "2.31 +- 0.04", to the digits that the error tells.

    An error is 3.55 to 35.5 units of the last digit (Particle Data Group).
    """
    if not error:
        return f"{value:.12g}"
    if not math.isfinite(error):
        return f"{value:.6g} +- ?"
    power = math.floor(math.log10(max(abs(value), error)))
    if SMALLEST <= max(abs(value), error) < LARGEST:
        power = 0
    last = math.floor(math.log10(error / LAST_DIGIT)) - power
    digits = max(-last, 0)
    shown = [f"{round(each / 10.0**power, -last):.{digits}f}" for each in (value, error)]
    return f"({shown[0]} +- {shown[1]})e{power}" if power else " +- ".join(shown)
