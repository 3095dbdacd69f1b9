"""Whole numbers as formulas of a size, fitted to the intervals in which they must lie.

Source: design of ours. Constants of programs for several sizes become polynomials of degree <= 2,
floor((a*n + b)/d), or powers of two.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

# The length of a list (or the side of a square: m), of a part of it, and the place of an output.
_SIZES = ("n", "m", "k")
# Coefficients that are tried; the constant term needs no limit, since it is solved for.
_SQUARES, _SLOPES, _DIVISORS, _FACTORS = (0, 1, -1, 2), range(-4, 5), range(1, 5), (1, -1, 2, 3)


@dataclass(frozen=True)
class Polynomial:
    """``(square * v**2 + slope * v + constant) // divisor`` of the size v that `name` names."""

    name: str
    square: int
    slope: int
    constant: int
    divisor: int = 1

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.divisor < 1:
            raise ValueError(f"the divisor of a formula must be 1 or more, got {self.divisor}")

    @property
    def reads(self) -> set[str]:
        """The sizes that the value depends on."""
        return {self.name} if self.square or self.slope else set()

    def value(self, sizes: Mapping[str, int]) -> int:
        v = sizes[self.name] if self.reads else 0
        return (self.square * v * v + self.slope * v + self.constant) // self.divisor

    def shifted(self, by: int) -> Polynomial:
        return replace(self, constant=self.constant + by * self.divisor)

    def __str__(self) -> str:
        if self.divisor == 1:
            return self._numerator(self.constant)
        written = []
        # (n - 5) // 2, but n // 2 + 1.
        for outside in (0, self.constant // self.divisor):
            numerator = self._numerator(self.constant - outside * self.divisor)
            bracketed = numerator if numerator.isidentifier() else f"({numerator})"
            tail = f" {'-' if outside < 0 else '+'} {abs(outside)}" if outside else ""
            written.append(f"{bracketed} // {self.divisor}{tail}")
        return min(written, key=tokens)

    def _numerator(self, constant: int) -> str:
        return _sum([(self.square, f"{self.name}**2"), (self.slope, self.name), (constant, "")])


@dataclass(frozen=True)
class Power:
    """``factor * 2**v + constant`` of the size v that `name` names."""

    name: str
    factor: int
    constant: int

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def reads(self) -> set[str]:
        """The sizes that the value depends on."""
        return {self.name}

    def value(self, sizes: Mapping[str, int]) -> int:
        return int(self.factor * 2 ** sizes[self.name] + self.constant)

    def shifted(self, by: int) -> Power:
        return replace(self, constant=self.constant + by)

    def __str__(self) -> str:
        return _sum([(self.factor, f"2**{self.name}"), (self.constant, "")])


def _check_name(name: str) -> None:
    if name not in _SIZES:
        raise ValueError(f"a formula is one of {', '.join(_SIZES)}, got the size {name!r}")


def check_sizes(formulas: Iterable[Formula], known: Collection[str]) -> None:
    """Raise ValueError unless the formulas speak of these sizes only."""
    for formula in formulas:
        if unknown := formula.reads - {*known}:
            raise ValueError(
                f"the formula {formula} speaks of {min(unknown)}, known here: {', '.join(known)}"
            )


Formula: TypeAlias = Polynomial | Power


@dataclass(frozen=True)
class Bound:
    """At these sizes the number lies between `low` and `high`, both included."""

    sizes: Mapping[str, int]
    low: int
    high: int


def number(value: int) -> Polynomial:
    """The formula that is this number at every size."""
    return Polynomial("n", 0, 0, value)


def fit(bounds: Sequence[Bound]) -> Formula | None:
    """The formula of the fewest tokens that meets every bound; None if none does.

    Of equally short ones the one whose numbers are smallest.

    Example:
        >>> from occamhead.distill.sizes.size_formulas import Bound, fit
        >>> values = {3: 1, 4: 2, 5: 2, 6: 3}
        >>> str(fit([Bound({"n": n}, value, value) for n, value in values.items()]))
        'n // 2'
    """
    return min(_fitting(bounds), key=lambda formula: (tokens(str(formula)), _weight(formula)),
               default=None)  # fmt: skip


def tokens(text: str) -> int:
    """How many Python tokens an expression has."""
    return len(re.findall(r"\w+|\*\*|//|<=|>=|==|!=|[^\s\w]", text))


def _fitting(bounds: Sequence[Bound]) -> Iterator[Formula]:
    """Formulas without their constant, which is then solved for: all bounds are linear in it."""
    names = sorted(set.intersection(*(set(bound.sizes) for bound in bounds)))
    shapes: list[Formula] = [number(0)]
    for name in names:
        for square, slope, divisor in itertools.product(_SQUARES, _SLOPES, _DIVISORS):
            if (square or slope) and math.gcd(square, slope, divisor) == 1:
                shapes.append(Polynomial(name, square, slope, 0, divisor))
        shapes += [Power(name, factor, 0) for factor in _FACTORS]
    for shape in shapes:
        divisor = shape.divisor if isinstance(shape, Polynomial) else 1
        undivided = replace(shape, divisor=1) if isinstance(shape, Polynomial) else shape
        values = [undivided.value(bound.sizes) for bound in bounds]
        pairs = list(zip(bounds, values, strict=True))
        low = max(divisor * b.low - value for b, value in pairs)
        high = min(divisor * (b.high + 1) - 1 - value for b, value in pairs)
        # A constant beyond the divisor is written outside of the division.
        near = sorted(range(max(low, -divisor), min(high, divisor) + 1), key=abs)
        if low <= high and not near:
            near = [low if low > 0 else high]
        yield from (replace(shape, constant=constant) for constant in near)


def _weight(formula: Formula) -> int:
    if isinstance(formula, Power):
        return abs(formula.factor) + abs(formula.constant)
    return (abs(formula.square) + abs(formula.slope) + abs(formula.constant)
            + formula.divisor - 1)  # fmt: skip


def _sum(terms: Sequence[tuple[int, str]]) -> str:
    text = ""
    for factor, name in terms:
        if factor:
            size = abs(factor)
            product = f"{size} * {name}" if name and size > 1 else name or str(size)
            sign = "-" if factor < 0 else "+"
            text = f"{text} {sign} {product}" if text else ("-" if factor < 0 else "") + product
    return text or "0"
