"""Squared or relative errors, where the target leaves that open: the likelier ones.

Of a target that spans 50 decades squared errors see the largest row alone; relative ones drown a
target of few decades in the noise of its smallest rows. So a target of one sign that spans more
than `SPAN` is fitted by both, and the held-out errors of what each chose are compared: they are the
likelihoods of normal errors of one size, and of one size relative to the target (Box and Cox 1964).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np

from occamhead.tables.fit_table import FittedTable
from occamhead.tables.losses import get_loss
from occamhead.tables.regression import Regression
from occamhead.tables.sorted_rows import SortedRows

log = logging.getLogger("occamhead")

# Largest over least size of a target that may be meant relatively.
SPAN = 100.0
# Share of the time for squared errors, if relative ones may follow.
SQUARED_SHARE = 0.6


def squared_or_relative(
    table: SortedRows, fit: Callable[[Regression, float], FittedTable]
) -> tuple[Regression, FittedTable]:
    """The fit by squared errors, or by relative ones where these are likelier; it is logged.

    An exact formula needs no second fit, and one that was interrupted does not decide.

    Args:
        table: The rows, of one target.
        fit: Fits by a loss, within a share of the time.
    """
    squared = Regression(get_loss("squared", table.labels))
    if not spans_decades(table):
        return squared, fit(squared, 1.0)
    first = fit(squared, SQUARED_SHARE)
    if first.verdict is None:  # exact, interrupted, or too few rows to compare
        return squared, first
    relative = Regression(get_loss("relative", table.labels))
    second = fit(relative, 1 - SQUARED_SHARE)
    level = float(table.weights @ np.log(np.abs(table.labels)))
    likelier = second.verdict is not None and _nats(second) + level < _nats(first)
    if not (second.exact or likelier):
        return squared, first
    sizes = np.abs(table.labels)
    log.warning(
        "the target spans %.1f decades, and its errors relative to it are more alike than those as"
        " they are: relative errors are judged; loss='squared' judges the others",
        math.log10(float(sizes.max() / sizes.min())),
    )
    return relative, second


def spans_decades(table: SortedRows) -> bool:
    """Whether a target has one sign and spans more than `SPAN`."""
    sizes, signs = np.abs(table.labels), np.sign(table.labels)
    return bool((signs == signs[0]).all() and sizes.max() > SPAN * sizes.min() > 0)


def _nats(fitted: FittedTable) -> float:
    """Of a row, by held-out errors: logarithm of their size."""
    assert fitted.verdict is not None
    loss = fitted.constant_loss * float(fitted.verdict.losses[fitted.verdict.chosen])
    return 0.5 * math.log(loss) if loss > 0 else -math.inf
