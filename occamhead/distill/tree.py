"""The smallest if-tree of a table of classes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from occamhead.distill.table import Table, Test, bits
from occamhead.expression import ExpressionBuilder

# A class; a test whose truth is the class; or (test, then, otherwise).
Tree: TypeAlias = "int | Test | tuple[Test, Tree, Tree]"
# Python tokens of "return 1" and, without the test, of "if ...:".
_RETURN, _IF = 2, 2
# Tables up to so many cells are searched in full; in larger ones only the best few splits are.
_SMALL, _FEW = 64, 2
_MOST_STATES = 4000


def if_tree(table: Table) -> Tree:
    """The tree of the fewest tokens; for tables of more than 64 cells a short one."""
    return _Search(table).best(tuple((1 << len(c)) - 1 for c in table.coordinates))[1]


def tree_node(tree: Tree, builder: ExpressionBuilder, coordinates: Mapping[int, int]) -> int:
    """A tree as a node of a formula, given the nodes of the coordinates."""
    if isinstance(tree, int):
        return builder.constant(tree)
    if isinstance(tree, Test):
        return tree.node(builder, coordinates[tree.axis])
    test, then, otherwise = tree
    return builder.apply(
        "where",
        test.node(builder, coordinates[test.axis]),
        tree_node(then, builder, coordinates),
        tree_node(otherwise, builder, coordinates),
    )


class _Search:
    def __init__(self, table: Table) -> None:
        self.table = table
        self.known: dict[tuple[int, ...], tuple[int, Tree]] = {}

    def best(self, state: tuple[int, ...]) -> tuple[int, Tree]:
        """Length and tree of the part of the table whose cells are in `state`, a mask per axis."""
        values = self.table.values[np.ix_(*map(bits, state))]
        classes = np.unique(values)
        if len(classes) == 1:
            return _RETURN, int(classes[0])
        groups = [_groups(values, axis, bits(mask)) for axis, mask in enumerate(state)]
        # An axis that makes no difference here is cut to one cell: equal parts are one state.
        state = tuple(m if len(g) > 1 else m & -m for m, g in zip(state, groups, strict=True))
        if state not in self.known:
            self.known[state] = self.shortest(state, groups, {0, 1} >= {*classes.tolist()})
        return self.known[state]

    def shortest(
        self, state: tuple[int, ...], groups: list[list[int]], is_truth: bool
    ) -> tuple[int, Tree]:
        found: list[tuple[int, int, int, Tree]] = []
        for count, (axis, inside, test) in enumerate(self.splits(state, groups, is_truth)):
            then, otherwise = _within(state, axis, inside), _within(state, axis, ~inside)
            if is_truth and self.all_are(then, 1) and self.all_are(otherwise, 0):
                found.append((test.tokens + 1, 0, count, test))
                continue
            first, second = self.best(then), self.best(otherwise)
            # Of equals the one whose first branch is no tree: then it reads as a chain of elif.
            chain = int(isinstance(first[1], tuple))
            length = _IF + test.tokens + first[0] + second[0]
            found.append((length, chain, count, (test, first[1], second[1])))
        length, _, _, tree = min(found, key=lambda entry: entry[:3])
        return length, tree

    def all_are(self, state: tuple[int, ...], label: int) -> bool:
        return bool((self.table.values[np.ix_(*map(bits, state))] == label).all())

    def splits(
        self, state: tuple[int, ...], groups: list[list[int]], is_truth: bool
    ) -> list[tuple[int, int, Test]]:
        """(axis, cells inside, test) of each split that is worth a try."""
        found: list[tuple[int, int, Test]] = []
        alone = sum(len(parts) > 1 for parts in groups) == 1
        for axis, parts in enumerate(groups):
            if len(parts) < 2:
                continue
            wanted = set(parts) | set(_prefixes(parts, state[axis]))
            if alone and is_truth:
                wanted.add(self.where_true(state, axis))
            for inside in sorted(wanted | {state[axis] & ~cells for cells in wanted}):
                test = self.table.test(axis, inside, state[axis])
                if test is not None:
                    found.append((axis, inside, test))
        is_small = np.prod([len(parts) for parts in groups]) <= _SMALL
        if not is_small or len(self.known) > _MOST_STATES:
            found.sort(key=lambda split: (self.price(state, *split[:2]), split[2].tokens))
            found = found[: _FEW if len(self.known) <= _MOST_STATES else 1]
        return found

    def price(self, state: tuple[int, ...], axis: int, inside: int) -> float:
        """How far the two sides of a split are from one class each."""
        sides = _within(state, axis, inside), _within(state, axis, ~inside)
        return sum(map(self.impurity, sides))

    def where_true(self, state: tuple[int, ...], axis: int) -> int:
        """The cells of an axis where the class is 1, if no other axis makes a difference."""
        first = tuple(m if k == axis else m & -m for k, m in enumerate(state))
        values = self.table.values[np.ix_(*map(bits, first))].ravel()
        return sum(
            1 << cell for cell, value in zip(bits(state[axis]), values, strict=True) if value
        )

    def impurity(self, state: tuple[int, ...]) -> float:
        """Cells that are not of the most frequent class there, and a little for each class."""
        _, counts = np.unique(self.table.values[np.ix_(*map(bits, state))], return_counts=True)
        return float(counts.sum() - counts.max() + 0.1 * len(counts))


def _within(state: tuple[int, ...], axis: int, cells: int) -> tuple[int, ...]:
    return tuple(mask & cells if k == axis else mask for k, mask in enumerate(state))


def _groups(values: np.ndarray, axis: int, cells: list[int]) -> list[int]:
    """Masks of those cells of an axis that cannot be told apart."""
    slices = np.moveaxis(values, axis, 0).reshape(len(cells), -1)
    groups: dict[bytes, int] = {}
    for cell, row in zip(cells, slices, strict=True):
        groups[row.tobytes()] = groups.get(row.tobytes(), 0) | 1 << cell
    return list(groups.values())


def _prefixes(groups: list[int], mask: int) -> list[int]:
    """The cells of an axis before each change from one group to another."""
    owner = {cell: group for group in groups for cell in bits(group)}
    cells = bits(mask)
    found, prefix = [], 0
    for cell, following in itertools.pairwise(cells):
        prefix |= 1 << cell
        if owner[cell] != owner[following]:
            found.append(prefix)
    return found
