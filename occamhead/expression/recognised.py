"""What a number may be, beside its standard error: a fraction, a multiple of pi, a known constant.

A suggestion for a reader, no more: nothing is replaced by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from occamhead.expression.numbers import is_simple
from occamhead.expression.units import Unit

# A number is read as what lies within so many of its standard errors, or of its rounding.
STANDARD_ERRORS, ROUNDING = 2.0, 1e-9
# Of fractions and multiples of pi there are many: what is meant must be the only one within so many
# times that, and its number known to a share of itself.
ALONE, KNOWN = 10.0, 0.01
# A constant of the right unit, or that the user named, is one of few, and its number may be
# rounded. Of it, of its half and its double, and of other multiples and powers a number must be
# known to a share of itself.
NAMED_ROUNDING = 5e-4
HALVED_KNOWN, MULTIPLES_KNOWN = {1.0: 0.05, 0.5: 0.01, 2.0: 0.01}, 2e-3


class Constant(NamedTuple):
    """A constant of nature.

    Args:
        name: As it is written.
        value: In units of the SI (CODATA 2022).
        unit: Its unit.
        spread: Share of itself by which it differs from place to place.
    """

    name: str
    value: float
    unit: str
    spread: float = 0.0


CONSTANTS = (
    Constant("g", 9.80665, "m/s^2", 3e-3),
    Constant("c", 299792458.0, "m/s"),
    Constant("G", 6.67430e-11, "m^3/kg/s^2", 2.2e-5),
    Constant("h", 6.62607015e-34, "J*s"),
    Constant("k_B", 1.380649e-23, "J/K"),
    Constant("R", 8.31446261815324, "J/mol/K"),
    Constant("N_A", 6.02214076e23, "1/mol"),
    Constant("q_e", 1.602176634e-19, "C"),
    Constant("eps0", 8.8541878188e-12, "F/m"),
    Constant("1/(4*pi*eps0)", 8.9875517862e9, "m/F"),
    Constant("mu0", 1.25663706127e-6, "H/m"),
    Constant("sigma", 5.670374419e-8, "W/m^2/K^4"),
    Constant("F", 96485.33212, "C/mol"),
    Constant("R_inf", 10973731.568157, "1/m"),
    Constant("m_e", 9.1093837139e-31, "kg"),
    Constant("m_p", 1.67262192595e-27, "kg"),
)

# What may stand above and below a constant, the likeliest first, and the powers that it may have.
MULTIPLES = (
    ("", "", 1.0), ("", "2", 0.5), ("2", "", 2.0), ("", "4", 0.25), ("4", "", 4.0),
    ("", "3", 1 / 3), ("2*pi", "", 2 * math.pi), ("4*pi", "", 4 * math.pi),
    ("", "2*pi", 0.5 / math.pi), ("", "4*pi", 0.25 / math.pi),
)  # fmt: skip
POWERS = (Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-1, 2))


def recognised(
    value: float, error: float, named: Mapping[str, float] | None = None, unit: Unit | None = None
) -> str:
    """What a number reads as within its error, such as "2/3", "pi/2" or "g/2"; "" if nothing.

    Args:
        value: The number.
        error: Its standard error; 0 where it is known to rounding.
        named: Constants that the user names.
        unit: Its unit, if it is known, for constants of nature.
    """
    if not (value and math.isfinite(error)):
        return ""
    size, sign = abs(value), "-" if value < 0 else ""
    found = _named(size, error, named or {}, unit) or _general(size, error)
    return sign + found if found else ""


def _named(size: float, error: float, named: Mapping[str, float], unit: Unit | None) -> str:
    for above, below, factor in MULTIPLES:
        for name, constant, spread, power in _known(named, unit):
            near = factor in HALVED_KNOWN and power == 1
            known = HALVED_KNOWN[factor] if near else MULTIPLES_KNOWN
            wanted = factor * constant ** float(power)
            most = max(STANDARD_ERRORS * error, max(NAMED_ROUNDING, spread) * wanted)
            if abs(size - wanted) <= most and error <= known * size:
                root = name if abs(power) == 1 else f"sqrt({name})"
                over = "*".join(filter(None, (above, root if power > 0 else ""))) or "1"
                under = "*".join(filter(None, (below, root if power < 0 else "")))
                return over + (f"/({under})" if "*" in under else f"/{under}" if under else "")
    return ""


def _known(
    named: Mapping[str, float], unit: Unit | None
) -> Iterator[tuple[str, float, float, Fraction]]:
    """Name, value, spread and power of constants that may be meant."""
    for name, value in named.items():
        if value:
            yield from ((name, abs(value), 0.0, power) for power in POWERS)
    if unit is None or not any(unit.exponents):
        return
    for constant in CONSTANTS:
        for power in POWERS:
            own = Unit.parse(constant.unit) ** power
            if own.exponents == unit.exponents:
                value = constant.value * unit.scale ** float(-1 / power)
                yield constant.name, value, constant.spread, power


def _general(size: float, error: float) -> str:
    tolerance = max(STANDARD_ERRORS * error, ROUNDING * size)
    if error > KNOWN * size or is_simple(size):
        return ""
    near = [name for name, value in _catalogue() if abs(value - size) <= ALONE * tolerance]
    meant = [name for name, value in _catalogue() if abs(value - size) <= tolerance]
    return meant[0] if len(near) == 1 and meant else ""


def _catalogue() -> Iterator[tuple[str, float]]:
    """Fractions, multiples of pi and a few roots and logarithms, and what they are written as."""
    for parts in (1, 2, 3, 4):
        for times in range(1, 20 * parts):
            if math.gcd(times, parts) == 1:
                below = f"/{parts}" if parts > 1 else ""
                yield f"{times}{below}", times / parts
                if times <= 4 * parts:
                    front = f"{times}*" if times > 1 else ""
                    yield f"{front}pi{below}", times * math.pi / parts
    for root in (2, 3):
        yield f"sqrt({root})", math.sqrt(root)
        yield f"1/sqrt({root})", 1 / math.sqrt(root)
    yield "1/pi", 1 / math.pi
    yield "1/(2*pi)", 0.5 / math.pi
    yield "1/(4*pi)", 0.25 / math.pi
    yield "pi**2", math.pi**2
    yield "sqrt(pi)", math.sqrt(math.pi)
    yield "1/sqrt(2*pi)", 1 / math.sqrt(2 * math.pi)
    yield "e", math.e
    yield "log(2)", math.log(2)
    yield "log(10)", math.log(10)
    yield "1/log(10)", 1 / math.log(10)
