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
# Fewest that are kept, and inputs of a sum that are asked.
FEWEST_INPUTS, LINEAR_INPUTS = 4, 6


def screen(table: SortedRows, most: int = MOST_INPUTS) -> list[int]:
    """Inputs to search with, ascending; all of them where they are no more than `most`.

    An input counts by what its eight parts of equal numbers of rows explain of the target, or of
    what a linear model leaves of it, or of that one's distance from its median (which shows a
    factor of mean zero); by the best product with another input, of both by their ranks; and if it
    is one of the first inputs of a sum. What chance alone would explain, of the best of so many, is
    taken off. Inputs that tell more than that are kept, at most `most`, and at least
    `FEWEST_INPUTS`.
    """
    inputs = table.x.shape[1]
    if inputs <= most:
        return list(range(inputs))
    if len(table.x) > ROWS:
        table = table.part(table.sample(ROWS, 0))
    score = np.full(inputs, -np.inf)
    ranks = np.apply_along_axis(rankdata, 0, table.x)
    ranks = (ranks - ranks.mean(axis=0)) / np.maximum(ranks.std(axis=0), 1e-300)
    order = np.argsort(table.x, axis=0, kind="stable")
    parts = np.empty_like(order)
    np.put_along_axis(parts, order, np.arange(len(order))[:, None] * PARTS // len(order), axis=0)
    for target in table.targets.T:
        rest = target.copy()
        single = SortedRows(table.x, target[:, None], target, table.weights)
        for formula in sparse_sums(single, LINEAR_INPUTS):
            chosen = list(formula.features)
            left = target - formula(table.x)[:, 0]
            gain = len(rest) * np.log(np.var(rest) / max(np.var(left), 1e-300))
            score[chosen] = np.maximum(score[chosen], gain - 1 - 2 * np.log(inputs))
            rest = left
        for each in (_ranked(target), _ranked(rest), _ranked(np.abs(rest - np.median(rest)))):
            score = np.maximum(score, _explained(each, parts, table.weights))
        for each in (_ranked(target), _ranked(rest)):
            score = np.maximum(score, _in_pairs(each, ranks, table.weights))
    kept = int(np.clip((score > 0).sum(), FEWEST_INPUTS, most))
    return sorted(np.argsort(-score, kind="stable")[:kept].tolist())


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
