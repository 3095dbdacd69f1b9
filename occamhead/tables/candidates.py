"""Formulas that may be chosen, from any source: the search, linear models, what else is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.search.result import Found, Result, join
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

# Kinds of formulas, as the table of equations names them.
SEARCH, DIRECT, LINEAR = "search", "direct fit", "linear model"
SPARSE, CONSTANT, UNITS = "sparse linear model", "constant", "units"
GUESS, TEMPLATE = "guess", "template"
# Why a search ended that was interrupted.
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Candidate:
    """A formula of all outputs that may be chosen.

    Args:
        formula: The formula.
        kind: Where it comes from, such as "search".
        loss: Mean loss on the rows that it was fitted to.
        refit: Gives the same formula with its numbers fitted to other rows.
        nats: Logarithm of the number of formulas of which this was the best. So much, summed over
            all rows, its log-likelihood may be better by chance than on rows that it was not
            chosen on.
        node: Nats of one more node, for what was searched: log of the bases and leaves.
        exact: Whether it gives the targets to rounding.
        unit_numbers: How many of its numbers need a unit, where the columns have units.
        extra: What prices of operators add to its complexity.
        parts: The functions of a template that make it up, with numbers near its own.
    """

    formula: Expression
    kind: str
    loss: float
    refit: Callable[[SortedRows], Expression]
    nats: float = 0.0
    node: float = 0.0
    exact: bool = False
    unit_numbers: int = 0
    extra: int = 0
    parts: tuple[Expression, ...] = ()

    @property
    def complexity(self) -> int:
        """Inputs, numbers and operations as written, of all outputs together, at their prices."""
        return self.formula.complexity + self.extra


def charges(candidates: Sequence[Candidate]) -> Array:
    """Nats by which chance may favour each beside each other, [candidates, candidates].

    Of two that were searched the longer one alone is charged, as the best of those that are so much
    longer; the shorter one was as free to be a part of it. A sum of few inputs is charged beside
    the constant alone: its inputs are found anew in each fold, but from rows most of which all
    folds share, and so the best of many inputs is flattered where none tells anything.
    """
    made = np.empty((len(candidates), len(candidates)))
    for i, one in enumerate(candidates):
        for j, other in enumerate(candidates):
            made[i, j] = 0.0 if one.kind == SPARSE and other.kind != CONSTANT else one.nats
            if i != j and one.node > 0 and other.node > 0:
                longer = max(one.complexity - other.complexity, 0)
                made[i, j] = min(one.nats, longer * one.node)
            elif other.kind == CONSTANT:
                made[i, j] = max(one.nats, one.complexity * one.node)
    return made


def pareto(candidates: Iterable[Candidate], gain: float = 0.0) -> list[Candidate]:
    """Those that no simpler one equals: each lowers the loss by more than a share of it.

    Of several spellings of one formula, whose losses are equal to rounding, the first is kept.
    """

    def loss(candidate: Candidate) -> float:
        return float(f"{candidate.loss:.9g}")

    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: (each.complexity, loss(each))):
        if math.isfinite(candidate.loss) and (
            not front or loss(candidate) < loss(front[-1]) * (1 - gain)
        ):
            front.append(candidate)
    return front


def joined(
    result: Result,
    node: float,
    score: Callable[[Expression], float],
    most: int,
    is_late: Callable[[], bool] = lambda: False,
) -> list[tuple[Expression, float]]:
    """The formulas of a search, of all outputs together, and the nats of each.

    Several outputs start as constants; then, again and again, that output takes the next formula
    of its front with which the loss falls most for each unit of complexity.

    Args:
        result: The search.
        node: Nats of a node.
        score: Mean loss of formulas of all outputs.
        most: Most complexity of all outputs together.
        is_late: Whether those of several outputs are to be joined no further.
    """
    drawn = math.log(max(result.functions, 1))

    def nats(found: Found) -> float:
        return min(found.complexity * node, drawn)

    if len(result.fronts) == 1:
        return [(found.expression, nats(found)) for found in result.fronts[0]]
    constant = _zero(result.best.num_inputs)
    places = [-1] * len(result.fronts)

    def formula(places: Sequence[int]) -> Expression:
        pairs = zip(result.fronts, places, strict=True)
        return join([front[place].expression if place >= 0 else constant for front, place in pairs])

    made: list[tuple[Expression, float]] = []
    current, loss = formula(places), math.inf
    while not (made and is_late()):
        best: tuple[float, list[int], Expression, float] | None = None
        for output, front in enumerate(result.fronts):
            if places[output] + 1 >= len(front):
                continue
            tried = [place + (j == output) for j, place in enumerate(places)]
            new = formula(tried)
            if new.complexity > most:
                continue
            value = score(new)
            added = max(new.complexity - current.complexity, 1)
            gain = -value if math.isinf(loss) else (loss - value) / added
            if math.isfinite(value) and (best is None or gain > best[0]):
                best = gain, tried, new, value
        if best is None:
            return made
        _, places, current, loss = best
        taken = [f[p] for f, p in zip(result.fronts, places, strict=True) if p >= 0]
        made.append((current, sum(nats(found) for found in taken)))
    return made


def _zero(num_inputs: int) -> Expression:
    builder = ExpressionBuilder()
    return builder.build([builder.constant(0.0)], num_inputs)


def onto(formula: Expression, inputs: Sequence[int], num_inputs: int) -> Expression:
    """A formula of some inputs as one of all of them.

    Args:
        formula: Its input i is input `inputs[i]`.
        inputs: Ascending.
        num_inputs: How many there are.
    """
    builder = ExpressionBuilder()
    outputs = builder.copy(formula, {i: builder.input(inputs[i]) for i in formula.features})
    return builder.build(outputs, num_inputs)
