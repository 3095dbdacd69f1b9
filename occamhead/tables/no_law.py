"""What is said where a fit ends without a law."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from occamhead.tables.candidates import CONSTANT, Candidate
from occamhead.tables.held_out import Verdict
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task
from occamhead.tables.template import Template
from occamhead.tables.warn import warn

# Of a robust loss so large a share of the rows must be told better than by the constant.
MOST_ROWS = 0.5


class NoLawWarning(ConvergenceWarning):
    """A fit ended without a law: nothing tells more than a constant, or most rows are outliers."""


def say_constant_target(table: SortedRows) -> None:
    """Warn if the target is one number in every row."""
    if np.ptp(table.labels) == 0:
        warn(
            f"the target is {table.labels[0]:g} in every row; the formula is that constant",
            NoLawWarning,
        )


def why_no_law(
    best: Candidate,
    constant: Candidate,
    verdict: Verdict | None,
    table: SortedRows,
    task: Task,
    template: Template | None,
) -> str | None:
    """What to say if the formula that was chosen is none, or says nothing of most rows.

    Args:
        best: What was chosen.
        constant: The best constant.
        verdict: What held-out rows decided; None where they were not asked to the end.
        table: The rows.
        task: What was asked.
        template: The form that was asked for, if any.
    """
    count = len(table.x)
    if np.ptp(table.labels) == 0:
        return None  # as is said by itself
    if template is not None:
        if best.kind != CONSTANT:
            return None
        return (
            f"the template {template.text!r} fits no better than a constant, which is kept; is it"
            " the form of this target?"
        )
    if verdict is None:
        return None
    if best.kind == CONSTANT:
        return (
            f"no formula tells held-out rows, of {count}, better than a constant, which is kept:"
            " more rows, or other columns, may tell more; equations_ lists what was tried"
        )
    if not task.is_robust:
        return None
    near, far = (task.losses(each.formula, table.x, table.labels) for each in (best, constant))
    if float(table.weights @ (near < far)) >= MOST_ROWS:
        return None
    return (
        f"the formula is nearer than a constant to only {int(np.sum(near < far))} of {count}"
        " rows: where most rows are outliers no loss tells which; leave out those that are known to"
        " be wrong, or give a form by guesses= or template="
    )


def say_no_law(why: str | None) -> None:
    """Warn of what :func:`why_no_law` says."""
    if why is not None:
        warn(why, NoLawWarning)
