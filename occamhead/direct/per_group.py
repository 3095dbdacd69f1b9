"""Forms that fit several groups of rows, each with numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct import grids
from occamhead.direct.enumeration import enumerate_functions
from occamhead.direct.pool import Pool
from occamhead.direct.waves import damped_waves
from occamhead.expression import Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Functions without numbers of which sums are made, and those that may be an argument.
TERMS, ARGUMENTS = 150, 30
# Groups in which waves are looked for.
WAVES = 12
# Forms of each kind to offer: one term, two terms, and one function with a number inside.
ALONE, PAIRS, WITH_NUMBERS = 4, 6, 3


def _inverse(family: grids.Family) -> grids.Family:
    return grids.Family(
        lambda u: 1 / family.values(u),
        lambda builder, node, c: builder.apply(
            "div", builder.constant(1.0), family.build(builder, node, c)
        ),
        family.rates,
    )


FAMILIES = (*grids.TERMS, *map(_inverse, (grids.SHIFTED, grids.LESS_ONE, grids.PLUS_ONE)))


def forms_of_groups(
    groups: Sequence[tuple[Array, Array]], telling: Sequence[int]
) -> Iterator[Expression]:
    """Forms with rough numbers: those of some group.

    Sums of one and two functions are judged in all groups at once, their coefficients free in
    each; functions with a number inside, and waves that fade, are found in single groups.

    Args:
        groups: Inputs [rows, inputs] and target [rows] of each group.
        telling: The groups to look at one by one.
    """
    builder = ExpressionBuilder()
    pool = enumerate_functions(np.concatenate([x for x, _ in groups]), builder, TERMS)
    ends = np.cumsum([len(x) for x, _ in groups])
    values = np.split(pool.values, ends[:-1], axis=1)
    yield from _sums(pool, values, [y for _, y in groups])
    # Waves of other groups are starts: none is near enough to all frequencies.
    others = [group for group in range(len(groups)) if group not in telling]
    for group in [*telling, *others][:WAVES]:
        yield from damped_waves(*groups[group])
    for group in telling:
        x, y = groups[group]
        own = enumerate_functions(x, builder, TERMS)
        rows = np.ones(len(x), np.bool_)
        places = list(range(min(ARGUMENTS, len(own))))
        ones = np.ones((1, len(x)))
        for guess in grids.guesses(own, places, FAMILIES, y, ones, rows, False, WITH_NUMBERS):
            constant, slope = _line(guess.values, y)
            top = builder.affine(constant, [(slope, guess.node)])
            yield builder.build([top], x.shape[1])


def _line(values: Array, y: Array) -> tuple[float, float]:
    """Intercept and slope of least squares, neither of them 0."""
    slope, constant = np.polyfit(values, y, 1)
    return float(constant) or 1e-9, float(slope) or 1e-9


def _sums(pool: Pool, values: list[Array], targets: list[Array]) -> Iterator[Expression]:
    """``a*f + d`` and ``a*f + b*g + d`` that leave least of all groups together."""
    count = len(pool)
    one, two = np.zeros(count), np.zeros((count, count))
    for functions, y in zip(values, targets, strict=True):
        # Within a group what is centred has no more need of a constant.
        f = functions - functions.mean(axis=1, keepdims=True)
        sizes = np.linalg.norm(f, axis=1)
        f /= np.where(sizes > 0, sizes, 1.0)[:, None]
        along, moments = f @ (y - y.mean()), f @ f.T
        one += along**2
        rest = 1 - moments**2
        gain = along[:, None] ** 2 + along**2 - 2 * moments * along[:, None] * along
        two += np.where(rest > 1e-10, gain / np.where(rest > 1e-10, rest, 1.0), 0.0)
    two[np.tril_indices(count)] = -np.inf
    chosen = [[int(place)] for place in np.argsort(-one)[:ALONE]]
    for place in np.argsort(-two, axis=None)[:PAIRS]:
        chosen.append([int(each) for each in np.unravel_index(place, two.shape)])
    y = targets[0]
    for places in chosen:
        system = np.concatenate([np.ones((1, len(y))), values[0][places]])
        found = np.linalg.lstsq(system.T, y, rcond=None)[0]
        numbers = [float(number) or 1e-9 for number in found]
        terms = [(n, pool.nodes[place]) for n, place in zip(numbers[1:], places, strict=True)]
        yield pool.builder.build([pool.builder.affine(numbers[0], terms)], pool.inputs)


__all__ = ["forms_of_groups"]
