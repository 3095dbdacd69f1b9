"""Factors with one number of their own, on a grid of that number: fitted later, found now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.pool import Pool
from occamhead.expression import ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Multiples of 1 / the largest argument at which numbers are tried: near those at which 1 + c*u
# is zero somewhere, for functions that grow, and for waves.
SHARES = np.concatenate([np.geomspace(0.05, 0.8, 6), [0.9, 0.96, 0.99, 0.999]])
RATES = np.geomspace(0.05, 600, 26)
PHASES = np.arange(0.5, 40, 0.5)

# Rows on which a number is looked for at first.
COARSE_ROWS = 64

# Guesses that are refined for each that is given; how often the grid is made finer.
REFINED, REFINEMENTS = 3, 4

# What a base leaves less of than this share (squared) is in its span.
SPANNED = 1e-12


@dataclass(frozen=True)
class Family:
    """Functions g(c*u) of one number c.

    Args:
        values: Of g, from c*u: [...] to [...].
        build: Node of g, from a builder and the node of u and c.
        rates: Values of c times the largest size of u to try.
    """

    values: Callable[[Array], Array]
    build: Callable[[ExpressionBuilder, int, float], int]
    rates: Array


def _exponential(builder: ExpressionBuilder, node: int, c: float) -> int:
    return builder.apply("exp", builder.affine(0.0, [(c, node)]))


def _both(builder: ExpressionBuilder, node: int, c: float) -> int:
    ends = [(1.0, _exponential(builder, node, c)), (1.0, _exponential(builder, node, -c))]
    return builder.affine(0.0, ends)


def _applied(operator: str) -> Callable[[ExpressionBuilder, int, float], int]:
    return lambda builder, node, c: builder.apply(operator, builder.affine(0.0, [(c, node)]))


SIGNED = np.concatenate([-SHARES[::-1], SHARES, -RATES, RATES])
SHIFTED = Family(lambda u: 1 + u, lambda b, node, c: b.affine(1.0, [(c, node)]), SIGNED)
LESS_ONE = Family(
    np.expm1, lambda b, node, c: b.affine(-1.0, [(1.0, _exponential(b, node, c))]), RATES
)
PLUS_ONE = Family(
    lambda u: np.exp(u) + 1, lambda b, node, c: b.affine(1.0, [(1.0, _exponential(b, node, c))]),
    RATES,
)  # fmt: skip
HYPERBOLIC = Family(lambda u: np.exp(u) + np.exp(-u), _both, RATES)
TANH = Family(np.tanh, _applied("tanh"), RATES)
SINE, COSINE = (Family(getattr(np, name), _applied(name), PHASES) for name in ("sin", "cos"))
GROWTH = Family(np.exp, _exponential, np.concatenate([-RATES[:16], RATES[:16]]))
INVERSE = Family(
    lambda u: 1 / (1 + u),
    lambda b, node, c: b.apply("div", b.constant(1.0), b.affine(1.0, [(c, node)])),
    RATES,
)
LOGARITHM = Family(
    lambda u: np.log1p(u), lambda b, node, c: b.apply("log", b.affine(1.0, [(c, node)])), RATES
)

# As factors, as terms of a sum, and as what a term of a sum is multiplied by.
FACTORS = (SHIFTED, LESS_ONE, PLUS_ONE, HYPERBOLIC, TANH, SINE, COSINE)
TERMS = (GROWTH, TANH, LOGARITHM)
MULTIPLIERS = (INVERSE, GROWTH)


class Guess(NamedTuple):
    """A function with a number that explains a target.

    Args:
        left: Share of the target's squares that it leaves.
        node: Of the function.
        values: Of it, [rows].
    """

    left: float
    node: int
    values: Array


def guesses(
    pool: Pool,
    places: Sequence[int],
    families: Sequence[Family],
    target: Array,
    base: Array,
    rows: NDArray[np.bool_],
    logarithms: bool,
    count: int,
    times: Array | float = 1.0,
) -> list[Guess]:
    """The functions of these families that explain a target best, at the best of their numbers.

    Args:
        pool: Where the arguments are, and where nodes go.
        places: Of the arguments.
        families: What to try.
        target: What to explain, [rows of the fit].
        base: What each fit has beside, [base, rows of the fit].
        rows: Which rows of the pool these are.
        logarithms: Whether the target is explained by the logarithm of the function.
        count: Guesses to give.
        times: What the function is multiplied by in the sum, [rows of the fit].
    """
    times = np.broadcast_to(times, target.shape)
    few = _Left(target, base, logarithms, slice(None, None, max(len(target) // COARSE_ROWS, 1)))
    found = []
    for place in places:
        u = pool.values[place][rows]
        size, u = float(np.abs(u).max()), u[few.rows]
        for number, family in enumerate(families):
            c = family.rates / size
            with np.errstate(all="ignore"):
                shares = few(family.values(c[:, None] * u) * times[few.rows])
            best = int(np.argmin(shares))
            ends = float(c[max(best - 1, 0)]), float(c[min(best + 1, len(c) - 1)])
            found.append((float(shares[best]), place, number, float(c[best]), ends))
    found.sort()
    left = _Left(target, base, logarithms, slice(None))
    made = []
    for _, place, number, at, ends in found[: REFINED * count]:
        family, u, share = families[number], pool.values[place][rows], 1.0
        for _ in range(REFINEMENTS):
            tried = np.linspace(*ends, 9)
            with np.errstate(all="ignore"):
                shares = left(family.values(tried[:, None] * u) * times)
            best = int(np.argmin(shares))
            if shares[best] < share:
                share, at = float(shares[best]), float(tried[best])
            ends = float(tried[max(best - 1, 0)]), float(tried[min(best + 1, 8)])
        if at and share < 1:
            with np.errstate(all="ignore"):
                values = family.values(at * pool.values[place])
            made.append(Guess(share, family.build(pool.builder, pool.nodes[place], at), values))
    return sorted(made, key=lambda guess: guess.left)[:count]


class _Left:
    """Shares of a target's squares that columns beside a base leave.

    Args:
        target: [rows].
        base: [base, rows].
        logarithms: Whether the logarithm of a column is what explains.
        rows: The rows to look at.
    """

    def __init__(self, target: Array, base: Array, logarithms: bool, rows: slice) -> None:
        base, target, self.rows, self.logarithms = base[:, rows], target[rows], rows, logarithms
        self.axes = np.linalg.qr((base / np.linalg.norm(base, axis=1, keepdims=True)).T)[0]
        self.free = target - self.axes @ (self.axes.T @ target)
        self.total = float(self.free @ self.free)

    def __call__(self, columns: Array) -> Array:
        """The share that each column [columns, rows] leaves; 1 for one in the span of the base."""
        with np.errstate(all="ignore"):
            used = np.log(np.abs(columns)) if self.logarithms else columns
            used = used / np.linalg.norm(used, axis=1, keepdims=True)
            used = used - (used @ self.axes) @ self.axes.T
            used = used - (used @ self.axes) @ self.axes.T
            norms = np.einsum("cr,cr->c", used, used)
            shares = 1 - (used @ self.free) ** 2 / (norms * self.total)
        return np.where(np.isfinite(shares) & (norms > SPANNED), shares, 1.0)


__all__ = ["FACTORS", "MULTIPLIERS", "TERMS", "Family", "Guess", "guesses"]
