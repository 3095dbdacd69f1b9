"""What is said where a fit ends without a law."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from occamhead.tables.candidates import CONSTANT, Candidate
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task

# Of a robust loss so large a share of the rows must be told better than by the constant.
MOST_ROWS = 0.5


class NoLawWarning(ConvergenceWarning):
    """A fit ended without a law: nothing tells more than a constant, or most rows are outliers."""


def say_constant_target(table: SortedRows) -> None:
    """Warn if the target is one number in every row."""
    if np.ptp(table.labels) == 0:
        _warn(f"the target is {table.labels[0]:g} in every row; the formula is that constant", 4)


def say_no_law(best: Candidate, constant: Candidate, table: SortedRows, task: Task) -> None:
    """Warn if the formula that was chosen is none, or says nothing of most rows.

    Args:
        best: What held-out rows chose.
        constant: The best constant.
        table: The rows.
        task: What was asked.
    """
    count = len(table.x)
    if np.ptp(table.labels) == 0:
        return  # as was said before
    if best.kind == CONSTANT:
        _warn(
            f"no formula tells held-out rows, of {count}, better than a constant, which is kept:"
            " more rows, or other columns, may tell more; equations_ lists what was tried",
            6,
        )
    elif task.is_robust:
        near, far = (task.losses(each.formula, table.x, table.labels) for each in (best, constant))
        if float(table.weights @ (near < far)) < MOST_ROWS:
            _warn(
                f"the formula is nearer than a constant to only {int(np.sum(near < far))} of"
                f" {count} rows: where most rows are outliers no loss tells which; leave out those"
                " that are known to be wrong, or give a form by guesses= or template=",
                6,
            )


def _warn(text: str, depth: int) -> None:
    # Of the line that called fit.
    warnings.warn(text, NoLawWarning, stacklevel=depth)
