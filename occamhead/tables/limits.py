"""What a law must not do: nest, cost, fall, rise or leave a range where the user says so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import unknown_name
from occamhead.expression import OPERATORS, Affine, Apply, Expression
from occamhead.tables.candidates import Candidate

Array: TypeAlias = NDArray[np.float64]
Nested: TypeAlias = "Mapping[str, Sequence[str] | Mapping[str, int]]"
Bounds: TypeAlias = "tuple[float | None, float | None]"

# Rows at which an input is moved through its range, and steps of that; values at most by which a
# formula may miss a limit, as a share of their size: rounding.
ROWS, STEPS, ROUNDING = 200, 24, 1e-9
DIRECTIONS = {"increasing": 1, "decreasing": -1}


@dataclass(frozen=True)
class Limits:
    """What formulas must keep to; those that do not are neither listed nor chosen.

    Args:
        nested: By operator, how often each of others may stand within it, one in another.
        prices: What operators count for in the complexity, instead of 1; "add" is each + and -.
        monotone: By input, 1 if formulas must not fall with it, -1 if they must not rise.
        bounds: Least and largest value.
        names: Of the inputs.
        most: Most complexity, prices included.
        x: Rows whose range it is about, [rows, inputs].
    """

    nested: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    prices: Mapping[str, int] = field(default_factory=dict)
    monotone: Mapping[int, int] = field(default_factory=dict)
    bounds: tuple[float, float] = (-math.inf, math.inf)
    names: tuple[str, ...] = ()
    most: int = 30
    x: Array | None = None

    @property
    def is_none(self) -> bool:
        """Whether nothing is limited."""
        return not (self.nested or self.prices or self.monotone or self._bounded)

    @property
    def _bounded(self) -> bool:
        return any(map(math.isfinite, self.bounds))

    def on(self, x: Array, most: int) -> Limits:
        """These limits on the range of some rows, with a most complexity."""
        return replace(self, x=x, most=most)

    def extra(self, formula: Expression) -> int:
        """What prices add to the complexity, as often as an operator is written out."""
        sizes: list[int] = []
        for node in formula.nodes:
            size = sum(sizes[child] for child in node.children)
            if isinstance(node, Apply):
                times = max(len(node.children) - 1, 1)
                size += times * (self.prices.get(node.operator, 1) - 1)
            elif isinstance(node, Affine):
                plus = len(node.terms) - 1 + (node.constant != 0)
                scaled = sum(abs(coefficient) != 1 for coefficient, _ in node.terms)
                size += plus * (self.prices.get("add", 1) - 1)
                size += scaled * (self.prices.get("mul", 1) - 1)
            sizes.append(size)
        return sum(sizes[output] for output in formula.outputs)

    def broken(self, formula: Expression) -> str:
        """Which limit a formula breaks; empty if none."""
        if said := self._nesting(formula):
            return said
        if self.prices and formula.complexity + self.extra(formula) > self.most:
            return "prices"
        if self.x is None:
            return ""
        for place, sign in self.monotone.items():
            if place in formula.features and not self._follows(formula, place, sign):
                return self._monotone_said(place, sign)
        if self._bounded and not self._within(formula):
            return self._bounds_said()
        return ""

    def allowed(
        self, candidates: Sequence[Candidate], left_out: Counter[str] | None = None
    ) -> list[Candidate]:
        """The candidates that keep to the limits, at their prices; others are counted."""
        if self.is_none:
            return list(candidates)
        kept = []
        for candidate in candidates:
            if said := self.broken(candidate.formula):
                if left_out is not None:
                    left_out[said] += 1
            else:
                kept.append(replace(candidate, extra=self.extra(candidate.formula)))
        return kept

    def _nesting(self, formula: Expression) -> str:
        within: list[Counter[str]] = []
        for node in formula.nodes:
            deepest: Counter[str] = Counter()
            for child in node.children:
                deepest |= within[child]
            if isinstance(node, Apply):
                for inner, most in self.nested.get(node.operator, {}).items():
                    if deepest[inner] > most:
                        times = f" more than {most} deep" if most else ""
                        return f"{inner} within {node.operator}{times}"
                deepest = deepest.copy()
                deepest[node.operator] += 1
            within.append(deepest)
        return ""

    def _follows(self, formula: Expression, place: int, sign: int) -> bool:
        values = self._values(formula, self._moved(place)).reshape(-1, STEPS)
        if not np.isfinite(values).all():
            return False
        return bool((sign * np.diff(values, axis=1) >= -ROUNDING * np.abs(values).max()).all())

    def _within(self, formula: Expression) -> bool:
        assert self.x is not None
        low, high = self.bounds
        slack = ROUNDING * max(abs(each) for each in self.bounds if math.isfinite(each))
        for rows in (self.x, *(self._moved(place) for place in formula.features)):
            values = self._values(formula, rows)
            if not ((values >= low - slack) & (values <= high + slack)).all():
                return False
        return True

    def _values(self, formula: Expression, rows: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(formula(rows)[:, 0], np.float64)

    def _moved(self, place: int) -> Array:
        """Some rows with an input at steps through its range, [rows * STEPS, inputs]."""
        assert self.x is not None
        column = self.x[:, place]
        moved = self._some.repeat(STEPS, axis=0)
        moved[:, place] = np.tile(np.linspace(column.min(), column.max(), STEPS), len(self._some))
        return moved

    @cached_property
    def _some(self) -> Array:
        assert self.x is not None
        if len(self.x) <= ROWS:
            return self.x
        return self.x[np.random.default_rng(0).choice(len(self.x), ROWS, replace=False)]

    # --- in words ----------------------------------------------------------------------------

    def said(self) -> list[str]:
        """The limits in words."""
        found = [
            f"{inner} at most {most} deep within {outer}" if most else f"no {inner} within {outer}"
            for outer, inners in self.nested.items()
            for inner, most in inners.items()
        ]
        found += [f"{operator} counts {price}" for operator, price in self.prices.items()]
        found += [self._direction(place, sign) for place, sign in self.monotone.items()]
        if self._bounded:
            found.append(f"values {self._range()}")
        return found

    def _direction(self, place: int, sign: int) -> str:
        return f"{'increasing' if sign > 0 else 'decreasing'} in {self.names[place]}"

    def _monotone_said(self, place: int, sign: int) -> str:
        return f"not {self._direction(place, sign)}"

    def _bounds_said(self) -> str:
        return f"values not {self._range()}"

    def _range(self) -> str:
        low, high = self.bounds
        if math.isinf(low):
            return f"at most {high:g}"
        return f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"


def read_limits(
    names: Sequence[str],
    nested: Nested | None = None,
    prices: Mapping[str, int] | None = None,
    monotone: Mapping[str, str | int] | None = None,
    bounds: Bounds | None = None,
) -> Limits:
    """The limits that a user gave.

    Args:
        names: Of the inputs.
        nested: By operator, those that may not stand within it, or how deep each may.
        prices: Whole numbers by operator.
        monotone: By input "increasing" or 1, "decreasing" or -1.
        bounds: Least and largest value; None where there is none.

    Raises:
        ValueError: If an operator or an input is unknown, or a limit is none of these.
    """
    found: dict[str, dict[str, int]] = {}
    for outer, inners in (nested or {}).items():
        if isinstance(inners, str):
            inners = [inners]
        counts = dict(inners) if isinstance(inners, Mapping) else dict.fromkeys(inners, 0)
        for name, most in counts.items():
            if not isinstance(most, int) or most < 0:
                raise ValueError(f"nested: how deep {name} may be must be 0, 1, ..., got {most!r}")
        for name in (outer, *counts):
            _check_operator("nested", name, OPERATORS)
        found[outer] = counts
    for name, price in (prices or {}).items():
        _check_operator("prices", name, [*OPERATORS, "add"])
        if not isinstance(price, int) or price < 0:
            raise ValueError(f"prices: {name} must be a whole number from 0, got {price!r}")
    signs = {}
    for name, direction in (monotone or {}).items():
        if str(name) not in names:
            raise ValueError(f"monotone: {unknown_name('input', str(name), names)}")
        sign = DIRECTIONS.get(direction, direction) if isinstance(direction, str) else direction
        if sign not in (1, -1):
            raise ValueError(
                f"monotone: {name} must be 'increasing' or 'decreasing', got {direction!r}"
            )
        signs[list(names).index(str(name))] = int(sign)
    return Limits(found, dict(prices or {}), signs, _read_bounds(bounds), tuple(names))


def _check_operator(what: str, name: str, known: Sequence[str] | Mapping[str, object]) -> None:
    if name not in known:
        raise ValueError(f"{what}: {unknown_name('operator', name, known)}")


def _read_bounds(bounds: Bounds | None) -> tuple[float, float]:
    if bounds is None:
        return -math.inf, math.inf
    try:
        low, high = bounds
        low = -math.inf if low is None else float(low)
        high = math.inf if high is None else float(high)
    except (TypeError, ValueError) as reason:
        raise ValueError(
            f"bounds must be a least and a largest value, got {bounds!r}; None is no bound"
        ) from reason
    if not low < high:
        raise ValueError(f"bounds: the least value must lie below the largest, got {bounds!r}")
    return low, high
