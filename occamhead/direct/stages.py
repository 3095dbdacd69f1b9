"""What is tried, in which order: the cheapest first, a stage at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct import ratios
from occamhead.direct.enumeration import enumerate_functions
from occamhead.direct.pool import Pool, exponents
from occamhead.direct.powers import Powers
from occamhead.direct.sparse import sparse_polynomials
from occamhead.direct.sums import Sums
from occamhead.direct.transforms import (
    Transform,
    divided,
    root_mean_square,
    shifted,
    transforms,
)
from occamhead.direct.waves import damped_waves, waves
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.operators import get_operator

Array: TypeAlias = NDArray[np.float64]

# Functions enumerated; products of inputs that may stand in a function with a number of its own.
MOST_FUNCTIONS, MOST_ARGUMENTS = 9000, 220


def candidates(x: Array, y: Array, functions: int = MOST_FUNCTIONS) -> Iterator[Expression | None]:
    """Formulas with rough numbers; None between two stages, cheapest stage first.

    Args:
        x: Inputs, [rows, inputs], of rows enough to tell them apart.
        y: Target, [rows].
        functions: How many functions without numbers to look at.
    """
    builder = ExpressionBuilder()
    scale = root_mean_square(y)
    forms = [_rescaled(form, scale) for form in transforms(y / scale)]
    pool = enumerate_functions(x, builder, functions)
    sums, powers = Sums(pool, x), Powers(pool, x, y != 0, exponentials=200)
    yield from powers.laws(forms[0], alone=6)
    yield None
    for form in forms:
        yield from sums.laws(form, alone=4)
    yield None
    # The inputs that multiply all the rest show in the logarithm.
    over = _divided(forms[0], pool, powers, x)
    for parts in (forms, over):
        yield from _quotients(pool, x, parts)
        yield None
    for place, form in enumerate(forms):
        yield from sparse_polynomials(builder, x, form, always=place == 0)
    yield None
    for form in (*forms, *over):
        yield from sums.laws(form, alone=4, longer=4)
    yield None
    yield from powers.laws(forms[0], alone=0, pairs=10)
    for form in shifted(y):
        yield from powers.laws(form, alone=3)
    yield None
    arguments = _arguments(pool, x)
    yield from powers.laws_with_numbers(forms[0], pool, arguments, beside=4, count=4)
    for form in (*forms[:3], *over[:2]):
        yield from sums.laws_with_numbers(form, arguments[:30], count=3)
    yield from sums.laws_with_terms(forms[0], x, arguments[:30], count=2)
    yield None
    for form in (*forms, *over):
        yield from sums.laws(form, alone=0, pairs=4)
    yield None
    for form in forms[:2]:
        yield from waves(pool, x, form, most=2)
    yield None
    yield from _fading(x, y, builder)
    yield None


def _fading(x: Array, y: Array, builder: ExpressionBuilder) -> Iterator[Expression]:
    """Waves that grow or fade, alone and times an input."""
    yield from damped_waves(x, y)
    inputs = {i: builder.input(i) for i in range(x.shape[1])}
    for place, column in enumerate(x.T):
        if not column.all():
            continue
        for wave in damped_waves(x, y / column):
            (node,) = builder.copy(wave, inputs)
            times = builder.apply("mul", inputs[place], node)
            yield builder.build([times], x.shape[1])


def _arguments(pool: Pool, x: Array) -> list[int]:
    """Monomials that may stand in a function with a number of its own, likeliest first."""
    single = itertools.islice(exponents(x.shape[1], 1, 4), MOST_ARGUMENTS)
    squares = itertools.islice(exponents(x.shape[1], 2, 2), 40)
    places = [pool.monomial(each, x) for each in (*single, *squares)]
    return list(dict.fromkeys(place for place in places if place is not None))


def _divided(target: Transform, pool: Pool, powers: Powers, x: Array) -> list[Transform]:
    """The target without the powers of inputs that its logarithm tells for sure, transformed."""
    told = powers.exponents(target)
    if told is None:
        return []
    sizes, errors = told
    whole = np.round(sizes)
    sure = (errors < 0.2) & (np.abs(sizes - whole) < 3 * errors + 1e-9) & (whole != 0)
    if not sure.any():
        return []
    place = pool.monomial(np.where(sure, whole, 0.0), x)
    if place is None:
        return []
    return [
        form
        for form in _forms_of(divided(target, pool.values[place], pool.nodes[place]))
        if np.isfinite(form.values).all()
    ]


def _forms_of(form: Transform) -> list[Transform]:
    """The transforms of a transform, scaled to a size near 1."""
    scale = root_mean_square(form.values)
    found = []
    for outer in transforms(form.values / scale):
        scaled = _rescaled(outer, scale)

        def undo(builder: ExpressionBuilder, node: int, scaled: Transform = scaled) -> int:
            return form.undo(builder, scaled.undo(builder, node))

        found.append(Transform(scaled.values, undo))
    return found


def _rescaled(form: Transform, scale: float) -> Transform:
    """A transform of the target over its scale as one of the target."""
    return Transform(
        form.values,
        lambda builder, node: builder.affine(0.0, [(scale, form.undo(builder, node))]),
    )


def _quotients(pool: Pool, x: Array, forms: list[Transform]) -> Iterator[Expression]:
    """Exact polynomials and quotients, of the inputs alone or with one function of each."""
    for functions in ((), ("cos",), ("sin",), ("exp",), ("log",)):
        nodes, columns = [], []
        for i in range(x.shape[1]):
            node = pool.builder.input(i)
            nodes.append(node)
            columns.append(x[:, i])
            for name in functions:
                with np.errstate(all="ignore"):
                    columns.append(get_operator(name).numpy(x[:, i]))
                nodes.append(pool.builder.apply(name, node))
        values = np.array(columns)
        if not np.isfinite(values).all():
            continue
        highest = 8 if not functions else 2
        found = False
        for formula in _of_degrees(pool.builder, nodes, values, x.shape[1], highest, forms):
            found = True
            yield formula
        if found:
            break


def _of_degrees(
    builder: ExpressionBuilder,
    nodes: list[int],
    values: Array,
    inputs: int,
    highest: int,
    forms: list[Transform],
) -> Iterator[Expression]:
    """Exact polynomials and quotients of the least degree that there are."""
    found = False
    for degree in range(1, highest + 1):
        count = math.comb(len(nodes) + degree, degree)
        if count * ratios.ROWS_PER_NUMBER > values.shape[1] or count > ratios.MOST_COLUMNS or found:
            break
        monomials = ratios.Monomials(builder, nodes, values, inputs, degree)
        for form in forms:
            for formula in ratios.polynomial(monomials, form):
                yield formula
                found = True
        for form in forms[:3] if degree <= 4 and not found else ():
            for formula in ratios.quotient(monomials, monomials, form):
                yield formula
                found = True
