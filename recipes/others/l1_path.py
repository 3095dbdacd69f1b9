"""Logistic regression with an L1 or elastic-net penalty: its path from no feature to many.

Proximal gradient steps with momentum (FISTA, Beck and Teboulle 2009) on the features that the
sequential strong rule leaves (Tibshirani et al. 2012), from one penalty to the next weaker one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from occamhead.checks import check_counts


@dataclass(frozen=True)
class PathPoint:
    """The solution under one penalty.

    Args:
        penalty: Weight of the penalty beside the mean cross-entropy.
        weight: Weights of the features as given, [features, outputs]; one output for two classes.
        bias: Intercepts, [outputs]; not penalised.
    """

    penalty: float
    weight: Tensor
    bias: Tensor

    @property
    def support(self) -> Tensor:
        """Which weights are not zero, [features, outputs]."""
        return self.weight != 0


def sparse_path(
    z: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    mixing: float = 1.0,
    ratio: float = 0.97,
    last: float = 1e-4,
    tolerance: float = 5e-3,
    steps: int = 300,
) -> Iterator[PathPoint]:
    """Solutions under ever weaker penalties, from the weakest that keeps every weight at zero.

    The penalty on the weights w is ``penalty * (mixing * |w|_1 + (1 - mixing) / 2 * |w|_2^2)``,
    as in glmnet and in glm_saga (Wong et al. 2021, arXiv 2105.04857). Two classes have one score,
    through a sigmoid; more have one each, through a softmax.

    Args:
        z: Standardised features, [rows, features].
        labels: Class of each row.
        num_classes: Number of classes.
        mixing: Share of L1 in the penalty, above 0 and at most 1.
        ratio: Each penalty as a fraction of the one before.
        last: The weakest penalty, as a fraction of the first; callers mostly stop before.
        tolerance: A solution is accepted when no proximal step, as a gradient, is longer than this
            share of the L1 penalty.
        steps: Most steps between two looks at the features left out.

    Raises:
        ValueError: If `mixing` or `ratio` is out of range.
    """
    if not 0 < mixing <= 1:
        raise ValueError(f"mixing must be above 0 and at most 1, got {mixing}")
    if not 0 < ratio < 1:
        raise ValueError(f"ratio must be between 0 and 1, got {ratio}")
    check_counts(num_classes=num_classes, steps=steps)
    targets = F.one_hot(labels, num_classes).to(z)
    shares = targets.mean(dim=0)
    # The intercept alone reproduces the shares of the classes.
    bias = shares.log()
    if num_classes == 2:
        targets, bias = targets[:, 1:], (bias[1] - bias[0]).view(1)
    weight = z.new_zeros(z.shape[1], targets.shape[1])
    slope = z.T @ (_chances(bias.expand_as(targets)) - targets) / len(z)
    penalty = slope.abs().max().item() / mixing
    before, weakest = penalty, last * penalty
    while True:
        l1, l2 = penalty * mixing, penalty * (1 - mixing)
        alive = (weight != 0).any(dim=1)
        alive |= (slope.abs() >= 2 * l1 - before * mixing).any(dim=1)
        while True:
            columns = alive.nonzero().flatten()
            shown = z[:, columns]
            part, bias = _descend(shown, targets, weight[columns], bias, l1, l2, tolerance, steps)
            weight = weight.index_copy(0, columns, part)
            slope = z.T @ (_chances(shown @ part + bias) - targets) / len(z)
            missed = ~alive & (slope.abs() > l1 * (1 + tolerance)).any(dim=1)
            if not missed.any():
                break
            alive |= missed
        yield PathPoint(penalty, weight, bias)
        before, penalty = penalty, penalty * ratio
        if penalty <= weakest:
            return


def _chances(scores: Tensor) -> Tensor:
    return scores.sigmoid() if scores.shape[1] == 1 else scores.softmax(dim=1)


def _descend(
    z: Tensor,
    targets: Tensor,
    weight: Tensor,
    bias: Tensor,
    l1: float,
    l2: float,
    tolerance: float,
    steps: int,
) -> tuple[Tensor, Tensor]:
    """FISTA that begins anew whenever its momentum leads uphill."""
    if not z.shape[1]:
        return weight, bias
    # The curvature of the cross-entropy is at most a quarter (sigmoid) or a half (softmax) of
    # that of the squares.
    bend = 0.25 if targets.shape[1] == 1 else 0.5
    curvature = bend * max(_largest_eigenvalue(z), 1.0) + l2
    ahead, ahead_bias, momentum = weight, bias, 1.0
    for _ in range(steps):
        residual = _chances(z @ ahead + ahead_bias) - targets
        slope = z.T @ residual / len(z) + l2 * ahead
        new = F.softshrink(ahead - slope / curvature, l1 / curvature)
        new_bias = ahead_bias - residual.mean(dim=0) / curvature
        step, step_bias = new - ahead, new_bias - ahead_bias
        longest = max(step.abs().max().item(), step_bias.abs().max().item()) * curvature
        uphill = (step * (new - weight)).sum() + (step_bias * (new_bias - bias)).sum() < 0
        following = 1.0 if uphill else (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        push = 0.0 if uphill else (momentum - 1) / following
        ahead = new + push * (new - weight)
        ahead_bias = new_bias + push * (new_bias - bias)
        weight, bias, momentum = new, new_bias, following
        if longest <= tolerance * l1:
            break
    return weight, bias


def _largest_eigenvalue(z: Tensor, steps: int = 15) -> float:
    """That of ``z.T @ z / len(z)``, by power iteration; a little too large, to be safe."""
    direction = z.square().sum(dim=0)
    size = 0.0
    for _ in range(steps):
        direction = z.T @ (z @ (direction / direction.norm())) / len(z)
        size = direction.norm().item()
    return 1.05 * size
