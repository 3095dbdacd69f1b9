"""Training rows pooled into patterns: distinct inputs with one label each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# What float32 holds exactly, and products with the largest weights are exact in int64.
_LARGEST_INPUT = 2**24


@dataclass(frozen=True)
class Patterns:
    """Distinct inputs, each with the label that most of its rows carry.

    Attributes:
        points: The inputs, [patterns, inputs] int64, in lexicographic order.
        labels: Class of each, [patterns] int64; of equally frequent labels the lowest.
        support: Rows per pattern, [patterns] int64.
        purity: Share of a pattern's rows that carry its label, [patterns].
        num_classes: Number of classes.
        num_dropped: Patterns that were left out for want of support or purity.
        num_rows: Rows that were pooled.
        num_contradicted: Rows that carry another label than most of the same inputs.
    """

    points: NDArray[np.int64]
    labels: NDArray[np.int64]
    support: NDArray[np.int64]
    purity: NDArray[np.float64]
    num_classes: int
    num_dropped: int
    num_rows: int
    num_contradicted: int

    def seen_through(self, forms: NDArray[np.int64]) -> Patterns | None:
        """The patterns of linear forms, [forms, inputs], in the place of the inputs.

        Returns:
            None if they contradict each other: patterns of different labels agree in every form.
        """
        values = self.points @ forms.T
        # Some ten times faster than np.unique of rows; the last key is for there being no form.
        order = np.lexsort([*values.T[::-1], np.zeros(len(values))])
        values = values[order]
        is_new = np.append(True, (values[1:] != values[:-1]).any(axis=1))
        points = values[is_new]
        place = np.empty_like(order)
        place[order] = np.cumsum(is_new) - 1
        labels = np.zeros(len(points), dtype=np.int64)
        labels[place] = self.labels
        if (labels[place] != self.labels).any():
            return None
        support = np.bincount(place, self.support)
        return Patterns(
            points=points,
            labels=labels,
            support=support.astype(np.int64),
            purity=np.bincount(place, self.support * self.purity) / support,
            num_classes=self.num_classes,
            num_dropped=self.num_dropped,
            num_rows=self.num_rows,
            num_contradicted=self.num_contradicted,
        )


def pool(
    x: ArrayLike,
    y: ArrayLike,
    *,
    classes: int | None = None,
    min_support: int = 1,
    min_purity: float = 0.5,
) -> Patterns:
    """Pool equal rows, so that contradictory labels are settled by a majority.

    Args:
        x: Inputs, [rows, inputs], whole numbers (of any dtype).
        y: Class of each row, [rows] whole numbers from 0.
        classes: Number of classes; None takes the highest label plus one.
        min_support: Rows that a pattern needs.
        min_purity: Share of its rows that must carry the most frequent label.

    Raises:
        ValueError: If an input or label is no whole number or out of range, the lengths differ,
            or no pattern is left.

    Source: design of ours. Whether planes separate is all or nothing, so noisy labels are settled
    before any plane is fitted.
    """
    points = whole_numbers(x)
    labels = class_labels(y, len(points), classes)
    num_classes = int(labels.max()) + 1 if classes is None else classes
    if min_support < 1 or not 0 <= min_purity <= 1:
        raise ValueError(
            f"min_support must be at least 1 and min_purity within 0 and 1, got {min_support} and"
            f" {min_purity}"
        )
    distinct, place = np.unique(points, axis=0, return_inverse=True)
    there, which = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(distinct), len(there)), dtype=np.int64)
    np.add.at(counts, (place.reshape(-1), which), 1)
    support = counts.sum(axis=1)
    purity = counts.max(axis=1) / support
    kept = (support >= min_support) & (purity >= min_purity)
    if not kept.any():
        raise ValueError(
            f"none of {len(distinct)} patterns has {min_support} rows of which a share of"
            f" {min_purity} agrees (the best has {support.max()} rows, the purest a share of"
            f" {purity.max():.3g}); lower min_support or min_purity, or give more rows"
        )
    return Patterns(
        points=distinct[kept],
        labels=there[counts.argmax(axis=1)][kept],
        support=support[kept],
        purity=purity[kept],
        num_classes=num_classes,
        num_dropped=int((~kept).sum()),
        num_rows=len(points),
        num_contradicted=int(len(points) - counts.max(axis=1).sum()),
    )


def whole_numbers(x: ArrayLike) -> NDArray[np.int64]:
    """The inputs as int64, [rows, inputs].

    Raises:
        ValueError: If they are no table, or a value is no whole number below 2**24.
    """
    values: NDArray[Any] = np.asarray(x)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(
            f"inputs must be a table [rows, inputs] that is not empty, got shape {values.shape}"
        )
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"inputs must be numbers, got dtype {values.dtype}; encode them as whole numbers"
        )
    bad = ~(np.abs(values.astype(np.float64)) < _LARGEST_INPUT)
    if values.dtype.kind == "f":
        bad |= values != np.round(values)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"input {column} of row {row} is {values[row, column]} ({int(bad.sum())} such values);"
            " this circuit takes whole numbers below 2**24: round, binarise or bin the inputs, or"
            " take inputs='real' (fit_real_circuit)"
        )
    return values.astype(np.int64)


def class_labels(y: ArrayLike, rows: int, classes: int | None) -> NDArray[np.int64]:
    """The labels as int64, [rows].

    Raises:
        ValueError: If they are not one per row, no whole numbers, or out of range.
    """
    labels: NDArray[Any] = np.asarray(y)
    if labels.shape != (rows,):
        raise ValueError(f"{rows} rows need as many labels, got shape {labels.shape}")
    if labels.dtype.kind not in "biuf" or (labels.dtype.kind == "f" and (labels % 1 != 0).any()):
        raise ValueError(
            f"labels must be class numbers from 0, got {labels[:1].tolist()[0]!r} of dtype"
            f" {labels.dtype}; number them by np.unique(y, return_inverse=True)[1]"
        )
    limit = np.iinfo(np.int64).max if classes is None else classes
    bad = np.flatnonzero((labels < 0) | (labels >= limit))
    if len(bad):
        wanted = "0 or more" if classes is None else f"from 0 to {classes - 1}"
        raise ValueError(f"labels must be {wanted}, got {labels[bad[0]]} in row {bad[0]}")
    return labels.astype(np.int64)
