"""Candidates: the inputs that each group of a network may choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Candidates(nn.Module):
    """The inputs that each group sees, where it does not see all.

    A thousand classes of 64 candidates each have logits for these alone, and all the groups' sums
    are still one product: weights are laid out over the features that any group sees.

    Args:
        features: The features of each group, [groups, candidates]; the order is that of the
            group's edges.
        in_features: Number of features there are.
        groups: Number of groups.

    Raises:
        ValueError: If there is not one row per group, or a row repeats a feature or names one
            that is not there.
    """

    features: Tensor
    seen: Tensor
    places: Tensor

    def __init__(
        self, features: Tensor | Sequence[Sequence[int]], in_features: int, groups: int
    ) -> None:
        super().__init__()
        self.in_features = in_features
        if len({len(row) for row in features}) != 1 or len(features) != groups:
            raise ValueError(
                f"candidates must be one row per group, equally long, for {groups} groups; got"
                f" rows of {[len(row) for row in features][:5]} for {len(features)} groups"
            )
        table = torch.as_tensor(features)
        if not table.numel() or table.is_floating_point():
            raise ValueError("candidates must be indices of features, at least one per group")
        self.register_buffer("features", table.long().clone())
        self._check()
        self._index()

    def _check(self) -> None:
        low, high = int(self.features.min()), int(self.features.max())
        if low < 0 or high >= self.in_features:
            bad = low if low < 0 else high
            raise ValueError(f"candidate {bad} is not one of the {self.in_features} features")
        ordered = self.features.sort(dim=-1).values
        if (twice := (ordered[:, 1:] == ordered[:, :-1]).nonzero()).numel():
            group, place = twice[0].tolist()
            raise ValueError(f"group {group} has candidate {ordered[group, place]} twice")

    def _index(self) -> None:
        seen, places = self.features.unique(return_inverse=True)
        self.register_buffer("seen", seen, persistent=False)
        self.register_buffer("places", places, persistent=False)

    def __len__(self) -> int:
        """Candidates of each group."""
        return self.features.shape[1]

    def gather(self, x: Tensor) -> Tensor:
        """The features that any group sees, [batch, seen]."""
        return x if len(self.seen) == self.in_features else x.index_select(-1, self.seen)

    def lay_out(self, weights: Tensor) -> Tensor:
        """Weights of the candidates, [groups, rows, candidates], over the features seen."""
        groups, rows, _ = weights.shape
        over = weights.new_zeros(groups, rows, len(self.seen))
        return over.scatter(-1, self.places.unsqueeze(1).expand_as(weights), weights)

    def name(self, edges: Tensor) -> Tensor:
        """The features to which edges lead, [..., groups, P-nodes]; others keep their number.

        An edge beyond the candidates leads to a constant, which comes after all features.
        """
        table = self.features.expand(*edges.shape[:-2], *self.features.shape)
        chosen = table.gather(-1, edges.clamp_max(len(self) - 1))
        return torch.where(edges < len(self), chosen, edges - len(self) + self.in_features)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._check()
        self._index()

    def extra_repr(self) -> str:
        return f"{len(self)} of {self.in_features} features per group, {len(self.seen)} in all"
