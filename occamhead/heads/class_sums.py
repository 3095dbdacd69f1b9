"""Weighted sums of features in which each class reads features of its own, for any number of them.

A budget is the mean number of features of a class (NEC): which classes get more and which make do
with fewer, the rows decide (see :mod:`occamhead.rows.allotted`).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.heads.limits import Limits
from occamhead.heads.writing import Sums
from occamhead.rows.allotted import Growth
from occamhead.rows.dense import fit_dense_head, teach
from occamhead.rows.objective import Rows, standardisation
from occamhead.rows.sparse_softmax import Solution, SparseSoftmax

# Penalty of the squared weights, for the scores of a dense head and for labels.
RIDGE = 1e-3
BLOCK = 4096


class ClassSums:
    """Sums for each budget on some rows; each class has features of its own.

    Beside the features it keeps one copy of them, standardised.

    Args:
        rows: Features and labels.
        classes: Number of classes, at least 3.
        penalty: Ridge penalty of the dense head that teaches; None learns from the labels.
        weight: What each row counts, 1 in the mean; None counts all alike.
        limits: What the sums may read, and how; the dense head reads no other features.
        start: A dense head of all features on rows like these, from which that of these is near.
    """

    def __init__(
        self,
        rows: Rows,
        classes: int,
        penalty: float | None,
        weight: Tensor | None = None,
        limits: Limits | None = None,
        start: nn.Linear | None = None,
    ) -> None:
        features, labels = rows
        self.classes = classes
        self.limits = limits or Limits()
        self.standardisation = standardisation(features)
        self.allowed = self.limits.allowed(features.shape[1])
        shares = F.one_hot(labels, classes).float()
        if weight is not None:
            shares = shares * weight.unsqueeze(1)
        # A class that is not among the rows counts as half a row.
        self.bias = shares.mean(dim=0).clamp_min(0.5 / len(shares)).log()
        targets = labels
        if penalty is not None:
            seen = features
            if self.allowed is not None:
                seen, start = features[:, self.allowed], None
            dense = fit_dense_head((seen, labels), classes, penalty, start, weight_of_rows=weight)
            targets = teach(dense, seen, labels)
        self.model = SparseSoftmax(self._columns(features), targets, classes, RIDGE, weight)

    def _columns(self, features: Tensor) -> Tensor:
        """The features that may be read, standardised, [features, rows]."""
        mean, scale = self.standardisation
        chosen = slice(None) if self.allowed is None else self.allowed
        columns = torch.empty(len(mean[chosen]), len(features))
        for first in range(0, len(features), BLOCK):
            rows = features[first : first + BLOCK, chosen]
            columns[:, first : first + BLOCK] = ((rows - mean[chosen]) / scale[chosen]).T
        return columns

    def ridge(self, budget: int) -> float:
        """Penalty of the weights of a budget."""
        return RIDGE

    def scores(self, sums: Sums, features: Tensor) -> Tensor:
        """What sums say of other rows, [rows, classes]."""
        used = sums.weight.any(dim=0).nonzero().flatten()
        mean, scale = (each[used] for each in self.standardisation)
        return (features[:, used] - mean).div_(scale) @ sums.weight[:, used].T + sums.bias

    def supports(self, budgets: Sequence[int]) -> dict[int, Tensor]:
        """For each budget which weights may differ from zero, [features that may be read, classes].

        Args:
            budgets: Mean numbers of features of a class.
        """
        return {budget: made.mask.T for budget, made in self._path(budgets, None, {}).items()}

    def sums(
        self, budgets: Sequence[int], near: Mapping[int, Tensor] | None = None
    ) -> dict[int, Sums]:
        """The sums of each budget, on standardised features.

        Where Ctrl-C comes, those of the budgets that are done, with a warning.

        Args:
            budgets: Mean numbers of features of a class.
            near: For each budget which weights were not zero in sums of most of these rows,
                [classes, features], to begin with. Without limits alone.

        Raises:
            ValueError: If a feature has to be read with a sign that the rows do not give it.
            KeyboardInterrupt: If it came before the first budget was done.
        """
        barred: Tensor | None = None
        if self.limits != Limits():
            near = None
        while True:
            found = self._path(budgets, barred, near or {})
            wrong = torch.stack([self._wrong(made.weight) for made in found.values()]).any(dim=0)
            if not wrong.any():
                break
            # The loss is convex: where the best weight has the wrong sign, the best with the right
            # one is 0. So it is none, and the weights are allotted anew without it.
            barred = wrong if barred is None else barred | wrong
        return {budget: self._full(made) for budget, made in found.items()}

    def _path(
        self, budgets: Sequence[int], barred: Tensor | None, near: Mapping[int, Tensor]
    ) -> dict[int, Solution]:
        from tqdm import tqdm

        forced = None
        if self.limits.force:
            forced = torch.zeros(self.classes, len(self.model.z), dtype=torch.bool)
            forced[:, [self._place(feature) for feature in self.limits.force]] = True
        growth = Growth(self.model, barred, forced, near)
        found: dict[int, Solution] = {}
        # Shown on a terminal, and only where it takes long enough to be read.
        bar = tqdm(
            total=growth.work(budgets), desc="features of classes", file=sys.stderr, disable=None,
            delay=3, dynamic_ncols=True, bar_format="{desc}: {percentage:3.0f}%|{bar}| {remaining}",
        )  # fmt: skip
        with bar:
            try:
                for budget, made in growth.path(self.bias, budgets, bar.update):
                    found[budget] = made
            except KeyboardInterrupt:
                if not found:
                    raise
                done = ", ".join(map(str, found))
                warnings.warn(f"interrupted; of {len(budgets)} budgets: {done}", stacklevel=2)
        return found

    def _full(self, made: Solution) -> Sums:
        """Weights of all features, of which those that may not be read have none."""
        if self.allowed is None:
            return Sums(made.weight, made.bias)
        full = torch.zeros(self.classes, len(self.standardisation[1]))
        return Sums(full.index_copy(1, torch.tensor(self.allowed), made.weight), made.bias)

    def _place(self, feature: int) -> int:
        """Where a feature stands among those that may be read."""
        return feature if self.allowed is None else self.allowed.index(feature)

    def _wrong(self, weight: Tensor) -> Tensor:
        """The weights whose sign the limits do not allow, [classes, features]."""
        wrong = torch.zeros_like(weight, dtype=torch.bool)
        for feature, label, sign in self.limits.sign:
            if self.allowed is not None and feature not in self.allowed:
                continue
            place = self._place(feature)
            column = weight[:, place]
            # What all classes have in common says nothing, if they all read the feature.
            common = float(column.mean()) if column.all() else 0.0
            if sign * (float(column[label]) - common) < 0:
                wrong[label, place] = True
                if feature in self.limits.force:
                    raise ValueError(
                        f"feature {feature} is to be read with a sign that the rows do not give it:"
                        " with that sign its best coefficient is 0; leave it out of force, or of"
                        " sign"
                    )
        return wrong
