"""Where the sum of two classes is cut: for accuracy, balanced accuracy, a cost or a recall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from occamhead.heads.calibration import share_out
from occamhead.heads.sums import HeldOut
from occamhead.heads.writing import Sums
from occamhead.rows.weights import class_factors

Threshold: TypeAlias = str | Mapping[str, Mapping[Any, float]] | None
"""None, "accuracy", "balanced_accuracy", {"cost": {class: price}} or {"recall": {class: share}}."""

# Accuracy as it is jumps with every row; it is smoothed by a normal curve of this width, times the
# deviation of the scores within a class and the fifth root of the rows. Chosen on 200 pairs of
# classes of Tiny ImageNet, as was the standard error that a new threshold has to gain.
WIDTH = 0.5
STEPS = 401
# Parts of rows that were held out at once, each of which gets a threshold chosen on the others.
PARTS = 5


@dataclass(frozen=True)
class Goal:
    """What a threshold is best in.

    Args:
        prices: What a row of each class counts that is missed.
        balanced: Whether prices are per class rather than per row.
        recall: The class that has to be found, and in which share of its rows.
    """

    prices: tuple[float, float] = (1.0, 1.0)
    balanced: bool = False
    recall: tuple[int, float] | None = None


def goal_of(threshold: Threshold, select: str, classes: Sequence[str] | None) -> Goal:
    """A goal as a person gives it.

    Args:
        threshold: What is asked for; None is what `select` says.
        select: "accuracy" or "balanced_accuracy".
        classes: The two names, if any.

    Raises:
        ValueError: If there is no such goal or class, or a share is not between 0 and 1.
    """
    asked = select if threshold is None else threshold
    if asked in ("accuracy", "balanced_accuracy"):
        return Goal(balanced=asked == "balanced_accuracy")
    kind, values = next(iter(asked.items())) if isinstance(asked, Mapping) and asked else ("", None)
    if len(asked) != 1 or kind not in ("cost", "recall") or not isinstance(values, Mapping):
        raise ValueError(
            "threshold: wanted 'accuracy', 'balanced_accuracy', {'cost': {class: price of missing"
            f" it}}}} or {{'recall': {{class: share to be found}}}}, got {threshold!r}"
        )
    names = list(classes or ())
    for name in values:
        if name not in names and name not in (0, 1):
            known = f"{', '.join(names)}, or 0 and 1" if names else "0 and 1"
            raise ValueError(f"threshold: wanted classes among {known}, got {name!r}")
    if kind == "cost":
        first, second = class_factors(torch.zeros(0), 2, values, names).tolist()
        if not (first > 0 and second > 0):
            raise ValueError(f"threshold: wanted prices above 0, got {dict(values)}")
        return Goal((first, second))
    (name, share), *others = values.items()
    if others or not 0 < share < 1:
        raise ValueError(
            "threshold: wanted the recall of one class, above 0 and below 1, such as {'recall':"
            f" {{{name!r}: 0.95}}}}, got {dict(values)}"
        )
    return Goal(recall=(names.index(name) if name in names else name, float(share)))


@dataclass(frozen=True)
class Said:
    """What sums say of rows: how far the second class's score is above the first's.

    Args:
        sums: [rows].
        labels: [rows].
        weight: What each row counts, [rows].
    """

    sums: Tensor
    labels: Tensor
    weight: Tensor

    @classmethod
    def of(cls, scores: Tensor, labels: Tensor, weight: Tensor | None = None) -> Said:
        """Of scores, [rows, 2]."""
        sums = (scores[:, 1] - scores[:, 0]).double()
        return cls(sums, labels, torch.ones_like(sums) if weight is None else weight.double())

    def __add__(self, other: Said) -> Said:
        both = zip(vars(self).values(), vars(other).values(), strict=True)
        return Said(*(torch.cat(parts) for parts in both))

    def among(self, rows: Tensor) -> Said:
        """Of some rows."""
        return Said(self.sums[rows], self.labels[rows], self.weight[rows])


def choose_threshold(goal: Goal, held_out: Said, fitted: Said, firm: bool = True) -> float:
    """Where to cut: class 1 is answered above it.

    The threshold that the fit gave, 0, or with prices the one that follows from them, stays unless
    another gets more right by one standard error. What is right is counted among the rows held out
    and, as these are few, those of the fit, and smoothed; the middle of the best is taken.

    Args:
        goal: What it is to be best in.
        held_out: What sums said of rows that they were not fitted to.
        fitted: What they said of the others. A recall goes by the rows held out alone.
        firm: Whether the usual threshold stays where another is not clearly better. It does not
            for a sum of one feature, whose classes seldom lie as a fit takes it that they do.
    """
    if goal.recall is not None:
        return _for_recall(*goal.recall, held_out)
    rows = held_out + fitted
    prices = torch.tensor(goal.prices, dtype=torch.float64)
    if goal.balanced:
        prices = prices / torch.bincount(rows.labels, rows.weight, minlength=2).clamp_min(1e-9)
        prices = prices / prices.mean()
    weight, usual = rows.weight * prices[rows.labels], float((prices[0] / prices[1]).log())
    sides = [rows.sums[rows.labels == label] for label in (0, 1)]
    if min(map(len, sides)) < 2:
        return usual
    spread = math.sqrt(sum(float(side.var(correction=0)) for side in sides) / 2)
    width = WIDTH * spread * len(rows.sums) ** -0.2
    least, most = (float(end) for end in rows.sums.quantile(torch.tensor([0.01, 0.99]).double()))
    if not 0 < width < math.inf or not least < most:
        return usual
    places = torch.linspace(least, most, STEPS, dtype=torch.float64)
    # Row by row it would be a matrix of rows and places: the rows may be many.
    signs, normal = 2.0 * rows.labels - 1.0, torch.distributions.Normal(0.0, 1.0)
    values = torch.stack([weight @ normal.cdf(signs * (rows.sums - t) / width) for t in places])
    best = places[values >= values.max() * (1 - 1e-9)].mean().item()
    right = (rows.sums > best) == (rows.labels == 1)
    change = weight * (right.double() - ((rows.sums > usual) == (rows.labels == 1)).double())
    # Most rows are there twice, held out and fitted, so that there is half as much to go by.
    clear = float(change.sum()) > math.sqrt(2 * float(change.square().sum()))
    return best if clear or not firm else usual


def _for_recall(label: int, share: float, held_out: Said) -> float:
    """As few rows of the other class as leave a class its recall.

    Of n rows of the class floor((1 - share) * (n + 1)) - 1 may be missed: a further row is then
    found with at least that probability (split conformal prediction, Vovk et al. 2005).
    """
    sign = 1 if label == 1 else -1
    mine = (sign * held_out.sums[held_out.labels == label]).sort().values
    if not len(mine):
        return 0.0
    missed = max(0, math.floor((1 - share) * (len(mine) + 1) + 1e-9) - 1)
    low = mine[missed - 1] if missed else mine[0] - (mine[-1] - mine[0]) / len(mine) - 1e-6
    return sign * float((low + mine[missed]) / 2)


def cut(
    sums: Sums,
    said: tuple[Tensor, Tensor, Tensor | None],
    held_out: HeldOut,
    goal: Goal,
    firm: bool,
) -> tuple[Sums, HeldOut]:
    """Sums with a threshold of their own, and what was said of rows held out above one of theirs.

    That of held-out rows is chosen on the others, so that the accuracy there stays honest.

    Args:
        sums: Of two classes.
        said: Their scores of the rows that they were fitted to, labels, and what each counts.
        held_out: What sums that were made the same way say of rows held out.
        goal, firm: See :func:`choose_threshold`.
    """
    held = Said.of(held_out.scores, held_out.labels, held_out.weight)
    fitted = [Said.of(*each) for each in held_out.fitted]
    parts = held_out.splits
    if len(fitted) == 1:
        parts = share_out(held.labels, min(PARTS, len(parts)))
    above = held.sums.clone()
    for part in parts.unique().tolist():
        mine = parts == part
        own = fitted[0] if len(fitted) == 1 else fitted[part]
        above[mine] -= choose_threshold(goal, held.among(~mine), own, firm)
    bias = sums.bias.clone()
    bias[1] -= choose_threshold(goal, held, Said.of(*said), firm)
    scores = torch.stack([torch.zeros_like(above), above], dim=1).to(held_out.scores)
    return replace(sums, bias=bias), replace(held_out, scores=scores)
