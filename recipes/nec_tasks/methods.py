"""The methods of `recipes.nec`, by name: heads whose classes read a few features each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from occamhead.heads.coding import WEIGHTS, Coding
from occamhead.heads.editing import Origin
from occamhead.rows.arrays import ArrayData, view_rows
from occamhead.rows.dense import choose_dense_head, fit_dense_head
from occamhead.rows.metrics import accuracy
from occamhead.rows.sparse_softmax import Solution
from occamhead.training.path import fit_path
from recipes.nec_tasks.choice import Made, Method, Task, by_validation
from recipes.nec_tasks.fits import Standardised, largest
from recipes.others.saga import MIXING, saga_path
from recipes.shared.rows import together

# Ridge penalties to try, of which the first suits thousands of rows.
RIDGES = (1e-3, 1e-2, 1e-4)
# Iterations of a fit on the way, and of the last one of a budget.
STEPS, LAST_STEPS = 8, 20
# Of the weights that are left, the share that one step of pruning keeps: above twice the largest
# budget, and then.
COARSE, FINE = 0.2, 0.7

Heads = Iterator[tuple[int, nn.Linear]]
Over = Callable[[], bool]


def ours(task: Task, shape: str | None = None) -> dict[int, Made]:
    """`fit_path(per_class=True)`: sums whose budgets count the features of a class in the mean."""
    data = ArrayData(task.train, task.validation, task.validation)
    path = fit_path(data, task.budgets, per_class=True, shape=shape, seed=task.seed)
    return {point.budget: Made(point.head, point.validation_accuracy) for point in path}


def coded(task: Task, shared: int | None, weights: str) -> dict[int, Made]:
    """Sums of roots that share a pool of features, or whose weights are signs.

    The heads of ``fit_path(per_class=True, shape="sqrt", shared=..., weights=..., distil=False)``:
    without its dense head, which takes longer and which these do not learn from.
    """
    origin = Origin(
        view_rows(task.train), view_rows(task.validation), (None, None), None, task.classes,
        names=None, feature_names=None, hints=None, penalty=None, per_class=True, shape="sqrt",
        coding=Coding(shared, weights), seed=task.seed,
    )  # fmt: skip
    origin.coding.check(task.classes, task.budgets)
    found = origin.fit(task.budgets)
    return {budget: Made(made.head, made.rates.accuracy) for budget, made in found.items()}


def dense(task: Task) -> dict[int, Made]:
    """Multinomial regression on all features, with a ridge penalty; one head."""
    train, held = view_rows(task.train), view_rows(task.validation)
    chosen, penalty = choose_dense_head(train, held, task.classes)
    rows = view_rows(together(task.train, task.validation))
    head = fit_dense_head(rows, task.classes, penalty, chosen, in_place=True)
    return {train[0].shape[1]: Made(head, accuracy(chosen, held))}


def pruned(
    rows: Standardised, budgets: Sequence[int], ridge: float, seed: int, over: Over
) -> Heads:
    """Gradual magnitude pruning: the smallest weights of the dense head leave, the others are
    fitted again, and so on down to the smallest budget.

    Source: Han et al. 2015 (NeurIPS, arXiv 1506.02626); Zhu and Gupta 2017 (arXiv 1710.01878).
    """
    now = rows.start()
    now = rows.fit(now, torch.ones_like(now.mask), ridge, 3 * STEPS)
    size = rows.features
    for budget in sorted(budgets, reverse=True):
        while size > budget:
            share = COARSE if size > 2 * max(budgets) else FINE
            size = max(budget, int(share * size))
            now = rows.fit(now, largest(now.weight, size), ridge, STEPS)
        last = rows.fit(now, now.mask, ridge, LAST_STEPS)
        yield budget, rows.layer(last.weight, last.bias)


def along(
    rows: Standardised,
    budgets: Sequence[int],
    ridge: float,
    seed: int,
    over: Over,
    *,
    mixing: float,
    refit: bool,
) -> Heads:
    """For each budget the first solution of an elastic-net path with so many weights, cut to them.

    As heads are brought to the same NEC by Srivastava et al. 2024 (arXiv 2408.01432), but for
    `refit`, with which the weights that are left are fitted without L1.

    Args:
        rows, budgets, seed, over: See :data:`recipes.nec_tasks.choice.Fit`.
        ridge: Penalty of the weights where they are fitted again.
        mixing: See :func:`saga_path`.
        refit: Whether they are.
    """
    left = sorted(budgets)
    # Rows are drawn at random, so each is to lie in one place.
    z = rows.z.contiguous()
    for point in saga_path(z, rows.labels, rows.classes, seed, mixing=mixing):
        weight, late = point.weight.T.contiguous(), over()
        while left and (late or int((weight != 0).sum()) >= left[0] * rows.classes):
            budget = left.pop(0)
            mask = largest(weight, budget)
            made = Solution(weight * mask, point.bias, mask, 0.0)
            if refit:
                made = rows.fit(made, mask, ridge, LAST_STEPS)
            yield budget, rows.layer(made.weight, made.bias)
        if not left or bool((weight != 0).all()):
            return


def random(
    rows: Standardised, budgets: Sequence[int], ridge: float, seed: int, over: Over
) -> Heads:
    """Features of each class drawn at random, those of a smaller budget among a larger one's."""
    draw = torch.Generator().manual_seed(seed)
    lots = torch.rand(rows.classes, rows.features, generator=draw)
    # Constant features come last: their weights would be none.
    places = (lots + (rows.columns == 0).all(dim=1)).argsort(dim=1)
    now = rows.start()
    for budget in sorted(budgets):
        now = rows.fit(now, _first(places, budget), ridge, LAST_STEPS)
        yield budget, rows.layer(now.weight, now.bias)


def _first(places: Tensor, budget: int) -> Tensor:
    """The mask of the first features of each class, [classes, features]."""
    mask = torch.zeros_like(places, dtype=torch.bool)
    return mask.scatter(1, places[:, :budget], True)


METHODS: dict[str, Method] = {
    "ours": ours,
    "roots": partial(ours, shape="sqrt"),
    "pruned": by_validation(pruned, RIDGES),
    "glm_saga": by_validation(partial(along, mixing=MIXING, refit=False), (0.0,)),
    "l1": by_validation(partial(along, mixing=1.0, refit=True), RIDGES),
    "random": by_validation(random, RIDGES),
    "dense": dense,
    **{weights: partial(coded, shared=None, weights=weights) for weights in WEIGHTS[1:]},
    **{
        f"pool{shared}-{weights}": partial(coded, shared=shared, weights=weights)
        for shared in (50, 100)
        for weights in WEIGHTS
    },
}
