"""Every feature of a formula: its values, what excites it, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import check_counts
from occamhead.explain.example import Spread, check_classifier, compact
from occamhead.expression import Affine, Expression, Input, evaluate_columns

BINS = 24


@dataclass(frozen=True)
class Feature:
    """A feature that the formulas use.

    Args:
        index, name: Which one.
        users: The classes whose formula uses it, each with its coefficient; None where it does
            not stand in the sum as a term of its own.
        mean, deviation: Over the training rows.
        accuracy: Of the formulas on the test rows.
        without: The same with the feature replaced by its training mean: what it adds to any
            score is then the same for all rows.
        shuffled: The same with the feature's values shuffled among the rows, mean over shuffles
            (permutation importance, Breiman 2001).
        changed: Test rows that get another class where the feature is replaced by its mean.
        effect: How far that moves the scores, mean over rows of the largest move; rows whose
            scores are not finite are left out.
        most, least: Test rows with the highest and the lowest values, the farthest out first.
        edges: Edges of the bins of `shares`.
        shares: Share of each class's test rows in each bin, [class, bin].
    """

    index: int
    name: str
    users: tuple[tuple[int, float | None], ...]
    mean: float
    deviation: float
    accuracy: float
    without: float
    shuffled: float
    changed: int
    effect: float
    most: tuple[int, ...]
    least: tuple[int, ...]
    edges: NDArray[np.float64]
    shares: NDArray[np.float64]


def explain_features(
    formula: Expression,
    spread: Spread,
    x: Any,
    labels: Any,
    *,
    examples: int = 4,
    shuffles: int = 5,
    seed: int = 0,
) -> list[Feature]:
    """Look at every feature of the formulas on the test rows.

    Args:
        formula: One formula per class.
        spread: How the features are spread over the training rows.
        x, labels: Test rows [row, feature] and the class of each.
        examples: Rows to name at each end of a feature.
        shuffles: How often to shuffle a feature; the same for each, by `seed`.

    Returns:
        The features, those first whose loss costs most accuracy, then most decisions.

    Raises:
        ValueError: If there are fewer than two formulas, or the rows do not fit.
    """
    check_counts(examples=examples, shuffles=shuffles)
    check_classifier(formula)
    rows, y = np.asarray(x), np.asarray(labels)
    if rows.ndim != 2 or rows.shape[1] != formula.num_inputs or not len(rows):
        raise ValueError(
            f"x: wanted rows of {formula.num_inputs} features, at least one, got {list(rows.shape)}"
        )
    if y.shape != (len(rows),) or y.min() < 0 or y.max() >= len(formula):
        raise ValueError(
            f"labels: wanted one class of 0 to {len(formula) - 1} per row, {len(rows)}, got shape"
            f" {list(y.shape)}"
        )
    used = list(formula.features)
    small = compact(formula)
    columns = [rows[:, i].astype(np.float64) for i in used]
    scores = _scores(small, columns)
    before = scores.argmax(axis=-1)
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(rows)) for _ in range(shuffles)]
    users = users_of(formula)
    features = []
    for i, index in enumerate(used):
        values = columns[i]

        def with_values(new: NDArray[np.float64], i: int = i) -> NDArray[np.float64]:
            return _scores(small, [*columns[:i], new, *columns[i + 1 :]])

        replaced = with_values(np.full(len(values), spread.mean[index]))
        shuffled = [np.mean(with_values(values[order]).argmax(axis=-1) == y) for order in orders]
        with np.errstate(invalid="ignore"):
            moved = np.abs(replaced - scores).max(axis=-1)
        moved = moved[np.isfinite(moved)]
        edges = _edges(values)
        after = replaced.argmax(axis=-1)
        features.append(
            Feature(
                index=index,
                name=formula.input_name(index),
                users=users[index],
                mean=float(spread.mean[index]),
                deviation=float(spread.deviation[index]),
                accuracy=float(np.mean(before == y)),
                without=float(np.mean(after == y)),
                shuffled=float(np.mean(shuffled)),
                changed=int(np.count_nonzero(after != before)),
                effect=float(moved.mean()) if len(moved) else 0.0,
                most=extremes(-values, examples),
                least=extremes(values, examples),
                edges=edges,
                shares=_shares(values, y, edges, len(formula)),
            )
        )
    return sorted(features, key=lambda f: (f.without, -f.changed, -f.effect, f.index))


def extremes(values: NDArray[np.float64], count: int) -> tuple[int, ...]:
    """The positions of the lowest values; among equals they are spread evenly over the rows.

    Rows often stand in order of their class, so the first of many equals are all of one.
    """
    order = np.argsort(values, kind="stable")[: min(count, len(values))]
    last = values[order[-1]]
    lower = order[values[order] < last]
    equal = np.flatnonzero(values == last)
    wanted = len(order) - len(lower)
    spread = equal[np.linspace(0, len(equal) - 1, wanted).round().astype(int)]
    return tuple(int(i) for i in (*lower, *spread))


def _scores(formula: Expression, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The scores of rows given by columns, [row, class]; the same bits as `formula(rows)`."""
    with np.errstate(all="ignore"):
        results = evaluate_columns(formula, columns, lambda operator, args: operator.numpy(*args))
    rows = len(columns[0]) if columns else 1
    return np.stack([np.broadcast_to(result, rows) for result in results], axis=-1)


def users_of(formula: Expression) -> dict[int, tuple[tuple[int, float | None], ...]]:
    """Of each feature the classes whose formula reads it, as :class:`Feature` has them."""
    users: dict[int, list[tuple[int, float | None]]] = {i: [] for i in formula.features}
    for k, output in enumerate(formula.outputs):
        own: dict[int, float | None] = dict.fromkeys(formula[k].features)
        node = formula.nodes[output]
        if isinstance(node, Affine):
            for coefficient, child in node.terms:
                leaf = formula.nodes[child]
                if isinstance(leaf, Input):
                    own[leaf.index] = coefficient
        elif isinstance(node, Input):
            own[node.index] = 1.0
        for index, weight in own.items():
            users[index].append((k, weight))
    return {index: tuple(found) for index, found in users.items()}


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def _shares(
    values: NDArray[np.float64], y: NDArray[np.int64], edges: NDArray[np.float64], classes: int
) -> NDArray[np.float64]:
    shares = np.zeros((classes, len(edges) - 1))
    for k in range(classes):
        members = values[y == k]
        if len(members):
            shares[k] = np.histogram(members, edges)[0] / len(members)
    return shares
