"""Ours among the heads that are compared: the formula, run as the source that it prints.

They are called as those of :mod:`recipes.others.linear_heads` are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from occamhead import Expression
from occamhead.commands.report import run_source
from occamhead.rows.arrays import ArrayData
from occamhead.training.fit import fit_head
from occamhead.training.path import fit_path
from occamhead.training.results import Fit
from recipes.others.linear_heads import Clock, Heads, SparseHead, count_classes
from recipes.shared.rows import Part

# Of each class, where each class has a budget of its own.
NODES, TERMS = 16, 12


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
    """Ours: a path, of weighted sums for counts in all, of blocks of nodes for those per class."""
    clock, heads = Clock(seconds), Heads()
    nodes, data = NODES if per_class else 0, as_data(train, validation)
    for point in fit_path(data, counts, per_class=per_class, nodes=nodes, terms=TERMS, seed=seed):
        heads.by_count[point.budget] = formula_head(point.formula, point.validation_accuracy)
    heads.seconds, heads.cut = clock.spent, clock.over()
    return heads


def occamhead_backprop(
    train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int
) -> Heads:
    """Ours by backprop: a fit of its own for each count."""
    return _fit_each(fit_head, train, validation, counts, seconds, seed)


def occamhead_evolution(
    train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int
) -> Heads:
    """Ours by evolution: a fit of its own for each count."""
    from occamhead.training.evolution import fit_head_by_evolution

    return _fit_each(fit_head_by_evolution, train, validation, counts, seconds, seed)


def occamhead_both(
    train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int
) -> Heads:
    """Ours by backprop, then evolution from there: a fit of its own for each count."""
    from occamhead.training.evolution import fit_head_by_evolution

    def fit(data: ArrayData, **options: Any) -> Fit:
        shape = {"head": options.pop("head")}
        start = fit_head(data, module=shape, **options).head
        return fit_head_by_evolution(data, start=start, **options)

    return _fit_each(fit, train, validation, counts, seconds, seed)


def _fit_each(
    fit: Any,
    train: Part,
    validation: Part,
    counts: Sequence[int],
    seconds: float,
    seed: int,
) -> Heads:
    clock, heads = Clock(seconds), Heads()
    for place, count in enumerate(counts):
        # A fit cannot be cut short: it is not begun where the one before took what is left.
        if place and clock.over(place / (place + 1)):
            break
        terms = max(1, count // count_classes(train))
        head = {"bases": [f"affine{terms}"]}
        options = {"module": {"head": head}} if fit is fit_head else {"head": head}
        found = fit(
            as_data(train, validation),
            max_features=count,
            seed=seed,
            trainer={"enable_progress_bar": False},
            **options,
        )
        heads.by_count[count] = formula_head(found.head.formula(), found.validation_accuracy)
    heads.seconds, heads.cut = clock.spent, clock.cut
    return heads
