"""Which formula to trust: the simplest that no held-out row speaks against.

All formulas, whatever found them, are measured on one scale: their complexity as they are written,
and their losses on rows to which their numbers were not fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array: TypeAlias = NDArray[np.float64]

# A simpler formula is taken while it is worse than the best by no more than so many standard
# errors, of the mean difference and of the sum of signed ranks (Breiman et al. 1984).
STANDARD_ERRORS = 1.0
# The constant is given up only where more than so many speak against it: at one standard error
# chance alone finds something in one table of six.
AGAINST_NOTHING = 2.0

# A formula too long to be read is taken where the best readable one is worse by so many standard
# errors, and by such a share of what the mean loses.
CLEAR_ERRORS, CLEAR_SHARE = 2.0, 0.08

# Losses are cut here, in units of the loss of the mean: one exploding row says all it can say.
LARGEST_LOSS = 100.0


def choose(
    losses: Array,
    complexities: Array,
    weights: Array,
    charges: Array | None = None,
    penalised: Callable[[Array, Array, Array], Array] = lambda losses, nats, rows: losses,
    heavy_tails: bool = True,
    nothing: int | None = None,
    errors: float = STANDARD_ERRORS,
) -> int:
    """The place of the formula to take, from held-out losses.

    The constant stands unless some formula's losses are smaller in the mean, and by more than
    `AGAINST_NOTHING` standard errors there or in Wilcoxon's (1945) signed ranks; what tells no
    more than it is out. Of the others the best is that of the least mean, and the simplest is taken
    whose losses are larger than the best's by no more than `errors`, neither in the mean nor in
    ranks. Where a few rows have most of the loss the mean's standard error is so large that it
    tells nothing, and the ranks decide; where a few rows are what a formula is about, the mean sees
    what ranks do not.

    Args:
        losses: Of each row under each formula, in units of the loss of the mean,
            [rows, formulas]; NaN and inf count as `LARGEST_LOSS`.
        complexities: Of each formula, [formulas].
        weights: Weight of each row; they sum to 1.
        charges: Nats by which chance may favour each formula beside each other one,
            [formulas, formulas]; on the diagonal, by itself. None charges nothing.
        penalised: What losses [rows, formulas] count for under charges [formulas] and numbers of
            rows in effect [formulas].
        heavy_tails: Whether few rows may have most of the loss: then losses are compared by ranks,
            too, and the mean is charged by :func:`telling_rows`.
        nothing: Place of the constant, if it is among them.
        errors: Standard errors of the mean that a simpler formula may be worse by.
    """
    charges = np.zeros((losses.shape[1],) * 2) if charges is None else charges
    losses = cut(losses)
    rows = np.full(losses.shape[1], 1 / float(weights @ weights))
    telling = telling_rows(losses, weights) if heavy_tails else rows

    def is_worse(place: int, other: int, most: float) -> bool:
        both = [place, other]
        nats = np.array([charges[place, other], charges[other, place]])
        in_mean = penalised(losses[:, both], nats, telling[both])
        in_ranks = penalised(losses[:, both], nats, rows[both])
        return worse_in_mean(in_mean[:, 0], in_mean[:, 1], weights, most) or (
            heavy_tails and worse_in_ranks(in_ranks[:, 0], in_ranks[:, 1], weights, most)
        )

    means = weights @ penalised(losses, charges.diagonal(), rows)
    among = np.arange(len(means))
    if nothing is not None:
        lower = np.flatnonzero(means < means[nothing]).tolist()
        among = np.array([each for each in lower if is_worse(nothing, each, AGAINST_NOTHING)], int)
        if not len(among):
            return nothing
    best = int(among[np.lexsort((complexities[among], means[among]))[0]])
    for place in among[np.lexsort((means[among], complexities[among]))].tolist():
        if place == best or not is_worse(place, best, errors):
            return place
    raise AssertionError("the best is one of them")


def cut(losses: Array) -> Array:
    """Losses in units of that of the mean, at most `LARGEST_LOSS`, which NaN and inf count as."""
    return np.where(np.isfinite(losses), losses, LARGEST_LOSS).clip(max=LARGEST_LOSS)


def telling_rows(losses: Array, weights: Array) -> Array:
    """How many rows a mean loss speaks for, of each formula: few where few have most of the loss.

    As many as there are for squares of normal errors, whose fourth moment is three times the
    squared second.

    Args:
        losses: [rows, formulas].
        weights: Weight of each row; they sum to 1.
    """
    square = weights**2 @ losses**2
    rows = 3 * (weights @ losses) ** 2 / np.where(square > 0, square, 1.0)
    return np.clip(rows, 1.0, 1 / float(weights @ weights))


def worse_in_mean(
    one: Array, other: Array, weights: Array, errors: float = STANDARD_ERRORS
) -> bool:
    """Whether losses exceed others on the same rows by more than so many errors of the mean.

    Args:
        one, other: Losses of each row, [rows].
        weights: Weight of each row; they sum to 1.
        errors: Standard errors.
    """
    difference = one - other
    mean = float(weights @ difference)
    return mean > errors * float(np.sqrt((weights**2) @ (difference - mean) ** 2))


def clearly_worse(one: Array, other: Array, weights: Array) -> bool:
    """Whether losses speak for a formula too long to be read; as :func:`worse_in_mean`.

    One standard error would not do: on many rows the longest formula is better by as much whenever
    it is better at all.
    """
    worse = float(weights @ (one - other)) > CLEAR_SHARE
    return worse and worse_in_mean(one, other, weights, CLEAR_ERRORS)


def worse_in_ranks(
    one: Array, other: Array, weights: Array, errors: float = STANDARD_ERRORS
) -> bool:
    """As :func:`worse_in_mean`, by the sum of signed ranks of the differences."""
    difference = one - other
    kept = (difference != 0) & (weights > 0)
    if not kept.any():
        return False
    signed = weights[kept] * np.sign(difference[kept]) * rankdata(np.abs(difference[kept]))
    return float(signed.sum()) > errors * float(np.sqrt((signed**2).sum()))
