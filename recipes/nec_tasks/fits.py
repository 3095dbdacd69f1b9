"""Linear heads of a few weights each class, fitted to standardised rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.rows.objective import Rows, minimise, standardisation
from occamhead.rows.sparse_softmax import Solution, SparseSoftmax, standardised_columns

# Weights of a class in the mean from which products of whole matrices are quicker.
DENSE = 60


class Standardised:
    """Rows with standardised features, and heads that are fitted to them.

    Args:
        rows: Raw features [rows, features] and labels [rows].
        classes: Number of classes.
    """

    def __init__(self, rows: Rows, classes: int) -> None:
        features, self.labels = rows
        self.classes, self.features = classes, features.shape[1]
        self.mean, self.scale = standardisation(features)
        self.columns = standardised_columns(features, self.mean, self.scale)

    @property
    def z(self) -> Tensor:
        """The features, [rows, features]."""
        return self.columns.T

    def start(self) -> Solution:
        """No weights, and the intercepts that give the shares of the classes."""
        shares = torch.bincount(self.labels, minlength=self.classes).clamp_min(0.5)
        weight = torch.zeros(self.classes, self.features)
        return Solution(weight, (shares / len(self.labels)).log(), weight.bool(), 0.0)

    def fit(self, start: Solution, mask: Tensor, ridge: float, steps: int) -> Solution:
        """The best weights where the mask is set, [classes, features], from those of `start`."""
        if int(mask.sum()) <= DENSE * self.classes:
            model = SparseSoftmax(self.columns, self.labels, self.classes, ridge)
            return model.fit(start, mask, steps)
        weight = (start.weight * mask).requires_grad_(True)
        bias = start.bias.clone().requires_grad_(True)

        def loss() -> Tensor:
            scores = self.z @ (weight * mask).T + bias
            return F.cross_entropy(scores, self.labels) + ridge * weight.square().sum()

        value = minimise([weight, bias], loss, steps)
        return Solution(weight.detach() * mask, bias.detach(), mask, value)

    def layer(self, weight: Tensor, bias: Tensor) -> nn.Linear:
        """Weights [classes, features] and intercepts as a layer on the raw features."""
        layer = nn.Linear(self.features, self.classes).requires_grad_(False)
        layer.weight.copy_(weight / self.scale)
        layer.bias.copy_(bias - layer.weight @ self.mean)
        return layer


def largest(weight: Tensor, budget: int) -> Tensor:
    """Which weights [classes, features] are kept: the largest, `budget` a class in the mean."""
    count = min(budget * len(weight), int((weight != 0).sum()))
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    mask.view(-1)[weight.abs().flatten().topk(count).indices] = True
    return mask
