"""Standard errors of the numbers of a law, and what the numbers read as."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occamhead import OccamRegressor
from occamhead.expression import Expression
from occamhead.expression.numbers import numbers
from occamhead.expression.recognised import recognised
from occamhead.expression.units import Unit
from occamhead.problems import load
from occamhead.tables.losses import get_loss
from occamhead.tables.number_errors import number_errors, with_error
from occamhead.tables.regression import Regression
from occamhead.tables.sorted_rows import sort_rows

FAST = {"max_functions": 2000, "folds": 2, "random_state": 0}


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.0 / 3, 1e-4, "2/3"),
        (-np.pi / 2 + 1e-5, 1e-5, "-pi/2"),
        (6.2832, 1e-4, "2*pi"),
        (0.5, 1e-3, ""),  # it reads so already
        (2.31, 0.04, ""),  # many fractions are as near
        (1.4142, 1e-4, "sqrt(2)"),
        (0.7, 1e-3, ""),
        (3.0, np.inf, ""),
    ],
)
def test_a_number_reads_as_the_only_simple_one_within_its_error(value, error, text):
    assert recognised(value, error) == text


def test_named_constants_and_those_of_nature_are_told():
    assert recognised(-4.903, 0.004, {"g": 9.81}) == "-g/2"
    assert recognised(-4.903, 0.004) == ""
    assert recognised(5.2, 0.004, {"g": 9.81}) == ""
    assert recognised(9.79, 0.05, unit=Unit.parse("m/s^2")) == "g"
    # In units of the columns: mm.
    assert recognised(9790.0, 50.0, unit=Unit.parse("mm/s^2")) == "g"
    assert recognised(8.99e9, 1e5, unit=Unit.parse("N*m^2/C^2")) == "1/(4*pi*eps0)"
    assert recognised(2.0061, 1e-3, unit=Unit.parse("s/m^(1/2)")) == "2*pi/sqrt(g)"
    assert recognised(9.79, 0.05, unit=Unit.parse("kg")) == ""
    assert recognised(0.6383, 1e-4, {"g": 9.81}) == "2/sqrt(g)"
    assert recognised(1 / (4 * np.pi * 8.8541878e-12), 0, {"eps": 8.8541878e-12}) == "1/(4*pi*eps)"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.3149, 0.0412, "2.31 +- 0.04"),
        (2.3149, 0.021, "2.315 +- 0.021"),
        (8.9693e9, 6.0e6, "(8.969 +- 0.006)e9"),
        (1234.6, 87.0, "1230 +- 90"),
        (3.25, 0.0, "3.25"),
        (3.25, np.inf, "3.25 +- ?"),
    ],
)
def test_numbers_are_printed_to_what_their_errors_tell(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.parametrize("name", ["squared", "huber"])
def test_errors_are_the_spread_of_repeated_fits(name):
    random = np.random.default_rng(0)
    x = random.uniform(0, 3, (400, 1))
    formula = Expression.parse("2.5*x0 + 3.5")
    found, told = [], []
    for _ in range(60):
        y = formula(x)[:, 0] + 0.3 * random.standard_t(4, size=400)
        table = sort_rows(x, y[:, None], y, np.ones(400))
        task = Regression(get_loss(name, y, scale=0.3))
        fitted = task.refit(formula, table)
        errors = number_errors(fitted, table, task)
        found.append([numbers(fitted)[place] for place in errors])
        told.append(list(errors.values()))
    # A spread of 60 is known to 9 %; three of that.
    assert np.mean(told, axis=0) == pytest.approx(np.std(found, axis=0), rel=0.3)


def test_errors_of_absolute_values_are_those_of_a_median():
    random = np.random.default_rng(0)
    x = random.uniform(0, 3, (4000, 1))
    y = 2.5 * x[:, 0] + 3.5 + 0.3 * random.normal(size=4000)
    table = sort_rows(x, y[:, None], y, np.ones(4000))
    task = Regression(get_loss("absolute", y))
    slope, _ = number_errors(Expression.parse("2.5*x0 + 3.5"), table, task).values()
    # 1 / (2 f(0) sqrt(n) deviation of x), with the density of normal errors.
    theory = 0.3 * np.sqrt(2 * np.pi) / (2 * np.sqrt(4000) * np.sqrt(0.75))
    assert slope == pytest.approx(theory, rel=0.1)


@pytest.mark.slow
def test_a_fit_says_what_its_numbers_are():
    random = np.random.default_rng(0)
    x = pd.DataFrame({"t": random.uniform(1, 5, 200)})
    y = 5 - 9.81 / 2 * x.t**2 + 0.05 * random.normal(size=200)
    model = OccamRegressor(**FAST, constants={"g": 9.81}).fit(x, y)
    table = model.numbers_.set_index("reads_as")
    assert abs(table.number["-g/2"] + 4.905) < 3 * table.error["-g/2"] < 0.005
    assert f"{table.number['-g/2']:g}" in str(model.best_)  # a suggestion, and nothing else


@pytest.mark.slow
def test_units_tell_which_constant_of_nature_it_is():
    random = np.random.default_rng(0)
    x = pd.DataFrame({"length": random.uniform(0.1, 2, 100)})
    y = 2 * np.pi * np.sqrt(x.length / 9.81) * (1 + 0.001 * random.normal(size=100))
    units = {"length": "m", "y": "s"}
    (row,) = OccamRegressor(**FAST, units=units).fit(x, y).numbers_.to_dict("records")
    assert row["number"] == pytest.approx(2.006, abs=0.002) and row["unit"] == "s/m**(1/2)"
    assert row["reads_as"] == "2*pi/sqrt(g)"


@pytest.mark.slow
def test_common_numbers_of_groups_have_errors():
    fall = next(law for law in load("class") if law.name == "free fall")
    x, y, run = fall.draw_groups(40, 5, seed=1, noise=0.01)
    model = OccamRegressor(**FAST, constants={"g": 9.81}).fit(x, y, groups=run)
    (row,) = model.numbers_.to_dict("records")
    assert row["reads_as"] == "-g/2" and abs(row["number"] + 4.905) < 3 * row["error"]
