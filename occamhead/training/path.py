"""A Pareto path in one fit: formulas from few features up, each with its accuracy held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from occamhead.checks import check_counts
from occamhead.heads.coding import Coding
from occamhead.heads.digits import ALL, choose_digits
from occamhead.heads.editing import BUDGETS
from occamhead.heads.occam import OccamHead
from occamhead.heads.sums import sum_path
from occamhead.heads.threshold import Threshold, goal_of
from occamhead.heads.writing import write_head
from occamhead.rows.arrays import as_data
from occamhead.rows.metrics import check_criterion, rates_of
from occamhead.rows.objective import CROSS_ENTROPY, Rows, one_thread, standardisation
from occamhead.rows.weights import ClassWeight
from occamhead.saving import NOWHERE, Kept
from occamhead.training.blocks import BATCH, Pruning, prune_path
from occamhead.training.course import VOTED, Ground, prepare
from occamhead.training.kept_training import kept_fit
from occamhead.training.results import Fit, ParetoPath, PathPoint, points_of

# A feature that varies less than this share of a typical one is not standardised in full: a pixel
# that is lit in a few pictures would be huge in those.
LEAST_SPREAD = 1 / 3

Size = int | Literal["auto"] | None
"""Most features: a number, as few as are good enough (:func:`size_for`), or no limit."""


@one_thread()
def fit_path(
    data: Any,
    budgets: Sequence[int] = BUDGETS,
    *,
    per_class: bool = False,
    shared: int | None = None,
    weights: str = "real",
    shape: str | None = None,
    nodes: int = 0,
    terms: int = 16,
    family: str = "hinge_affine",
    folds: int | None = None,
    steps: int | None = None,
    distil: bool = True,
    seed: int = 0,
    loss: str = "cross_entropy",
    bases: Any = None,
    head: Mapping[str, Any] | None = None,
    class_weight: ClassWeight = None,
    sample_weight: Any = None,
    select: str = "accuracy",
    threshold: Threshold = None,
    checkpoint: str | Path | None = None,
) -> ParetoPath:
    """Fit formulas of several budgets of features to training and validation rows.

    Without nodes, each class's score is a weighted sum of features. The features are those best
    subsets whose sums come nearest to the scores of a dense head (see
    :mod:`occamhead.heads.sums`), or, with `per_class`, those that lower the loss of all classes
    most (see :mod:`occamhead.heads.class_sums`), for hundreds of classes too. Two classes share
    one score: each formula has the features that speak for its class.

    With nodes, each class's score is a weighted sum of nodes of its own, functions of weighted
    sums of features. They are trained on all features and pruned (see
    :mod:`occamhead.training.blocks`).

    In either case the formulas are then fitted to training and validation rows together, so the
    validation accuracy is that of formulas made the same way from fewer rows. Test rows are not
    touched.

    Args:
        data: Rows of features and labels: a data module, a pair `(x, y)` or a loader, as
            :func:`occamhead.fit_head` takes them.
        budgets: Most features, each at least 1; a budget of more than there are is all.
        per_class: Whether budgets count the features of a class rather than those of all: of sums
            in the mean, as the field counts them (NEC), and of nodes at most.
        shared: Most features that the sums of all classes read in all, with `per_class`: one pool,
            chosen for all of them together, within which budgets count.
        weights: "real" numbers, or, with `per_class`, "ternary": 1, 0 or -1 times one number of the
            whole head, on standardised features; "binary" is without -1; "ternary-by-class" and
            "binary-by-class" have one number for each class. A budget is then an upper limit, and
            ``head.formula().code_book(classes)`` says each feature's number once.
        shape: Function of each feature that sums add up: "sqrt", for features of a ReLU network;
            None adds up the features. "auto" takes the roots if, on rows held out and in the mean
            of the budgets, they are better by more than a standard error; if a feature is
            negative, there are none.
        nodes: Nodes of each class; 0 for weighted sums.
        terms: Most features that a node reads.
        family: What a node is, see :data:`occamhead.network.bases.FAMILIES`.
        folds: Folds of training and validation rows that are held out in turn, at least 2; 1
            holds out the validation rows alone. None takes 5 for sums on up to 5000 rows, else 1.
        steps: Optimiser steps on the way to each budget, and again at it, with nodes; None takes
            16 passes over the rows, at least 800 steps.
        distil: Learn weighted sums from the dense head rather than from the labels.
        seed: Seed of the folds, of the nodes' weights and of their batches.
        loss: "cross_entropy"; for several labels a row, or numbers, take
            :func:`occamhead.fit_head`.
        bases: None: a path decides them itself, as nodes, terms and family say.
        head: Arguments of :class:`OccamHead` that a path leaves open: `digits`; by default as few
            as leave the answers on all rows as they are.
        class_weight, sample_weight: See :func:`occamhead.fit_head`.
        select: What :meth:`ParetoPath.select` goes by: "accuracy" or "balanced_accuracy".
        threshold: What the sum of two classes is cut for: "accuracy", "balanced_accuracy",
            `{"recall": {"bees": 0.95}}` (as few of the other class as leave this one its recall) or
            `{"cost": {"bees": 5.0}}` (the price of missing one, beside 1 for the other class);
            None is what `select` says. It is chosen on rows held out and those of the fit, see
            :func:`occamhead.heads.threshold.choose_threshold`; the accuracy held out is that above
            thresholds chosen on other rows. Probabilities move with it.
        checkpoint: Folder in which the fit is kept while it runs; one that was stopped goes on from
            the folds and sizes that were done, and ends as if it had not been.

    Raises:
        ValueError: If a number is out of range, there are no budgets, features are not finite, or
            the checkpoint is of another fit.
        TypeError: If the data are of another kind.

    Example:
        >>> import torch
        >>> from occamhead import fit_path
        >>> x = torch.randn(100, 6)
        >>> path = fit_path((x, (x[:, 1] > x[:, 4]).long()), budgets=(1, 2))
        >>> path.select().formula.features
        (1, 4)
    """
    if not budgets:
        raise ValueError("at least one budget is needed, got none")
    for budget in budgets:
        check_counts(budget=budget)
    check_counts(terms=terms, folds=folds, steps=steps)
    if nodes < 0:
        raise ValueError(f"nodes must not be negative, got {nodes}")
    if nodes and shape is not None:
        raise ValueError(f"nodes are sums of the features themselves, got shape={shape!r}")
    if nodes and folds not in (None, 1):
        raise ValueError(f"with nodes the validation rows alone are held out, got folds={folds}")
    check_criterion(select)
    if select == "loss":
        raise ValueError("a path selects by 'accuracy' or 'balanced_accuracy', got 'loss'")
    data, sample_weight = as_data(data, seed, sample_weight)
    if loss != "cross_entropy" or data.arrays.train[1].ndim != 1:
        raise ValueError(
            "a path is fitted to one label per row; for other targets take fit_head or"
            f" fit_head_by_evolution, got loss={loss!r} and targets of shape"
            f" {list(data.arrays.train[1].shape)}"
        )
    digits = _digits({**(head or {}), **({} if bases is None else {"bases": bases})})
    ground = prepare(data, loss, class_weight, sample_weight, seed, seed_all=False)
    if threshold is not None and (nodes or ground.classes != 2):
        raise ValueError(
            f"threshold: weighted sums of two classes are cut at one, got {ground.classes} classes"
            f" and nodes={nodes}; leave threshold out"
        )
    sizes = _within(budgets, ground)
    coding = Coding(shared, weights)
    coding.check(ground.classes, sizes, per_class, nodes)
    asked = {"sizes": sizes, "per_class": per_class, "nodes": nodes, "terms": terms}
    asked |= {"family": family, "folds": folds, "steps": steps, "distil": distil, "seed": seed}
    asked |= {"digits": digits, "select": select, "threshold": threshold, "shape": shape}
    asked |= {"shared": shared, "weights": weights}
    kept = kept_fit(checkpoint, ground.data.arrays, ground.weight, asked)
    dense = ground.dense_on_all()
    if nodes:
        steps = steps or max(800, 16 * len(ground.train[0]) // BATCH)
        pruning = Pruning(nodes, terms, family, per_class, steps, seed)
        points = _block_points(ground, sizes, pruning, digits, kept)
    else:
        points = _sum_points(
            ground, sizes, distil, seed, select, threshold, digits, kept, shape,
            per_class=per_class, folds=folds, coding=coding,
        )  # fmt: skip
    return ParetoPath(tuple(points), dense, select)


def check_size(max_features: Size) -> None:
    """Raise ValueError for a size that is none."""
    if not isinstance(max_features, str):
        check_counts(max_features=max_features)
    elif max_features != "auto":
        raise ValueError(f"max_features must be a number, 'auto' or None, got {max_features!r}")


def size_for(
    max_features: Size,
    ground: Ground,
    *,
    distil: bool,
    seed: int,
    select: str,
    start: OccamHead | None = None,
) -> int | None:
    """Most features that the heads of a course may read: those asked for, or what "auto" comes to.

    "auto" is the size that :func:`fit_path` takes by itself, of weighted sums on the same rows (the
    one-standard-error rule, :meth:`ParetoPath.select`), or as many as a head to start from
    reads, if these are more. Several labels a row, and numbers, have no path: there it is 40, as
    :func:`occamhead.fit_head` has it.

    Args:
        max_features: What was asked for, see :func:`check_size`.
        ground: What the course starts from.
        distil, seed: Of the course; the seed is that of the folds.
        select: What the course chooses by; by "loss" the sizes are judged by accuracy.
        start: The head that the course starts from.
    """
    if max_features != "auto":
        return max_features
    size = VOTED
    if ground.objective is CROSS_ENTROPY:
        by = "accuracy" if select == "loss" else select
        # Heads that are made draw; what comes after draws as if the size had been given.
        with torch.random.fork_rng(devices=[]):
            points = _sum_points(ground, _within(BUDGETS, ground), distil, seed, by)
        size = ParetoPath(tuple(points), ground.dense, by).select().budget
    return size if start is None else max(size, len(start.formula().features))


def _within(budgets: Sequence[int], ground: Ground) -> list[int]:
    """The budgets in ascending order: more features than there are make no other formula."""
    return sorted({min(budget, ground.data.num_features) for budget in budgets})


def _sum_points(
    ground: Ground,
    sizes: Sequence[int],
    distil: bool,
    seed: int,
    select: str,
    threshold: Threshold = None,
    digits: int | None = None,
    kept: Kept = NOWHERE,
    shape: str | None = None,
    **how: Any,
) -> list[PathPoint]:
    """Weighted sums of these sizes; see :func:`fit_path` and, for `how`, :class:`Origin`."""
    if ground.classes == 2:
        how["goal"] = goal_of(threshold, select, ground.data.class_names)
    origin = ground.origin(distil, seed, digits, budgets=sizes, **how)
    assert origin is not None
    if shape != "auto":
        return points_of(replace(origin, shape=shape).fit(sizes, kept))
    tried = [
        points_of(replace(origin, shape=each).fit(sizes, kept.part(str(each))))
        for each in _shapes_to_try(ground)
    ]
    return _clearly_best(tried, select)


def _shapes_to_try(ground: Ground) -> list[str | None]:
    """The features themselves, and their roots where all have one."""
    negative = any(bool((x < 0).any()) for x in (ground.train[0], ground.validation[0]))
    return [None] if negative else [None, "sqrt"]


def _clearly_best(tried: Sequence[list[PathPoint]], select: str) -> list[PathPoint]:
    """Those that are better on rows held out by more than a standard error, else the first."""

    def mean(points: list[PathPoint]) -> float:
        return sum(getattr(point.rates, select) for point in points) / len(points)

    first, best = tried[0], max(tried, key=mean)
    error = max(point.rates.standard_error(select) for point in first)
    return best if mean(best) > mean(first) + error else first


def fit_head_by_path(
    data: Any,
    *,
    max_features: int | None = None,
    budgets: Sequence[int] = BUDGETS,
    seed: int = 0,
    sample_weight: Any = None,
    trainer: Mapping[str, Any] | None = None,
    **options: Any,
) -> Fit:
    """Fit formulas of several sizes by :func:`fit_path`, and take one: the head that is one rule.

    Args:
        data, seed, sample_weight: See :func:`fit_path`.
        max_features: Most features of the formula that is taken; a budget of as many is added. None
            takes the simplest formula that is good enough (:meth:`ParetoPath.select`).
        budgets: Most features of each formula; `fit.path` has them all.
        trainer: Arguments of the ``Trainer`` that writes the checkpoint.
        **options: Further arguments of :func:`fit_path`.

    Returns:
        As :func:`occamhead.fit_head` returns, with the path that the head was taken from.

    Raises:
        ValueError: If a number is below 1, or :func:`fit_path` says so.

    Example:
        >>> import torch
        >>> from occamhead.training.path import fit_head_by_path
        >>> x = torch.randn(100, 6)
        >>> fit = fit_head_by_path((x, (x[:, 1] > x[:, 4]).long()), budgets=(1, 2))
        >>> fit.head.formula().features, len(fit.path)
        ((1, 4), 2)
    """
    check_counts(max_features=max_features)
    if max_features is not None:
        budgets = sorted({*budgets, max_features})
    data, sample_weight = as_data(data, seed, sample_weight)
    path = fit_path(data, budgets, seed=seed, sample_weight=sample_weight, **options)
    return path.fit(path.select(max_features), data, trainer)


def _digits(head: Mapping[str, Any]) -> int | None:
    """Significant digits; ValueError for arguments of a head that a path decides itself."""
    if decided := sorted(set(head) - {"digits"}):
        raise ValueError(
            f"a path decides the head's {decided[0]} itself, as nodes, terms and family say; only"
            " digits is open, and for other heads take fit_head"
        )
    digits = head.get("digits")
    return None if digits is None else int(digits)


@one_thread()
def bootstrap_returns(
    data: Any,
    budgets: Sequence[int],
    *,
    per_class: bool = False,
    resamples: int = 20,
    seed: int = 0,
) -> dict[int, dict[int, float]]:
    """How often each feature is chosen for weighted sums when the rows are drawn anew.

    Args:
        data: As :func:`fit_path` takes; rows of training and validation are resampled.
        budgets: Most features.
        per_class: Whether budgets count the features of a class, in the mean.
        resamples: Bootstrap samples, each of as many rows, drawn with replacement.
        seed: Seed of the drawing.

    Returns:
        For each budget the share of the samples in which a feature was chosen, largest first;
        features that never were are left out.

    Source: Meinshausen and Buehlmann 2010 (arXiv 0809.2932).
    """
    check_counts(resamples=resamples)
    ground = prepare(data, "cross_entropy", None, None, seed, seed_all=False)
    features, labels = ground.together()
    generator = torch.Generator().manual_seed(seed)
    counts: dict[int, Counter[int]] = {budget: Counter() for budget in budgets}
    for _ in range(resamples):
        drawn = torch.randint(len(labels), (len(labels),), generator=generator)
        rows = features[drawn], labels[drawn]
        path = sum_path(rows, ground.classes, per_class, ground.penalty)
        for budget, mask in path.supports(budgets).items():
            counts[budget].update(mask.any(dim=1).nonzero().flatten().tolist())
    return {
        budget: {feature: times / resamples for feature, times in count.most_common()}
        for budget, count in counts.items()
    }


def _block_points(
    ground: Ground, sizes: Sequence[int], pruning: Pruning, digits: int | None, kept: Kept
) -> list[PathPoint]:
    names = ground.data.class_names

    def pruned(rows: Rows, weight: Tensor | None, part: str) -> Iterator[tuple[int, OccamHead]]:
        mean, scale = standardisation(rows[0])
        typical = rows[0].std(dim=0, correction=0).square().mean().sqrt()
        scale = scale.clamp_min(LEAST_SPREAD * float(typical))
        z = (rows[0] - mean).div_(scale), rows[1]
        path = prune_path(z, ground.classes, sizes, pruning, weight, kept.part(part))
        for size, blocks in path:
            yield size, write_head(blocks, (mean, scale), ALL, names)

    said = {}
    for size, head in pruned(ground.train, ground.weights[0], "rows held out"):
        with torch.no_grad():
            said[size] = head(ground.validation[0])
    features = [ground.train[0], ground.validation[0]]
    heads = dict(pruned(ground.together(), ground.weight, "all rows"))
    labels = ground.validation[1]
    for size, head in heads.items():
        head.names, head.hints = ground.data.feature_names, ground.data.feature_hints
        choose_digits(head, features, digits)
        head.calibrate(said[size], labels)
    # Only what is pruned is held back, so that there is no penalty.
    return [PathPoint(b, heads[b], rates_of(said[b], labels), 0.0, {}) for b in sizes]
