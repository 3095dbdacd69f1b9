"""Programs for every size that the circuits of a few sizes suggest; see :func:`lift`.

Source: design of ours.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from occamhead.distill.sizes.rules import WEIGHTS, Direction, PairRule, Residue, Steps, SumRule
from occamhead.distill.sizes.size_formulas import Bound, Formula, Power, fit, number
from occamhead.essence import Circuit
from occamhead.essence.arrays import Ints
from occamhead.essence.rounding import primitive

# By size, inputs [rows, size] and classes [rows, outputs].
Samples: TypeAlias = Mapping[int, tuple[Ints, Ints]]
Circuits: TypeAlias = Mapping[int, Sequence[Circuit]]

_MOST_PARTS = 4
_PERIODS = range(2, 8)


@dataclass(frozen=True)
class _Level:
    """The class by the value of a sum, ascending, of one output at one size."""

    sizes: Mapping[str, int]
    values: Ints
    classes: Ints


def sum_rules(heads: Circuits, seen: Samples, many: bool) -> Iterator[SumRule]:
    """Programs of one weighted sum that are right on all rows.

    Args:
        heads: By size, the circuit of each output.
        seen: What they were learned from.
        many: Whether the answer is a list, of one class per output.
    """
    for direction in _directions(heads):
        outputs = None
        if many:
            counts = [Bound(direction.sizes(n), len(c), len(c)) for n, c in heads.items()]
            outputs = fit(counts)
            if outputs is None:
                continue
        levels = _levels(direction, seen, many)
        if levels is not None:
            for readout in (_steps(levels), *_residues(levels)):
                if readout is not None:
                    yield SumRule(direction, readout, outputs)


def _directions(heads: Circuits) -> list[Direction]:
    """The families of weights that some differentia has at every size, but for a factor."""
    shared: list[Direction] | None = None
    for n, circuits in heads.items():
        own = {
            found: None
            for circuit in circuits
            for weights in np.unique(circuit.weights, axis=0)
            for found in _families(primitive(weights), n)
        }
        shared = [*own] if shared is None else [found for found in shared if found in own]
    return shared or []


def _families(weights: Ints, n: int) -> Iterator[Direction]:
    for parts in range(1, _MOST_PARTS + 1):
        if n % parts or n // parts < 2:
            continue
        for name, weight in WEIGHTS.items():
            wanted = [weight(i, n // parts) for i in range(n // parts)]
            smallest = wanted.index(1)
            factors = tuple(weights.reshape(parts, -1)[:, smallest].tolist())
            if all(factors):
                found = Direction(factors, name)
                if found.weights(n) == weights.tolist():
                    yield found


def _levels(direction: Direction, seen: Samples, many: bool) -> list[_Level] | None:
    """Per size and output, classes by the sum; None if rows of one sum differ in their class."""
    levels = []
    for n, (x, y) in seen.items():
        values, first, place = np.unique(
            x @ np.array(direction.weights(n)), return_index=True, return_inverse=True
        )
        for k, labels in enumerate(y.T):
            if not (labels == labels[first][place.ravel()]).all():
                return None
            sizes = direction.sizes(n)
            levels.append(_Level({**sizes, "k": k} if many else sizes, values, labels[first]))
    return levels


def _steps(levels: Sequence[_Level]) -> Steps | None:
    """Bounds between the same classes in the same order at every size."""
    order: set[tuple[int, ...]] = set()
    bounds: list[list[Bound]] = []
    for level in levels:
        changes = np.flatnonzero(np.diff(level.classes))
        order.add((int(level.classes[0]), *level.classes[changes + 1].tolist()))
        ends = zip(level.values[changes].tolist(), level.values[changes + 1].tolist(), strict=True)
        bounds.append([Bound(level.sizes, low, high - 1) for low, high in ends])
    if len(order) > 1 or not bounds[0]:
        return None
    formulas = [fit(column) for column in zip(*bounds, strict=True)]
    found = tuple(formula for formula in formulas if formula is not None)
    return Steps(order.pop(), found) if len(found) == len(formulas) else None


def _residues(levels: Sequence[_Level]) -> Iterator[Residue]:
    """Classes by residue; the sums must reach through all residues and nearly through them again.

    The divisor is 1 or 2**k: with others there would be a residue for nearly everything.
    """
    divisors: list[Formula] = [number(1)]
    if "k" in levels[0].sizes:
        divisors.append(Power("k", 1, 0))
    for divisor, period in itertools.product(divisors, _PERIODS):
        classes: dict[int, set[int]] = {}
        reach = 0
        for level in levels:
            quotients = level.values // divisor.value(level.sizes)
            reach = max(reach, int(quotients.max() - quotients.min()) + 1)
            for residue, label in zip(quotients % period, level.classes, strict=True):
                classes.setdefault(int(residue), set()).add(int(label))
        alone = all(len(labels) == 1 for labels in classes.values())
        if alone and len(classes) == period and reach >= 2 * period - 1:
            yield Residue(divisor, tuple(min(classes[r]) for r in range(period)))
            return  # multiples of a period are periods as well


def pair_rules(circuits: Mapping[int, Circuit]) -> list[PairRule]:
    """Argmax or argmin, if the classes are places and most differentiae compare two entries.

    A circuit of few rows has other differentiae too. Which of equal entries counts is not told by
    biases unless rows have ties, so that both programs are proposed, the lowest place first.
    """
    signs: Counter[bool] = Counter()
    others = 0
    for n, circuit in circuits.items():
        if circuit.classes != n:
            return []
        pairs = {
            d: (int(weights.argmax()), int(weights.argmin()))
            for d, weights in enumerate(circuit.weights)
            if sorted(weights[weights != 0].tolist()) == [-1, 1]
        }
        others += len(circuit.weights) - len(pairs)
        for concept, literals in zip(circuit.concepts, circuit.literals, strict=True):
            for d, wanted in literals:
                if concept in pairs.get(d, ()):
                    signs[(pairs[d][0] == concept) == wanted] += 1
    if signs.total() <= others:
        return []
    largest = signs[True] >= signs[False]
    return [PairRule(largest, first) for first in (True, False)]
