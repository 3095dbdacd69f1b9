"""Which functions without numbers are looked at: short ones first, of the kinds that laws have."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.pool import Pool, exponents
from occamhead.expression import ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Functions that are multiplied by each other.
FEW_FUNCTIONS = 24

FUNCTIONS, OF_SUMS = ("sin", "cos", "exp", "log"), ("cos", "sin", "exp", "log")


def enumerate_functions(x: Array, builder: ExpressionBuilder, most: int) -> Pool:
    """Monomials, their functions, sums of two of them, functions of those, and products.

    Each kind is added shortest first, up to its share of what is allowed.

    Args:
        x: Inputs, [rows, inputs].
        builder: Where the nodes go.
        most: Functions at most.
    """
    pool = Pool(x, builder)
    inputs = x.shape[1]

    def grow(share: float, steps: Iterable[Callable[[], int | None]]) -> list[int]:
        """Add until a share of what is allowed is there; the places of what came."""
        first, limit = len(pool), share * most
        for step in steps:
            if len(pool) >= limit:
                break
            step()
        return list(range(first, len(pool)))

    def shortest(places: Iterable[int], count: int) -> list[int]:
        return sorted(places, key=lambda place: pool.sizes[place])[:count]

    def pairs(first: list[int], second: list[int]) -> list[tuple[int, int]]:
        found = {(min(a, b), max(a, b)) for a in first for b in second if a != b}
        return sorted(found, key=lambda pair: (pool.sizes[pair[0]] + pool.sizes[pair[1]], pair))

    def applied(operators: Iterable[str], places: list[int]) -> Iterator[Callable[[], int | None]]:
        return (partial(pool.apply, o, place) for place in places for o in operators)

    single = grow(1, (partial(pool.add, builder.input(i), x[:, i], 1) for i in range(inputs)))
    monomials = single + grow(0.06, (partial(pool.monomial, e, x) for e in exponents(inputs, 3, 4)))
    plain = shortest(monomials, len(monomials))
    roots = grow(0.07, (partial(pool.power, m, 0.5) for m in plain[:30]))
    functions = grow(0.09, applied(FUNCTIONS, plain[:30]))
    functions += grow(0.1, (partial(pool.decay, m) for m in plain[:15]))
    grow(0.11, applied(("tanh",), plain[:15]))
    grow(0.12, (partial(pool.halved, o, m) for m in plain[:15] for o in ("sin", "cos")))
    squares = grow(0.13, (partial(pool.power, f, 2.0) for f in functions[:80]))
    shifted = grow(
        0.15,
        (
            partial(pool.shifted, m, sign)
            for m in [*plain[:30], *functions[:40]]
            for sign in (-1.0, 1.0)
        ),
    )
    grow(
        0.155,
        (partial(pool.power, place, e) for place in shortest(shifted, 20) for e in (0.5, -0.5)),
    )
    powers = [pool.monomial([2 * (i == j) for j in range(inputs)], x) for i in range(inputs)]
    grow(
        0.16,
        (
            partial(pool.total, chosen)
            for chosen in itertools.combinations([p for p in powers if p is not None], 3)
        ),
    )
    sums = grow(
        0.3,
        (
            partial(pool.sum, a, b, sign)
            for a, b in pairs(plain[:60], plain[:60])
            for sign in (-1.0, 1.0)
        ),
    )
    grow(0.31, applied(("log",), shortest(shifted, 30)))
    of_sums = grow(0.33, applied(OF_SUMS, shortest(sums, 30)))
    of_sums += grow(0.35, (partial(pool.power, s, 2.0) for s in shortest(sums, 40)))
    few = shortest(functions, FEW_FUNCTIONS)
    factors = pairs([*plain[:40], *roots], [*functions, *squares, *of_sums])
    factors = sorted(
        {*factors, *pairs(few, few)},
        key=lambda pair: (pool.sizes[pair[0]] + pool.sizes[pair[1]], pair),
    )
    products = grow(0.95, (partial(pool.apply, "mul", a, b) for a, b in factors))
    grow(
        1,
        (partial(pool.shifted, p, sign) for p in shortest(products, 250) for sign in (1.0, -1.0)),
    )
    return pool
