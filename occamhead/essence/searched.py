"""Differentiae that an OccamNet finds: one formula's sign in place of several hyperplanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike

from occamhead.essence.arrays import Floats
from occamhead.essence.circuit import Circuit
from occamhead.essence.patterns import class_labels
from occamhead.essence.real import between_clusters, real_numbers, significant
from occamhead.expression import Affine, Expression, ExpressionBuilder

if TYPE_CHECKING:
    from occamhead.search import Found

BASES = ("add", "sub", "mul", "mul", "sin", "add_constant", "mul_constant")


def fit_occam_circuit(
    x: ArrayLike,
    y: ArrayLike,
    *,
    classes: int | None = None,
    subconcepts: int | None = None,
    bases: Sequence[str] = BASES,
    depth: int = 3,
    max_functions: int = 200_000,
    max_complexity: int = 15,
    digits: int = 4,
    seed: int = 0,
) -> tuple[Expression, Circuit]:
    """Learn a circuit whose differentiae are thresholds on formulas; it may be wrong on some rows.

    For every two clusters of different classes an OccamNet searches for a formula whose value is
    1 on one and -1 on the other. Taken is, of the front of error against complexity, the formula
    of which the best threshold tells most rows apart, and of equals the simplest.

    Args:
        x: Inputs, [rows, inputs].
        y: Class of each row, [rows] whole numbers from 0.
        classes: Number of classes; None takes the highest label plus one.
        subconcepts: Number of subconcepts in all; None gives each class one.
        bases: Basis functions of each layer, see :data:`occamhead.BASES`.
        depth: Number of layers.
        max_functions: Functions sampled in each search.
        max_complexity: Most nodes and constants of a formula.
        digits: Significant digits of its numbers.
        seed: Seed of the searches.

    Returns:
        The formulas, one output each, and the circuit of which they are the inputs.

    Raises:
        ValueError: As :func:`occamhead.essence.fit_real_circuit` does.

    Source: design of ours, of the two papers' parts.
    """
    # It compiles kernels, for which those who fit hyperplanes need not wait.
    from occamhead.network.occamnet import OccamNet
    from occamhead.search import Strategy, evolve

    strategy = Strategy(
        scaled=True, max_functions=max_functions, max_complexity=max_complexity, seed=seed
    )
    points = real_numbers(x)
    labels = class_labels(y, len(points), classes)
    parts = between_clusters(points, labels, subconcepts)
    builder, formulas, signs, thresholds = ExpressionBuilder(), list[int](), list[float](), []
    for s, t in parts.pairs:
        above, below = points[parts.members[s]], points[parts.members[t]]
        network = OccamNet(points.shape[1], 1, list(bases), depth, skip=True, constants=(1.0,))
        network.reset_parameters(torch.Generator().manual_seed(seed))
        rows = np.concatenate([above, below])
        side = np.repeat([1.0, -1.0], [len(above), len(below)])
        front = evolve(network, rows, side, strategy).fronts[0]
        formula, sign, threshold = _best_of(front, rows, side, digits)
        formulas += builder.copy(formula, {i: builder.input(i) for i in formula.features})
        signs.append(sign)
        thresholds.append(threshold)
    return builder.build(formulas, points.shape[1]), Circuit(
        weights=np.diag(signs),
        bias=-significant(np.array(signs) * np.array(thresholds), digits),
        literals=parts.literals,
        concepts=parts.concepts,
        classes=int(labels.max()) + 1 if classes is None else classes,
        default=None,
    )


def _best_of(
    front: Sequence[Found], rows: Floats, side: Floats, digits: int
) -> tuple[Expression, float, float]:
    """A formula, whether it is higher on the side of 1 (1) or of -1 (-1), and the threshold."""
    best: tuple[int, Expression, float, float] | None = None
    for candidate in front:  # the simplest first
        formula = _without_constant(candidate.expression.rounded(digits))
        values = formula(rows)[:, 0]
        if not np.isfinite(values).all():
            continue
        errors, sign, threshold = _threshold(values, side)
        if best is None or errors < best[0]:
            best = errors, formula, sign, threshold
    assert best is not None, "a constant is in every front"
    return best[1:]


def _without_constant(formula: Expression) -> Expression:
    """The formula without the number that a sum at its root adds: the threshold holds it."""
    (output,) = formula.outputs
    root = formula.nodes[output]
    if not isinstance(root, Affine) or not root.terms:
        return formula
    nodes = list(formula.nodes)
    nodes[output] = Affine(0.0, root.terms)
    return replace(formula, nodes=tuple(nodes)).simplified()


def _threshold(values: Floats, side: Floats) -> tuple[int, float, float]:
    """The fewest errors of a threshold, which side lies above it (1 or -1), and the threshold.

    In the middle of the thresholds that are equally good.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    # With a cut after the first k values, those that lie above though they are of the other side.
    wrong = np.concatenate([[0], np.cumsum(side[order])]) + (side < 0).sum()
    cuts = np.concatenate([[True], ordered[1:] > ordered[:-1], [True]])
    best: tuple[int, float, float] | None = None
    for sign, errors in ((1.0, wrong), (-1.0, len(side) - wrong)):
        fewest = int(errors[cuts].min())
        if best is not None and best[0] <= fewest:
            continue
        places = np.flatnonzero(cuts & (errors == fewest))
        place = places[len(places) // 2]
        low = ordered[max(place - 1, 0)] - (place == 0)
        high = ordered[min(place, len(ordered) - 1)] + (place == len(ordered))
        best = fewest, sign, float(low + high) / 2
    assert best is not None
    return best
