"""Which formula of a front to trust: complexity chosen by cross-validation, beside a linear model.

The structure of a formula is searched on the rows, so its error on them says little. Every fold
therefore searches anew, and what is compared between complexities is the loss on rows that
neither structure nor numbers were fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.search.result import Found, Result, join

# A formula replaces the linear model only if it is better by so many standard errors.
STANDARD_ERRORS = 2.0

# Losses are cut here, in units of the loss of the mean: one exploding row says all it can say.
LARGEST_LOSS = 100.0


@dataclass(frozen=True)
class Candidate:
    """A formula of all outputs that may be chosen.

    Args:
        complexity: That of its most complex output.
        formula: The formula.
        loss: Mean loss on the rows that it was fitted to.
    """

    complexity: int
    formula: Expression
    loss: float


Entry = TypeVar("Entry", Found, Candidate)


@dataclass(frozen=True)
class Verdict:
    """What cross-validation decided.

    Args:
        complexity: The complexity to take from a front; None takes the linear model.
        losses: Mean held-out loss by complexity, from 1 up, in units of the loss of the mean;
            `LARGEST_LOSS` where there was no formula.
        linear_loss: Mean held-out loss of the linear model, in the same units.
    """

    complexity: int | None
    losses: NDArray[np.float64]
    linear_loss: float


def choose(
    losses: NDArray[np.float64], linear: NDArray[np.float64], weights: NDArray[np.float64]
) -> Verdict:
    """Choose a complexity from held-out losses.

    The simplest one within one standard error of the best is taken (Breiman et al. 1984), and
    only if it beats the linear model by `STANDARD_ERRORS`, both of paired differences.

    Args:
        losses: Of each row under each complexity from 1 up, in units of the loss of the mean,
            [rows, complexities]; NaN and inf count as `LARGEST_LOSS`.
        linear: Of each row under the linear model, [rows].
        weights: Weight of each row; they sum to 1.
    """
    losses = np.where(np.isfinite(losses), losses, LARGEST_LOSS).clip(max=LARGEST_LOSS)
    linear = np.where(np.isfinite(linear), linear, LARGEST_LOSS).clip(max=LARGEST_LOSS)
    means = weights @ losses
    best = int(np.argmin(means))

    def excess(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
        difference = a - b
        mean = float(weights @ difference)
        return mean, float(np.sqrt((weights**2) @ (difference - mean) ** 2))

    place = best
    for place in range(best + 1):
        mean, deviation = excess(losses[:, place], losses[:, best])
        if mean <= deviation:
            break
    gain, deviation = excess(linear, losses[:, place])
    better = gain > STANDARD_ERRORS * deviation
    return Verdict(place + 1 if better else None, means, float(weights @ linear))


def candidates(
    result: Result,
    finish: Callable[[Expression], Expression],
    loss: Callable[[Expression], float],
) -> list[Candidate]:
    """The front of loss against complexity of all outputs together, simplest first.

    Args:
        result: A search; at each complexity every output gives the best of its front.
        finish: What is done to the formulas before they are judged.
        loss: Mean loss of a finished formula. The search minimised another one, so what does
            not lower this one drops out.
    """
    front: list[Candidate] = []
    for complexity in sorted({found.complexity for each in result.fronts for found in each}):
        found = [at_complexity(each, complexity) for each in result.fronts]
        parts = [one.expression for one in found if one is not None]
        if len(parts) < len(found):
            continue
        formula = finish(parts[0] if len(parts) == 1 else join(parts))
        value = loss(formula)
        if math.isfinite(value) and (not front or value < front[-1].loss):
            front.append(Candidate(complexity, formula, value))
    return front


def at_complexity(front: Sequence[Entry], complexity: int) -> Entry | None:
    """The best entry of a front that is no more complex than this; None if none is."""
    allowed = [entry for entry in front if entry.complexity <= complexity]
    return allowed[-1] if allowed else None


def shortest_description(result: Result) -> int | None:
    """Complexity of the formulas that a search itself would report; None if an output has none."""
    complexities = [
        None if place is None else front[place].complexity
        for front, place in zip(result.fronts, result.chosen, strict=True)
    ]
    known = [complexity for complexity in complexities if complexity is not None]
    return max(known) if len(known) == len(complexities) else None


def linear_complexity(formula: Expression) -> int:
    """Complexity of a linear model on the scale of the fronts."""
    return 1 + 2 * len(formula.features) + 1
