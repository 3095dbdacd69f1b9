"""The shortest Boolean expression of a table of 0 and 1, found in order of length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.distill.table import Table, Test, bits
from occamhead.expression import ExpressionBuilder
from occamhead.expression.formats.walk import AND, ATOM, COMPARISON, NOT, OR, RESIDUE, XOR

# A test, or an operator over forms: ("or", a, b), ("and", a, b), ("xor", a, b), ("eq", a, b),
# ("not", a), ("where", condition, a, b).
Form: TypeAlias = "Test | tuple[str, ...] | tuple[Form, ...] | tuple[object, ...]"
_SLOTS = (OR, AND, NOT, XOR)
_BINARY = (("or", OR, OR), ("and", AND, AND), ("xor", XOR, XOR), ("eq", XOR, COMPARISON))
# How tests bind that are no comparisons.
_STRENGTHS = {"is": ATOM, "not": NOT, "odd": RESIDUE, "even": NOT}
_BRACKETS = 2
# Pairs of forms tried before giving up, about a second: longer lines are not read anyway.
_MOST_PAIRS = 400_000
_MOST_CELLS = 512


def one_line(table: Table) -> Form | None:
    """The form of the fewest tokens that is 1 where the table is; None if none is short enough."""
    if set(table.classes) != {0, 1} or table.values.size > _MOST_CELLS:
        return None
    tests = tuple(
        (_mask(table, axis, cells), test)
        for axis in range(len(table.coordinates))
        for cells, test in table.tests(axis).items()
    )
    return _search(tests, table.values.size).find(_bits_of(table.values))


def form_node(form: Form, builder: ExpressionBuilder, coordinates: Mapping[int, int]) -> int:
    """A form as a node of a formula, given the nodes of the coordinates."""
    if isinstance(form, Test):
        return form.node(builder, coordinates[form.axis])
    operator, *parts = form
    nodes = [form_node(part, builder, coordinates) for part in parts]  # type: ignore[arg-type]
    if operator == "not":
        return builder.affine(1, [(-1, nodes[0])])
    names = {"or": "max", "and": "min", "xor": "xor", "eq": "eq", "where": "where"}
    return builder.apply(names[str(operator)], *nodes)


def _bits_of(values: np.ndarray) -> int:
    return sum(1 << int(i) for i in np.flatnonzero(values.ravel()))


def _mask(table: Table, axis: int, cells: int) -> int:
    """The cells of the table in which a test of one axis holds."""
    inside = np.zeros(len(table.coordinates[axis]), dtype=bool)
    inside[bits(cells)] = True
    shape = [1] * table.values.ndim
    shape[axis] = -1
    return _bits_of(np.broadcast_to(inside.reshape(shape), table.values.shape))


@lru_cache(maxsize=64)
def _search(tests: tuple[tuple[int, Test], ...], cells: int) -> _Search:
    return _Search(tests, cells)


class _Search:
    """Forms by the cells in which they hold, in order of length; grown until a target is met.

    One form is kept per set of cells and slot: the shortest that may stand there. A slot is the
    least binding strength that its place asks for; two brackets fit any form into any slot.
    """

    def __init__(self, tests: tuple[tuple[int, Test], ...], cells: int) -> None:
        self.tests, self.everything = tests, (1 << cells) - 1
        self.known: dict[int, dict[int, tuple[int, Form]]] = {slot: {} for slot in _SLOTS}
        self.layers: dict[int, dict[int, list[int]]] = {slot: {} for slot in _SLOTS}
        self.waiting: dict[int, list[tuple[int, int, Form]]] = {}
        self.length = self.pairs = 0
        for mask, test in tests:
            strength = _STRENGTHS.get(test.kind, COMPARISON)
            self.waiting.setdefault(test.tokens, []).append((mask, strength, test))

    def find(self, target: int) -> Form | None:
        while target not in self.known[OR] and self.pairs < _MOST_PAIRS and self.is_growing():
            self.grow()
        best = self.known[OR].get(target)
        conditional = self.choice(target)
        if best is None or (conditional and conditional[0] < best[0]):
            return conditional[1] if conditional else None
        return best[1]

    def is_growing(self) -> bool:
        """Whether a longer form can hold in cells in which no shorter one does."""
        longest = max((max(layer, default=0) for layer in self.layers.values()), default=0)
        return bool(self.waiting) or self.length <= 2 * longest + 1

    def grow(self) -> None:
        """Add all forms with one token more."""
        self.length += 1
        for mask, strength, form in self.waiting.pop(self.length, ()):
            self.add(mask, strength, form)
        for mask in self.layers[NOT].get(self.length - 1, ()):
            self.add(self.everything & ~mask, NOT, ("not", self.known[NOT][mask][1]))
        for name, slot, strength in _BINARY:
            known, layers = self.known[slot], self.layers[slot]
            there = self.known[max(slot for slot in _SLOTS if slot <= strength)]
            for first in range(1, (self.length + 1) // 2):
                others = layers.get(self.length - 1 - first, ())
                for a in layers.get(first, ()):
                    self.pairs += len(others)
                    for b in others:
                        mask = a | b if name == "or" else a & b if name == "and" else a ^ b
                        if name == "eq":
                            mask ^= self.everything
                        if mask not in there:  # or most calls would be in vain
                            self.add(mask, strength, (name, known[a][1], known[b][1]))
                if self.pairs > _MOST_PAIRS:
                    return

    def add(self, mask: int, strength: int, form: Form) -> None:
        """Keep a form in every slot where it may stand and no shorter one does."""
        slots = [slot for slot in _SLOTS if slot <= strength]
        # What is known there is known in the slots before it, and in brackets it is or will be.
        if mask in (0, self.everything) or mask in self.known[slots[-1]]:
            return
        for slot in slots:
            if mask not in self.known[slot]:
                self.known[slot][mask] = self.length, form
                self.layers[slot].setdefault(self.length, []).append(mask)
        if len(slots) < len(_SLOTS) and mask not in self.known[_SLOTS[-1]]:
            later = self.length + _BRACKETS
            self.waiting.setdefault(later, []).append((mask, ATOM, form))

    def choice(self, target: int) -> tuple[int, Form] | None:
        """The shortest ``a if test else b`` among forms that are known."""
        best: tuple[int, Form] | None = None
        entries = list(self.known[OR].values())  # the shortest first, as they were found
        differing = self.words([mask ^ target for mask in self.known[OR]])
        sides = self.words([side for m, _ in self.tests for side in (m, self.everything & ~m)])
        for (_, test), two in zip(self.tests, sides.reshape(len(self.tests), 2, -1), strict=True):
            parts = []
            for cells in two:
                fitting = np.flatnonzero(~(differing & cells).any(axis=1))
                parts.append(entries[fitting[0]] if len(fitting) else None)
            if parts[0] and parts[1]:
                length = test.tokens + parts[0][0] + parts[1][0] + len(("if", "else"))
                if best is None or length < best[0]:
                    best = length, ("where", test, parts[0][1], parts[1][1])
        return best

    def words(self, masks: Sequence[int]) -> NDArray[np.uint64]:
        """The bits of masks, [masks, words of 64]."""
        size = -(-self.everything.bit_length() // 64) * 8
        packed = b"".join(mask.to_bytes(size, "little") for mask in masks)
        return np.frombuffer(packed, dtype="<u8").reshape(len(masks), size // 8)
