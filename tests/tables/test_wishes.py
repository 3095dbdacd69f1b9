"""What users know of a law before it is found: guesses, and limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from occamhead import OccamRegressor
from occamhead.expression import Expression
from occamhead.problems import load
from occamhead.tables.limits import read_limits

FAST = {"max_functions": 2000, "folds": 2, "random_state": 0}
NAMES = ["x0", "x1"]


def rows(count=200, seed=0):
    return np.random.default_rng(seed).uniform(1, 5, (count, 2))


def guessed(model):
    return model.equations_[model.equations_.kind == "guess"]


# --- guesses ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_guess_is_a_candidate_with_its_numbers_fitted():
    x = pd.DataFrame(rows(), columns=["t", "mass"])
    law = "3.7*sin(2.9*t + 0.4*t**2)/(mass + 2.2)"
    y = Expression.parse(law, names=["t", "mass"])(x.to_numpy())[:, 0]
    y += 0.01 * np.random.default_rng(1).normal(size=len(y))
    model = OccamRegressor(**FAST, guesses="sin(3*t + 0.3*t**2)/(mass + 1)").fit(x, y)
    assert model.score(x, y) > 0.99
    (row,) = guessed(model).query("chosen").to_dict("records")
    # With the factor, and the 1, that the guess does not free as it is written.
    assert "sin(" in row["equation"] and "mass" in row["equation"]
    assert row["loss"] < 2e-4


def test_an_exact_guess_ends_the_fit():
    x = rows()
    y = np.tanh(np.sin(2.3 * x[:, 0]) * x[:, 1] + 0.7)
    model = OccamRegressor(**FAST, guesses=["x0 + x1", "tanh(sin(2*x0)*x1 + 0.5)"]).fit(x, y)
    assert str(model.best_) == "tanh(sin(2.3*x0)*x1 + 0.7)" and model.n_functions_ == 0


def test_guesses_that_are_none_are_named():
    x = rows(60)
    with pytest.warns(ConvergenceWarning, match=r"the guess log\(-x0\) is undefined on 60 of 60"):
        model = OccamRegressor(**FAST, guesses=["log(-x0)"]).fit(x, x[:, 0] ** 2)
    assert str(model.best_) == "x0**2" and not len(guessed(model))


@pytest.mark.parametrize(
    ("guesses", "said"),
    [
        (["x0*mass"], "guesses: unknown input 'mass'"),
        (["x0*("], "guesses: unexpected"),
        (["f(x0)"], "guesses: unknown operator 'f'"),
        ([3], "guesses must be formulas or their texts, got 3"),
        ([Expression.parse("x0")], "wanted a formula of 2 inputs and one output, got one of 1"),
    ],
)
def test_guesses_that_cannot_be_read(guesses, said):
    with pytest.raises(ValueError, match=r".*") as error:
        OccamRegressor(**FAST, guesses=guesses).fit(rows(20), np.arange(20.0))
    assert said in str(error.value)


@pytest.mark.slow
def test_a_guess_is_a_form_for_groups():
    fall = next(law for law in load("class") if law.name == "free fall")
    x, y, run = fall.draw_groups(20, 3, seed=1)
    model = OccamRegressor(**FAST, guesses="2.5 + 3.5*x0 - 4.5*x0**2").fit(x, y, groups=run)
    assert model.score(x, y, groups=run) > 1 - 1e-12
    assert "guess" in set(model.equations_.kind)


# --- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sin(x0) + cos(x1)", ""),
        ("sin(2*cos(x0) + x1)", "cos within sin"),
        ("sin(x1*exp(sin(x0)))", "sin within sin"),
        ("exp(x0 + exp(x1))", ""),
        ("exp(exp(exp(x0)))", "exp within exp more than 1 deep"),
    ],
)
def test_what_is_nested(text, said):
    limits = read_limits(NAMES, nested={"sin": ["sin", "cos"], "exp": {"exp": 1}})
    assert limits.broken(Expression.parse(text, 2)) == said


def test_prices_count_as_often_as_an_operator_is_written():
    limits = read_limits(NAMES, prices={"exp": 3, "add": 2, "mul": 0})
    assert limits.extra(Expression.parse("exp(x0) + x1*exp(x0) - 1.5", 2)) == 2 + 2 + 2 - 1
    assert limits.extra(Expression.parse("max(x0, x1)", 2)) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x0**2 - x1", ""),
        ("x1*x0 - 0.5*x0**2", "not increasing in x0"),  # at small x1 alone
        ("x0 + x1", "not decreasing in x1"),
        ("x0/(x1 - 3)", "not increasing in x0"),
        ("2.5", ""),
    ],
)
def test_what_falls_or_rises(text, said):
    limits = read_limits(NAMES, monotone={"x0": "increasing", "x1": -1}).on(rows(), 30)
    assert limits.broken(Expression.parse(text, 2)) == said


def test_what_leaves_a_range():
    within = Expression.parse("x0/5", 2)
    limits = read_limits(NAMES, bounds=(0.1, 1)).on(rows(), 30)
    assert limits.broken(within) == ""
    assert limits.broken(Expression.parse("x0/4", 2)) == "values not between 0.1 and 1"
    # Rows of the diagonal alone do not show it: one input moves through its range.
    diagonal = np.linspace(1, 5, 20)[:, None].repeat(2, axis=1)
    limits = read_limits(NAMES, bounds=(None, 1)).on(diagonal, 30)
    assert limits.broken(Expression.parse("x0/x1", 2)) == "values not at most 1"


@pytest.mark.slow
def test_only_what_keeps_to_the_limits_is_listed():
    x = rows()
    y = x[:, 0] ** 2 * np.exp(-x[:, 1]) + 0.02 * np.random.default_rng(0).normal(size=len(x))
    wishes = {"prices": {"exp": 3}, "bounds": (0, None), "monotone": {"x0": "increasing"}}
    model = OccamRegressor(**FAST, **wishes).fit(x, y)
    assert model.best_.agrees_with(Expression.parse("x0**2*exp(-x1)"), x)
    (size,) = model.equations_.query("chosen").complexity
    assert size == model.best_.complexity + 2
    limits = read_limits(NAMES, **wishes).on(x, 30)
    assert not any(map(limits.broken, model.equations_.expression))
    # The straight line falls below 0.
    assert model.left_out_["values not at least 0"] and "linear model" not in set(
        model.equations_.kind
    )
    assert clone(model).get_params()["bounds"] == (0, None)


@pytest.mark.slow
def test_what_is_near_is_found_where_the_law_is_ruled_out():
    x = rows()
    y = np.sin(2 * np.sin(x[:, 0])) + x[:, 1]
    free = OccamRegressor(**FAST).fit(x, y)
    model = OccamRegressor(**FAST, nested={"sin": ["sin", "cos"]}).fit(x, y)
    assert free.score(x, y) > 0.999 > model.score(x, y) > 0.97
    assert read_limits(NAMES, nested={"sin": ["sin", "cos"]}).broken(model.best_) == ""


@pytest.mark.slow
def test_forms_of_groups_keep_to_the_limits():
    fall = next(law for law in load("class") if law.name == "free fall")
    x, y, run = fall.draw_groups(20, 3, seed=1)
    model = OccamRegressor(**FAST, nested={"sin": ["sin"]}, monotone={"x0": 1}, guesses="x0").fit(
        x, y, groups=run
    )
    limits = read_limits(["x0"], monotone={"x0": 1}).on(x, 30)
    assert not any(limits.broken(model.formula_of(each)) for each in model.groups_.index)
    assert model.left_out_["not increasing in x0"]


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"nested": {"sine": ["cos"]}}, "nested: unknown operator 'sine'; did you mean sin"),
        ({"nested": {"sin": ["square"]}}, "nested: unknown operator 'square'"),
        ({"nested": {"sin": {"sin": -1}}}, "how deep sin may be must be 0, 1, ..., got -1"),
        ({"prices": {"exp": 1.5}}, "prices: exp must be a whole number from 0, got 1.5"),
        ({"monotone": {"x7": 1}}, "monotone: unknown input 'x7'; known: x0, x1"),
        ({"monotone": {"x0": "up"}}, "must be 'increasing' or 'decreasing', got 'up'"),
        ({"bounds": (1, 0)}, "the least value must lie below the largest, got (1, 0)"),
        ({"bounds": 3}, "bounds must be a least and a largest value, got 3"),
        ({"bounds": (1e3, None)}, "not even the best constant, 9.5, keeps to the limits"),
    ],
)
def test_limits_that_cannot_be(wishes, said):
    with pytest.raises(ValueError, match=r".*") as error:
        OccamRegressor(**FAST, **wishes).fit(rows(20), np.arange(20.0))
    assert said in str(error.value)
