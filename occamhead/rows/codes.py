"""Weights that are -1, 0 or 1 times one number: which features speak for a class, which against it.

A person reads such sums without a number beside each feature, and compares classes feature by
feature. They are grown weight by weight and improved by exchanges; weights of any size that are
rounded to signs are worse, but for a start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from occamhead.rows.sparse_softmax import Solution, SparseSoftmax

# By how much the weights grow between two fits, and the iterations of these fits and of exchanges.
GROWTH, STEPS = 0.25, 8
# Rounds of exchanges at a budget, at most, and by what the number of exchanges at a time is divided
# when the loss did not fall: classes that change together disturb each other.
ROUNDS, FEWER = 20, 3
# Features of a class that an exchange chooses among, beside those that it reads.
SHORT_LIST = 48


@dataclass(frozen=True)
class Coded:
    """Weights that are a code times a number.

    Args:
        code: -1, 0 or 1, [classes, features].
        scale: The number of each class, above zero, [classes].
        bias: Intercepts, [classes].
        loss: Mean cross-entropy in nats, and the penalty; inf where the signs of a class harm it.
    """

    code: Tensor
    scale: Tensor
    bias: Tensor
    loss: float

    @property
    def solution(self) -> Solution:
        """The weights as such."""
        weight = self.scale.unsqueeze(1) * self.code
        return Solution(weight, self.bias, self.code != 0, self.loss)


@dataclass(frozen=True)
class Moves:
    """What changes of a class's code promise to change the loss by, inf where there is none.

    Args:
        places: Features that may change, [classes, n]; all else is by their place among these.
        within: Of the best change that leaves the class as many weights, [classes].
        leaves, comes: The place that becomes zero and the one that does not stay zero, [classes];
            the same where a sign turns.
        sign: What the latter becomes, [classes].
        added, removed: Of the best weight more, and of the best one less, [classes].
        more, less: Their places, [classes].
        sign_of_more: What the first becomes, [classes].
    """

    places: Tensor
    within: Tensor
    leaves: Tensor
    comes: Tensor
    sign: Tensor
    added: Tensor
    removed: Tensor
    more: Tensor
    less: Tensor
    sign_of_more: Tensor


@dataclass(frozen=True)
class CodeGrowth:
    """How codes are found.

    Args:
        model: What is minimised.
        up, down: Where a weight may be 1, and where it may be -1, [classes, features].
        by_class: Whether each class has a number of its own, or all the same.
        real: Weights of any size on all features, whose signs are one more start; None for none.
    """

    model: SparseSoftmax
    up: Tensor
    down: Tensor
    by_class: bool = False
    real: Solution | None = None

    def path(
        self, bias: Tensor, budgets: Sequence[int], done: Callable[[int], object] = id
    ) -> Iterator[tuple[int, Solution]]:
        """The weights of each budget, fewest weights first; each starts from the one before.

        Weights enter that promise to lower the loss most at the present scale. At each budget a
        class exchanges a feature for another, or turns a sign, or one class leaves a weight to
        another, as long as that lowers the loss. No feature is read by all classes: what all
        scores have in common says nothing.

        Args:
            bias: Intercepts to start from, [classes].
            budgets: Most weights of a class in the mean; fewer are taken where a smaller budget's
                are better.
            done: Called with the number of weights that entered.
        """
        now = Coded(torch.zeros(self.up.shape), torch.zeros(self.model.classes), bias, torch.inf)
        least = now
        for budget in sorted(set(budgets)):
            room = budget * self.model.classes
            while (count := self._count(now)) < room:
                step = max(self.model.classes // 4, round(GROWTH * count), 1)
                grown = self._grown(now, min(step, room - count))
                if grown is None:
                    break
                now = grown
                done(self._count(now) - count)
            starts = [now] if self.real is None else [now, self._rounded(self.real, room)]
            # Numbers of their own only now: that of a class with one feature would be too large for
            # the second one.
            found = [self.exchanged(self._fit(start.code, start)) for start in starts]
            best = min(found, key=lambda each: each.loss)
            least = min(least, best, key=lambda each: each.loss)
            yield budget, least.solution
            now = self._fit(best.code, best, by_class=False)

    def exchanged(self, now: Coded) -> Coded:
        """The code after exchanges, each of which lowered the loss."""
        if not now.code.any():
            return now
        most = {"within": self.model.classes, "across": max(1, self.model.classes // 2)}
        for _ in range(ROUNDS):
            for kind in [kind for kind, count in most.items() if count]:
                moves = self._moves(now)
                changed = (self._within if kind == "within" else self._across)(
                    now.code, moves, most[kind]
                )
                other = self._fit(changed, now) if (changed != now.code).any() else now
                if other.loss < now.loss:
                    now = other
                else:
                    most[kind] //= FEWER
            if not any(most.values()):
                break
        return now

    def _count(self, now: Coded) -> int:
        return int(now.code.count_nonzero())

    def _fit(self, code: Tensor, start: Coded, by_class: bool | None = None) -> Coded:
        """The best scale and intercepts of a code; numbers of each class, if these have any."""
        code = _not_all(code, start.code)
        own = self.by_class if by_class is None else by_class
        read = (code != 0).any(dim=1)
        if not read.any():
            return Coded(code, start.scale, start.bias, start.loss)
        mean = start.scale[read].mean()
        first = start.scale if own else mean.expand(len(read))
        scale, bias, loss = self.model.fit_scale(code, first, start.bias, STEPS, own)
        # A scale below zero would turn all signs.
        if (scale[read] <= 0).any():
            loss = torch.inf
        return Coded(code, scale, bias, loss)

    def _rounded(self, real: Solution, count: int) -> Coded:
        """The signs of the largest weights that may have them."""
        able = torch.where(real.weight > 0, self.up, self.down)
        size = (real.weight * able).abs().flatten()
        most = size.topk(min(count, len(size)))
        code = torch.zeros(len(size))
        code[most.indices] = real.weight.flatten()[most.indices].sign() * (most.values > 0)
        scale = most.values.mean().expand(self.model.classes)
        return Coded(code.view_as(real.weight), scale, real.bias, torch.inf)

    def _slopes(self, now: Coded) -> tuple[Tensor, Tensor]:
        """Slopes of the loss by the weights, and about how they change, [classes, features]."""
        slopes, curvature = self.model.slopes(now.solution)
        slopes += 2 * self.model.ridge * now.solution.weight
        return slopes, curvature.unsqueeze(1).expand_as(slopes) + 2 * self.model.ridge

    def _grown(self, now: Coded, count: int) -> Coded | None:
        """The code with at most so many weights more; None if there are none that help.

        The loss rises where no weight helps at the present scale: one number for all may be too
        large for a second weight of a class, until most classes have two.
        """
        slopes, curvature = self._slopes(now)
        able = torch.where(slopes < 0, self.up, self.down) & (now.code == 0)
        able &= now.code.count_nonzero(dim=0) < self.model.classes - 1
        size, scale = slopes.abs(), now.scale.unsqueeze(1)
        if scale.any():
            chosen = _best(scale * (size - scale * curvature / 2) * able, count)
            while len(chosen):
                grown = self._with(now, slopes, chosen)
                if grown.loss < now.loss:
                    return grown
                chosen = chosen[: len(chosen) // 2]
        chosen = _best(size.square() / curvature * able, count)
        while len(chosen):
            first = now.scale
            if not first.any():
                first = (size / curvature).flatten()[chosen].mean().expand(len(first))
            grown = self._with(Coded(now.code, first, now.bias, now.loss), slopes, chosen)
            if grown.loss < torch.inf:
                return grown
            chosen = chosen[: len(chosen) // 2]
        return None

    def _with(self, now: Coded, slopes: Tensor, chosen: Tensor) -> Coded:
        """The code with weights more against the slopes, at these places of the flat code."""
        code = now.code.clone()
        code.view(-1)[chosen] = -slopes.flatten()[chosen].sign()
        return self._fit(code, now, by_class=False)

    def _moves(self, now: Coded) -> Moves:
        slopes, curvature = self._slopes(now)
        read = now.code != 0
        able = torch.where(slopes < 0, self.up, self.down)
        scale = now.scale.unsqueeze(1)
        promise = scale * slopes.abs() - scale**2 * curvature / 2
        promise = promise.masked_fill(~able, -torch.inf).masked_fill(read, torch.inf)
        count = min(int(read.sum(dim=1).max()) + SHORT_LIST, read.shape[1])
        places = promise.topk(count, dim=1).indices
        second = self.model.curvatures(now.solution, places)
        second.diagonal(dim1=1, dim2=2).add_(2 * self.model.ridge)
        second *= scale.unsqueeze(2) ** 2
        first = scale * slopes.gather(1, places)
        half = second.diagonal(dim1=1, dim2=2) / 2
        code = now.code.gather(1, places)
        free = (now.code.count_nonzero(dim=0) < self.model.classes - 1)[places] & (code == 0)
        up, down = self.up.gather(1, places), self.down.gather(1, places)

        def change(step: Tensor | float, able: Tensor) -> Tensor:
            return (first * step + half * step**2).masked_fill(~able, torch.inf)

        gone = change(-code, code != 0)
        turned = change(-2 * code, torch.where(code > 0, down, up) & (code != 0))
        pairs = []
        for step, may in ((1.0, up), (-1.0, down)):
            new = change(step, free & may)
            pairs.append(gone.unsqueeze(2) + new.unsqueeze(1) - step * code.unsqueeze(2) * second)
        # [classes, signs, leaves, comes], then the turned signs.
        options = torch.cat([torch.stack(pairs, dim=1).flatten(1), turned], dim=1)
        within, best = options.min(dim=1)
        turns = best >= 2 * count**2
        place = (best - 2 * count**2).clamp_min(0)
        leaves = torch.where(turns, place, best // count % count)
        comes = torch.where(turns, place, best % count)
        own = -code.gather(1, place.unsqueeze(1)).squeeze(1)
        sign = torch.where(turns, own, 1.0 - 2.0 * (best // count**2).clamp_max(1))
        plus, minus = change(1.0, free & up), change(-1.0, free & down)
        added, more = torch.minimum(plus, minus).min(dim=1)
        removed, less = gone.min(dim=1)
        of_more = torch.where((plus <= minus).gather(1, more.unsqueeze(1)).squeeze(1), 1.0, -1.0)
        return Moves(
            places, within, leaves, comes, sign, added, removed, more, less, of_more
        )  # fmt: skip

    def _within(self, code: Tensor, moves: Moves, most: int) -> Tensor:
        """The best changes within a class each, of so many classes."""
        best = moves.within.topk(most, largest=False)
        labels = best.indices[best.values < 0]
        code = code.clone()
        code[labels, moves.places[labels, moves.leaves[labels]]] = 0.0
        code[labels, moves.places[labels, moves.comes[labels]]] = moves.sign[labels]
        return code

    def _across(self, code: Tensor, moves: Moves, most: int) -> Tensor:
        """One class reads a feature less, another one more; so many times."""
        code, changed = code.clone(), set[int]()
        losers = iter(moves.removed.argsort().tolist())
        for label in moves.added.argsort().tolist()[:most]:
            loser = next((each for each in losers if each not in changed | {label}), None)
            if label in changed or loser is None:
                continue
            if moves.added[label] + moves.removed[loser] >= 0:
                break
            code[label, moves.places[label, moves.more[label]]] = moves.sign_of_more[label]
            code[loser, moves.places[loser, moves.less[loser]]] = 0.0
            changed |= {label, loser}
        return code


def _best(gains: Tensor, count: int) -> Tensor:
    """The places of the largest gains above zero, of the flat tensor, largest first."""
    best = gains.flatten().topk(min(count, gains.numel()))
    return best.indices[best.values > 0]


def _not_all(code: Tensor, before: Tensor) -> Tensor:
    """The code without one weight of each feature that all classes would read."""
    code = code.clone()
    for feature in (code != 0).all(dim=0).nonzero().flatten().tolist():
        new = (before[:, feature] == 0).nonzero().flatten()
        code[new[:1], feature] = 0.0
    return code
