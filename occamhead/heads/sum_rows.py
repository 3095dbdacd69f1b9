"""Rows that weighted sums are fitted to, and what the sums may read of them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from occamhead.heads.limits import Limits
from occamhead.heads.writing import Sums
from occamhead.rows.objective import Rows, standardisation


class SumRows:
    """What sums of any kind need to know of their rows.

    Args:
        rows: Features and labels.
        classes: Number of classes.
        weight: What each row counts, 1 in the mean; None counts all alike.
        limits: What the sums may read, and how.

    Attributes:
        standardisation: Mean and scale of each feature.
        allowed: The features that may be read; None for all.
        shares: Of the classes, [classes].
        bias: Intercepts that give these shares, [classes].
    """

    def __init__(
        self, rows: Rows, classes: int, weight: Tensor | None, limits: Limits | None
    ) -> None:
        features, labels = rows
        self.classes, self.weight = classes, weight
        self.limits = limits or Limits()
        self.standardisation = standardisation(features)
        self.allowed = self.limits.allowed(features.shape[1])
        self.shares = self.weighed(F.one_hot(labels, classes).to(features)).mean(dim=0)
        # A class that is not among the rows counts as half a row.
        self.bias = self.shares.clamp_min(0.5 / len(labels)).log()

    def weighed(self, values: Tensor) -> Tensor:
        """Values [rows, n], each row times its weight."""
        return values if self.weight is None else values * self.weight.unsqueeze(1)

    def readable(self, values: Tensor) -> Tensor:
        """Those of the features that may be read, of values [..., features]."""
        return values if self.allowed is None else values[..., self.allowed]

    def scores(self, sums: Sums, features: Tensor) -> Tensor:
        """What sums say of other rows, [rows, classes]."""
        used = sums.weight.any(dim=0).nonzero().flatten()
        mean, scale = (each[used] for each in self.standardisation)
        return (features[:, used] - mean).div_(scale) @ sums.weight[:, used].T + sums.bias

    def full(self, weight: Tensor) -> Tensor:
        """Weights [classes, features], of which those that may not be read have none."""
        if self.allowed is None:
            return weight
        full = torch.zeros(self.classes, len(self.standardisation[1]))
        return full.index_copy(1, torch.tensor(self.allowed), weight)

    def place(self, feature: int) -> int:
        """Where a feature stands among those that may be read."""
        return feature if self.allowed is None else self.allowed.index(feature)

    def wrong_signs(self, weight: Tensor) -> Iterator[tuple[float, int, int]]:
        """The weights whose sign the limits do not allow.

        Args:
            weight: [classes, features that may be read].

        Yields:
            How far on the wrong side one is, its feature's place, and its class.
        """
        for feature, label, sign in self.limits.sign:
            if self.allowed is not None and feature not in self.allowed:
                continue
            column = weight[:, self.place(feature)]
            # What all classes have in common says nothing, if they all read the feature.
            common = column.mean() if column.all() else 0.0
            wrong = -sign * float(column[label] - common)
            if wrong > 0:
                yield wrong, self.place(feature), label

    def check_not_forced(self, place: int) -> None:
        """Raise ValueError if a feature that is given a wrong sign has to be read."""
        feature = place if self.allowed is None else self.allowed[place]
        if feature in self.limits.force:
            raise ValueError(
                f"feature {feature} is to be read with a sign that the rows do not give it:"
                " with that sign its best coefficient is 0; leave it out of force, or of sign"
            )
