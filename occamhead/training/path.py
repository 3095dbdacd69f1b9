"""A Pareto path in one fit: formulas from few features up, each with its accuracy held out."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from occamhead.checks import check_counts, check_finite
from occamhead.heads.calibration import fit_temperature
from occamhead.heads.occam import OccamHead
from occamhead.heads.writing import write_head
from occamhead.rows.arrays import ArrayDataModule, as_rows
from occamhead.rows.dense import choose_dense_head, fit_dense_head
from occamhead.rows.objective import Rows, one_thread, standardisation
from occamhead.training.blocks import BATCH, Pruning, prune_path
from occamhead.training.results import ParetoPath, PathPoint
from occamhead.training.sums import SumPath, hold_out

# With more rows than this the validation rows alone choose, without folds.
FEW_ROWS = 5000
# A feature that varies less than this share of a typical one is not standardised in full: a pixel
# that is lit in a few pictures would be huge in those.
LEAST_SPREAD = 1 / 3


@one_thread()
def fit_path(
    data: ArrayDataModule,
    budgets: Sequence[int] = (1, 2, 4, 8, 16, 32),
    *,
    per_class: bool = False,
    nodes: int = 0,
    terms: int = 16,
    family: str = "hinge_affine",
    folds: int | None = None,
    steps: int | None = None,
    distil: bool = True,
    seed: int = 0,
) -> ParetoPath:
    """Fit formulas of several budgets of features to training and validation rows.

    Without nodes, each class's score is a weighted sum of features. The features are those best
    subsets whose sums come nearest to the scores of a dense head (see
    :mod:`occamhead.training.sums`). Two classes share one score: each formula has the features that
    speak for its class.

    With nodes, each class's score is a weighted sum of nodes of its own, functions of weighted
    sums of features. They are trained on all features and pruned (see
    :mod:`occamhead.training.blocks`).

    In either case the formulas are then fitted to training and validation rows together, so the
    validation accuracy is that of formulas made the same way from fewer rows. Test rows are not
    touched.

    Args:
        data: Rows of features and labels.
        budgets: Most features, each at least 1; a budget of more than there are is all.
        per_class: Whether budgets count the features of each class rather than those of all.
        nodes: Nodes of each class; 0 for weighted sums.
        terms: Most features that a node reads.
        family: What a node is, see :data:`occamhead.network.bases.FAMILIES`.
        folds: Folds of training and validation rows that are held out in turn, at least 2; 1
            holds out the validation rows alone. None takes 5 for sums on up to 5000 rows, else 1.
        steps: Optimiser steps on the way to each budget, and again at it, with nodes; None takes
            16 passes over the rows, at least 800 steps.
        distil: Learn weighted sums from the dense head rather than from the labels.
        seed: Seed of the folds, of the nodes' weights and of their batches.

    Raises:
        ValueError: If a number is out of range, there are no budgets, or features are not finite.
    """
    if not budgets:
        raise ValueError("at least one budget is needed, got none")
    for budget in budgets:
        check_counts(budget=budget)
    check_counts(terms=terms, folds=folds, steps=steps)
    if nodes < 0:
        raise ValueError(f"nodes must not be negative, got {nodes}")
    if nodes and folds not in (None, 1):
        raise ValueError(f"with nodes the validation rows alone are held out, got folds={folds}")
    data.prepare_data()
    data.setup("fit")
    train, validation = as_rows(data.arrays.train), as_rows(data.arrays.validation)
    if train[1].dim() != 1:
        raise ValueError("a path is fitted to one label per row; for other targets take fit_head")
    together = as_rows(data.merged().arrays.train)
    check_finite(together[0])
    classes = data.num_classes
    # More features than there are make no other formula.
    sizes = sorted({min(budget, data.num_features) for budget in budgets})
    chosen, penalty = choose_dense_head(train, validation, classes)
    dense = fit_dense_head(together, classes, penalty, chosen)
    if nodes:
        steps = steps or max(800, 16 * len(train[0]) // BATCH)
        pruning = Pruning(nodes, terms, family, per_class, steps, seed)
        points = _block_points(train, validation, together, classes, sizes, pruning)
    else:
        folds = folds or (5 if len(together[0]) <= FEW_ROWS else 1)
        splits = (
            iter([(train, validation)]) if folds == 1 else _folds(together, classes, folds, seed)
        )
        taught = penalty if distil else None
        points = _sum_points(splits, together, classes, sizes, per_class, taught)
    return ParetoPath(tuple(points), dense)


@one_thread()
def bootstrap_returns(
    data: ArrayDataModule,
    budgets: Sequence[int],
    *,
    per_class: bool = False,
    resamples: int = 20,
    seed: int = 0,
) -> dict[int, dict[int, float]]:
    """How often each feature is chosen for weighted sums when the rows are drawn anew.

    Args:
        data: Rows of features and labels; those of training and validation are resampled.
        budgets: Most features.
        per_class: Whether budgets count the features of each class.
        resamples: Bootstrap samples, each of as many rows, drawn with replacement.
        seed: Seed of the drawing.

    Returns:
        For each budget the share of the samples in which a feature was chosen, largest first;
        features that never were are left out.

    Source: Meinshausen and Buehlmann 2010 (arXiv 0809.2932).
    """
    check_counts(resamples=resamples)
    data.prepare_data()
    data.setup("fit")
    train, validation = as_rows(data.arrays.train), as_rows(data.arrays.validation)
    _, penalty = choose_dense_head(train, validation, data.num_classes)
    features, labels = as_rows(data.merged().arrays.train)
    generator = torch.Generator().manual_seed(seed)
    counts: dict[int, Counter[int]] = {budget: Counter() for budget in budgets}
    for _ in range(resamples):
        drawn = torch.randint(len(labels), (len(labels),), generator=generator)
        rows = features[drawn], labels[drawn]
        path = SumPath(rows, data.num_classes, per_class, penalty)
        for budget, mask in path.supports(budgets).items():
            counts[budget].update(mask.any(dim=1).nonzero().flatten().tolist())
    return {
        budget: {feature: times / resamples for feature, times in count.most_common()}
        for budget, count in counts.items()
    }


def _sum_points(
    splits: Iterator[tuple[Rows, Rows]],
    together: Rows,
    classes: int,
    sizes: Sequence[int],
    per_class: bool,
    penalty: float | None,
) -> list[PathPoint]:
    held_out = hold_out(splits, classes, sizes, per_class, penalty)
    path = SumPath(together, classes, per_class, penalty)
    sums = path.sums(sizes)
    points = []
    for size in sizes:
        held = held_out[size]
        head = write_head(sums[size], path.standardisation)
        counts = Counter(itertools.chain.from_iterable(held.features))
        returns: dict[int, float] = {}
        if len(held.features) > 1:
            returns = {f: counts[f] / len(held.features) for f in head.formula().features}
        points.append(_point(size, head, held.scores, held.labels, path.aim(size).ridge, returns))
    return points


def _block_points(
    train: Rows,
    validation: Rows,
    together: Rows,
    classes: int,
    sizes: Sequence[int],
    pruning: Pruning,
) -> list[PathPoint]:
    said = {}
    for size, head in _pruned(train, classes, sizes, pruning):
        with torch.no_grad():
            said[size] = head(validation[0])
    heads = dict(_pruned(together, classes, sizes, pruning))
    return [_point(size, heads[size], said[size], validation[1]) for size in sizes]


def _pruned(
    rows: Rows,
    classes: int,
    sizes: Sequence[int],
    pruning: Pruning,
) -> Iterator[tuple[int, OccamHead]]:
    mean, scale = standardisation(rows[0])
    typical = rows[0].std(dim=0, correction=0).square().mean().sqrt()
    scale = scale.clamp_min(LEAST_SPREAD * float(typical))
    z = (rows[0] - mean) / scale, rows[1]
    for size, blocks in prune_path(z, classes, sizes, pruning):
        yield size, write_head(blocks, (mean, scale))


def _point(
    budget: int,
    head: OccamHead,
    scores: Tensor,
    labels: Tensor,
    penalty: float = 0.0,
    returns: Mapping[int, float] | None = None,
) -> PathPoint:
    head.calibration.fill_(math.log(fit_temperature(scores, labels)))
    right, rows = int((scores.argmax(dim=1) == labels).sum()), len(labels)
    # One more of each kind (Laplace): that all were right does not mean that none can be wrong.
    smoothed = (right + 1) / (rows + 2)
    rate, error = right / rows, math.sqrt(smoothed * (1 - smoothed) / rows)
    return PathPoint(budget, head, rate, error, penalty, dict(returns or {}))


def _folds(rows: Rows, classes: int, count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows to fit and rows held out, each row once, with as many of a class in every fold."""
    features, labels = rows
    if count > len(labels):
        raise ValueError(f"folds must be at most the {len(labels)} rows, got {count}")
    generator = torch.Generator().manual_seed(seed)
    fold = torch.empty(len(labels), dtype=torch.long)
    start = 0
    for label in range(classes):
        mine = (labels == label).nonzero().flatten()
        shuffled = mine[torch.randperm(len(mine), generator=generator)]
        fold[shuffled] = (torch.arange(len(mine)) + start) % count
        start += len(mine)  # so that the folds differ by a row at most
    for place in range(count):
        out = fold == place
        yield (features[~out], labels[~out]), (features[out], labels[out])
