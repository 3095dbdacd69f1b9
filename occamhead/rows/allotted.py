"""Which classes read which features, where a budget counts the weights of all classes together.

A class that is easily told apart gets by with two features, and leaves its share to one that needs
eight: the measure that heads of many classes are compared by is the mean number of effective
weights per class, NEC (Srivastava et al. 2024, arXiv 2408.01432).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from occamhead.rows.sparse_softmax import Solution, SparseSoftmax

# By how much the weights grow between two fits, and the iterations of these fits.
GROWTH, STEPS = 0.25, 15
# At each budget: iterations of the fit, and the shares of the weights that are exchanged in turn.
LAST_STEPS, EXCHANGED = 20, (0.2, 0.1)
# What an iteration costs that has no weights to add up, in weights: the softmax.
SHARED = 2000


@dataclass(frozen=True)
class Growth:
    """How weights are allotted to classes.

    Args:
        model: What is minimised.
        barred: Weights that are none, [classes, features]; None bars none.
        forced: Weights that are there from the first, or None.
        near: For some budgets the weights that were taken on rows like these, to begin with.
    """

    model: SparseSoftmax
    barred: Tensor | None = None
    forced: Tensor | None = None
    near: Mapping[int, Tensor] = field(default_factory=dict)

    def path(
        self, bias: Tensor, budgets: Sequence[int], done: Callable[[int], object] = id
    ) -> Iterator[tuple[int, Solution]]:
        """The weights of each budget, fewest first; each starts from the ones before.

        Weights enter that lower the loss most, by its slope and curvature (gradient matching
        pursuit), some at a time with fits in between. At each budget as many as pay least are
        exchanged for others, as long as that helps: they leave after the new ones are fitted.

        Args:
            bias: Intercepts to start from, [classes].
            budgets: Mean numbers of weights of a class; more than there are count as all.
            done: Called after each fit with its share of :meth:`work`.

        Source: gradient support pursuit (Bahmani et al. 2013, JMLR 14:807), and the splicing of Zhu
        et al. 2020 (PNAS 117:33117), here of one loss of all classes.
        """
        mask = self._first()
        now = self.model.fit(Solution(mask.float() * 0, bias, mask, 0.0), mask, STEPS)
        for budget, counts, _ in self._plan(budgets):
            for count in counts:
                now = self.model.fit(now, self._with_more(now, count - int(now.mask.sum())), STEPS)
                done(STEPS * (SHARED + count))
            if budget in self.near:
                mask = self.near[budget]
                now = Solution(now.weight * mask, now.bias, mask, now.loss)
            goal = int(now.mask.sum())
            now = self.model.fit(now, now.mask, LAST_STEPS)
            done(LAST_STEPS * (SHARED + goal))
            for share in self._exchanges(budget):
                exchanged = self._exchanged(now, int(share * goal))
                if exchanged is not None and exchanged.loss < now.loss:
                    now = exchanged
                done((LAST_STEPS + STEPS // 2) * (SHARED + goal))
            yield budget, now

    def work(self, budgets: Sequence[int]) -> int:
        """What a path to these budgets costs at most, in weights times iterations."""
        exchange, total = LAST_STEPS + STEPS // 2, 0
        for budget, counts, goal in self._plan(budgets):
            total += sum(STEPS * (SHARED + count) for count in counts)
            total += (LAST_STEPS + len(self._exchanges(budget)) * exchange) * (SHARED + goal)
        return total

    def _exchanges(self, budget: int) -> tuple[float, ...]:
        """The shares of the weights that are exchanged in turn."""
        return EXCHANGED[-1:] if budget in self.near else EXCHANGED

    def _first(self) -> Tensor:
        """The weights that are there before any was chosen."""
        if self.forced is not None:
            return self.forced.clone()
        return torch.zeros(self.model.classes, len(self.model.z), dtype=torch.bool)

    def _plan(self, budgets: Sequence[int]) -> Iterator[tuple[int, list[int], int]]:
        """For each budget, fewest first, how many weights there are after each step, and at it."""
        first, classes = self._first(), self.model.classes
        room = first.numel() if self.barred is None else int((first | ~self.barred).sum())
        count = int(first.sum())
        for budget in sorted(set(budgets)):
            counts: list[int] = []
            if budget in self.near:
                count = int(self.near[budget].sum())
            else:
                while count < min(budget * classes, room):
                    step = max(classes // 4, round(GROWTH * count), 1)
                    count = min(count + step, budget * classes, room)
                    counts.append(count)
            yield budget, counts, count

    def _with_more(self, now: Solution, count: int) -> Tensor:
        """The mask with those weights besides that promise to lower the loss most."""
        slopes, curvature = self.model.slopes(now)
        gains = slopes.square_().div_(curvature.unsqueeze(1) + 2 * self.model.ridge)
        gains[now.mask] = -1.0
        if self.barred is not None:
            gains[self.barred] = -1.0
        mask = now.mask.clone()
        best = gains.flatten().topk(count)
        mask.view(-1)[best.indices[best.values >= 0]] = True
        return mask

    def _exchanged(self, now: Solution, count: int) -> Solution | None:
        """As many weights, of which some are others; None where there are no others."""
        free = now.mask.numel() - int(now.mask.sum())
        if self.barred is not None:
            free = int((~now.mask & ~self.barred).sum())
        count = min(count, free)
        if not count:
            return None
        more = self.model.fit(now, self._with_more(now, count), STEPS // 2)
        _, curvature = self.model.slopes(more)
        worth = more.weight.square() * (curvature.unsqueeze(1) + 2 * self.model.ridge)
        worth[~more.mask] = torch.inf
        if self.forced is not None:
            worth[self.forced] = torch.inf
        leaving = worth.flatten().topk(int(more.mask.sum()) - int(now.mask.sum()), largest=False)
        mask = more.mask.clone()
        mask.view(-1)[leaving.indices] = False
        return self.model.fit(more, mask, LAST_STEPS)
