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

from occamhead.heads.limits import Limits
from occamhead.heads.sum_rows import SumRows
from occamhead.heads.writing import Sums
from occamhead.rows.allotted import Growth
from occamhead.rows.dense import fit_dense_head, teach
from occamhead.rows.objective import Rows
from occamhead.rows.sparse_softmax import Solution, SparseSoftmax, standardised_columns

# Penalty of the squared weights, for the scores of a dense head and for labels.
RIDGE = 1e-3


class ClassSums(SumRows):
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
        super().__init__(rows, classes, weight, limits)
        features, targets = self.readable(rows[0]), rows[1]
        if penalty is not None:
            start = start if self.allowed is None else None
            seen = features, targets
            dense = fit_dense_head(seen, classes, penalty, start, weight_of_rows=weight)
            targets = teach(dense, *seen)
        mean, scale = map(self.readable, self.standardisation)
        columns = standardised_columns(features, mean, scale)
        self.model = SparseSoftmax(columns, targets, classes, RIDGE, weight)

    def ridge(self, budget: int) -> float:
        """Penalty of the weights of a budget."""
        return RIDGE

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
        return {budget: Sums(self.full(made.weight), made.bias) for budget, made in found.items()}

    def _path(
        self, budgets: Sequence[int], barred: Tensor | None, near: Mapping[int, Tensor]
    ) -> dict[int, Solution]:
        from tqdm import tqdm

        forced = None
        if self.limits.force:
            forced = torch.zeros(self.classes, len(self.model.z), dtype=torch.bool)
            forced[:, [self.place(feature) for feature in self.limits.force]] = True
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

    def _wrong(self, weight: Tensor) -> Tensor:
        """The weights whose sign the limits do not allow, [classes, features]."""
        wrong = torch.zeros_like(weight, dtype=torch.bool)
        for _, place, label in self.wrong_signs(weight):
            self.check_not_forced(place)
            wrong[label, place] = True
        return wrong
