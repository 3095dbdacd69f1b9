"""Squared or relative errors, where the target leaves that open."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from occamhead.problems import load
from tests.tables.small import clean, regressor


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_newtons_law_of_many_decades_is_found_by_relative_errors_and_that_is_said(sign, caplog):
    (newton,) = (law for law in load("firstprinciples") if law.name == "newton")
    x, y = newton.draw(30, 5, noise=0.01, noise_of="value")
    with caplog.at_level(logging.WARNING, "occamhead"):
        model = regressor(folds=5).fit(x, sign * y)
    assert model.loss_ == "relative"
    assert "decades" in caplog.text and "loss='squared'" in caplog.text
    fresh, law = newton.draw(200, 6)
    np.testing.assert_allclose(model.predict(fresh), sign * law, rtol=0.03)


@pytest.mark.slow
def test_errors_of_one_size_are_judged_as_they_are():
    random = np.random.default_rng(0)
    x = random.uniform(0.2, 4, (200, 1))
    y = x[:, 0] ** 3 + 0.002 * random.normal(size=200)
    assert y.min() > 0 and y.max() > 1000 * y.min()
    model = regressor(folds=5).fit(x, y)
    assert model.loss_ == "squared" and str(model.best_) == "x0**3"


def test_an_exact_law_needs_no_second_fit():
    x, y = clean(lambda a, b: a**4 * b**3)
    model = regressor().fit(x, y)
    assert model.loss_ == "squared" and str(model.best_) == "x0**4*x1**3"


@pytest.mark.slow
def test_targets_of_both_signs_have_squared_errors_and_a_loss_that_is_asked_for_stays():
    random = np.random.default_rng(0)
    x = random.uniform(1, 5, (60, 1))
    y = np.exp(2 * x[:, 0]) * (1 + 0.01 * random.normal(size=60))
    assert regressor().fit(x, y - 100).loss_ == "squared"
    assert regressor(loss="squared").fit(x, y).loss_ == "squared"
    assert regressor(loss="absolute").fit(x, y).loss_ == "absolute"
    assert regressor().fit(x, y).loss_ == "relative"


def test_what_is_said_of_either_fit_is_told_at_the_line_that_called_it():
    random = np.random.default_rng(0)
    x, y = random.uniform(1, 5, (60, 1)), 10 ** random.uniform(0, 4, 60)
    with pytest.warns(ConvergenceWarning, match="s are used up") as said:
        regressor(time_budget=0.05).fit(x, y)
    assert {each.filename for each in said} == {__file__}
