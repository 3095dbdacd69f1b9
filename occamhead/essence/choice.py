"""Which circuit of real inputs suits some rows: the options, chosen on rows held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from occamhead.essence.patterns import class_labels
from occamhead.essence.real import fit_real_circuit, real_numbers

PER_CLASS = (1, 2, 3, 5)
PENALTIES = (0.01, 0.1, 1.0, 10.0)
NEGLIGIBLE = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Choice:
    """Options of :func:`occamhead.essence.fit_real_circuit`, and how they did.

    Attributes:
        options: The options.
        validation_accuracy: Share of the validation rows that the circuit has right.
        weights: Weights of the circuit that are not zero.
    """

    options: dict[str, Any] = field(hash=False)
    validation_accuracy: float
    weights: int


def choose_real_options(
    train: tuple[ArrayLike, ArrayLike],
    validation: tuple[ArrayLike, ArrayLike],
    *,
    per_class: Sequence[int] = PER_CLASS,
    penalties: Sequence[float] = PENALTIES,
    negligible: Sequence[float] = NEGLIGIBLE,
) -> tuple[Choice, Choice]:
    """The options that did best on the validation rows, and the shortest that did about as well.

    First the number of subconcepts, the penalty and the scaling of the inputs are varied; then
    weights are dropped from the best circuit of each number of subconcepts.

    Args:
        train: Inputs [rows, inputs] and classes [rows] to fit to.
        validation: The same to choose on.
        per_class: Subconcepts per class to try.
        penalties: Penalties of the support vector machines to try.
        negligible: Shares of the largest weight to try, beside 0.

    Returns:
        Of the most accurate circuits the one of fewest weights, and the one of fewest weights that
        is within one standard error of their accuracy (Breiman et al. 1984).

    Raises:
        ValueError: As :func:`occamhead.essence.fit_real_circuit` does.
    """
    points = real_numbers(train[0])
    labels = class_labels(train[1], len(points), None)
    held_out = np.asarray(validation[1])
    classes = len(np.unique(labels))
    counts = sorted({min(classes * k, len(labels)) for k in per_class})

    def tried(options: dict[str, Any]) -> Choice:
        circuit = fit_real_circuit(points, labels, **options)
        right = circuit.predict(validation[0]) == held_out
        return Choice(options, float(right.mean()), int(np.count_nonzero(circuit.weights)))

    found: list[Choice] = []
    for count in counts:
        grid = product(penalties, (True, False))
        own = [
            tried({"subconcepts": count, "penalty": penalty, "standardise": standardise})
            for penalty, standardise in grid
        ]
        start = _best(own)
        found += own
        found += [tried({**start.options, "negligible": share}) for share in negligible]
    best = _best(found)
    p = best.validation_accuracy
    error = (p * (1 - p) / len(held_out)) ** 0.5
    close = [choice for choice in found if choice.validation_accuracy >= p - error]
    return best, min(close, key=lambda choice: (choice.weights, -choice.validation_accuracy))


def _best(choices: Iterable[Choice]) -> Choice:
    return max(choices, key=lambda choice: (choice.validation_accuracy, -choice.weights))
