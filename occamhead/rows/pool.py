"""Features that the classes share: the few of all whose weights lower the loss of all classes most.

A person who reads hundreds of formulas then learns what a few dozens of features mean, and no more.

Source: the idea is that of Norrenbrock et al. 2023, SLDD (arXiv 2303.13166); the way is our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from occamhead.rows.sparse_softmax import Solution, SparseSoftmax

# By how much the pool grows between two fits, at least by so many, and the iterations of a fit.
GROWTH, LEAST, STEPS = 0.25, 4, 8
# The shares of the features that are exchanged in turn.
EXCHANGED = (0.2, 0.1)


def pool_work(count: int) -> int:
    """How many features enter on the way to a pool of so many."""
    return count + sum(_exchanged(count))


def choose_pool(
    model: SparseSoftmax,
    bias: Tensor,
    count: int,
    forced: Sequence[int] = (),
    done: Callable[[int], object] = id,
) -> Tensor:
    """The features of a pool, in ascending order.

    Features enter some at a time by the sum over all classes of what their weights promise to
    gain, by slope and curvature, with fits of all weights of the pool in between. In the end as
    many as pay least are exchanged for others, as long as that lowers the loss.

    Args:
        model: What is minimised, of all features.
        bias: Intercepts to start from, [classes].
        count: Most features; more than there are count as all.
        forced: Features that are in the pool in any case, at most `count`.
        done: Called with the number of features that entered.
    """
    features = len(model.z)
    if count >= features:
        return torch.arange(features)
    chosen = torch.zeros(features, dtype=torch.bool)
    chosen[list(forced)] = True
    nothing = torch.zeros(model.classes, features)
    now = _fit(model, Solution(nothing, bias, nothing > 0, 0.0), chosen)
    while (size := int(chosen.sum())) < count:
        step = min(max(LEAST, round(GROWTH * size)), count - size)
        chosen = _with_more(model, now, chosen, step)
        now = _fit(model, now, chosen)
        done(step)
    for step in _exchanged(count):
        more = _with_more(model, now, chosen, min(step, features - count))
        larger = _fit(model, now, more)
        _, curvature = model.slopes(larger)
        worth = (larger.weight.square() * (curvature.unsqueeze(1) + 2 * model.ridge)).sum(dim=0)
        worth[~more] = torch.inf
        worth[list(forced)] = torch.inf
        others = more.clone()
        others[worth.topk(int(more.sum()) - count, largest=False).indices] = False
        # Both are fitted for as long, so that neither seems better for that alone.
        now, other = _fit(model, now, chosen), _fit(model, larger, others)
        if other.loss < now.loss:
            chosen, now = others, other
        done(step)
    return chosen.nonzero().flatten()


def _exchanged(count: int) -> list[int]:
    return [max(1, int(share * count)) for share in EXCHANGED]


def _fit(model: SparseSoftmax, start: Solution, chosen: Tensor) -> Solution:
    return model.fit(start, chosen.expand(model.classes, -1), STEPS)


def _with_more(model: SparseSoftmax, now: Solution, chosen: Tensor, count: int) -> Tensor:
    """The pool with those features besides that promise to lower the loss most."""
    slopes, curvature = model.slopes(now)
    gains = slopes.square_().div_(curvature.unsqueeze(1) + 2 * model.ridge).sum(dim=0)
    gains[chosen] = -1.0
    more = chosen.clone()
    more[gains.topk(count).indices] = True
    return more
