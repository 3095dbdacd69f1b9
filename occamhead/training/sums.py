"""Weighted sums of few features: which features, for each budget, and their weights.

The sums are to come near the scores of a regularised dense head, or near the labels. Nearness is
measured in the features' covariance, shrunk towards the identity: with a few hundred rows of
thousands of features the covariance alone would let chance decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from occamhead.heads.writing import Sums
from occamhead.rows.best_subsets import best_subsets, fit_weights
from occamhead.rows.dense import fit_dense_head, teach
from occamhead.rows.objective import Rows, standardisation


@dataclass(frozen=True)
class Aim:
    """How far the covariance is shrunk, and the ridge penalty of the weights.

    Both are fixed: choosing them on held-out rows, also only where these were clear, made the
    formulas worse in cross-validation.
    """

    shrinkage: float
    ridge: float


# The scores of a dense head, and the labels.
SCORES, LABELS = Aim(0.1, 1e-3), Aim(0.3, 1e-2)


@dataclass(frozen=True)
class HeldOut:
    """What the sums of one budget said of rows that they were not fitted to.

    Args:
        scores, labels: Of all held-out rows.
        features: The features that were read, in each of the splits.
    """

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
        weight: What each row counts, 1 in the mean; None counts all alike.
    """

    def __init__(
        self,
        rows: Rows,
        classes: int,
        per_class: bool,
        penalty: float | None,
        weight: Tensor | None = None,
    ) -> None:
        features, labels = rows
        self.weight = weight
        self.classes = classes
        self.per_class = per_class and classes > 2
        self.standardisation = standardisation(features)
        self.z = self.standardised(features)
        # In single precision: a product of tens of thousands of rows is the costly part.
        self.covariance = (self._weighed(self.z).T @ self.z / len(self.z)).double()
        shares = F.one_hot(labels, classes).to(self.z)
        mean = self._weighed(shares).mean(dim=0)
        # A class that is not among the rows counts as half a row.
        self.bias = mean.clamp_min(0.5 / len(shares)).log()
        self.labels = (self.z.T @ self._weighed(shares - mean) / len(self.z)).double()
        self.targets = {LABELS: labels}
        self.teacher: Tensor | None = None
        if penalty is not None:
            dense = fit_dense_head(rows, classes, penalty, weight_of_rows=weight)
            self.targets[SCORES] = teach(dense, features, labels)
            weight = dense.weight.T * self.standardisation[1].unsqueeze(1)
            # Scores that all classes share tell nothing.
            self.teacher = (weight - weight.mean(dim=1, keepdim=True)).double()

    def standardised(self, features: Tensor) -> Tensor:
        """Other rows in the units of these."""
        mean, scale = self.standardisation
        return (features - mean).div_(scale)

    def _weighed(self, values: Tensor) -> Tensor:
        """Values [rows, n], each row times its weight."""
        return values if self.weight is None else values * self.weight.unsqueeze(1)

    def aim(self, budget: int) -> Aim:
        """What the sums of a budget are to come near.

        A single feature is far from a dense head's scores whichever it is: the labels choose it.
        """
        return LABELS if self.teacher is None or budget == 1 else SCORES

    def supports(self, budgets: Sequence[int]) -> dict[int, Tensor]:
        """For each budget which weights may differ from zero, [features, classes]."""
        masks: dict[int, Tensor] = {}
        for aim in dict.fromkeys(map(self.aim, budgets)):
            gram = (1 - aim.shrinkage) * self.covariance
            gram.diagonal().add_(aim.shrinkage)
            if aim is LABELS:
                moments = self.labels
            else:
                assert self.teacher is not None
                moments = gram @ self.teacher
            mine = [budget for budget in budgets if self.aim(budget) is aim]
            masks |= self._subsets(gram, moments, mine)
        return masks

    def _subsets(self, gram: Tensor, moments: Tensor, budgets: Sequence[int]) -> dict[int, Tensor]:
        """Best subsets as masks, of all classes at once or of each by itself."""
        masks = {b: torch.zeros(len(gram), self.classes, dtype=torch.bool) for b in budgets}
        for outputs in range(self.classes) if self.per_class else (slice(None),):
            columns = moments[:, outputs].reshape(len(gram), -1)
            for budget, subset in best_subsets(gram, columns, budgets).items():
                masks[budget][subset, outputs] = True
        return masks

    def sums(self, budgets: Sequence[int]) -> dict[int, Sums]:
        """The sums of each budget, on standardised features."""
        found = {}
        for budget, mask in self.supports(budgets).items():
            columns, aim = mask.any(dim=1).nonzero().flatten(), self.aim(budget)
            rows = self.z[:, columns], self.targets[aim]
            # Small enough to make no difference, and not zero, which would keep a weight out.
            start = 1e-6 * mask[columns].to(self.z)
            part, bias = fit_weights(rows, start, self.bias, aim.ridge, self.weight)
            weight = torch.zeros(len(mask), self.classes).index_copy(0, columns, part)
            found[budget] = _share(weight, bias) if self.classes == 2 else Sums(weight.T, bias)
        return found


def hold_out(
    splits: Iterator[tuple[Rows, Rows, Tensor | None]],
    classes: int,
    budgets: Sequence[int],
    per_class: bool,
    penalty: float | None,
) -> dict[int, HeldOut]:
    """What the sums of each budget say of rows held out.

    Args:
        splits: Rows to fit, rows held out, and what each of those to fit counts; each row may be
            held out once.
        classes, per_class, penalty: See :class:`SumPath`.
        budgets: Most features of each class, or in all.
    """
    said: dict[int, list[Tensor]] = {budget: [] for budget in budgets}
    read: dict[int, list[frozenset[int]]] = {budget: [] for budget in budgets}
    labels = []
    for fitted, (features, held), weight in splits:
        path = SumPath(fitted, classes, per_class, penalty, weight)
        z = path.standardised(features)
        labels.append(held)
        for budget, sums in path.sums(budgets).items():
            used = sums.weight.any(dim=0).nonzero().flatten()
            said[budget].append(z[:, used] @ sums.weight[:, used].T + sums.bias)
            read[budget].append(frozenset(used.tolist()))
    return {
        budget: HeldOut(torch.cat(said[budget]), torch.cat(labels), tuple(read[budget]))
        for budget in budgets
    }


def _share(weight: Tensor, bias: Tensor) -> Sums:
    """Two scores of which each has the evidence for its own class, with the same difference."""
    difference, offset = weight[:, 1] - weight[:, 0], bias[1] - bias[0]
    halves = torch.stack([-difference, difference]).clamp_min(0.0)
    return Sums(halves, torch.stack([torch.zeros_like(offset), offset]))
