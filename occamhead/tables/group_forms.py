"""Which numbers of a form are common to all groups, and how long form and rows are to describe."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.expression.fitting import free_places
from occamhead.expression.numbers import decimals, numbers, simple, with_number
from occamhead.expression.tidy import EXACT
from occamhead.tables.group_numbers import Shared, Together
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

# Errors over the target's deviation below which nothing is told apart.
FLOOR = 1e-10
# Steps of a first fit in each group, and of the fit after a number became common.
FIRST, AFTER_TIE = 12, 15
# A group that another one's numbers serve so much better takes them to start from.
BETTER = 0.9
# A group is served badly that leaves so many times the median; starts that it may try.
POOR, MOST_STARTS = 1.5, 12
# Nats that fewer digits of a common number may cost.
SHORTENED_COST = 0.1
# Most numbers of a form that are looked at.
MOST_NUMBERS = 8
# A number within so many standard errors of 0 or 1 may be none.
NEAR = 4.0


class Description:
    """Lengths of descriptions, in nats: of a form, its numbers and what they leave of the rows.

    Args:
        parts: The rows of each group; weights of all together sum to 1.
        node: Nats of a node of a form.
    """

    def __init__(self, parts: Sequence[SortedRows], node: float) -> None:
        self.parts, self.node = list(parts), node
        self.rows = 1 / sum(float(part.weights @ part.weights) for part in parts)
        mean = sum(float(part.weights @ part.targets[:, 0]) for part in parts)
        spread = (float(part.weights @ (part.targets[:, 0] - mean) ** 2) for part in parts)
        self.variance = sum(spread) or 1.0

    def of(self, loss: float, count: int, complexity: int) -> float:
        """Length with a loss, so many fitted numbers, and so many nodes."""
        share = max(loss / self.variance, FLOOR**2)
        if not math.isfinite(share) or count >= self.rows:
            return math.inf
        return (
            0.5 * self.rows * math.log(share)
            + 0.5 * count * math.log(self.rows)
            + complexity * self.node
        )

    def of_shared(self, shared: Shared) -> float:
        return self.of(shared.loss, shared.count, shared.formula.complexity)

    def least(self, shared: Shared) -> float:
        """What no tying can fall below: all numbers common at no loss."""
        places = len(shared.own) + len(shared.common)
        return self.of(shared.loss, places, shared.formula.complexity)


def fit_apart(
    formula: Expression,
    parts: Sequence[SortedRows],
    order: Sequence[int],
    starts: Sequence[Sequence[float]] = (),
) -> Shared:
    """The form with all its numbers fitted in each group by itself.

    Each group starts from the form's numbers, then from what served its neighbours in `order`,
    forth and back. A group that is served much worse than most tries other groups' numbers, too.

    Args:
        formula: With rough numbers.
        parts: The rows of each group.
        order: Of the groups, those that tell most first.
        starts: Further numbers to start from in every group.
    """
    places = free_places(formula)
    together = Together(formula, parts)
    rough = numbers(formula)
    found: list[list[float] | None] = [None] * len(parts)
    losses = np.full(len(parts), np.inf)
    last = rough
    for group in [*order, *order[::-1], *order]:
        for start in (rough, last) if found[group] is None else (last,):
            tried = together.fit_one(group, start, places, FIRST)
            loss = together.losses_of(group, tried)
            if found[group] is None or loss < BETTER * losses[group]:
                found[group], losses[group] = tried, loss
        last = found[group] or rough
    # Of a wave in a valley of its own no neighbour may be near.
    spread = np.array([float(p.weights @ p.targets[:, 0] ** 2) for p in parts])
    mass = np.array([float(p.weights.sum()) for p in parts])
    poor = (losses > POOR * np.median(losses / mass) * mass) & (losses > FLOOR**2 * spread)
    for group in np.flatnonzero(poor).tolist():
        others = [each for g, each in enumerate(found) if each and not poor[g]]
        for another in [*starts[:MOST_STARTS], *others[:MOST_STARTS]]:
            tried = together.fit_one(group, another, places, FIRST)
            if (loss := together.losses_of(group, tried)) < losses[group]:
                found[group], losses[group] = tried, loss
    return Shared(formula, np.array(found), tuple(places), (), float(losses.sum()))


def tied(shared: Shared, description: Description) -> Shared:
    """The form with as many numbers common to all groups as shorten the description."""
    together = Together(shared.formula, description.parts)
    shared = together.fit(shared.numbers, shared.own, shared.common)
    length = description.of_shared(shared)
    while shared.own:
        best: Shared | None = None
        for place in _likeliest(shared, together):
            made = _with_common(shared, place, together)
            if (shorter := description.of_shared(made)) < length:
                best, length = made, shorter
                break
        if best is None:
            return shared
        shared = best
    return shared


def _likeliest(shared: Shared, together: Together) -> list[int]:
    """The groups' numbers, those that differ least between groups first."""
    errors = together.errors(shared)
    spread = []
    for place in shared.own:
        values, error = shared.numbers[:, place], np.maximum(errors[:, place], 1e-300)
        with np.errstate(all="ignore"):
            weights = np.where(np.isfinite(error), error**-2.0, 0.0)
            mean = weights @ values / weights.sum() if weights.any() else float(np.median(values))
            differ = float(np.nan_to_num(weights @ (values - mean) ** 2, nan=np.inf))
        spread.append((differ, float(np.std(values) / (abs(np.mean(values)) + 1e-300)), place))
    return [place for *_, place in sorted(spread)]


def _with_common(shared: Shared, place: int, together: Together) -> Shared:
    """The form with one number more in common, all of them fitted again."""
    own = tuple(each for each in shared.own if each != place)
    common = (*shared.common, place)
    values = shared.numbers[:, place]
    reference = int(np.argmin(np.abs(values - np.median(values))))
    start = shared.numbers.copy()
    start[:, place] = values[reference]
    # A group on another branch, such as a phase and a half turn, takes the reference's numbers.
    other = np.repeat(start[reference : reference + 1], len(start), axis=0)
    fits = [together.fit_each(each, own, AFTER_TIE) for each in (start, other)]
    losses = [together.losses(each) for each in fits]
    take = losses[1] < BETTER * losses[0]
    return together.fit(np.where(take[:, None], fits[1], fits[0]), own, common)


def simplified_numbers(shared: Shared, description: Description) -> Shared:
    """The form with common numbers made simple where that shortens the description, then short."""
    together = Together(shared.formula, description.parts)
    exact = math.sqrt(shared.loss / description.variance) < EXACT
    for place in shared.common:
        common = tuple(each for each in shared.common if each != place)
        for value in simple(float(shared.numbers[0, place]), exact):
            start = shared.numbers.copy()
            start[:, place] = value
            made = together.fit(start, shared.own, common, AFTER_TIE)
            if description.of_shared(made) < description.of_shared(shared):
                shared = made
                break
    most = max(shared.loss * math.exp(2 * SHORTENED_COST / description.rows),
               FLOOR**2 * description.variance)  # fmt: skip
    for place in shared.common:
        for value in decimals(float(shared.numbers[0, place])):
            start = shared.numbers.copy()
            start[:, place] = value
            loss = float(together.losses(start).sum())
            if loss <= most:
                shared = replace(shared, numbers=start, loss=loss)
                break
    return shared


def shorter_forms(shared: Shared, description: Description) -> Iterator[Shared]:
    """The form without one of its numbers, where that is near 0 or a common 1; all are own."""
    errors = Together(shared.formula, description.parts).errors(shared)
    for place in (*shared.common, *shared.own):
        values, error = shared.numbers[:, place], errors[:, place]
        for wanted in (0.0, 1.0, -1.0) if place in shared.common else (0.0,):
            if (np.abs(values - wanted) <= NEAR * error + 1e-9).all() and (
                made := _without(shared, place, wanted)
            ):
                yield made


def _without(shared: Shared, place: int, value: float) -> Shared | None:
    """The form with a number fixed in its structure; None if groups then differ in shape."""
    formulas = [
        with_number(shared.of(group), place, value).simplified()
        for group in range(len(shared.numbers))
    ]
    found = [numbers(formula) for formula in formulas]
    places = free_places(formulas[0])
    if any(len(each) != len(found[0]) for each in found):
        return None
    return Shared(formulas[0], np.array(found), tuple(places), (), math.inf)
