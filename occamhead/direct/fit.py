"""All direct fits of a table, one stage after another, and the front of what they found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.front import Front, Law
from occamhead.direct.stages import MOST_FUNCTIONS, candidates
from occamhead.expression import Expression

Array: TypeAlias = NDArray[np.float64]

# Squares of targets beyond this size, or below its inverse, are beyond the range of numbers.
LARGEST = 1e140

# An exact formula of at most this complexity ends the search for one; a longer one only after so
# many stages, for a polynomial may be exact where an exponential is short.
SHORT, THOROUGH = 12, 6


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during direct fits.

    Args:
        laws: What was found until then, as :func:`fit_direct` gives it.
    """

    def __init__(self, laws: list[Law]) -> None:
        super().__init__()
        self.laws = laws


def fit_direct(
    x: Array,
    y: Array,
    weights: Array | None = None,
    *,
    max_complexity: int = 30,
    seconds: float = math.inf,
    operators: Collection[str] | None = None,
    functions: int = MOST_FUNCTIONS,
    allowed: Callable[[Expression], bool] | None = None,
) -> list[Law]:
    """The front of error against complexity of what can be fitted directly, simplest first.

    Args:
        x: Inputs, [rows, inputs].
        y: Target, [rows].
        weights: Of each row; None weighs all alike.
        max_complexity: Longest formula to return.
        seconds: CPU seconds after which nothing further is tried.
        operators: Those that a formula may have; None allows all. Products, quotients and powers,
            of which these fits are made, are always allowed.
        functions: How many functions without numbers to look at.
        allowed: Whether a formula with fitted numbers may be one; None allows all.

    Raises:
        Interrupted: On Ctrl-C; it holds what was found until then.
    """
    weights = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
    began = time.process_time()
    if len(x) < 3 or not 1 / LARGEST < np.abs(y).max() < LARGEST:
        return []
    front = Front(x, y, weights, max_complexity, operators, allowed)
    if front.deviation == 0:
        return []
    # What overflows on the way is no law.
    with np.errstate(all="ignore"):
        try:
            _offer_all(front, functions, began + seconds)
        except KeyboardInterrupt:
            raise Interrupted(front.laws()) from None
        return front.laws()


def _offer_all(front: Front, functions: int, until: float) -> None:
    """Offer the front what every stage finds, until it is exact or the time is up."""
    stage = 0
    for formula in candidates(front.sample_x, front.sample_y, functions):
        if formula is None:  # a stage has ended
            stage += 1
            short = front.shortest_exact() <= SHORT
            if short or (front.is_exact() and stage >= THOROUGH):
                break
        else:
            front.offer(formula)
        if time.process_time() > until:
            break
