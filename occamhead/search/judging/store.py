"""The store: every distinct node that was sampled, its values and its scores, in bounded memory.

Structure (which basis on which children) is kept on the host; the values are a back end's, see
:mod:`occamhead.search.judging.values`. When the store is full, nodes that were not used lately go,
except those below the roots that the caller holds on to. Everything that is forgotten is computed
again, to the same bits, when it is sampled again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from occamhead.network.bases import Basis
from occamhead.search.judging.function import Function, Image, Leaf
from occamhead.search.judging.sampling import NONE
from occamhead.search.judging.wiring import Wiring


class Nodes(NamedTuple):
    """The table of nodes; leaves come first, children before parents.

    Args:
        table: Hash table of node numbers, -1 where free; its length is a power of two.
        basis: Number of the basis, -1 for a leaf, [nodes].
        owner: The network's image, for a node with free constants of its own; else -1.
        children: Node numbers, [nodes, largest arity].
        code: A number for its function, whatever else is in the store.
        size: Nodes of the expression tree.
        num_constants: Free constants of the expression tree.
        row: Row of its values; -1 for a node that depends on free constants.
        used: Step of its last use.
        scored: Whether there are scores for an output, [nodes, outputs].
        fitness, error, shape, key: Scores, see :mod:`occamhead.search.judging.scoring`,
            [nodes, outputs].
        fit: Place of its fitted constants, or -1, [nodes, outputs].
        max_rows: Rows of values that there is room for.
    """

    table: NDArray[np.int32]
    basis: NDArray[np.int32]
    owner: NDArray[np.int32]
    children: NDArray[np.int32]
    code: NDArray[np.uint64]
    size: NDArray[np.int32]
    num_constants: NDArray[np.int32]
    row: NDArray[np.int32]
    used: NDArray[np.int64]
    scored: NDArray[np.bool_]
    fitness: NDArray[np.float64]
    error: NDArray[np.float64]
    shape: NDArray[np.float64]
    key: NDArray[np.uint64]
    fit: NDArray[np.int32]
    max_rows: int


class Store:
    """Nodes in bounded memory.

    Args:
        wiring: Tables of the network.
        bases: What its basis numbers mean.
        num_outputs: Number of outputs v.
        rows: Rows of data B.
        itemsize: Bytes of a value.
        memory: Bytes that values and table may take together.
        num_inputs, leaf_constants: What the leaves are.

    Raises:
        ValueError: If the memory does not hold the leaves and a few functions.
    """

    def __init__(
        self,
        wiring: Wiring,
        bases: Sequence[Basis],
        num_outputs: int,
        rows: int,
        itemsize: int,
        memory: int,
        num_inputs: int,
        leaf_constants: tuple[float, ...],
    ) -> None:
        self.wiring, self.bases = wiring, tuple(bases)
        self.num_inputs, self.leaf_constants = num_inputs, leaf_constants
        self.num_leaves = num_inputs + len(leaf_constants)
        arity = max(int(wiring.arity.max()), 1)
        per_node = 4 * (2 * 2 + 5 + arity) + 16 + num_outputs * (1 + 4 * 8 + 4)
        # A node with values takes one of each; one with free constants takes no row of values.
        size = (memory - self.num_leaves * rows * itemsize) // (rows * itemsize + 2 * per_node)
        least = 8 * len(wiring.basis) + 64
        if size < least:
            needed = least * (rows * itemsize + 2 * per_node) + self.num_leaves * rows * itemsize
            raise ValueError(
                f"a store of {memory / 1e6:g} MB is too small for {rows} rows and"
                f" {self.num_leaves} leaves; it needs {math.ceil(needed / 1e3) / 1e3:g} MB: raise"
                " store_mb, or use fewer rows or float32"
            )
        max_rows = self.num_leaves + min(size, 1 << 20)
        capacity = max_rows + min(size, 1 << 20)
        self.nodes = Nodes(
            table=np.full(1 << int(2 * capacity - 1).bit_length(), NONE, np.int32),
            basis=np.full(capacity, NONE, np.int32),
            owner=np.full(capacity, NONE, np.int32),
            children=np.full((capacity, arity), NONE, np.int32),
            code=np.arange(capacity, dtype=np.uint64),
            size=np.ones(capacity, np.int32),
            num_constants=np.zeros(capacity, np.int32),
            row=np.full(capacity, NONE, np.int32),
            used=np.zeros(capacity, np.int64),
            scored=np.zeros((capacity, num_outputs), np.bool_),
            fitness=np.zeros((capacity, num_outputs)),
            error=np.zeros((capacity, num_outputs)),
            shape=np.zeros((capacity, num_outputs)),
            key=np.zeros((capacity, num_outputs), np.uint64),
            fit=np.full((capacity, num_outputs), NONE, np.int32),
            max_rows=int(max_rows),
        )
        self.nodes.row[: self.num_leaves] = np.arange(self.num_leaves)
        self.count = np.array([self.num_leaves, self.num_leaves], np.int64)
        self.constants: list[NDArray[np.float64]] = []
        """Fitted constants; a node's `fit` is the place of its own."""

    def new_nodes(self, first: int) -> NDArray[np.int32]:
        """Nodes from `first` on that have values of their own, children first."""
        fresh = np.arange(first, self.count[0], dtype=np.int32)
        return fresh[self.nodes.row[fresh] != NONE]

    def evict(self, held: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Forget nodes that were not used lately; keep what is below the roots in `held`.

        At least half of the table and half of the rows are free afterwards, if what is held
        allows it.

        Returns:
            New number of every node (-1: forgotten), and the old row of every row that is left.
        """
        nodes, (count, rows) = self.nodes, self.count
        keep = np.zeros(count, np.bool_)
        keep[: self.num_leaves] = True
        used = np.where(np.arange(count) < self.num_leaves, -1, nodes.used[:count])
        quota = min(len(nodes.basis) - count // 2, nodes.max_rows) // 2
        if count > quota:
            # Whole steps are kept, newest first: a child is used whenever its parent is.
            oldest = np.partition(used, count - quota)[count - quota]
            keep |= used > oldest
        keep[held[held >= 0]] = True
        _keep_children(nodes.children, keep)
        renumbered = np.where(keep, np.cumsum(keep) - 1, NONE).astype(np.int32)
        alive = np.flatnonzero(keep)
        old_rows = nodes.row[alive]
        for array in (nodes.basis, nodes.owner, nodes.code, nodes.size, nodes.num_constants,
                      nodes.used, nodes.scored, nodes.fitness, nodes.error, nodes.shape,
                      nodes.key, nodes.fit):  # fmt: skip
            array[: len(alive)] = array[alive]
        children = nodes.children[alive]
        nodes.children[: len(alive)] = np.where(children >= 0, renumbered[children], NONE)
        has_row = old_rows >= 0
        nodes.row[: len(alive)] = np.where(has_row, np.cumsum(has_row) - 1, NONE)
        places = nodes.fit[: len(alive)]
        kept = np.unique(places[places >= 0])
        self.constants = [self.constants[place] for place in kept]
        places[places >= 0] = np.searchsorted(kept, places[places >= 0])
        self.count[:] = len(alive), np.count_nonzero(has_row)
        nodes.table.fill(NONE)
        _fill_table(nodes.table, nodes.code, self.num_leaves, len(alive))
        assert self.count[1] <= rows
        return renumbered, old_rows[has_row]

    def set_constants(self, root: int, output: int, constants: NDArray[np.float64]) -> None:
        """Remember what was fitted for a function and an output."""
        if self.nodes.fit[root, output] == NONE:
            self.nodes.fit[root, output] = len(self.constants)
            self.constants.append(constants)
        else:
            self.constants[self.nodes.fit[root, output]] = constants

    def function(self, roots: Sequence[int], outputs: Sequence[int]) -> Function:
        """The nodes below some roots as a function; `outputs` says whose constants each has."""
        return self._build(roots, outputs)[0]

    def function_of(self, root: int, output: int) -> tuple[Function, list[int]]:
        """The function of one root for one output, and the number of each of its nodes."""
        return self._build([root], [output])

    def _build(self, roots: Sequence[int], outputs: Sequence[int]) -> tuple[Function, list[int]]:
        # A node that two roots share is written once for each if it depends on constants.
        wiring, nodes = self.wiring, self.nodes
        built: list[Leaf | Image] = []
        numbers_of: list[int] = []
        placed: dict[tuple[int, int], int] = {}
        scale: list[tuple[float, float]] = []
        tops = []
        for root, output in zip(roots, outputs, strict=True):
            place = nodes.fit[root, output]
            numbers = iter(self.constants[place]) if place != NONE else iter(())

            def build(node: int, output: int, numbers: object) -> int:
                own = (node, output if nodes.num_constants[node] else NONE)
                if own not in placed:
                    basis = int(nodes.basis[node])
                    if basis == NONE:
                        built.append(Leaf(node))
                    else:
                        below = nodes.children[node, : wiring.arity[basis]]
                        children = tuple(build(int(child), output, numbers) for child in below)
                        constants = tuple(
                            float(next(numbers))  # type: ignore[call-overload]
                            for _ in range(wiring.num_constants[basis])
                        )
                        built.append(Image(self.bases[basis], children, constants))
                    numbers_of.append(node)
                    placed[own] = len(built) - 1
                return placed[own]

            tops.append(build(int(root), output, numbers))
            rest = tuple(float(number) for number in numbers if np.isfinite(number))
            if len(rest) >= 2:
                scale.append((rest[0], rest[1]))
        function = Function(
            tuple(built), tuple(tops), self.num_inputs, self.leaf_constants, tuple(scale)
        )
        return function, numbers_of


@numba.njit(cache=True)
def _keep_children(children, keep):
    for node in range(len(keep) - 1, -1, -1):
        if keep[node]:
            for k in range(children.shape[1]):
                if children[node, k] >= 0:
                    keep[children[node, k]] = True


@numba.njit(cache=True)
def _fill_table(table, code, first, count):
    mask = len(table) - 1
    for node in range(first, count):
        slot = np.int64(code[node] >> np.uint64(1)) & mask
        while table[slot] != NONE:
            slot = (slot + 1) & mask
        table[slot] = node
