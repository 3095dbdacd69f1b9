"""The inputs that labels depend on, where it was declared which of them are near."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamhead.essence.patterns import Patterns, pool


def relevant_inputs(
    x: ArrayLike, y: ArrayLike, distances: ArrayLike, *, classes: int | None = None
) -> NDArray[np.int64]:
    """The inputs that are left when distant ones are dropped while the rest tells all labels.

    Inputs are dropped one by one, the farthest first, as long as no two patterns of different
    labels become equal. Rows that are equal in all inputs are pooled first, by majority.

    Args:
        x: Inputs, [rows, inputs], whole numbers.
        y: Class of each row, [rows] whole numbers from 0.
        distances: How far off each input is, [inputs] in any unit, say from the centre of a
            window; of equally distant inputs the last goes first.
        classes: Number of classes; None takes the highest label plus one.

    Returns:
        Indices of the inputs that are kept, ascending.

    Raises:
        ValueError: If inputs or labels are no whole numbers, or the distances are not a finite
            number for each input.

    Example:
        >>> from occamhead.essence import relevant_inputs
        >>> x = [[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]]
        >>> relevant_inputs(x, [0, 1, 0, 1], [1, 0, 2]).tolist()
        [1]

    Source: design of ours. The order has to be declared, since on few rows many sets of inputs
    tell all labels, and most of them by chance. So do wrong labels: any that pooling leaves keep
    inputs in.
    """
    return nearest_inputs(pool(x, y, classes=classes), distances)


def nearest_inputs(patterns: Patterns, distances: ArrayLike) -> NDArray[np.int64]:
    """What :func:`relevant_inputs` finds, of patterns that are pooled."""
    inputs = patterns.points.shape[1]
    far = np.asarray(distances)
    if far.shape != (inputs,) or far.dtype.kind not in "biuf" or not np.isfinite(far).all():
        raise ValueError(
            f"distances must be a finite number for each of {inputs} inputs, got {distances!r}"
        )
    kept = np.ones(inputs, dtype=bool)
    for index in np.argsort(far, kind="stable")[::-1]:
        kept[index] = False
        if patterns.seen_through(np.eye(inputs, dtype=np.int64)[kept]) is None:
            kept[index] = True
    return np.flatnonzero(kept)
