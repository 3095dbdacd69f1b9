"""Weighted sums of few features: which features, for each budget, and their weights.

The sums are to come near the scores of a regularised dense head, or near the labels. Nearness is
measured in the features' covariance, shrunk towards the identity: with a few hundred rows of
thousands of features the covariance alone would let chance decide. Held-out rows choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from occamhead.dense import fit_dense_head, teach
from occamhead.objective import Rows, standardisation
from occamhead.subset import best_subsets, fit_weights
from occamhead.writing import Sums

# What is aimed at when features are chosen, and how far the covariance is shrunk. The first is
# taken unless rows held out say otherwise: to choose freely among them made formulas worse.
AIMS = (("teacher", 0.1), ("teacher", 0.9), ("labels", 0.3))
# Ridge penalties of the weights; the first fit under each set of features is the strongest.
RIDGES = (1e-1, 1e-2, 1e-3)

# (aim, shrinkage, ridge)
Choice = tuple[str, float, float]


@dataclass(frozen=True)
class HeldOut:
    """What the sums of one budget said of rows that they were not fitted to.

    Args:
        choice: What was chosen: the aim, the shrinkage and the ridge penalty.
        scores, labels: Of all held-out rows.
        features: The features that were read, in each of the splits.
    """

    choice: Choice
    scores: Tensor
    labels: Tensor
    features: tuple[frozenset[int], ...]


class SumPath:
    """Sums for each budget on some rows.

    Args:
        rows: Features and labels.
        classes: Number of classes.
        per_class: Whether each class has features of its own. Two classes share a single score,
            and never have.
        penalty: Ridge penalty of the dense head that teaches; None learns from the labels.
    """

    def __init__(
        self,
        rows: Rows,
        classes: int,
        per_class: bool,
        penalty: float | None,
    ) -> None:
        features, labels = rows
        self.classes = classes
        self.per_class = per_class and classes > 2
        self.standardisation = standardisation(features)
        self.z = self.standardised(features)
        # In single precision: a product of tens of thousands of rows is the costly part.
        self.covariance = (self.z.T @ self.z / len(self.z)).double()
        shares = F.one_hot(labels, classes).to(self.z)
        # A class that is not among the rows counts as half a row.
        self.bias = shares.mean(dim=0).clamp_min(0.5 / len(shares)).log()
        self.labels = self.z.T @ (shares - shares.mean(dim=0)) / len(self.z)
        self.targets = labels
        self.teacher: Tensor | None = None
        if penalty is not None:
            dense = fit_dense_head(rows, classes, penalty)
            self.targets = teach(dense, features, labels)
            weight = dense.weight.T * self.standardisation[1].unsqueeze(1)
            # Scores that all classes share tell nothing.
            self.teacher = weight - weight.mean(dim=1, keepdim=True)

    def standardised(self, features: Tensor) -> Tensor:
        """Other rows in the units of these."""
        mean, scale = self.standardisation
        return (features - mean) / scale

    def supports(self, aim: str, shrinkage: float, budgets: Sequence[int]) -> dict[int, Tensor]:
        """For each budget which weights may differ from zero, [features, classes]."""
        gram = (1 - shrinkage) * self.covariance
        gram.diagonal().add_(shrinkage)
        if aim == "labels":
            moments = self.labels.double()
        else:
            assert self.teacher is not None
            moments = gram @ self.teacher.double()
        alone = range(self.classes) if self.per_class else (slice(None),)
        masks = {b: torch.zeros(len(gram), self.classes, dtype=torch.bool) for b in budgets}
        for outputs in alone:
            columns = moments[:, outputs].reshape(len(gram), -1)
            for budget, subset in best_subsets(gram, columns, budgets).items():
                masks[budget][subset, outputs] = True
        return masks

    def fits(
        self, aim: str, shrinkage: float, budgets: Sequence[int]
    ) -> Iterator[tuple[int, float, Tensor, Tensor]]:
        """(budget, ridge, weight [features, classes], bias) for each budget and ridge penalty."""
        for budget, mask in self.supports(aim, shrinkage, budgets).items():
            columns = mask.any(dim=1).nonzero().flatten()
            rows = self.z[:, columns], self.targets
            # Small enough to make no difference, and not zero, which would keep a weight out.
            part, bias = 1e-6 * mask[columns].to(self.z), self.bias
            for ridge in sorted(RIDGES, reverse=True):
                part, bias = fit_weights(rows, part, bias, ridge)
                weight = torch.zeros(len(mask), self.classes).index_copy(0, columns, part)
                yield budget, ridge, weight, bias

    def sums(self, choices: Mapping[int, Choice]) -> dict[int, Sums]:
        """The sums of each budget as chosen, on standardised features."""
        found = {}
        for aim in dict.fromkeys(choice[:2] for choice in choices.values()):
            for budget, ridge, weight, bias in self.fits(*aim, list(choices)):
                if choices[budget] == (*aim, ridge):
                    two = self.classes == 2
                    found[budget] = _share(weight, bias) if two else Sums(weight.T, bias)
        return found


def aims(taught: bool) -> tuple[tuple[str, float], ...]:
    """What may be aimed at, with a teacher or without one."""
    return AIMS if taught else tuple(aim for aim in AIMS if aim[0] == "labels")


def hold_out(
    splits: Iterator[tuple[Rows, Rows]],
    classes: int,
    budgets: Sequence[int],
    per_class: bool,
    penalty: float | None,
) -> dict[int, HeldOut]:
    """For each budget the choice that is best on rows held out, and what it said of them.

    Args:
        splits: Rows to fit and rows held out; each row may be held out once.
        classes, per_class, penalty: See :class:`SumPath`.
        budgets: Most features of each class, or in all.
    """
    said: dict[tuple[int, Choice], list[Tensor]] = {}
    read: dict[tuple[int, Choice], list[frozenset[int]]] = {}
    labels = []
    for fitted, (features, held) in splits:
        path = SumPath(fitted, classes, per_class, penalty)
        z = path.standardised(features)
        labels.append(held)
        for aim, shrinkage in aims(penalty is not None):
            for budget, ridge, weight, bias in path.fits(aim, shrinkage, budgets):
                key = budget, (aim, shrinkage, ridge)
                used = weight.any(dim=1).nonzero().flatten()
                said.setdefault(key, []).append(z[:, used] @ weight[used] + bias)
                read.setdefault(key, []).append(frozenset(used.tolist()))
    target = torch.cat(labels)
    chosen = {}
    for budget in budgets:
        scores = {choice: torch.cat(parts) for (b, choice), parts in said.items() if b == budget}
        choice = _choose(scores, target)
        chosen[budget] = HeldOut(choice, scores[choice], target, tuple(read[budget, choice]))
    return chosen


def _choose(held: Mapping[Choice, Tensor], labels: Tensor) -> Choice:
    """The ridge penalty of least loss for each aim; another aim than the first must be better.

    Its loss must be less than that of the first by more than one standard error of the difference.
    """
    losses = {c: F.cross_entropy(scores, labels, reduction="none") for c, scores in held.items()}
    best: dict[tuple[str, float], Choice] = {}
    for choice in sorted(held, key=lambda choice: losses[choice].mean().item()):
        best.setdefault(choice[:2], choice)
    first, *others = (best[aim] for aim in AIMS if aim in best)
    gains = {choice: losses[first] - losses[choice] for choice in others}
    better = [c for c, g in gains.items() if g.mean() > g.std(correction=0) / len(g) ** 0.5]
    return max(better, key=lambda choice: gains[choice].mean().item(), default=first)


def _share(weight: Tensor, bias: Tensor) -> Sums:
    """Two scores of which each has the evidence for its own class, with the same difference."""
    difference, offset = weight[:, 1] - weight[:, 0], bias[1] - bias[0]
    halves = torch.stack([-difference, difference]).clamp_min(0.0)
    return Sums(halves, torch.stack([torch.zeros_like(offset), offset]))
