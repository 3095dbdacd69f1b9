"""The elastic-net path of glm_saga: proximal SAGA in batches, with a table of past slopes.

The package glm-saga does the same steps, but multiplies each row by each class one by one, which on
a processor takes a hundred times as long as the products of matrices here.

Source: Wong et al. 2021 (ICML, arXiv 2105.04857), after Defazio et al. 2014 (arXiv 1407.0202).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from recipes.others.l1_path import PathPoint

# Of the paper: the mixing of L1, and the length of a step.
MIXING, STEP = 0.99, 0.1
# Rows of a batch.
BATCH = 256


def saga_path(
    z: Tensor,
    labels: Tensor,
    classes: int,
    seed: int,
    *,
    mixing: float = MIXING,
    ratio: float = 0.75,
    passes: int = 12,
    step: float = STEP,
    tolerance: float = 1e-4,
    patience: int = 3,
) -> Iterator[PathPoint]:
    """Solutions under ever weaker penalties, each from the one before, as those of `l1_path` are.

    Args:
        z: Standardised features, [rows, features].
        labels: Class of each row.
        classes: Number of classes, each of which has a score.
        seed: Of the order of the rows.
        mixing: Share of L1 in the penalty, above 0.
        ratio: Each penalty as a fraction of the one before.
        passes: Most passes over the rows under one penalty.
        step: Length of a step.
        tolerance, patience: A solution is left after so many passes in a row that did not lower
            the objective by more than the tolerance.
    """
    state = _Saga(z, labels, classes, seed)
    shares = state.targets.mean(dim=0)
    penalty = float((z.T @ (state.targets - shares)).abs().max()) / len(z) / mixing
    while True:
        penalty *= ratio
        best, waited = float("inf"), 0
        for _ in range(passes):
            value = state.once(penalty * mixing, penalty * (1 - mixing), step)
            waited = 0 if value < best - tolerance else waited + 1
            best = min(best, value)
            if waited == patience:
                break
        yield PathPoint(penalty, state.weight.clone(), state.bias.clone())


class _Saga:
    """Weights [features, classes] and intercepts on their way, and the last slopes of each row."""

    def __init__(self, z: Tensor, labels: Tensor, classes: int, seed: int) -> None:
        self.z, self.targets = z, F.one_hot(labels, classes).to(z)
        self.order = torch.Generator().manual_seed(seed)
        self.weight, self.bias = z.new_zeros(z.shape[1], classes), z.new_zeros(classes)
        self.table = torch.zeros_like(self.targets)
        self.slope, self.slope_of_bias = torch.zeros_like(self.weight), torch.zeros_like(self.bias)

    def once(self, l1: float, l2: float, step: float) -> float:
        """Pass over the rows once; the objective in the mean of the way."""
        rows, total = len(self.z), 0.0
        for batch in torch.randperm(rows, generator=self.order).split(BATCH):
            z, targets = self.z[batch], self.targets[batch]
            log = torch.log_softmax(torch.addmm(self.bias, z, self.weight), dim=1)
            total -= float((log * targets).sum())
            excess = log.exp_().sub_(targets)
            change = excess - self.table[batch]
            self.table[batch] = excess
            of_weight, of_bias = z.T @ change, change.sum(dim=0)
            # By the change of the batch, and by what all rows said last.
            self.weight.sub_(of_weight, alpha=step / len(batch)).sub_(self.slope, alpha=step)
            self.bias -= step * (of_bias / len(batch) + self.slope_of_bias)
            self.weight = F.softshrink(self.weight, step * l1).div_(1 + step * l2)
            self.slope.add_(of_weight, alpha=1 / rows)
            self.slope_of_bias += of_bias / rows
        penalty = l1 * self.weight.abs().sum() + l2 / 2 * self.weight.square().sum()
        return total / rows + float(penalty)
