"""Units: read, printed, and checked in formulas."""

from __future__ import annotations

from fractions import Fraction

import pytest

from occamhead.expression import Expression
from occamhead.expression.unit_check import check_units
from occamhead.expression.units import Unit
from occamhead.problems import load

METRE = Unit.parse("m")


@pytest.mark.parametrize(
    "text, printed",
    [
        ("N", "N"),
        ("kg*m/s^2", "N"),
        ("kg m^2 s^-2", "J"),
        ("m/s**2", "m/s**2"),
        ("m s⁻²", "m/s**2"),
        ("m²", "m**2"),
        ("s^1/2", "s**(1/2)"),
        ("J/(mol*K)", "J/K/mol"),
        ("kg/(m*s)/s", "Pa"),
        ("µm", "µm"),
        ("1e-3 m", "mm"),
        ("10^3*g", "kg"),
        ("g/cm3", "1000*kg/m**3"),
        ("km/min", "16.6666666667*m/s"),
        ("1/h", "0.000277777777778/s"),
        ("F/m", "F/m"),
        ("rad", "1"),
        ("%", "0.01"),
    ],
)
def test_a_unit_is_printed_and_read_back(text, printed):
    unit = Unit.parse(text)
    assert str(unit) == printed
    assert Unit.parse(printed) == unit


@pytest.mark.parametrize("law", load("feynman"), ids=lambda law: law.name)
def test_published_laws_have_the_units_that_they_are_published_with(law):
    """Units of every input and of the target round trip; a law in other units is told."""
    units = [Unit.of(variable.unit) for variable in law.inputs]
    target = Unit.of(law.unit)
    assert all(Unit.parse(str(unit)) == unit for unit in (*units, target))
    right = check_units(law.formula, units, [target])
    assert right.consistent and right.needed == 0
    wrong = check_units(law.formula, units, [target * METRE])
    # A factor such as 1/(4 pi) could have a unit; then it needs it.
    assert not wrong.consistent or wrong.needed > 0


def test_names_of_units_are_what_they_say():
    assert Unit.parse("kW*h") == Unit.parse("3.6 MJ")
    assert Unit.parse("V") == Unit.parse("kg*m^2/(s^3*A)") == Unit.parse("J/C")
    assert Unit.parse("l") == Unit.parse("dm^3")
    assert Unit.parse("min").scale == 60 and Unit.parse("cd") != Unit.parse("d")
    assert Unit.of((1, 0, -0.5, 0, 0, 0, 0)) == Unit.parse("m/s^(1/2)")
    assert Unit.parse("m") ** Fraction(1, 3) * Unit.parse("m^(2/3)") == METRE


@pytest.mark.parametrize(
    "text",
    ["", "furlong", "m//s", "m^", "kg*", "*m", "q", "m s^x", "(m", "m)", "()", "m+s", "m^(1/0)"],
)
def test_what_is_no_unit_is_named(text):
    with pytest.raises(ValueError, match=r"is no unit.*write SI units such as"):
        Unit.parse(text)


@pytest.mark.parametrize("unit", [(1, 2), None, 3, ("m",) * 7])
def test_what_is_no_text_and_no_seven_exponents_is_refused(unit):
    with pytest.raises(ValueError, match="exponent"):
        Unit.of(unit)


@pytest.mark.parametrize(
    "text, units, target, needed",
    [
        ("8.99e9*a*b/c**2", "C C m", "N", "m/F"),
        ("a + 2*b", "m s", "m", "m/s"),
        ("2*a + 2*b", "m m", "m", ""),
        ("3.3*sin(2.2*a) + 1.1", "m", "N", "1/m"),
        ("a/(b + 1.3)", "m s", "m/s", "s"),
        ("a/(b + 1.3)", "m 1", "m", ""),
        ("a**1.5", "m", "m^(3/2)", ""),
        ("0.001*b + a", "m mm", "m", ""),
        ("a if a > b else 0", "m m", "m", ""),
        ("2.5*a**b", "1 1", "K", "K"),
    ],
)
def test_numbers_take_the_units_that_they_need(text, units, target, needed):
    names = ["a", "b", "c"][: len(units.split())]
    formula = Expression.parse(text, names=names)
    found = check_units(formula, [Unit.parse(unit) for unit in units.split()], [Unit.parse(target)])
    assert found.consistent
    assert (found.needed > 0) == bool(needed)
    assert not needed or needed in {str(unit) for _, unit in found.numbers}


@pytest.mark.parametrize(
    "text, units, target, said",
    [
        ("a + b", "m s", "m", "a is in m and b in s: they cannot be added"),
        ("a + b", "m mm", "m", "a is in m and b in mm"),
        ("a/(b + 1)", "m s", "m", "b is in s and 1 without unit"),
        ("sin(a)", "m", "1", "a is in m, but sin takes what has no unit"),
        ("a*log(a/b)", "m s", "m", "a/b is in m/s, but log"),
        ("a**1.37", "m", "m", "a is in m, but a power that is no fraction"),
        ("b**a", "m 1", "1", "a is in m, but an exponent"),
        ("max(a, b)", "m s", "m", "cannot be compared"),
        ("a*b", "m s", "m/s", "a*b is in m*s, not in m/s"),
    ],
)
def test_what_breaks_units_is_named(text, units, target, said):
    names = ["a", "b", "c"][: len(units.split())]
    formula = Expression.parse(text, names=names)
    found = check_units(formula, [Unit.parse(unit) for unit in units.split()], [Unit.parse(target)])
    assert not found.consistent
    assert said in found.reason


def test_a_column_of_no_known_unit_takes_any():
    formula = Expression.parse("a*b", names=["a", "b"])
    assert check_units(formula, [METRE, None], [Unit.parse("N")]).needed == 0
    assert not check_units(Expression.parse("a*b + b", names=["a", "b"]), [METRE, None],
                           [None]).consistent  # fmt: skip


def test_units_are_counted():
    with pytest.raises(ValueError, match="units of 2 inputs and 1 outputs, got 1 and 1"):
        check_units(Expression.parse("x0 + x1"), [METRE], [METRE])
