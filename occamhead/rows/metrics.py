"""How good scores are: accuracy, the recall of each class, and how sure one may be of either."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from occamhead.rows.objective import Rows

CRITERIA = ("loss", "accuracy", "balanced_accuracy")


def accuracy(model: Callable[[Tensor], Tensor], rows: Rows) -> float:
    """Share of rows whose highest score is that of their label."""
    with torch.no_grad():
        return float((model(rows[0]).argmax(dim=-1) == rows[1]).double().mean())


def wilson_interval(right: float, rows: int, deviations: float = 1.96) -> tuple[float, float]:
    """Where a share probably lies of which `right` of `rows` were seen; (0, 1) without rows.

    Args:
        right: How many rows, which may be a mean over several counts.
        rows: Of how many.
        deviations: Half the width in standard deviations; 1.96 is 95 %.

    Raises:
        ValueError: If `right` is not between 0 and `rows`.

    Source: Wilson 1927 (JASA 22:209).
    """
    if not 0 <= right <= rows:
        raise ValueError(f"right must be between 0 and the {rows} rows, got {right}")
    if not rows:
        return 0.0, 1.0
    share, square = right / rows, deviations**2
    centre = (share + square / (2 * rows)) / (1 + square / rows)
    spread = math.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    half = deviations / (1 + square / rows) * spread
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class ClassRates:
    """How many rows of each class were given their class.

    Args:
        right: Of each class; a mean where several formulas were judged.
        rows: Of each class.
    """

    right: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def accuracy(self) -> float:
        return sum(self.right) / sum(self.rows)

    @property
    def recalls(self) -> tuple[float, ...]:
        """Of each class the share that was found; NaN where there are no rows."""
        return tuple(r / n if n else math.nan for r, n in zip(self.right, self.rows, strict=True))

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have rows."""
        there = [recall for recall in self.recalls if not math.isnan(recall)]
        return sum(there) / len(there)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy, see :func:`wilson_interval`."""
        return wilson_interval(sum(self.right), sum(self.rows))

    @property
    def recall_intervals(self) -> tuple[tuple[float, float], ...]:
        """95 % interval of each recall."""
        return tuple(wilson_interval(r, n) for r, n in zip(self.right, self.rows, strict=True))

    def rate(self, criterion: str) -> float:
        """The accuracy, or the balanced accuracy."""
        return self.balanced_accuracy if criterion == "balanced_accuracy" else self.accuracy

    def standard_error(self, criterion: str) -> float:
        """Of :meth:`rate`, with one more row of each kind in every count (Laplace).

        That all rows were right does not mean that none can be wrong.
        """
        if criterion != "balanced_accuracy":
            return _error(sum(self.right), sum(self.rows))
        errors = [_error(r, n) for r, n in zip(self.right, self.rows, strict=True) if n]
        return math.sqrt(sum(error**2 for error in errors)) / len(errors)


def _error(right: float, rows: int) -> float:
    smoothed = (right + 1) / (rows + 2)
    return math.sqrt(smoothed * (1 - smoothed) / rows)


def rates_of(scores: Tensor, labels: Tensor) -> ClassRates:
    """The counts of some rows, [rows, classes] and [rows]."""
    right = scores.argmax(dim=-1) == labels
    counts = torch.bincount(labels, minlength=scores.shape[-1]).tolist()
    found = torch.bincount(labels[right], minlength=scores.shape[-1]).tolist()
    return ClassRates(tuple(float(each) for each in found), tuple(counts))


def mean_rates(all_rates: Sequence[ClassRates]) -> ClassRates:
    """The mean counts of several formulas on the same rows."""
    right = zip(*(each.right for each in all_rates), strict=True)
    return ClassRates(tuple(sum(each) / len(all_rates) for each in right), all_rates[0].rows)


def check_criterion(select: str) -> None:
    """Raise ValueError if there is no such way to choose."""
    if select not in CRITERIA:
        raise ValueError(f"select must be one of {', '.join(CRITERIA)}, got {select!r}")
