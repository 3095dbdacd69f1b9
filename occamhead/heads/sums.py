"""Weighted sums of few features: which features, for each budget, and their weights.

The sums are to come near the scores of a regularised dense head, or near the labels. Nearness is
measured in the features' covariance, shrunk towards the identity: with a few hundred rows of
thousands of features the covariance alone would let chance decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.heads.calibration import share_out
from occamhead.heads.class_sums import ClassSums
from occamhead.heads.coding import Coding
from occamhead.heads.limits import Limits
from occamhead.heads.sum_rows import SumRows
from occamhead.heads.writing import Sums
from occamhead.rows.best_subsets import best_subsets, fit_weights
from occamhead.rows.dense import Weights, fit_dense_head, teach
from occamhead.rows.objective import Rows
from occamhead.rows.weights import scaled
from occamhead.saving import NOWHERE, Kept
from occamhead.saving.kept import plain


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
# Keeps features that hardly vary within the classes from coming first (Tusher et al. 2001, PNAS
# 98:5116), in deviations of the feature.
FLOOR = 0.1


@dataclass(frozen=True)
class HeldOut:
    """What the sums of one budget said of rows that they were not fitted to.

    Args:
        scores, labels: Of all held-out rows.
        weight: What each of them counts, or None.
        splits: The split that each of them was held out in.
        fitted: In each of the splits, scores and labels of the rows that were fitted to, and what
            each counts.
        masks: Which weights were not zero, [classes, features], in each of the splits.
    """

    scores: Tensor
    labels: Tensor
    weight: Tensor | None
    splits: Tensor
    fitted: tuple[tuple[Tensor, Tensor, Tensor | None], ...]
    masks: tuple[Tensor, ...]

    @property
    def features(self) -> tuple[frozenset[int], ...]:
        """The features that were read, in each of the splits."""
        return tuple(frozenset(m.any(dim=0).nonzero().flatten().tolist()) for m in self.masks)


class SumPath(SumRows):
    """Sums for each budget on some rows, of features that all classes share.

    Args:
        rows: Features and labels.
        classes: Number of classes.
        penalty: Ridge penalty of the dense head that teaches; None learns from the labels.
        weight: What each row counts, 1 in the mean; None counts all alike.
        limits: What the sums may read, and how; the dense head reads no other features.
    """

    def __init__(
        self,
        rows: Rows,
        classes: int,
        penalty: float | None,
        weight: Tensor | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(rows, classes, weight, limits)
        features, labels = self.readable(rows[0]), rows[1]
        mean, scale = map(self.readable, self.standardisation)
        self.z = (features - mean).div_(scale)
        # In single precision: a product of tens of thousands of rows is the costly part.
        self.covariance = (self.weighed(self.z).T @ self.z / len(self.z)).double()
        shares = F.one_hot(labels, classes).to(self.z) - self.shares
        self.labels = (self.z.T @ self.weighed(shares) / len(self.z)).double()
        self.targets = {LABELS: labels}
        self.teacher: Tensor | None = None
        if penalty is not None:
            dense = fit_dense_head((features, labels), classes, penalty, weight_of_rows=weight)
            self.targets[SCORES] = teach(dense, features, labels)
            weight = dense.weight.T * scale.unsqueeze(1)
            # Scores that all classes share tell nothing.
            self.teacher = (weight - weight.mean(dim=1, keepdim=True)).double()

    def aim(self, budget: int) -> Aim:
        """What the sums of a budget are to come near.

        A single feature is far from a dense head's scores whichever it is: the labels choose it.
        """
        return LABELS if self.teacher is None or budget == 1 else SCORES

    def ridge(self, budget: int) -> float:
        """Penalty of the weights of a budget."""
        return self.aim(budget).ridge

    def supports(self, budgets: Sequence[int], barred: Sequence[int] = ()) -> dict[int, Tensor]:
        """For each budget which weights may differ from zero, [features that may be read, classes].

        Args:
            budgets: Most features in all.
            barred: Places of features, among those that may be read, that are not.
        """
        masks: dict[int, Tensor] = {}
        if self.classes == 2 and not self.limits.force:
            budgets, single = [b for b in budgets if b > 1], [b for b in budgets if b == 1]
            masks |= {budget: self._most_telling(barred) for budget in single}
        for aim in dict.fromkeys(map(self.aim, budgets)):
            gram = (1 - aim.shrinkage) * self.covariance
            gram.diagonal().add_(aim.shrinkage)
            if aim is LABELS:
                moments = self.labels
            else:
                assert self.teacher is not None
                moments = gram @ self.teacher
            mine = [budget for budget in budgets if self.aim(budget) is aim]
            masks |= self._subsets(gram, moments, mine, barred)
        return masks

    def _most_telling(self, barred: Sequence[int]) -> Tensor:
        """The mask of the one feature that tells two classes apart best.

        It has the largest distance between the classes' means beside the sum of their deviations:
        a cut has to lie that many deviations from either. With correlation, which weighs the
        deviations by the rows, a feature that is silent in one class and varies much in the other
        comes off too well.

        Source: the signal-to-noise ratio of Golub et al. 1999 (Science 286:531).
        """
        shares = F.one_hot(self.targets[LABELS], 2).to(self.z)
        shares = self.weighed(shares) / self.weighed(shares).sum(dim=0).clamp_min(1e-9)
        means = shares.T @ self.z
        deviations = (shares.T @ self.z.square() - means.square()).clamp_min(0.0).sqrt()
        ratio = (means[1] - means[0]).abs() / (deviations.sum(dim=0) + FLOOR)
        ratio[list(barred)] = -1.0
        mask = torch.zeros(len(ratio), 2, dtype=torch.bool)
        mask[int(ratio.argmax())] = True
        return mask

    def _subsets(
        self, gram: Tensor, moments: Tensor, budgets: Sequence[int], barred: Sequence[int]
    ) -> dict[int, Tensor]:
        """Best subsets as masks."""
        masks = {b: torch.zeros(len(gram), self.classes, dtype=torch.bool) for b in budgets}
        forced = [self.place(feature) for feature in self.limits.force]
        found = best_subsets(gram, moments, budgets, forced=forced, barred=barred)
        for budget, subset in found.items():
            masks[budget][subset] = True
        return masks

    def sums(self, budgets: Sequence[int]) -> dict[int, Sums]:
        """The sums of each budget, on standardised features.

        Raises:
            ValueError: If a feature has to be read with a sign that the rows do not give it.
        """
        return {
            budget: self._signed(budgets, budget, mask)
            for budget, mask in self.supports(budgets).items()
        }

    def _signed(self, budgets: Sequence[int], budget: int, mask: Tensor) -> Sums:
        """The sums on a subset, or on one without the features that would get a wrong sign.

        The loss is convex: where the best weight has the wrong sign, the best with the right one
        is 0. So such a feature is not read, and the subset is chosen anew without it.
        """
        barred: list[int] = []
        while True:
            weight, bias = self._weights(mask, self.aim(budget))
            wrong = max(self.wrong_signs(weight.T), key=itemgetter(0), default=None)
            if wrong is None:
                break
            place = wrong[1]
            self.check_not_forced(place)
            barred.append(place)
            mask = self.supports(budgets, barred)[budget]
        weight = self.full(weight.T)
        return _share(weight, bias) if self.classes == 2 else Sums(weight, bias)

    def _weights(self, mask: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
        """Weights [features that may be read, classes] where the mask is set, and intercepts."""
        columns = mask.any(dim=1).nonzero().flatten()
        rows = self.z[:, columns], self.targets[aim]
        # Small enough to make no difference, and not zero, which would keep a weight out.
        start = 1e-6 * mask[columns].to(self.z)
        part, bias = fit_weights(rows, start, self.bias, aim.ridge, self.weight)
        return torch.zeros(len(mask), self.classes).index_copy(0, columns, part), bias


def sum_path(
    rows: Rows,
    classes: int,
    per_class: bool,
    penalty: float | None,
    weight: Tensor | None = None,
    limits: Limits | None = None,
    start: nn.Linear | None = None,
    coding: Coding | None = None,
) -> SumPath | ClassSums:
    """Sums of features that all classes share, or with features of its own for each class.

    Two classes share a single score, and have the same features in any case. See
    :class:`SumPath` and :class:`occamhead.heads.class_sums.ClassSums`.
    """
    if per_class and classes > 2:
        return ClassSums(rows, classes, penalty, weight, limits, start, coding)
    return SumPath(rows, classes, penalty, weight, limits)


def kept_sums(
    path: SumPath | ClassSums, held_out: Mapping[int, HeldOut], kept: Kept
) -> dict[int, Sums]:
    """The sums of each budget, kept once they are found.

    Args:
        path: Of all rows.
        held_out: For each budget what sums made the same way say of rows held out.
        kept: Where they are kept.
    """
    budgets = list(held_out)

    def made() -> dict[str, Any]:
        if isinstance(path, ClassSums) and all(len(held.masks) == 1 for held in held_out.values()):
            # Most of the rows were fitted to already.
            near = {budget: held.masks[0] for budget, held in held_out.items()}
            found = path.sums(budgets, near)
        else:
            found = path.sums(budgets)
        return {str(budget): vars(sums) for budget, sums in found.items()}

    return {
        budget: Sums(**sums) for budget, sums in _of_budgets(kept, "sums", budgets, made).items()
    }


def _of_budgets(
    kept: Kept, name: str, budgets: Sequence[int], make: Callable[[], dict[str, Any]]
) -> dict[int, Any]:
    """What a part gives for each budget: read, or made and kept, unless Ctrl-C left some out."""
    asked, found = {str(budget) for budget in budgets}, kept.read(name)
    if found is None or set(found) != asked:
        found = plain(make())
        if set(found) == asked:
            kept.write(name, found)
    return {int(budget): each for budget, each in found.items()}


def hold_out(
    splits: Iterator[tuple[Rows, Rows, Weights]],
    classes: int,
    budgets: Sequence[int],
    per_class: bool,
    penalty: float | None,
    limits: Limits | None = None,
    kept: Kept = NOWHERE,
    start: nn.Linear | None = None,
    coding: Coding | None = None,
) -> dict[int, HeldOut]:
    """What the sums of each budget say of rows held out.

    Args:
        splits: Rows to fit, rows held out, and what each of either counts; each row may be held
            out once.
        classes, per_class, penalty, limits, start, coding: See :func:`sum_path`.
        budgets: Most features in all, or the mean number of a class.
        kept: Where the splits that are done are kept.
    """
    said: dict[int, list[Tensor]] = {budget: [] for budget in budgets}
    masks: dict[int, list[Tensor]] = {budget: [] for budget in budgets}
    own: dict[int, list[tuple[Tensor, Tensor, Tensor | None]]] = {budget: [] for budget in budgets}
    labels, weights, places = [], [], []
    for place, (fitted, (features, held), (weight, weight_held)) in enumerate(splits):

        def made(
            fitted: Rows = fitted, features: Tensor = features, weight: Tensor | None = weight
        ) -> dict[str, Any]:
            path = sum_path(fitted, classes, per_class, penalty, weight, limits, start, coding)
            return {
                str(budget): {
                    "said": path.scores(sums, features),
                    "own": path.scores(sums, fitted[0]),
                    "mask": sums.weight != 0,
                }
                for budget, sums in path.sums(budgets).items()
            }

        labels.append(held)
        weights.append(weight_held)
        places.append(torch.full_like(held, place))
        for budget, found in _of_budgets(kept, f"fold {place}", budgets, made).items():
            said[budget].append(found["said"])
            own[budget].append((found["own"], fitted[1], weight))
            masks[budget].append(found["mask"])
    counts = [each for each in weights if each is not None]
    of_rows = torch.cat(labels), torch.cat(counts) if counts else None, torch.cat(places)
    # A budget that was not reached in all splits, as Ctrl-C came, is left out.
    return {
        budget: HeldOut(torch.cat(said[budget]), *of_rows, tuple(own[budget]), tuple(masks[budget]))
        for budget in budgets
        if len(said[budget]) == len(places)
    }


def folds(
    rows: Rows, count: int, seed: int, weight: Tensor | None = None
) -> Iterator[tuple[Rows, Rows, Weights]]:
    """Rows to fit and rows held out, each row once, with as many of a class in every fold.

    Third comes what each row of either counts.
    """
    features, labels = rows
    if count > len(labels):
        raise ValueError(f"folds must be at most the {len(labels)} rows, got {count}")
    fold = share_out(labels, count, seed)
    for place in range(count):
        out = fold == place
        counts: Weights = (None, None)
        if weight is not None:
            counts = scaled(weight[~out]), weight[out]
        yield (features[~out], labels[~out]), (features[out], labels[out]), counts


def _share(weight: Tensor, bias: Tensor) -> Sums:
    """Two scores of which each has the evidence for its own class, with the same difference."""
    difference, offset = weight[1] - weight[0], bias[1] - bias[0]
    halves = torch.stack([-difference, difference]).clamp_min(0.0)
    return Sums(halves, torch.stack([torch.zeros_like(offset), offset]))
