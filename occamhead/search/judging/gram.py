"""Weighted sums of leaves fitted from moments: sums over the rows that are taken once.

The general fit goes through all rows for every function. For a sum of leaves with a free weight
each, the normal equations hold nothing but means and covariances of leaves and targets, so that a
fit costs some thousand operations however many rows there are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Affine, Apply, Input
from occamhead.network.bases import Basis

# Leaves beyond which the moments take longer than they save.
MOST_LEAVES = 2048

# Variance relative to the target's below which a difference of moments has lost its digits.
ALMOST_EXACT = 1e-6

# Share of a leaf's variance below which it is a sum of those before it.
DEPENDENT = 1e-10


class Moments(NamedTuple):
    """Weighted means and covariances over the rows.

    Args:
        mean: Of the leaves, [leaves].
        covariance: Among the leaves, [leaves, leaves].
        target_mean, target_variance: Of the targets, [outputs].
        cross: Covariance of leaves and targets, [leaves, outputs].
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    target_mean: NDArray[np.float64]
    target_variance: NDArray[np.float64]
    cross: NDArray[np.float64]


def moments_of(
    leaves: NDArray[np.floating], targets: NDArray[np.float64], weights: NDArray[np.float64]
) -> Moments:
    """The moments of leaves [leaves, rows] and targets [outputs, rows].

    Args:
        leaves: Values of the leaves.
        targets: Values of the targets.
        weights: Weight of each row; they sum to 1.
    """
    mean, target_mean = leaves @ weights, targets @ weights
    root = np.sqrt(weights)
    centred = (leaves - mean[:, None]) * root
    centred_targets = (targets - target_mean[:, None]) * root
    return Moments(
        mean,
        centred @ centred.T,
        target_mean,
        np.square(centred_targets).sum(axis=1),
        centred @ centred_targets.T,
    )


def sum_places(basis: Basis) -> list[int] | None:
    """Where a basis that is a weighted sum of its arguments has its constants.

    Returns:
        The place of the intercept, then that of each argument's weight; None for any other basis.
    """
    nodes, places = basis.formula.nodes, {}
    top = nodes[basis.formula.outputs[0]]
    if not isinstance(top, Affine) or top.constant or basis.num_constants != basis.arity + 1:
        return None
    for coefficient, child in top.terms:
        term = nodes[child]
        factors = [term]
        if isinstance(term, Apply) and term.operator == "mul":
            factors = [nodes[factor] for factor in term.children]
        indices = sorted(factor.index for factor in factors if isinstance(factor, Input))
        if coefficient != 1 or len(indices) != len(factors) or indices[-1] < basis.arity:
            return None
        places[indices[0] if len(indices) == 2 else -1] = indices[-1] - basis.arity
    if sorted(places) != list(range(-1, basis.arity)) or len(set(places.values())) < len(places):
        return None
    return [places[argument] for argument in range(-1, basis.arity)]


def place_table(bases: list[Basis] | tuple[Basis, ...]) -> NDArray[np.int32]:
    """:func:`sum_places` of each basis, [bases, 1 + largest arity]; -1 where there is none."""
    table = np.full((len(bases), 1 + max(basis.arity for basis in bases)), -1, np.int32)
    for number, basis in enumerate(bases):
        if (places := sum_places(basis)) is not None:
            table[number, : len(places)] = places
    return table


@numba.njit(cache=True)
def are_sums(
    places: NDArray[np.int32],
    arity: NDArray[np.int32],
    num_leaves: int,
    roots: NDArray[np.int32],
    basis: NDArray[np.int32],
    children: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Which functions are a weighted sum of leaves, [roots]."""
    result = np.empty(len(roots), np.bool_)
    for f in range(len(roots)):
        own = basis[roots[f]]
        result[f] = own >= 0 and places[own, 0] >= 0
        if result[f]:
            for k in range(arity[own]):
                result[f] &= children[roots[f], k] < num_leaves
    return result


@numba.njit(cache=True, error_model="numpy")
def fit_sums(
    moments: Moments,
    places: NDArray[np.int32],
    arity: NDArray[np.int32],
    roots: NDArray[np.int32],
    outputs: NDArray[np.int32],
    basis: NDArray[np.int32],
    children: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least squares of weighted sums of leaves; see :func:`are_sums`.

    Args:
        moments: Of leaves and targets.
        places: See :func:`place_table`.
        arity: Of each basis.
        roots, outputs: The functions and which target each is fitted to, [F].
        basis, children: Of each node.

    Returns:
        Constants in the order of the basis, [F, most]; NaN after the last. A leaf that depends
        on those before it gets weight 0. Then the weighted mean squared errors, [F].
    """
    most = 1
    for root in roots:
        most = max(most, 1 + arity[basis[root]])
    constants = np.full((len(roots), most), math.nan)
    errors = np.empty(len(roots))
    factor, solution = np.empty((most, most)), np.empty(most)
    kept = np.empty(most, np.int64)
    for f in range(len(roots)):
        root, output = roots[f], outputs[f]
        own = basis[root]
        size, error = 0, moments.target_variance[output]
        for k in range(arity[own]):
            constants[f, places[own, 1 + k]] = 0.0
            leaf = children[root, k]
            variance = moments.covariance[leaf, leaf]
            rest, part = variance, moments.cross[leaf, output]
            for i in range(size):
                value = moments.covariance[leaf, children[root, kept[i]]]
                for j in range(i):
                    value -= factor[size, j] * factor[i, j]
                factor[size, i] = value / factor[i, i]
                rest -= factor[size, i] * factor[size, i]
                part -= factor[size, i] * solution[i]
            if rest > DEPENDENT * variance:
                factor[size, size] = math.sqrt(rest)
                solution[size] = part / factor[size, size]
                error -= solution[size] * solution[size]
                kept[size] = k
                size += 1
        intercept = moments.target_mean[output]
        for i in range(size - 1, -1, -1):
            value = solution[i]
            for j in range(i + 1, size):
                value -= factor[j, i] * solution[j]
            solution[i] = value / factor[i, i]
            constants[f, places[own, 1 + kept[i]]] = solution[i]
            intercept -= solution[i] * moments.mean[children[root, kept[i]]]
        constants[f, places[own, 0]] = intercept
        errors[f] = max(error, 0.0)
    return constants, errors


@numba.njit(cache=True)
def evaluate_sums(
    constants: NDArray[np.float64],
    places: NDArray[np.int32],
    arity: NDArray[np.int32],
    roots: NDArray[np.int32],
    basis: NDArray[np.int32],
    children: NDArray[np.int32],
    values: NDArray[np.floating],
    out: NDArray[np.float64],
) -> None:
    """Values of weighted sums of leaves on the columns of `values`, into `out` [F, columns]."""
    for f in range(len(roots)):
        own = basis[roots[f]]
        out[f, :] = constants[f, places[own, 0]]
        for k in range(arity[own]):
            weight = constants[f, places[own, 1 + k]]
            if weight != 0.0:
                row = values[children[roots[f], k]]
                for column in range(out.shape[1]):
                    out[f, column] += weight * row[column]
