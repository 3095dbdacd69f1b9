"""Numbers that noisy rows can spare: dropped or made simple, the others fitted again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from occamhead.expression.core import Expression
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.linearised import Linearised, Rows, loss_of, nats
from occamhead.expression.nodes import Affine, Apply, Constant
from occamhead.expression.numbers import (
    FRACTIONS,
    LARGEST_SIMPLE,
    exponent_nodes,
    free_numbers,
    with_values,
)
from occamhead.expression.pulled import pulled

# Nats of n log(error) that a change may cost: log(n) / 2, which a number takes to write down
# (Rissanen 1978), but at least this, two standard errors. An exponent that is not whole is so rare
# in laws that three standard errors speak for it.
LEAST_NATS, EXPONENT_NATS = 2.0, 4.5
# All changes together: what one may cost, and more for each other; a true one costs 1/2 on average.
NATS, NATS_EACH = 4.5, 1.0
# All numbers together that are cut to their digits.
DIGITS_NATS = 0.1

# What linearised errors say to cost so many times too much is not tried.
HOPELESS = 4.0
# A number is rounded to 1/2, 1/4, ... where its standard error is below this share of the grid.
SHARE_OF_GRID = 0.15
# A coefficient becomes simple if that is so near, as a share of it.
NEAR = 0.1
# Steps of a fit that starts near its end.
FEW_STEPS = 5
# Units of the last digit that a standard error is, at least (Particle Data Group).
LAST_DIGIT = 3.55
MOST_DIGITS = 15


class Change(NamedTuple):
    """Another value for a number.

    Args:
        place: Of the number, as :func:`occamhead.expression.numbers.numbers` lists them.
        value: What it becomes.
        most: Nats that this may cost.
        parts: Denominator: among two changes the simpler one is taken if it costs as little.
    """

    place: int
    value: float
    most: float
    parts: int = 1


Changes: TypeAlias = Callable[[Linearised], Iterator[Change]]


def spared(expression: Expression, rows: Rows) -> Expression:
    """The formula without what noise can account for: shorter, with simpler numbers.

    Exponents become whole, terms are dropped, then numbers become whole, halves or quarters: of
    all changes that which costs least first, the numbers that are not simple being fitted again.
    At last numbers get the digits that their standard errors justify: by the rule of the Particle
    Data Group an error is 3.55 to 35.5 units of the last digit.

    Args:
        expression: A formula of one output, its numbers fitted.
        rows: Inputs [rows, inputs], target [rows], weights of the rows that sum to 1.
    """
    before = loss_of(expression, rows)
    state, most = Linearised(expression, rows), NATS
    for changes in (_whole_exponents, _fewer_terms, _simple_numbers):
        for _ in state.values:
            left = most - nats(state.loss, before, state.rows)
            new = _changed(state, changes, rows, left)
            if new is None:
                break
            state, most = new, most + NATS_EACH
    fitted = fit_numbers(state.expression, *rows, places=state.free, iterations=FEW_STEPS)
    return _cut(Linearised(fitted, rows), rows)


def _changed(state: Linearised, changes: Changes, rows: Rows, most: float) -> Linearised | None:
    """The formula after the cheapest change that costs little enough; None if there is none."""
    found = []
    for change in changes(state):
        rise, values = state.change(change.place, change.value)
        if rise <= HOPELESS * change.most:
            found.append((rise + math.log(change.parts), change, values))
    for _, change, values in sorted(found, key=lambda each: each[0]):
        limit = state.limit(min(change.most, most))
        if (formula := _tried(state.expression, values, rows, limit)) is not None:
            return Linearised(formula, rows)
    return None


def _tried(
    expression: Expression,
    values: list[float],
    rows: Rows,
    limit: float,
    held: frozenset[float] = frozenset(),
) -> Expression | None:
    """The formula with other numbers if its loss is no larger; fitted again if that takes it."""
    if not all(map(math.isfinite, values)):
        return None
    formula = pulled(with_values(expression, values)).simplified()
    if _is_empty(formula) and not _is_empty(expression):
        return None
    if loss_of(formula, rows) <= limit:
        return formula
    free = free_numbers(formula, held)
    formula = fit_numbers(formula, *rows, places=free, iterations=FEW_STEPS)
    return formula if loss_of(formula, rows) <= limit else None


def _is_empty(formula: Expression) -> bool:
    """Whether a formula is a number, or divides nothing by something."""
    zeros = {i for i, node in enumerate(formula.nodes) if node == Constant(0.0)}
    return not formula.features or any(
        isinstance(node, Apply) and node.operator == "div" and node.children[0] in zeros
        for node in formula.nodes
    )


# --- changes ----------------------------------------------------------------------------------


def _number_nats(state: Linearised) -> float:
    return max(LEAST_NATS, math.log(state.rows) / 2)


def _exponents(expression: Expression) -> set[int]:
    """Places of numbers that are exponents."""
    powers = exponent_nodes(expression)
    found, place = set(), 0
    for index, node in enumerate(expression.nodes):
        if isinstance(node, Constant):
            if index in powers:
                found.add(place)
            place += 1
        elif isinstance(node, Affine):
            place += len(node.terms) + 1
    return found


def _whole_exponents(state: Linearised) -> Iterator[Change]:
    for place in sorted(_exponents(state.expression) & set(state.free)):
        for parts in (1, 2):
            if value := round(state.values[place] * parts) / parts:
                yield Change(place, value, EXPONENT_NATS, parts)


def _fewer_terms(state: Linearised) -> Iterator[Change]:
    exponents = _exponents(state.expression)
    for place, value in enumerate(state.values):
        if value and place not in exponents:
            yield Change(place, 0.0, _number_nats(state))


def _simple_numbers(state: Linearised) -> Iterator[Change]:
    errors, most = state.errors(), _number_nats(state)
    for place in state.free:
        value = state.values[place]
        yield Change(place, math.copysign(1.0, value), most)
        for parts in FRACTIONS:
            new = round(value * parts) / parts
            if (
                0 < abs(new) <= LARGEST_SIMPLE
                and abs(new - value) < NEAR * abs(value)
                and (parts == 1 or errors[place] * parts < SHARE_OF_GRID)
            ):
                yield Change(place, new, most, parts)


# --- digits -----------------------------------------------------------------------------------


def _cut(state: Linearised, rows: Rows) -> Expression:
    """Numbers cut one after another, the worst known first, while the others follow."""
    first, held, total = state, frozenset[float](), len(state.free)
    for done in range(total):
        if not state.free:
            break
        errors = state.errors()
        place = max(state.free, key=lambda p: errors[p] / abs(state.values[p]))
        limit = first.limit(DIGITS_NATS * (done + 1) / total)
        formula, value = state.expression, state.values[place]
        for shorter in _decimals(value, errors[place]):
            _, values = state.change(place, shorter)
            new = _tried(formula, values, rows, limit, held | {shorter})
            if new is not None:
                formula, value = new, shorter
                break
        held |= {value}
        state = Linearised(formula, rows, held)
    return state.expression


def _decimals(value: float, error: float) -> Iterator[float]:
    """The number with the digits that an error justifies, then with more."""
    size = math.floor(math.log10(abs(value)))
    last = math.floor(math.log10(error / LAST_DIGIT)) if 0 < error < math.inf else size - 1
    for digits in range(min(max(size - last + 1, 2), MOST_DIGITS), MOST_DIGITS + 1):
        yield float(f"{value:.{digits}g}")
