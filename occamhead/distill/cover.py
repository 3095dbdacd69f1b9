"""A table of 0 and 1 in two levels: an ``or`` of ``and``s, as Quine and McCluskey have it.

For coordinates of any number of values: a term is a set of values per coordinate. Terms are prime
(no value can be added), none can be left out; that no fewer terms would do is not guaranteed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from occamhead.distill.table import Table, bits
from occamhead.expression import ExpressionBuilder

_MOST_TERMS = 64


def two_level(table: Table) -> list[tuple[int, ...]] | None:
    """Terms, each a mask of cells per axis, that together are 1 where the table is.

    None for other classes than 0 and 1, and where more than 64 terms would be needed.
    """
    if set(table.classes) != {0, 1}:
        return None
    wanted = table.values == 1
    left = wanted.copy()
    terms: list[tuple[int, ...]] = []
    while left.any():
        if len(terms) == _MOST_TERMS:
            return None
        seed = tuple(int(i) for i in np.argwhere(left)[0])
        axes = range(wanted.ndim)
        orders = [[*axes[k:], *axes[:k]] for k in axes] + [
            [*axes[k::-1], *axes[:k:-1]] for k in axes
        ]
        term = max(
            (_grown(wanted, seed, order) for order in orders),
            key=lambda found: int(left[_at(found)].sum()),
        )
        left[_at(term)] = False
        terms.append(term)
    return _irredundant(terms, wanted)


def cover_node(
    terms: Sequence[tuple[int, ...]],
    table: Table,
    builder: ExpressionBuilder,
    coordinates: Mapping[int, int],
) -> int | None:
    """The terms as a node of a formula; None if a set of values has no short test."""
    alternatives = []
    for term in terms:
        conditions = []
        for axis, mask in enumerate(term):
            everything = (1 << len(table.coordinates[axis])) - 1
            if mask != everything:
                test = table.test(axis, mask, everything)
                if test is None:
                    return None
                conditions.append(test.node(builder, coordinates[axis]))
        alternatives.append(_joined(builder, "min", conditions))
    return _joined(builder, "max", alternatives)


def _joined(builder: ExpressionBuilder, operator: str, nodes: Sequence[int]) -> int:
    return builder.apply(operator, *nodes) if len(nodes) > 1 else nodes[0]


def _grown(
    wanted: NDArray[np.bool_], seed: tuple[int, ...], order: Sequence[int]
) -> tuple[int, ...]:
    """The largest term around a cell, its axes widened in this order."""
    term = [1 << cell for cell in seed]
    for axis in order:
        wide = [range(wanted.shape[k]) if k == axis else bits(m) for k, m in enumerate(term)]
        along = np.moveaxis(wanted[np.ix_(*wide)], axis, 0)
        fits = along.reshape(len(along), -1).all(axis=1)
        term[axis] = sum(1 << int(cell) for cell in np.flatnonzero(fits))
    return tuple(term)


def _at(term: tuple[int, ...]) -> tuple[NDArray[np.intp], ...]:
    return np.ix_(*map(bits, term))


def _irredundant(terms: list[tuple[int, ...]], wanted: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """The terms without those whose cells the others hold as well; the smallest go first."""
    count = np.zeros(wanted.shape, dtype=np.int64)
    for term in terms:
        count[_at(term)] += 1
    kept = []
    for term in sorted(terms, key=lambda term: (count[_at(term)].size, term)):
        if (count[_at(term)] > 1).all():
            count[_at(term)] -= 1
        else:
            kept.append(term)
    return sorted(kept, key=terms.index)
