"""Ours among the heads that are compared: the formula, run as the source that it prints.

They are called as those of :mod:`recipes.sparse_heads` are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from occamhead import Expression
from occamhead.data import ArrayData
from occamhead.fitting import fit_head
from recipes.report import run_source
from recipes.sparse_heads import Clock, Heads, Part, SparseHead, count_classes


def formula_head(formula: Expression, validation_accuracy: float) -> SparseHead:
    """A formula as a head: what predicts is its stand-alone Python source."""
    source = formula.python()

    def predict(x: np.ndarray) -> np.ndarray:
        return run_source(source, x)[1]

    return SparseHead(predict, tuple(sorted(formula.features)), validation_accuracy)


def as_data(train: Part, validation: Part) -> ArrayData:
    """The rows as data; there are no test rows, so those of validation stand in their place."""
    return ArrayData(train, validation, validation)


def occamhead(
    train: Part,
    validation: Part,
    counts: Sequence[int],
    seconds: float,
    seed: int,
    per_class: bool = False,
) -> Heads:
    """Ours by backprop: a fit of its own for each count."""
    return _fit_each(fit_head, train, validation, counts, seconds, seed, per_class)


def occamhead_evolution(
    train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int
) -> Heads:
    """Ours by evolution: a fit of its own for each count."""
    from occamhead.search.heads import fit_head_by_evolution

    return _fit_each(fit_head_by_evolution, train, validation, counts, seconds, seed, False)


def _fit_each(
    fit: Any,
    train: Part,
    validation: Part,
    counts: Sequence[int],
    seconds: float,
    seed: int,
    per_class: bool,
) -> Heads:
    clock, heads = Clock(seconds), Heads()
    for place, count in enumerate(counts):
        # A fit cannot be cut short: it is not begun where the one before took what is left.
        if place and clock.over(place / (place + 1)):
            break
        terms = count if per_class else max(1, count // count_classes(train))
        head = {"bases": [f"affine{terms}"]}
        options = {"module": {"head": head}} if fit is fit_head else {"head": head}
        found = fit(
            as_data(train, validation),
            max_features=None if per_class else count,
            seed=seed,
            trainer={"enable_progress_bar": False},
            **options,
        )
        heads.by_count[count] = formula_head(found.head.formula(), found.validation_accuracy)
    heads.seconds, heads.cut = clock.spent, clock.cut
    return heads
