"""Best subsets: the few features whose weighted sums come nearest to given ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from occamhead.rows.objective import CROSS_ENTROPY, minimise

# Features that may leave in one swap: those that cost least. The others hardly ever do.
LEAVING = 8


def best_subsets(
    gram: Tensor,
    moments: Tensor,
    sizes: Iterable[int],
    swaps: int = 30,
    forced: Sequence[int] = (),
    barred: Sequence[int] = (),
) -> dict[int, list[int]]:
    """For each size a subset S of features that makes a quadratic small over weights on S.

    The quadratic is ``sum(w * (gram @ w)) - 2 * sum(w * moments)``, over weights w of several
    outputs that share the subset. Features enter one by one, each time the one that helps most;
    at each size that is asked for, a feature is swapped for another as long as that helps.

    Args:
        gram: Positive definite, [features, features].
        moments: [features, outputs].
        sizes: How many features, each at least 1; more than there are count as all.
        swaps: Most swaps at each size.
        forced: Features that are in every subset, whatever its size.
        barred: Features that are in none.

    Returns:
        The subsets by size, as lists of features. Each starts from the one before.

    Source: the splicing of Zhu et al. 2020 (PNAS 117:33117), one feature at a time.
    """
    chosen, out = list(forced), list(barred)
    found = {}
    for size in sorted(set(sizes)):
        while len(chosen) < min(size, len(gram) - len(out)):
            chosen.append(int(_gains(gram, moments, chosen, out).argmax()))
        for _ in range(swaps):
            better = _swapped(gram, moments, chosen, len(forced), out)
            if better is None:
                break
            chosen = better
        found[size] = list(chosen)
    return found


def _gains(gram: Tensor, moments: Tensor, chosen: list[int], out: list[int]) -> Tensor:
    """By how much the quadratic falls if each feature is added, [features]; -1 if it cannot be."""
    if not chosen:
        gains = moments.square().sum(dim=1) / gram.diagonal()
        gains[out] = -1.0
        return gains
    rows = gram[chosen]
    factor = torch.linalg.cholesky(rows[:, chosen])
    # What the chosen ones leave of each feature, and of its moments.
    whitened = torch.linalg.solve_triangular(factor, rows, upper=False)
    explained = torch.linalg.solve_triangular(factor, moments[chosen], upper=False)
    left = gram.diagonal() - whitened.square().sum(dim=0)
    # A copy of a chosen feature leaves nothing but rounding.
    left = left.clamp_min(1e-9 * float(gram.diagonal().max()))
    gains = (moments - whitened.T @ explained).square().sum(dim=1) / left
    gains[chosen + out] = -1.0
    return gains


def _swapped(
    gram: Tensor, moments: Tensor, chosen: list[int], forced: int, out: list[int]
) -> list[int] | None:
    """The subset after the best swap; None if no swap makes the quadratic smaller.

    Args:
        forced: How many of the chosen, from the first, may not leave.
        out: Features that may not enter.
    """
    if len(chosen) + len(out) == len(gram):
        return None
    inverse = torch.linalg.inv(gram[chosen][:, chosen])
    weights = inverse @ moments[chosen]
    costs = weights.square().sum(dim=1) / inverse.diagonal()
    best, most = None, 1e-9 * float(costs.sum())
    for place in (costs[forced:].argsort()[:LEAVING] + forced).tolist():
        others = chosen[:place] + chosen[place + 1 :]
        gains = _gains(gram, moments, others, out)
        entering = int(gains.argmax())
        better = float(gains[entering]) - float(costs[place])
        if better > most and entering != chosen[place]:
            best, most = [*others, entering], better
    return best


def fit_weights(
    rows: tuple[Tensor, Tensor],
    weight: Tensor,
    bias: Tensor,
    ridge: float,
    weight_of_rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Fit the weights that are not zero, and the intercepts, by cross-entropy and a ridge penalty.

    Args:
        rows: Standardised features, and labels or class probabilities to come near to.
        weight: Where to start, [features, classes]; zeros stay zero.
        bias: Where to start, [classes].
        ridge: Weight of the sum of squared weights beside the mean cross-entropy.
        weight_of_rows: What each row counts, [rows], 1 in the mean; None counts all alike.

    Returns:
        The new weights and intercepts.
    """
    (z, targets), mask = rows, (weight != 0).to(weight)
    weight, bias = (each.clone().requires_grad_(True) for each in (weight, bias))
    minimise(
        [weight, bias],
        lambda: (
            CROSS_ENTROPY.loss(z @ (weight * mask) + bias, targets, weight_of_rows)
            + ridge * weight.square().sum()
        ),
    )
    return (weight * mask).detach(), bias.detach()
