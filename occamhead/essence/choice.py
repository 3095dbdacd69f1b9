"""Which circuit of real inputs suits some rows: the options, chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from occamhead.checks import needs
from occamhead.essence.patterns import class_labels
from occamhead.essence.real import fit_real_circuit, real_numbers

PER_CLASS = (1, 2, 3)
PENALTIES = (10.0, 1.0, 100.0)
NEGLIGIBLE = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Choice:
    """Options of :func:`occamhead.essence.fit_real_circuit`, and how they did.

    Attributes:
        options: The options.
        accuracy: Share of the rows that circuits of the other folds have right.
        weights: Weights of these circuits that are not zero, on average.
    """

    options: dict[str, Any]
    accuracy: float
    weights: float


def choose_real_options(
    x: ArrayLike,
    y: ArrayLike,
    *,
    per_class: Sequence[int] = PER_CLASS,
    penalties: Sequence[float] = PENALTIES,
    negligible: Sequence[float] = NEGLIGIBLE,
    folds: int = 5,
) -> tuple[Choice, Choice]:
    """The options that do best in cross-validation, and the shortest that do about as well.

    First the number of subconcepts, the penalty and the scaling of the inputs are varied; then
    weights are dropped from the best circuit of each number of subconcepts.

    Args:
        x: Inputs, [rows, inputs].
        y: Class of each row, [rows].
        per_class: Subconcepts per class to try.
        penalties: Penalties of the support vector machines to try.
        negligible: Shares of the largest weight to try, beside 0.
        folds: Number of folds, in which classes are shared out evenly.

    Returns:
        The most accurate options, of equals the first tried; and those of the fewest weights that
        are within one standard error of their accuracy (Breiman et al. 1984).

    Raises:
        ValueError: As :func:`occamhead.essence.fit_real_circuit` does, or if there are fewer rows
            of a class than folds.
        ImportError: Without scikit-learn.
    """
    points = real_numbers(x)
    labels = class_labels(y, len(points), None)
    splits = _splits(labels, folds)
    classes = len(np.unique(labels))
    room = min(len(rest) for rest, _ in splits)

    def tried(options: dict[str, Any]) -> Choice:
        right, weights = 0, 0
        for rest, own in splits:
            circuit = fit_real_circuit(points[rest], labels[rest], **options)
            right += int((circuit.predict(points[own]) == labels[own]).sum())
            weights += int(np.count_nonzero(circuit.weights))
        return Choice(options, right / len(labels), weights / len(splits))

    found: list[Choice] = []
    for count in sorted({min(classes * k, room) for k in per_class}):
        own = [
            tried({"subconcepts": count, "penalty": penalty, "standardise": standardise})
            for penalty, standardise in product(penalties, (True, False))
        ]
        start = max(own, key=lambda choice: choice.accuracy).options
        found += own + [tried({**start, "negligible": share}) for share in negligible]
    best = max(found, key=lambda choice: choice.accuracy)
    error = (best.accuracy * (1 - best.accuracy) / len(labels)) ** 0.5
    close = [choice for choice in found if choice.accuracy >= best.accuracy - error]
    return best, min(close, key=lambda choice: (choice.weights, -choice.accuracy))


def _splits(labels: np.ndarray, folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows outside and inside of each fold."""
    with needs("scikit-learn", "a circuit of real inputs", "tabular"):
        from sklearn.model_selection import StratifiedKFold
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    if fewest < folds:
        raise ValueError(
            f"{folds} folds need as many rows of each class, but one has {fewest}; lower folds"
        )
    split = StratifiedKFold(folds, shuffle=True, random_state=0).split(labels[:, None], labels)
    return list(split)
