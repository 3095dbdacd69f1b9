"""The dense logistic head: the baseline of every table, and the teacher of the symbolic head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.objective import Rows, minimise, standardisation

# Ridge penalties to choose from, on standardised features; the strongest suit a few hundred rows
# of thousands of features, the weakest tens of thousands of rows.
PENALTIES = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)


def fit_dense_head(
    rows: Rows, num_classes: int, penalty: float, start: nn.Linear | None = None
) -> nn.Linear:
    """Multinomial logistic regression with a ridge penalty on standardised features.

    Args:
        rows: Features [rows, features] and labels [rows].
        num_classes: Number of classes.
        penalty: Weight of the sum of squared weights beside the mean cross-entropy.
        start: A head of the same sizes to start from.

    Returns:
        A linear layer on the raw features: the standardisation is folded into it.
    """
    x, y = rows
    mean, scale = standardisation(x)
    z = (x - mean) / scale
    weight = torch.zeros(num_classes, x.shape[1])
    bias = torch.zeros(num_classes)
    if start is not None:
        weight = start.weight.detach() * scale
        bias = start.bias.detach() + start.weight.detach() @ mean
    weight.requires_grad_(True)
    bias.requires_grad_(True)
    minimise(
        [weight, bias],
        lambda: F.cross_entropy(z @ weight.T + bias, y) + penalty * weight.square().sum(),
    )
    head = nn.Linear(x.shape[1], num_classes)
    with torch.no_grad():
        head.weight.copy_(weight / scale)
        head.bias.copy_(bias - (weight / scale) @ mean)
    return head.requires_grad_(False)


def choose_dense_head(
    train: Rows, validation: Rows, num_classes: int, penalties: Sequence[float] = PENALTIES
) -> tuple[nn.Linear, float]:
    """Fit under each penalty, strongest first; keep the one with the least validation loss.

    The path stops when two penalties in a row have made it worse.

    Returns:
        The head fitted on the training rows, and its penalty.
    """
    head: nn.Linear | None = None
    best: tuple[float, nn.Linear, float] | None = None
    worse = 0
    for penalty in penalties:
        head = fit_dense_head(train, num_classes, penalty, start=head)
        loss = float(F.cross_entropy(head(validation[0]), validation[1]))
        if best is None or loss < best[0]:
            best, worse = (loss, head, penalty), 0
        else:
            worse += 1
            if worse == 2:
                break
    if best is None:
        raise ValueError("at least one penalty is needed, got none")
    return best[1], best[2]


def teach(teacher: nn.Module | None, x: Tensor, y: Tensor) -> Tensor:
    """The targets of the cross-entropy: a teacher's class probabilities, or the labels."""
    if teacher is None:
        return y
    with torch.no_grad():
        return torch.softmax(teacher(x), dim=-1)
