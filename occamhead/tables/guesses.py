"""Formulas that a user guesses: read, their numbers fitted from several starts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.fitting import fit_numbers, free_places
from occamhead.expression.nodes import Affine
from occamhead.expression.numbers import numbers, with_values, written_places
from occamhead.tables.between_rows import BetweenRows
from occamhead.tables.candidates import GUESS, Candidate
from occamhead.tables.fitted import fitted
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task, mean_of

Array: TypeAlias = NDArray[np.float64]

# Rows on which starts are compared, how many there are, and how far (in nats) numbers are moved.
ROWS, STARTS, SPREAD = 1000, 24, 1.0


def read_guesses(
    guesses: Sequence[str | Expression] | str, names: Sequence[str]
) -> tuple[Expression, ...]:
    """The formulas that a user guesses.

    Args:
        guesses: Their texts, or formulas of all inputs; one text is one guess.
        names: Of the inputs.

    Raises:
        ValueError: If a text does not parse or names what is no input, or a formula is not one of
            these inputs.
    """
    given = [guesses] if isinstance(guesses, str | Expression) else list(guesses)
    found = []
    for guess in given:
        if isinstance(guess, str):
            try:
                guess = Expression.parse(guess, names=list(names))
            except ValueError as reason:
                raise ValueError(f"guesses: {reason}") from reason
        elif not isinstance(guess, Expression):
            raise ValueError(f"guesses must be formulas or their texts, got {guess!r}")
        if guess.num_inputs != len(names) or len(guess) != 1:
            raise ValueError(
                f"guesses: wanted a formula of {len(names)} inputs and one output, got one of"
                f" {guess.num_inputs} and {len(guess)}"
            )
        found.append(guess.renamed(None))
    return tuple(found)


def guessed(
    guesses: Sequence[Expression], table: SortedRows, task: Task, names: Sequence[str]
) -> Iterator[Candidate]:
    """The guesses as candidates; a warning says which are none.

    Each is fitted as it is written, and with a slope, an intercept, and factors and terms of 1
    free.

    Args:
        guesses: The formulas.
        table: The rows.
        task: What is asked of the formulas.
        names: Of the inputs, for the warning.
    """
    between = BetweenRows(table.x, table.targets)
    part = table.part(table.sample(ROWS, 0))
    nats = math.log(max(len(guesses), 1))
    for place, guess in enumerate(guesses):
        said = f"the guess {guess.renamed(names)}"
        forms = [(guess, free_places(guess)), _freed(guess)]
        starts = [found for form in forms if (found := _best_start(*form, part, task, place))]
        if not starts:
            undefined = int((~np.isfinite(_values(guess, table.x))).sum())
            _warn(f"{said} is undefined on {undefined} of {len(table.x)} rows; it is left out")
            continue
        made = [fitted(form, GUESS, nats, 0.0, table, task, between, True) for form in starts]
        kept = [candidate for candidate in made if candidate is not None]
        if not kept:
            _warn(f"{said} explodes or is undefined between the rows; it is left out")
        yield from kept[:1]
        # The freer one only where it is better.
        yield from (each for each in kept[1:] if each.loss < kept[0].loss * (1 - 1e-6))


def _freed(guess: Expression) -> tuple[Expression, list[int]]:
    """The guess under a slope and an intercept, and the places of all that may be a number."""
    builder = ExpressionBuilder()
    (node,) = builder.copy(guess, {i: builder.input(i) for i in guess.features})
    top = builder.nodes[node]
    # Near 0 and 1, which are no numbers to fit.
    if isinstance(top, Affine):
        node = builder.affine(top.constant or 1e-9, top.terms)
    else:
        node = builder.affine(1e-9, [(1 + 1e-9, node)])
    form = builder.build([node], guess.num_inputs)
    return form, written_places(form)


def _best_start(
    formula: Expression, places: Sequence[int], part: SortedRows, task: Task, seed: int
) -> Expression | None:
    """The formula with its numbers fitted from that of several starts which ends best."""
    random = np.random.default_rng(seed)
    own = np.array(numbers(formula))
    best, least = None, math.inf
    for turn in range(STARTS if places else 1):
        start = own.copy()
        if turn:
            start[places] *= np.exp(SPREAD * random.normal(size=len(places)))
        moved = with_values(formula, start.tolist())
        made = fit_numbers(moved, part.x, part.targets[:, 0], part.weights, places)
        loss = mean_of(task, made, part)
        if loss < least:
            best, least = made, loss
        if least <= 1e-20 * (task.mean_loss(part) or 1.0):
            break
    return best


def _values(formula: Expression, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(formula(x)[:, 0], np.float64)


def _warn(text: str) -> None:
    warnings.warn(text, ConvergenceWarning, stacklevel=2)
