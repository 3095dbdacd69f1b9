"""Fit the numbers of a head's formula, its structure held fixed."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from occamhead.checks import check_features, check_finite
from occamhead.heads.occam import OccamHead
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
    x = (features.to(mean) - mean) / scale
    targets = (labels if targets is None else targets).to(mean.device)
    if targets.is_floating_point():
        targets = targets.double()

    def penalised() -> Tensor:
        squares = torch.stack([c.square().sum() for c in constants]).sum()
        return objective.loss(network.evaluate(routes, x)[0], targets) + penalty * squares

    minimise(constants, penalised)
    if not all(c.isfinite().all() for c in constants):
        raise ValueError(
            "refitting the formula's constants diverged; use a larger penalty or other bases"
        )
    _set_constants(head, constants)


def has_constants(head: OccamHead) -> bool:
    """Whether the head's bases have free constants."""
    return any(c.numel() for c in head.network.free_constants)


@torch.no_grad()
def formula_loss(
    head: OccamHead, features: Tensor, targets: Tensor, objective: Objective = CROSS_ENTROPY
) -> float:
    """Mean loss of the formula's scores; targets are labels or what a teacher says."""
    scores = head.formula()(features.to(head.feature_mean))
    return float(objective.loss(scores, targets.to(scores.device)))


def choose_penalty(
    head: OccamHead,
    train: Rows,
    validation: Rows,
    targets: Tensor | None = None,
    penalties: Sequence[float] = PENALTIES,
    objective: Objective = CROSS_ENTROPY,
) -> tuple[float, float]:
    """Refit on the training rows under each penalty; keep the best on the validation labels.

    Returns:
        The penalty and its validation loss. The head is left with the constants that were
        fitted under it.
    """
    best: tuple[float, float, list[Tensor]] | None = None
    # Strongest first: each fit starts from the one before, and shrunk constants start well.
    for penalty in sorted(penalties, reverse=True):
        refit_constants(head, train, penalty, targets, objective)
        loss = formula_loss(head, *validation, objective)
        if best is None or loss < best[1]:
            best = penalty, loss, [c.detach().clone() for c in head.network.free_constants]
    if best is None:
        raise ValueError("at least one penalty is needed, got none")
    _set_constants(head, best[2])
    return best[0], best[1]


@torch.no_grad()
def _set_constants(head: OccamHead, constants: Sequence[Tensor]) -> None:
    for mine, new in zip(head.network.free_constants, constants, strict=True):
        mine.copy_(new)
