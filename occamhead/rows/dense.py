"""The dense linear head: the baseline of every table, and the teacher of the symbolic head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from occamhead.rows.objective import CROSS_ENTROPY, Objective, Rows, minimise, standardisation

Weights: TypeAlias = tuple[Tensor | None, Tensor | None]

# Ridge penalties to choose from, on standardised features; the strongest suit a few hundred rows
# of thousands of features, the weakest tens of thousands of rows.
PENALTIES = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
# From so many rows on, the strongest penalty that is tried before it is known to be needed.
MANY_ROWS, MIDDLE = 10_000, 0.1
# Iterations of a fit to many rows that is judged alone, and of the one that is kept: the first
# changed the held-out losses by a fifth of their standard errors at most.
JUDGED_STEPS, STEPS = 25, 100


def fit_dense_head(
    rows: Rows,
    num_classes: int,
    penalty: float,
    start: nn.Linear | None = None,
    objective: Objective = CROSS_ENTROPY,
    weight_of_rows: Tensor | None = None,
    in_place: bool = False,
    steps: int = STEPS,
) -> nn.Linear:
    """Multinomial logistic regression, or another linear one, with a ridge penalty.

    Args:
        rows: Features [rows, features] and labels [rows], or the targets of the objective.
        num_classes: Number of classes, or of outputs.
        penalty: Weight of the sum of squared weights, on standardised features, beside the loss.
        start: A head of the same sizes to start from.
        objective: What is minimised.
        weight_of_rows: What each row counts, [rows], 1 in the mean; None counts all alike.
        in_place: Whether the features may be overwritten, which saves a copy of them.
        steps: Most iterations.

    Returns:
        A linear layer on the raw features: the standardisation is folded into it.
    """
    x, y = rows
    mean, scale = standardisation(x)
    z = (x.sub_(mean) if in_place else x - mean).div_(scale)
    weight = torch.zeros(num_classes, x.shape[1])
    bias = torch.zeros(num_classes)
    if start is not None:
        weight = start.weight.detach() * scale
        bias = start.bias.detach() + start.weight.detach() @ mean
    weight.requires_grad_(True)
    bias.requires_grad_(True)
    minimise(
        [weight, bias],
        lambda: (
            objective.loss(z @ weight.T + bias, y, weight_of_rows) + penalty * weight.square().sum()
        ),
        steps,
    )
    head = nn.Linear(x.shape[1], num_classes)
    with torch.no_grad():
        head.weight.copy_(weight / scale)
        head.bias.copy_(bias - (weight / scale) @ mean)
    return head.requires_grad_(False)


def choose_dense_head(
    train: Rows,
    validation: Rows,
    num_classes: int,
    penalties: Sequence[float] = PENALTIES,
    objective: Objective = CROSS_ENTROPY,
    weights: Weights = (None, None),
) -> tuple[nn.Linear, float]:
    """Fit under each penalty, strongest first, and choose by validation loss.

    Chosen is the strongest penalty whose loss is within one standard error of the least (the
    one-standard-error rule, Breiman et al. 1984). The path stops when two penalties in a row
    have made the loss worse. On many rows it begins in the middle, and looks at stronger penalties
    only if its first is chosen: a fit takes long, and these hold too much back. There the fits that
    are compared end early, and the chosen one alone goes on.

    Args:
        train, validation: Rows to fit, and rows to choose by.
        num_classes, objective: See :func:`fit_dense_head`.
        penalties: To choose from.
        weights: What the rows of each count, 1 in the mean; None counts all alike.

    Returns:
        The head fitted on the training rows, and its penalty.
    """
    if not penalties:
        raise ValueError("at least one penalty is needed, got none")
    many = len(train[0]) >= MANY_ROWS
    begin = max(MIDDLE, min(penalties)) if many else max(penalties)
    steps = JUDGED_STEPS if many else STEPS

    def judged(penalty: float, start: nn.Linear | None) -> tuple[nn.Linear, float, float]:
        """The head, its loss on the validation rows, and the standard error of this."""
        head = fit_dense_head(
            train, num_classes, penalty, start, objective, weights[0], steps=steps
        )
        losses = objective.losses(head(validation[0]), validation[1])
        if weights[1] is not None:
            losses = losses * weights[1]
        return head, losses.mean().item(), losses.std(correction=0).item() / len(losses) ** 0.5

    path: list[tuple[float, nn.Linear, float]] = []
    head, least, limit, worse = None, float("inf"), float("inf"), 0
    for penalty in sorted((each for each in penalties if each <= begin), reverse=True):
        head, loss, error = judged(penalty, head)
        path.append((loss, head, penalty))
        if loss < least:
            least, limit, worse = loss, loss + error, 0
        else:
            worse += 1
            if worse == 2:
                break
    chosen, strength = next((head, penalty) for loss, head, penalty in path if loss <= limit)
    if strength == path[0][2]:
        for penalty in sorted(each for each in penalties if each > begin):
            head, loss, error = judged(penalty, chosen)
            if loss > limit:
                break
            chosen, strength = head, penalty
            if loss < least:
                least, limit = loss, loss + error
    if many:
        chosen = fit_dense_head(train, num_classes, strength, chosen, objective, weights[0])
    return chosen, strength


def teach(
    teacher: nn.Module | None, x: Tensor, y: Tensor, objective: Objective = CROSS_ENTROPY
) -> Tensor:
    """The targets of training: a teacher's (such as its class probabilities), or the labels."""
    if teacher is None:
        return y
    with torch.no_grad():
        return objective.taught(teacher(x))
