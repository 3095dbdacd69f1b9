"""Which inputs of many a search looks at: those that the target depends on, alone or in pairs."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from occamhead.tables.linear_models import sparse_sums
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

# A search looks at so many inputs at most; fewer are not screened.
MOST_INPUTS = 12
# Parts of equal numbers of rows into which an input is cut, and rows that are looked at.
PARTS, ROWS = 8, 5000
# Inputs of a linear model that are kept in any case.
LINEAR_INPUTS = 4


def screen(table: SortedRows, most: int = MOST_INPUTS) -> list[int]:
    """Inputs to search with, ascending; all of them where they are no more than `most`.

    An input counts by what its eight parts of equal numbers of rows explain of the target, or of
    what a linear model leaves of it, or of that one's square (which shows a factor of mean zero);
    and by the best product with another input, of both by their ranks. Each share is turned into
    what chance gives: squared correlations times rows, less the logarithm of the number tried.
    """
    inputs = table.x.shape[1]
    if inputs <= most:
        return list(range(inputs))
    if len(table.x) > ROWS:
        table = table.part(table.sample(ROWS, 0))
    score = np.zeros(inputs)
    ranks = np.apply_along_axis(rankdata, 0, table.x)
    ranks = (ranks - ranks.mean(axis=0)) / np.maximum(ranks.std(axis=0), 1e-300)
    parts = np.minimum(
        (np.argsort(np.argsort(table.x, axis=0, kind="stable"), axis=0) * PARTS) // len(table.x),
        PARTS - 1,
    )
    kept: set[int] = set()
    for output in range(table.targets.shape[1]):
        single = SortedRows(
            table.x, table.targets[:, [output]], table.targets[:, output], table.weights
        )
        sums = sparse_sums(single, LINEAR_INPUTS)
        target = table.targets[:, output]
        rest = target
        if sums:
            formula, chosen = sums[-1]
            kept.update(chosen[: max(most // (2 * table.targets.shape[1]), 1)])
            rest = target - formula(table.x)[:, 0]
        for each in (_ranked(target), _ranked(rest), _ranked(np.abs(rest - np.median(rest)))):
            score = np.maximum(score, _explained(each, parts, table.weights))
        score = np.maximum(score, _in_pairs(_ranked(target), ranks, table.weights))
        score = np.maximum(score, _in_pairs(_ranked(rest), ranks, table.weights))
    order = [*sorted(kept), *(int(i) for i in np.argsort(-score) if int(i) not in kept)]
    return sorted(order[:most])


def _ranked(values: Array) -> Array:
    ranks = rankdata(values)
    return (ranks - ranks.mean()) / max(float(ranks.std()), 1e-300)


def _explained(target: Array, parts: NDArray[np.intp], weights: Array) -> Array:
    """Rows times the share of variance between the parts of each input, less chance, [inputs]."""
    rows, inputs = parts.shape
    score = np.empty(inputs)
    for i in range(inputs):
        weight = np.bincount(parts[:, i], weights, PARTS)
        mean = np.bincount(parts[:, i], weights * target, PARTS) / np.maximum(weight, 1e-300)
        score[i] = float(weight @ mean**2)
    return rows * score - (PARTS - 1) - 2 * np.log(inputs)


def _in_pairs(target: Array, ranks: Array, weights: Array) -> Array:
    """Rows times the squared correlation with the best product of two inputs, less chance."""
    inputs = ranks.shape[1]
    weighted = ranks * (weights * target)[:, None]
    products = ranks.T @ weighted
    spread = (ranks**2 * weights[:, None]).T @ ranks**2
    means = (ranks * weights[:, None]).T @ ranks
    spread = np.maximum(spread - means**2, 1e-12)
    share = (products - means * float(weights @ target)) ** 2 / spread
    np.fill_diagonal(share, 0.0)
    return len(target) * share.max(axis=1) - 1 - 2 * np.log(inputs * (inputs - 1) / 2)
