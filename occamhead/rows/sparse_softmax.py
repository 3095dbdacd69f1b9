"""Multinomial logistic regression in which most weights are held at zero, at the cost of the rest.

With hundreds of classes that read a few features each, the scores are a product of a sparse matrix
and a dense one: what it costs goes by the weights that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numba
import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor

# Rows of which scores, or deviations, are in memory at a time.
BLOCK = 4096

# A function of some numbers: its value and its slopes.
Value = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Solution:
    """Weights, intercepts, and how good they are.

    Args:
        weight: On standardised features, [classes, features], zero where `mask` is not set.
        bias: [classes].
        mask: Which weights are free, [classes, features].
        loss: Mean cross-entropy in nats, and the penalty.
    """

    weight: Tensor
    bias: Tensor
    mask: Tensor
    loss: float


def standardised_columns(features: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The features as :class:`SparseSoftmax` takes them, [features, rows], and no further copy.

    Args:
        features: [rows, features].
        mean, scale: Of each feature.
    """
    columns = torch.empty(features.shape[1], len(features))
    for first in range(0, len(features), BLOCK):
        block = (features[first : first + BLOCK] - mean).div_(scale)
        columns[:, first : first + BLOCK] = block.T
    return columns


class SparseSoftmax:
    """The mean cross-entropy of softmax scores, and a ridge penalty, over a few of the weights.

    Args:
        z: Standardised features, [features, rows], in single precision and contiguous.
        targets: Labels [rows], or the probabilities of the classes [rows, classes].
        classes: Number of classes.
        ridge: Weight of the sum of squared weights beside the mean cross-entropy.
        weight: What each row counts, [rows], 1 in the mean; None counts all alike.
    """

    def __init__(
        self, z: Tensor, targets: Tensor, classes: int, ridge: float, weight: Tensor | None = None
    ) -> None:
        self.z, self.targets, self.classes, self.ridge, self.weight = (
            z, targets, classes, ridge, weight,
        )  # fmt: skip
        self._columns = z.numpy()

    def fit(self, start: Solution, mask: Tensor, steps: int) -> Solution:
        """The best weights where the mask is set, by L-BFGS from given ones.

        Args:
            start: Where to begin.
            mask: Which weights are free, [classes, features].
            steps: Most iterations.
        """
        free = mask.nonzero(as_tuple=True)
        starts, features = self._places(mask)
        count = len(features)

        def value(numbers: np.ndarray) -> tuple[float, np.ndarray]:
            loss, *slopes = self._loss(starts, features, numbers[:count], numbers[count:])
            return loss, np.concatenate(slopes)

        first = np.concatenate([start.weight[free].double().numpy(), start.bias.double().numpy()])
        found = _least(value, first, steps)
        weight = torch.zeros_like(start.weight)
        weight[free] = torch.from_numpy(found.x[:count]).to(weight)
        return Solution(
            weight, torch.from_numpy(found.x[count:]).to(weight), mask, float(found.fun)
        )

    def fit_scale(
        self, code: Tensor, scale: Tensor, bias: Tensor, steps: int, by_class: bool = False
    ) -> tuple[Tensor, Tensor, float]:
        """The best intercepts, and the best number to multiply weights by, by L-BFGS.

        Args:
            code: The weights but for this number, [classes, features].
            scale, bias: Where to begin, [classes].
            steps: Most iterations.
            by_class: Whether each class has a number of its own, or all the same.

        Returns:
            The number of each class, the intercepts, each [classes], and the loss.
        """
        mask = code != 0
        starts, features = self._places(mask)
        signs = code[mask].double().numpy()
        count = self.classes if by_class else 1
        group = mask.nonzero()[:, 0].numpy() * by_class

        def value(numbers: np.ndarray) -> tuple[float, np.ndarray]:
            weight, bias = numbers[group] * signs, numbers[count:]
            loss, of_weight, of_bias = self._loss(starts, features, weight, bias)
            of_scale = np.bincount(group, of_weight * signs, minlength=count)
            return loss, np.concatenate([of_scale, of_bias])

        first = torch.cat([scale[:count], bias]).double().numpy()
        found = _least(value, first, steps)
        numbers = torch.from_numpy(found.x).to(bias)
        return numbers[:count].expand(self.classes), numbers[count:], float(found.fun)

    def curvatures(self, at: Solution, places: Tensor) -> Tensor:
        """How the slopes of some weights of a class change with these weights.

        Args:
            at: The weights.
            places: Features of each class, [classes, n].

        Returns:
            Second derivatives of the mean cross-entropy within each class, [classes, n, n].
        """
        found = torch.zeros(*places.shape, places.shape[1])
        starts, features = self._places(at.mask)
        weight, bias = at.weight[at.mask].double().numpy(), at.bias.double().numpy()
        for first, last in self._blocks():
            _, excess = self._excess(starts, features, weight, bias, first, last)
            chance = excess + self._wanted(first, last)
            spread = self._counted(chance.sub_(chance.square()), first, last)
            for label, own in enumerate(places):
                z = self.z[own, first:last]
                found[label] += (z * spread[label]) @ z.T
        return found / self.z.shape[1]

    def of(self, features: Tensor) -> SparseSoftmax:
        """The same of some of the features, by number."""
        z = self.z[features].contiguous()
        return SparseSoftmax(z, self.targets, self.classes, self.ridge, self.weight)

    def slopes(self, at: Solution) -> tuple[Tensor, Tensor]:
        """How the loss changes with each weight, of which most are zero.

        Returns:
            Slopes of the mean cross-entropy [classes, features], and its curvature along any
            weight of each class [classes], as far as rows and features are independent.
        """
        slopes, curvature = torch.zeros_like(at.weight), torch.zeros(self.classes)
        starts, features = self._places(at.mask)
        weight = at.weight[at.mask].double().numpy()
        bias = at.bias.double().numpy()
        for first, last in self._blocks():
            _, excess = self._excess(starts, features, weight, bias, first, last)
            probability = excess + self._wanted(first, last)
            slopes += self._counted(excess, first, last) @ self.z[:, first:last].T
            spread = probability.sub_(probability.square())
            curvature += self._counted(spread, first, last).sum(dim=1)
        rows = self.z.shape[1]
        return slopes / rows, curvature / rows

    def _loss(
        self, starts: np.ndarray, features: np.ndarray, weight: np.ndarray, bias: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss, and its slopes by the weights and by the intercepts."""
        loss, of_weight, of_bias = 0.0, np.zeros(len(features)), np.zeros(self.classes)
        for first, last in self._blocks():
            losses, share = self._excess(starts, features, weight, bias, first, last)
            loss += float(self._counted(losses, first, last).sum(dtype=torch.double))
            excess = self._counted(share, first, last).numpy()
            _add_slopes(self._columns, first, last, starts, features, excess, of_weight)
            of_bias += excess.sum(axis=1)
        rows = self.z.shape[1]
        penalty = self.ridge * float(weight @ weight)
        return loss / rows + penalty, of_weight / rows + 2 * self.ridge * weight, of_bias / rows

    def _blocks(self) -> Iterator[tuple[int, int]]:
        rows = self.z.shape[1]
        return ((first, min(first + BLOCK, rows)) for first in range(0, rows, BLOCK))

    def _places(self, mask: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Where the weights of each class begin, and the feature of each."""
        counts = mask.sum(dim=1).cumsum(dim=0)
        starts = np.concatenate([[0], counts.numpy()]).astype(np.int64)
        return starts, mask.nonzero()[:, 1].numpy()

    def _wanted(self, first: int, last: int) -> Tensor:
        """The targets of some rows as probabilities, [classes, rows]."""
        targets = self.targets[first:last]
        if targets.ndim == 2:
            return targets.T
        wanted = torch.zeros(self.classes, last - first)
        return wanted.scatter_(0, targets.unsqueeze(0), 1.0)

    def _excess(
        self,
        starts: np.ndarray,
        features: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray,
        first: int,
        last: int,
    ) -> tuple[Tensor, Tensor]:
        """The loss of each of some rows, and by how much each probability is above its target.

        Returns:
            [rows] and [classes, rows].
        """
        scores = np.empty((self.classes, last - first), np.float32)
        numbers = weight.astype(np.float32), bias.astype(np.float32)
        _add_up(self._columns, first, last, starts, features, *numbers, scores)
        share, targets = torch.from_numpy(scores), self.targets[first:last]
        total = share.logsumexp(dim=0)
        if targets.ndim == 2:
            losses = total - (share * targets.T).sum(dim=0)
            share.sub_(total).exp_().sub_(targets.T)
        else:
            losses = total - share.gather(0, targets.unsqueeze(0)).squeeze(0)
            share.sub_(total).exp_()
            share.scatter_add_(0, targets.unsqueeze(0), torch.full_like(share[:1], -1.0))
        return losses, share

    def _counted(self, said: Tensor, first: int, last: int) -> Tensor:
        """What is said of some rows, [..., rows], times what they count; it may be changed."""
        return said if self.weight is None else said.mul_(self.weight[first:last])


def _least(value: Value, first: np.ndarray, steps: int) -> OptimizeResult:
    """Where a function is least, by L-BFGS."""
    # A cross-entropy that changes by less classifies the same.
    limits = {"maxiter": steps, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-7}
    return minimize(value, first, jac=True, method="L-BFGS-B", options=limits)


@numba.njit(cache=True, fastmath=True)
def _add_up(z, first, last, starts, features, weight, bias, scores):
    """Scores of rows `first` to `last` for each class: its intercept and its weighted features."""
    for label in range(len(starts) - 1):
        sums = scores[label]
        sums[:] = bias[label]
        for place in range(starts[label], starts[label + 1]):
            column, factor = z[features[place]], weight[place]
            for row in range(last - first):
                sums[row] += factor * column[first + row]


@numba.njit(cache=True, fastmath=True)
def _add_slopes(z, first, last, starts, features, excess, slopes):
    """Add to the slope of each weight what these rows say."""
    for label in range(len(starts) - 1):
        above = excess[label]
        for place in range(starts[label], starts[label + 1]):
            column, total = z[features[place]], np.float32(0.0)
            for row in range(last - first):
                total += above[row] * column[first + row]
            slopes[place] += total
