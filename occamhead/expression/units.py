"""Units of measurement by the seven exponents of the SI: read, multiplied, compared, printed."""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

BASE = ("m", "kg", "s", "A", "K", "mol", "cd")
_ORDER = ("kg", "m", "s", "A", "K", "mol", "cd")  # in which they are printed

_PREFIXES = {"y": -24, "z": -21, "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6,
             "m": -3, "c": -2, "d": -1, "da": 1, "h": 2, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15,
             "E": 18, "Z": 21, "Y": 24}  # fmt: skip

# Name: exponents of m, kg, s, A, K, mol, cd, and how many of that it is (SI brochure, 9th edition).
_PREFIXED: dict[str, tuple[tuple[int, ...], float]] = {
    "m": ((1,), 1), "g": ((0, 1), 1e-3), "s": ((0, 0, 1), 1), "A": ((0, 0, 0, 1), 1),
    "K": ((0, 0, 0, 0, 1), 1), "mol": ((0, 0, 0, 0, 0, 1), 1), "cd": ((0, 0, 0, 0, 0, 0, 1), 1),
    "rad": ((), 1), "sr": ((), 1), "Hz": ((0, 0, -1), 1), "N": ((1, 1, -2), 1),
    "Pa": ((-1, 1, -2), 1), "J": ((2, 1, -2), 1), "W": ((2, 1, -3), 1), "C": ((0, 0, 1, 1), 1),
    "V": ((2, 1, -3, -1), 1), "F": ((-2, -1, 4, 2), 1), "ohm": ((2, 1, -3, -2), 1),
    "Ω": ((2, 1, -3, -2), 1), "S": ((-2, -1, 3, 2), 1), "Wb": ((2, 1, -2, -1), 1),
    "T": ((0, 1, -2, -1), 1), "H": ((2, 1, -2, -2), 1), "lm": ((0, 0, 0, 0, 0, 0, 1), 1),
    "lx": ((-2, 0, 0, 0, 0, 0, 1), 1), "Bq": ((0, 0, -1), 1), "Gy": ((2, 0, -2), 1),
    "Sv": ((2, 0, -2), 1), "kat": ((0, 0, -1, 0, 0, 1), 1), "eV": ((2, 1, -2), 1.602176634e-19),
    "L": ((3,), 1e-3), "l": ((3,), 1e-3), "bar": ((-1, 1, -2), 1e5), "t": ((0, 1), 1e3),
    "pc": ((1,), 3.0856775814913673e16), "cal": ((2, 1, -2), 4.184),
}  # fmt: skip
_BARE: dict[str, tuple[tuple[int, ...], float]] = {
    "%": ((), 0.01), "min": ((0, 0, 1), 60), "h": ((0, 0, 1), 3600), "d": ((0, 0, 1), 86400),
    "day": ((0, 0, 1), 86400), "yr": ((0, 0, 1), 31557600), "year": ((0, 0, 1), 31557600),
    "deg": ((), math.pi / 180), "°": ((), math.pi / 180), "°C": ((0, 0, 0, 0, 1), 1),
    "degC": ((0, 0, 0, 0, 1), 1), "°F": ((0, 0, 0, 0, 1), 5 / 9), "degF": ((0, 0, 0, 0, 1), 5 / 9),
    "atm": ((-1, 1, -2), 101325), "mmHg": ((-1, 1, -2), 133.322387415),
    "u": ((0, 1), 1.66053906892e-27), "Da": ((0, 1), 1.66053906892e-27), "ha": ((2,), 1e4),
    "au": ((1,), 149597870700.0), "ly": ((1,), 9460730472580800.0), "Å": ((1,), 1e-10),
    "in": ((1,), 0.0254), "ft": ((1,), 0.3048), "mi": ((1,), 1609.344),
    "lb": ((0, 1), 0.45359237),
}  # fmt: skip
# What a unit is printed as, if it is one of these.
_PRINTED = ("N", "Pa", "J", "W", "C", "V", "F", "ohm", "S", "Wb", "T", "H", *BASE)

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(
    r"\s*(?P<operator>\*\*|[*·⋅/()^])|\s*(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"
    r"|\s*(?P<symbol>[^\W\d_]+[A-Za-z]*|[°%][A-Za-z]?)"
)
_EXPONENT = re.compile(r"\(\s*([+-]?\d+(?:/\d+|\.\d+)?)\s*\)|([+-]?\d+(?:/\d+|\.\d+)?)")

_SHORTER = 2  # by so much in all exponents, or base units are printed
_RARE = {"ohm", "S", "Wb", "T", "H"}  # an exponent of theirs counts twice
_DIGITS = 12  # of a scale: what is left of rounding when units are multiplied
_SMALLEST_POWER = 12  # no exponent is finer than a twelfth

UnitLike: TypeAlias = "str | Unit | Sequence[float]"

_LONGEST = 200


@dataclass(frozen=True)
class Unit:
    """A unit: ``scale * m**a * kg**b * s**c * A**d * K**e * mol**f * cd**g``.

    A temperature in °C or °F counts as a difference of temperatures: where its zero lies is a
    number of the law, in K.

    Args:
        exponents: Of m, kg, s, A, K, mol and cd.
        scale: How many of that it is; 1000 for km.

    Raises:
        ValueError: If there are not seven exponents, or the scale is not positive and finite.

    Example:
        >>> from occamhead.expression.units import Unit
        >>> print(Unit.parse("kg m^2 s^-2") / Unit.parse("m"))
        N
        >>> print(Unit.parse("J/(mol*K)"))
        J/K/mol
    """

    exponents: tuple[Fraction, ...] = (Fraction(0),) * 7
    scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.exponents) != len(BASE):
            raise ValueError(
                f"a unit has an exponent for each of {', '.join(BASE)}, got {len(self.exponents)}"
            )
        if not 0 < self.scale < math.inf:
            raise ValueError(f"the scale of a unit must be positive and finite, got {self.scale}")
        object.__setattr__(self, "scale", float(f"{self.scale:.{_DIGITS}g}"))

    @classmethod
    def of(cls, unit: UnitLike) -> Unit:
        """A unit from its text or from its seven exponents.

        Raises:
            ValueError: If it is neither.
        """
        if isinstance(unit, Unit):
            return unit
        if isinstance(unit, str):
            return cls.parse(unit)
        try:
            exponents = [Fraction(float(each)) for each in unit]
        except (TypeError, ValueError, OverflowError) as reason:
            raise ValueError(
                f"wanted a unit such as 'kg*m/s**2' or seven exponents, got {unit!r}"
            ) from reason
        return cls(tuple(each.limit_denominator(_SMALLEST_POWER) for each in exponents))

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Read a unit: "N", "kg*m/s**2", "kg m^2 s^-2", "mm", "1/min", "1" for none.

        A slash divides by the next factor alone.

        Raises:
            ValueError: If it does not parse, or names what is no unit.
        """
        return _parse(text)

    @property
    def is_one(self) -> bool:
        """Whether it is no unit at all."""
        return not any(self.exponents) and math.isclose(self.scale, 1, rel_tol=1e-9)

    def __mul__(self, other: Unit) -> Unit:
        exponents = (a + b for a, b in zip(self.exponents, other.exponents, strict=True))
        return Unit(tuple(exponents), self.scale * other.scale)

    def __truediv__(self, other: Unit) -> Unit:
        return self * other ** Fraction(-1)

    def __pow__(self, power: Fraction | int) -> Unit:
        try:
            scale = self.scale ** float(power)
        except OverflowError as reason:
            raise ValueError(f"{self.scale:g} to the power of {power} is out of range") from reason
        return Unit(tuple(a * power for a in self.exponents), scale)

    def __str__(self) -> str:
        """The name of it if it has one, else its exponents; :meth:`parse` reads it back."""
        if not any(self.exponents):
            return "1" if self.is_one else f"{self.scale:.12g}"
        if math.isclose(self.scale, 1, rel_tol=1e-9):
            return next((name for name in _PRINTED if _NAMED[name] == self), self._product())
        for name in _SCALED:
            known = _NAMED[name]
            if known.exponents == self.exponents and math.isclose(
                known.scale, self.scale, rel_tol=1e-9
            ):
                return name
        product = self._product()
        scale = f"{self.scale:.12g}"
        return scale + product[1:] if product.startswith("1/") else f"{scale}*{product}"

    def _product(self) -> str:
        """As a product of named units, of base units unless others make it much shorter."""
        base = [(name, self.exponents[BASE.index(name)]) for name in _ORDER]
        size = sum(abs(exponent) for _, exponent in base)
        named = _shortest(self.exponents)
        if named is not None and _length(named) <= size - _SHORTER:
            return _text(named)
        return _text(base)


def _unit(exponents: Sequence[int], scale: float) -> Unit:
    full = (*exponents, *(0,) * (len(BASE) - len(exponents)))
    return Unit(tuple(Fraction(each) for each in full), scale)


_NAMED = {
    **{prefix + name: _unit(exponents, scale * float(f"1e{power}"))
       for name, (exponents, scale) in _PREFIXED.items()
       for prefix, power in {"": 0, **_PREFIXES}.items()},
    **{name: _unit(exponents, scale) for name, (exponents, scale) in _BARE.items()},
}  # fmt: skip
_SCALED = [
    *("min", "h", "day", "yr", "eV", "L", "bar"),
    *(f"{prefix}{name}" for name in ("g", *_PRINTED) if name != "kg"
      for prefix in ("", "n", "µ", "m", "c", "k", "M", "G") if prefix + name in _NAMED),
]  # fmt: skip


def _length(factors: Iterable[tuple[str, Fraction]]) -> Fraction:
    return sum((abs(power) * (2 if name in _RARE else 1) for name, power in factors), Fraction(0))


def _text(factors: Iterable[tuple[str, Fraction]]) -> str:
    above: list[str] = []
    below: list[str] = []
    for name, exponent in factors:
        size = abs(exponent)
        power = "" if size == 1 else f"**{size}" if size.denominator == 1 else f"**({size})"
        if exponent:
            (above if exponent > 0 else below).append(f"{name}{power}")
    return "/".join(["*".join(above) or "1", *below])


@functools.cache
def _pairs() -> dict[tuple[Fraction, ...], list[tuple[str, Fraction]]]:
    """The shortest product of at most two powers of base units with each exponents."""
    powers = [(name, Fraction(power)) for name in BASE for power in (1, -1, 2, -2, 3, -3)]
    found: dict[tuple[Fraction, ...], list[tuple[str, Fraction]]] = {}
    pairs = [[one] for one in powers] + [[a, b] for a in powers for b in powers if a[0] != b[0]]
    for pair in sorted(pairs, key=_length):
        unit = functools.reduce(lambda a, b: a * b, (_NAMED[name] ** power for name, power in pair))
        found.setdefault(unit.exponents, pair)
    return found


@functools.lru_cache(1000)
def _shortest(exponents: tuple[Fraction, ...]) -> list[tuple[str, Fraction]] | None:
    """The shortest product of a named unit and at most two powers of base units, or None."""
    pairs = _pairs()
    found: list[list[tuple[str, Fraction]]] = []
    for name in _PRINTED[: -len(BASE)]:
        for power in (Fraction(1), Fraction(-1), Fraction(2), Fraction(-2)):
            rest = Unit(exponents) / _NAMED[name] ** power
            if rest.exponents in pairs:
                found.append([(name, power), *pairs[rest.exponents]])
    return min(found, key=_length, default=None)


def _parse(text: str) -> Unit:
    """The unit that a text says; factors and divisors from left to right, brackets first."""

    def wrong(what: str) -> ValueError:
        return ValueError(
            f"{text!r} is no unit: {what}; write SI units such as kg*m/s^2, or 1 for none"
        )

    plain = text.translate(_SUPERSCRIPTS).strip()
    if not plain:
        raise wrong("it is empty")
    if len(text) > _LONGEST:
        raise ValueError(f"a unit of {len(text)} characters is too long; wanted {_LONGEST} at most")
    place, over = 0, False
    stack: list[tuple[Unit, bool]] = []
    total, wanted = Unit(), True
    while place < len(plain):
        found = _TOKEN.match(plain, place)
        if found is None:
            raise wrong(f"{plain[place:].split()[0]!r} is not understood")
        place = found.end()
        match found["operator"]:
            case "(":
                stack.append((total, over))
                total, over, wanted = Unit(), False, True
                continue
            case ")":
                if not stack or wanted:
                    raise wrong("a bracket closes where a factor is missing, or none is open")
                factor = total
                total, over = stack.pop()
            case "*" | "·" | "⋅" | "/" as operator:
                if wanted:
                    raise wrong(f"a factor is missing before {operator!r}")
                over, wanted = operator == "/", True
                continue
            case None if found["number"]:
                factor = Unit(scale=float(found["number"]))
            case None:
                symbol = found["symbol"]
                if symbol not in _NAMED:
                    near = difflib.get_close_matches(symbol, _NAMED, n=3)
                    hint = f" (did you mean {', '.join(near)}?)" if near else ""
                    raise wrong(f"{symbol!r} is not known{hint}")
                factor = _NAMED[symbol]
            case operator:
                raise wrong(f"{operator!r} follows no unit")
        exponent, place = _exponent(plain, place, bool(found["symbol"]), wrong)
        factor = factor**exponent
        total = total / factor if over else total * factor
        over, wanted = False, False
    if stack or wanted:
        raise wrong("it ends too early")
    return total


def _exponent(
    text: str, place: int, after_symbol: bool, wrong: Callable[[str], ValueError]
) -> tuple[Fraction, int]:
    """The exponent that stands at a place of a text, or 1, and where it ends."""
    sign = re.compile(r"\s*(?:\*\*|\^)\s*").match(text, place)
    if sign is None and not after_symbol:
        return Fraction(1), place
    found = _EXPONENT.match(text, place if sign is None else sign.end())
    if found is None or (sign is None and found[1]):
        if sign is None:
            return Fraction(1), place
        raise wrong("an exponent is missing")
    try:
        return Fraction(found[1] or found[2]), found.end()
    except ZeroDivisionError as reason:
        raise wrong(f"{found[0]!r} divides by zero") from reason
