"""Rules for classes that need no search: the few terms that the likelihood asks for, step by step.

Terms are inputs, or products, quotients, powers and logarithms of one or two of them. A path of
growing sums is found by orthogonal matching pursuit on the loss: the term that lowers it most
enters, all numbers are fitted again, and terms are exchanged while that helps.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.pool import Pool, exponents
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.search.compiling import cpu_seconds
from occamhead.tables.class_scores import ScoredRows, Scores
from occamhead.tables.screening import screen
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

# Rows on which terms are looked for, most inputs whose products are, and most terms of all.
ROWS, MULTIPLIED, MOST_COLUMNS = 2000, 12, 1500
# Terms of the largest estimated gain that are tried by a fit, where a sum grows and where a term is
# exchanged; among how many the latter is looked for, and how often.
TRIED, EXCHANGED, NEAR, EXCHANGES = 6, 2, 100, 2
# Likely sizes of coefficients, of columns with deviation 1: terms are found with the first, which
# keeps rules of few rows from being too sure; numbers are those of each, and held-out rows choose.
WIDTHS = 1.0, 10.0
# Steps of a fit that starts near its end, and nats that an exchange must bring.
FEW_STEPS, EXCHANGE_NATS = 4, 0.1
# Nats of all rows together that rounded numbers may cost, and the digits that are tried.
ROUNDED_NATS, DIGITS = 0.5, range(1, 16)
# Share of the rows that may be told wrongly for it.
FEW_WRONG = 1 / 400


@dataclass(frozen=True)
class Terms:
    """Functions that scores may be sums of.

    Args:
        builder: Where their nodes are.
        nodes: Node of each.
        sizes: Complexity of each.
        inputs: Number of inputs.
    """

    builder: ExpressionBuilder
    nodes: list[int]
    sizes: Array
    inputs: int

    def part(self, places: list[int]) -> Terms:
        """Some of them."""
        nodes = [self.nodes[place] for place in places]
        return Terms(self.builder, nodes, self.sizes[places], self.inputs)

    def values(self, x: Array) -> Array:
        """Of rows [rows, inputs]: [rows, terms]."""
        if not self.nodes:
            return np.empty((len(x), 0))
        return np.asarray(self.builder.build(self.nodes, self.inputs)(x), np.float64)


def rules(
    table: SortedRows,
    most: int,
    operators: Collection[str] = (),
    most_terms: int = 20,
    seconds: float = math.inf,
) -> list[Expression]:
    """Sums of 0, 1, 2, ... terms whose values are log-odds, or scores of the classes.

    Each but the first comes as often as there are `WIDTHS`.

    Args:
        table: Rows whose labels are classes 0, 1, ..., with targets as
            :class:`occamhead.OccamClassifier` makes them.
        most: Most complexity of all outputs together.
        operators: What terms may be made of beside inputs.
        most_terms: Most terms of all outputs together.
        seconds: CPU seconds after which no sum grows further.
    """
    began = cpu_seconds()
    part = table if len(table.x) <= ROWS else table.part(table.sample(ROWS, 0))
    terms, values = _terms(part, operators)
    columns, _, _ = _scaled(values, part.weights)
    node = math.log(len(terms.nodes) + 1) / 2
    found: list[Expression] = []
    for scores in _path(ScoredRows(columns, part, WIDTHS[0]), node * terms.sizes, most_terms):
        used = sorted({column for _, column in scores.places})
        places = [(output, used.index(column)) for output, column in scores.places]
        widths = WIDTHS if places else WIDTHS[:1]
        formulas = [_written(table, terms.part(used), places, width) for width in widths]
        if found and min(formula.complexity for formula in formulas) > most:
            break
        found += formulas
        if cpu_seconds() - began > seconds:
            break
    return found


def _scaled(values: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Columns with mean 0 and deviation 1, or all 0, their means and deviations."""
    mean = weights @ values
    columns = values - mean
    deviation = np.sqrt(weights @ columns**2)
    deviation[deviation <= 1e-12 * np.abs(mean)] = math.inf
    return columns / deviation, mean, deviation


def _terms(table: SortedRows, operators: Collection[str]) -> tuple[Terms, Array]:
    """Inputs and functions of one or two of those that tell most, with their values."""
    builder, inputs = ExpressionBuilder(), table.x.shape[1]
    pool = Pool(table.x, builder)
    places = [pool.add(builder.input(i), table.x[:, i], 1) for i in range(inputs)]
    if not {"mul", "div"}.isdisjoint(operators):
        chosen = screen(table, MULTIPLIED)
        positive: NDArray[np.bool_] = np.asarray((table.x > 0).all(axis=0))
        for i in chosen if "log" in operators else ():
            if positive[i] and (place := places[i]) is not None:
                pool.apply("log", place)
        for powers in _powers(len(chosen)):
            wide = np.zeros(inputs, np.intp)
            wide[chosen] = powers
            # A quotient by what may be zero between the rows explodes there.
            if positive[wide < 0].all() and len(pool) < MOST_COLUMNS:
                pool.monomial(wide.tolist(), table.x)
    values = pool.values.T if len(pool) else np.empty((len(table.x), 0))
    return Terms(builder, pool.nodes, np.array(pool.sizes, np.float64), inputs), values


def _powers(inputs: int) -> Iterator[tuple[int, ...]]:
    """Exponents of one or two inputs whose sizes sum to at most 2."""
    for powers in exponents(inputs, 2, 2):
        if sum(map(abs, powers)) > 2:
            break
        yield powers


# --- the path ---------------------------------------------------------------------------------


def _path(rows: ScoredRows, charges: Array, most_terms: int) -> Iterator[Scores]:
    """Scores of 0, 1, 2, ... terms; terms are charged so many nats each, [columns]."""
    scores = rows.fit(())
    yield scores
    everywhere = np.arange(len(charges))
    for _ in range(most_terms):
        if not len(charges):
            return
        worth = _worth(rows, scores, charges, everywhere)
        longer = _best(rows, scores, charges, worth, everywhere, TRIED, -math.inf)
        if longer is None or longer.penalised >= scores.penalised:
            return
        near = np.argsort(-worth.max(axis=0))[:NEAR]
        scores = _exchanged(rows, rows.fit(longer.places, longer.numbers), charges, near)
        yield scores


def _charged(rows: ScoredRows, scores: Scores, charges: Array) -> float:
    """Nats of all rows, with what the terms are charged."""
    return rows.rows * scores.penalised + sum(charges[column] for _, column in scores.places)


def _worth(rows: ScoredRows, scores: Scores, charges: Array, columns: NDArray[np.intp]) -> Array:
    """Estimated nats that one more term gains, less its charge, [outputs, columns]."""
    worth = rows.rows * rows.gains(scores, columns) - charges[columns]
    for output, column in scores.places:
        worth[output, columns == column] = -math.inf
    return worth


def _best(
    rows: ScoredRows,
    scores: Scores,
    charges: Array,
    worth: Array,
    columns: NDArray[np.intp],
    tried: int,
    least: float = 0.0,
) -> Scores | None:
    """The scores with that term more, of those of the largest worth, which lowers the loss most.

    Args:
        rows, scores, charges, worth, columns: See :func:`_worth`.
        tried: How many to try.
        least: Nats that a term must be worth to be tried.
    """
    found = []
    for place in np.argsort(-worth, axis=None, kind="stable")[:tried]:
        output, column = np.unravel_index(int(place), worth.shape)
        if worth[output, column] > least:
            places = (*scores.places, (int(output), int(columns[column])))
            found.append(rows.fit(places, np.append(scores.numbers, 0.0), steps=FEW_STEPS))
    return min(found, key=lambda each: _charged(rows, each, charges), default=None)


def _exchanged(rows: ScoredRows, scores: Scores, charges: Array, near: NDArray[np.intp]) -> Scores:
    """The scores with other terms in the place of some, while that lowers the loss."""
    for _ in range(EXCHANGES if len(scores.places) > 1 else 0):
        before = scores
        for term in range(len(scores.places)):
            places = (*scores.places[:term], *scores.places[term + 1 :])
            numbers = np.delete(scores.numbers, rows.outputs + term)
            shorter = rows.fit(places, numbers, steps=FEW_STEPS)
            now = _charged(rows, scores, charges) - EXCHANGE_NATS
            worth = _worth(rows, shorter, charges, near)
            # What a fit finds is seldom more than half as much again as what its start promises.
            least = (_charged(rows, shorter, charges) - now) / 1.5
            new = _best(rows, shorter, charges, worth, near, EXCHANGED, max(least, 0.0))
            if new is not None and _charged(rows, new, charges) < now:
                scores = rows.fit(new.places, new.numbers)
        if scores is before:
            break
    return scores


# --- numbers ----------------------------------------------------------------------------------


def _written(
    table: SortedRows, terms: Terms, places: list[tuple[int, int]], width: float
) -> Expression:
    """The scores with the numbers of a table, rounded where its rows do not mind.

    Coefficients are rounded one after another, the worst known first, while the others follow;
    then the levels.
    """
    columns, mean, deviation = _scaled(terms.values(table.x), table.weights)
    rows = ScoredRows(columns, table, width)
    scores = rows.fit(tuple(places))
    outputs, least, right = rows.outputs, scores.penalised, scores.right() - FEW_WRONG
    which = [column for _, column in places]
    allowed = ROUNDED_NATS / rows.rows / (len(places) + 1)
    errors = np.sqrt(np.linalg.inv(scores.newton()[0]).diagonal()[outputs:])
    order = np.argsort(-errors / np.maximum(np.abs(scores.numbers[outputs:]), 1e-300))
    held: list[int] = []
    for done, term in enumerate(order.tolist()):
        held.append(outputs + term)
        scale = deviation[which[term]]
        exact = scores.numbers[outputs + term] / scale
        for digits in DIGITS:
            numbers = scores.numbers.copy()
            numbers[outputs + term] = float(f"{exact:.{digits}g}") * scale
            new = rows.fit(tuple(places), numbers, tuple(held), FEW_STEPS)
            if new.penalised <= least + allowed * (done + 1) and new.right() >= right:
                scores = new
                break
    coefficients = np.array([float(f"{c:.15g}") for c in
                             scores.numbers[outputs:] / deviation[which]])  # fmt: skip
    shift = np.zeros(outputs)
    np.add.at(shift, [output for output, _ in places], coefficients * mean[which])
    levels = scores.numbers[:outputs] - shift
    if outputs > 1:
        # One number more for every class changes nothing: a sum has none of its own then.
        levels -= levels[places[0][0] if places else 0]
    for digits in DIGITS:
        rounded = np.array([float(f"{level:.{digits}g}") for level in levels])
        whole = np.concatenate([rounded + shift, scores.numbers[outputs:]])
        new = scores.at(whole)
        if new.penalised <= least + ROUNDED_NATS / rows.rows and new.right() >= right:
            levels = rounded
            break
    return _formula(terms, places, coefficients, levels)


def _formula(
    terms: Terms, places: list[tuple[int, int]], coefficients: Array, levels: Array
) -> Expression:
    tops = [
        terms.builder.affine(
            float(level),
            [
                (float(coefficient), terms.nodes[column])
                for coefficient, (output, column) in zip(coefficients, places, strict=True)
                if output == place
            ],
        )
        for place, level in enumerate(levels)
    ]
    return terms.builder.build(tops, terms.inputs)
