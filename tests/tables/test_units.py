"""Laws of columns with units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occamhead import OccamRegressor
from occamhead.expression import Expression
from occamhead.expression.units import Unit
from occamhead.problems import load
from occamhead.tables.column_units import column_units
from occamhead.tables.unit_groups import find_groups
from occamhead.tables.unit_sums import unit_sums

COULOMB = {"q1": "C", "q2": "C", "r": "m", "F": "N"}
FAST = {"max_functions": 2000, "folds": 2, "random_state": 0}


def law_of(name):
    return next(law for law in load("feynman") if law.name == name)


def units_of(law):
    return [Unit.of(variable.unit) for variable in law.inputs], Unit.of(law.unit)


def charges(rows=60, noise=0.01):
    random = np.random.default_rng(0)
    x = pd.DataFrame({name: random.uniform(1, 5, rows) for name in ("q1", "q2", "r")})
    clean = 8.99e9 * x.q1 * x.q2 / x.r**2
    return x, pd.Series(clean * (1 + noise * random.normal(size=rows)), name="F")


@pytest.mark.parametrize("law", load("feynman"), ids=lambda law: law.name)
def test_groups_have_no_unit_and_products_have_the_target_s(law):
    inputs, target = units_of(law)
    found = find_groups(inputs, target)

    def unit_of(product):
        unit = Unit(scale=1 / product.scale)  # a number of 0.001 goes from mm to m
        for power, one in zip(product.powers, inputs, strict=True):
            unit = unit * one**power
        return unit

    assert all(unit_of(group).is_one for group in found.groups)
    assert found.products and all(unit_of(product) == target for product in found.products)
    # Buckingham's theorem counts the groups.
    table = np.array([variable.unit for variable in law.inputs])
    assert len(found.groups) == len(inputs) - np.linalg.matrix_rank(table)


def test_groups_of_a_mix_of_prefixes_have_none():
    mm, metre = Unit.parse("mm"), Unit.parse("m")
    found = find_groups([mm, metre], metre)
    x = np.array([[2000.0, 1.0]])
    assert found.groups[0].values(x)[0] in (2.0, 0.5)
    assert {product.values(x)[0] for product in found.products[:2]} == {2.0, 1.0}


@pytest.mark.parametrize("name", ["I.37.4", "II.24.17", "test_7", "test_18", "II.38.14", "I.27.6"])
def test_sums_of_products_are_found_exactly(name):
    law = law_of(name)
    x, y = law.draw(200, 0)
    inputs, target = units_of(law)
    weights = np.full(len(x), 1 / len(x))
    with np.errstate(all="ignore"):
        errors = [
            np.abs(formula(x)[:, 0] / y - 1).max()
            for formula, _ in unit_sums(x, y, weights, inputs, target)
        ]
    assert np.nanmin(errors) < 1e-6


@pytest.mark.slow
def test_a_law_with_a_constant_of_nature_gets_the_unit_of_it():
    x, y = charges()
    model = OccamRegressor(units=COULOMB, **FAST).fit(x, y)
    assert "*q1*q2/r**" in str(model.best_)
    ((value, unit),) = model.best_units_
    assert value == pytest.approx(8.99e9, rel=0.01)
    assert Unit.parse(unit) == Unit.parse("N*m^2/C^2")
    assert model.equations_["units"].str.contains("m/F").any()


@pytest.mark.slow
def test_what_breaks_units_is_neither_listed_nor_chosen():
    law = law_of("test_18")
    x, y = law.draw(300, 0, noise=0.05)
    inputs, target = units_of(law)
    model = OccamRegressor(units=[*inputs, target], **FAST).fit(x, y)
    units = column_units([*inputs, target], None, len(inputs), None)
    listed = model.equations_[model.equations_.kind != "linear model"]
    assert len(listed) > 1
    assert all(units.check(formula).consistent for formula in listed.expression)
    # Its numbers are a quotient of pi, and need no unit.
    assert model.best_units_ == []
    clean = law.draw(300, 1)
    np.testing.assert_allclose(model.predict(clean[0]), clean[1], rtol=0.05)


@pytest.mark.slow
def test_units_of_an_array_and_of_a_sequence_are_the_same():
    x, y = charges()
    by_name = OccamRegressor(units={"x0": "C", "x1": "C", "x2": "m", "y": "N"}, **FAST)
    in_order = OccamRegressor(units=["C", "C", "m", (1, 1, -2, 0, 0, 0, 0)], **FAST)
    a, b = (str(model.fit(x.to_numpy(), y.to_numpy()).best_) for model in (by_name, in_order))
    assert a == b


@pytest.mark.slow
def test_without_units_nothing_is_said_of_them():
    x, y = charges()
    model = OccamRegressor(**FAST).fit(x, y)
    assert model.best_units_ is None and "units" not in model.equations_


@pytest.mark.slow
def test_a_column_of_unknown_unit_may_have_any():
    x, y = charges()
    model = OccamRegressor(units={"q1": "C", "q2": "C", "F": "N"}, **FAST).fit(x, y)
    assert "*q1*q2/r**" in str(model.best_)


@pytest.mark.parametrize(
    "units, said",
    [
        ({"q3": "C"}, "units: unknown column 'q3'; known: F, q1, q2, r"),
        ({"r": "furlong"}, "units: r: 'furlong' is no unit"),
        ({"F": "N//m"}, "units: F: 'N//m' is no unit"),
        (["C", "C", "m"], "one for each of 3 columns, then the target's, got 3"),
        ("C", "units must map columns to units"),
        (7, "units must map columns to units"),
        ({"r": (1, 2)}, "units: r: a unit has an exponent for each of m, kg"),
    ],
)
def test_units_that_do_not_fit_the_columns_are_named(units, said):
    x, y = charges(20)
    with pytest.raises(ValueError) as error:
        OccamRegressor(units=units, **FAST).fit(x, y)
    assert said in str(error.value)


def test_the_name_of_the_target_goes_before_y():
    units = column_units({"y": "m", "a": "s"}, ["a"], 1, "height")
    assert units.target == Unit.parse("m")
    units = column_units({"y": "m", "height": "s"}, ["y"], 1, "height")
    assert units.inputs == (Unit.parse("m"),) and units.target == Unit.parse("s")
    assert units.numbers(Expression.parse("2.5*x0")) == [(2.5, "s/m")]


@pytest.mark.slow
def test_what_is_left_of_a_law_is_found_among_its_groups():
    """Barometric: exp of the one group of five inputs with units, times one without."""
    law = law_of("I.40.1")
    x, y = law.draw(200, 0)
    model = OccamRegressor(units=[*units_of(law)[0], units_of(law)[1]], **FAST).fit(x, y)
    np.testing.assert_allclose(model.predict(x), y, rtol=1e-9)
    assert model.equations_[model.equations_.chosen].kind.item() == "units"
