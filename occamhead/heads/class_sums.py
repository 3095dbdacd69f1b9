"""Weighted sums of features in which each class reads features of its own, for any number of them.

A budget is the mean number of features of a class (NEC): which classes get more and which make do
with fewer, the rows decide (see :mod:`occamhead.rows.allotted`). All may be held to one
pool of features (:mod:`occamhead.rows.pool`), and weights to signs (:mod:`occamhead.rows.codes`).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from occamhead.heads.coding import Coding
from occamhead.heads.limits import Limits
from occamhead.heads.sum_rows import SumRows
from occamhead.heads.writing import Sums
from occamhead.rows.allotted import Growth
from occamhead.rows.codes import CodeGrowth
from occamhead.rows.dense import fit_dense_head, teach
from occamhead.rows.objective import Rows
from occamhead.rows.pool import choose_pool, pool_work
from occamhead.rows.sparse_softmax import Solution, SparseSoftmax, standardised_columns

# Penalty of the squared weights, for the scores of a dense head and for labels.
RIDGE = 1e-3
# Iterations of the fit of all weights of a pool, whose signs codes start from.
REAL_STEPS = 40


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
        coding: The pool of features that all classes read, and the sizes of weights.

    Raises:
        ValueError: If the limits do not go with the coding.
    """

    def __init__(
        self,
        rows: Rows,
        classes: int,
        penalty: float | None,
        weight: Tensor | None = None,
        limits: Limits | None = None,
        start: nn.Linear | None = None,
        coding: Coding | None = None,
    ) -> None:
        super().__init__(rows, classes, weight, limits)
        self.coding = coding or Coding()
        self.coding.check_limits(self.limits)
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
        pool = self._pool(None)
        return {budget: made.mask.T for budget, made in self._path(budgets, pool, None, {}).items()}

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
        pool = self._pool(near)
        while True:
            found = self._path(budgets, pool, barred, near or {})
            wrong = torch.stack([self._wrong(made.weight) for made in found.values()]).any(dim=0)
            if not wrong.any():
                break
            # The loss is convex: where the best weight has the wrong sign, the best with the right
            # one is 0. So it is none, and the weights are allotted anew without it.
            barred = wrong if barred is None else barred | wrong
        return {budget: Sums(self.full(made.weight), made.bias) for budget, made in found.items()}

    def _pool(self, near: Mapping[int, Tensor] | None) -> Tensor | None:
        """Places of the features that all classes share; None for all that may be read.

        Those that were shared on most of these rows stay: the sums that are judged read them.
        """
        if self.coding.shared is None or self.coding.shared >= len(self.model.z):
            return None
        if near:
            read = torch.stack(list(near.values())).flatten(0, 1).any(dim=0)
            return read.nonzero().flatten()
        forced = [self.place(feature) for feature in self.limits.force]
        count = self.coding.shared
        with _bar("shared features", pool_work(count)) as moved:
            return choose_pool(self.model, self.bias, count, forced, moved)

    def _path(
        self,
        budgets: Sequence[int],
        pool: Tensor | None,
        barred: Tensor | None,
        near: Mapping[int, Tensor],
    ) -> dict[int, Solution]:
        """The weights of each budget, [classes, features that may be read]."""
        if pool is None:
            seen = torch.arange(len(self.model.z))
            return dict(self._grown(self.model, seen, budgets, barred, near))
        found: dict[int, Solution] = {}
        for budget, made in self._grown(self.model.of(pool), pool, budgets, barred, near):
            weight = torch.zeros(self.classes, len(self.model.z))
            weight[:, pool] = made.weight
            mask = torch.zeros_like(weight, dtype=torch.bool).index_copy(1, pool, made.mask)
            found[budget] = Solution(weight, made.bias, mask, made.loss)
        return found

    def _grown(
        self,
        model: SparseSoftmax,
        seen: Tensor,
        budgets: Sequence[int],
        barred: Tensor | None,
        near: Mapping[int, Tensor],
    ) -> Iterator[tuple[int, Solution]]:
        """The weights of each budget, [classes, seen]; after Ctrl-C no more, with a warning."""
        if self.coding.coded:
            up, down = (each[:, seen] for each in self._signs())
            real = None
            if len(seen) < len(self.model.z):
                # Few features are soon fitted: their weights are a start that growth misses.
                every = torch.ones(self.classes, len(seen), dtype=torch.bool)
                nothing = Solution(every * 0.0, self.bias, every, 0.0)
                real = model.fit(nothing, every, REAL_STEPS)
            codes = CodeGrowth(model, up, down, self.coding.by_class, real)
            work, path = max(budgets) * self.classes, codes.path
        else:
            forced = None
            if self.limits.force:
                forced = torch.zeros(self.classes, len(self.model.z), dtype=torch.bool)
                forced[:, [self.place(feature) for feature in self.limits.force]] = True
                forced = forced[:, seen]
            barred = None if barred is None else barred[:, seen]
            own = {budget: mask[:, seen] for budget, mask in near.items()}
            growth = Growth(model, barred, forced, own)
            work, path = growth.work(budgets), growth.path
        done: list[int] = []
        with _bar("features of classes", work) as moved:
            try:
                for budget, made in path(self.bias, budgets, moved):
                    done.append(budget)
                    yield budget, made
            except KeyboardInterrupt:
                if not done:
                    raise
                said = ", ".join(map(str, done))
                warnings.warn(f"interrupted; of {len(budgets)} budgets: {said}", stacklevel=3)

    def _signs(self) -> tuple[Tensor, Tensor]:
        """Where weights may be above zero, and where below, [classes, features to be read]."""
        # What never varies would do as a weight that says nothing.
        varies = self.model.z.abs().amax(dim=1) > 1e-3
        up = varies.repeat(self.classes, 1)
        down = up & self.coding.signed
        for feature, label, sign in self.limits.sign:
            if self.allowed is None or feature in self.allowed:
                (down if sign > 0 else up)[label, self.place(feature)] = False
        return up, down

    def _wrong(self, weight: Tensor) -> Tensor:
        """The weights whose sign the limits do not allow, [classes, features]."""
        wrong = torch.zeros_like(weight, dtype=torch.bool)
        for _, place, label in self.wrong_signs(weight):
            self.check_not_forced(place)
            wrong[label, place] = True
        return wrong


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar that is moved by what is called, on a terminal and where there is time to read it."""
    from tqdm import tqdm

    with tqdm(
        total=total, desc=title, file=sys.stderr, disable=None, delay=3, dynamic_ncols=True,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {remaining}",
    ) as bar:  # fmt: skip
        yield bar.update
