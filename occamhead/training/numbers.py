"""Fit the numbers of a head's formula, its structure held fixed."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from occamhead.checks import check_features, check_finite
from occamhead.heads.occam import OccamHead
from occamhead.rows.dense import Weights
from occamhead.rows.metrics import rates_of
from occamhead.rows.objective import CROSS_ENTROPY, Objective, Rows, minimise

# Ridge penalties to choose from: on standardised features from hardly any shrinkage to almost
# flat scores.
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)


def refit_constants(
    head: OccamHead,
    rows: Rows,
    penalty: float,
    targets: Tensor | None = None,
    objective: Objective = CROSS_ENTROPY,
    weight: Tensor | None = None,
) -> None:
    """Fit the free constants of the most probable formula, in place.

    Minimises the mean loss of the formula's scores (by default cross-entropy) plus `penalty` times
    the sum of the squared constants, by L-BFGS in float64. For a head of weighted sums this is
    convex. A head without free constants is left as it is.

    Args:
        head: The head; its edges are not changed.
        rows: Raw features [rows, in_features] and labels, or the targets of the objective.
        penalty: Ridge penalty, >= 0.
        targets: What a teacher says, to fit instead of the labels, [rows, out_features].
        objective: What is minimised.
        weight: What each row counts, [rows], 1 in the mean; None counts all alike.

    Raises:
        ValueError: On a negative penalty, non-finite features, labels out of range, or if the
            constants diverge; the head keeps its constants then.
    """
    features, labels = rows
    check_features(features, head.in_features)
    check_finite(features)
    objective.check(labels, head.out_features, len(features))
    if penalty < 0:
        raise ValueError(f"penalty must not be negative, got {penalty}")
    if not has_constants(head):
        return
    network = copy.deepcopy(head.network).double()
    constants = list(network.free_constants)
    routes, _ = network.most_probable()
    mean, scale = head.feature_mean.double(), head.feature_scale.double()
    # A copy, since the features are not in double precision, that nobody else has.
    x = features.to(mean, copy=True).sub_(mean).div_(scale)
    targets = (labels if targets is None else targets).to(mean.device)
    if targets.is_floating_point():
        targets = targets.double()

    def penalised() -> Tensor:
        squares = torch.stack([c.square().sum() for c in constants]).sum()
        loss = objective.loss(network.evaluate(routes, x)[0], targets, weight)
        return loss + penalty * squares

    minimise(constants, penalised)
    if not all(c.isfinite().all() for c in constants):
        raise ValueError(
            "refitting the formula's constants diverged; use a larger penalty or other bases"
        )
    head.set_numbers(constants)


def has_constants(head: OccamHead) -> bool:
    """Whether the head's bases have free constants."""
    return any(c.numel() for c in head.network.free_constants)


@torch.no_grad()
def formula_loss(
    head: OccamHead,
    features: Tensor,
    targets: Tensor,
    objective: Objective = CROSS_ENTROPY,
    weight: Tensor | None = None,
) -> float:
    """Mean loss of the formula's scores; targets are labels or what a teacher says."""
    scores = head.formula()(features.to(head.feature_mean))
    return float(objective.loss(scores, targets.to(scores.device), weight))


@torch.no_grad()
def shortfall(head: OccamHead, rows: Rows, select: str, loss: float) -> tuple[float, float]:
    """How far a formula is from the best: what is compared where `select` chooses among several.

    Args:
        head: The head.
        rows: Raw features, and labels.
        select: "loss", or the rate that is asked for: then the loss decides among equals.
        loss: Of the formula.
    """
    if select == "loss":
        return 0.0, loss
    scores = head.formula()(rows[0].to(head.feature_mean))
    return 1.0 - rates_of(scores, rows[1].to(scores.device)).rate(select), loss


def choose_penalty(
    head: OccamHead,
    train: Rows,
    validation: Rows,
    targets: Tensor | None = None,
    penalties: Sequence[float] = PENALTIES,
    objective: Objective = CROSS_ENTROPY,
    weights: Weights = (None, None),
    select: str = "loss",
) -> tuple[float, float]:
    """Refit on the training rows under each penalty; keep the best on the validation labels.

    Args:
        head, targets, objective: See :func:`refit_constants`.
        train, validation: Rows to fit, and rows to choose by.
        penalties: To choose from.
        weights: What the rows of each count, 1 in the mean; None counts all alike.
        select: What the best is best in: "loss", "accuracy" or "balanced_accuracy".

    Returns:
        The penalty and its validation loss. The head is left with the constants that were
        fitted under it.
    """
    best: tuple[float, tuple[float, float], list[Tensor]] | None = None
    # Strongest first: each fit starts from the one before, and shrunk constants start well.
    for penalty in sorted(penalties, reverse=True):
        refit_constants(head, train, penalty, targets, objective, weights[0])
        loss = formula_loss(head, *validation, objective, weights[1])
        short = shortfall(head, validation, select, loss)
        if best is None or short < best[1]:
            best = penalty, short, head.numbers
    if best is None:
        raise ValueError("at least one penalty is needed, got none")
    head.set_numbers(best[2])
    return best[0], best[1][1]
