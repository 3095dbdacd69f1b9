"""Losses of numbers: their weights against their slopes, and laws beside gross outliers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import QuantileRegressor

from occamhead.tables.losses import NAMES, get_loss
from occamhead.tables.no_law import NoLawWarning
from tests.tables.small import noisy, regressor

Y = np.random.default_rng(0).uniform(1, 3, 200)
PREDICTED = Y + np.random.default_rng(1).normal(size=200)


@pytest.mark.parametrize("name", NAMES)
def test_weighted_squares_have_the_slope_of_the_loss(name):
    loss = get_loss(name, Y, 0.3, 0.5)
    step = 1e-7
    slope = (loss.rows(Y, PREDICTED + step) - loss.rows(Y, PREDICTED - step)) / (2 * step)
    targets, weights = loss.around(Y, PREDICTED)
    assert (weights >= 0).all() and (loss.rows(Y, Y) == 0).all()
    # Errors below a thousandth of their median count as that much.
    far = np.abs(PREDICTED - Y) > 1e-2
    np.testing.assert_allclose((2 * weights * (PREDICTED - targets))[far], slope[far], rtol=1e-3)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_a_quantile_has_squares_that_lie_above_it_and_touch_it(quantile):
    loss = get_loss("quantile", Y, quantile)
    targets, weights = loss.around(Y, PREDICTED)
    far = np.abs(PREDICTED - Y) > 1e-2

    def above(predicted):
        squares = weights * ((predicted - targets) ** 2 - (PREDICTED - targets) ** 2)
        return (squares + loss.rows(Y, PREDICTED) - loss.rows(Y, predicted))[far]

    for shift in (-2.0, -0.1, 0.01, 1.0):
        assert (above(PREDICTED + shift) > -1e-6).all()
        assert (above(Y + shift) > -1e-6).all()
    np.testing.assert_allclose(above(PREDICTED), 0, atol=1e-12)


def test_a_callable_is_a_loss_and_a_name_no_other():
    cauchy = get_loss(lambda y, p: np.log1p((y - p) ** 2), Y)
    expected = 1 / (1 + (Y - PREDICTED) ** 2)
    targets, weights = cauchy.around(Y, PREDICTED)
    np.testing.assert_allclose(weights, expected, rtol=1e-3)
    np.testing.assert_allclose(targets, Y, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "mse"}, "unknown loss 'mse'; take one of auto, squared"),
        ({"loss": "quantile", "quantile": 1.0}, "quantile must lie between 0 and 1, got 1.0"),
        ({"loss": lambda y, p: 0.0}, r"one finite number for each of 60 rows.*shape \[\]"),
        ({"loss": lambda y, p: np.where(y > 3, np.nan, 1)}, "not all finite"),
    ],
)
def test_losses_that_are_none(settings, message):
    with pytest.raises(ValueError, match=message):
        regressor(**settings).fit(*noisy())


def test_a_relative_loss_needs_targets_that_are_not_zero():
    x, y = noisy()
    with pytest.raises(ValueError, match="target, which is 0 in 2 of 60 rows"):
        regressor(loss="relative").fit(x, np.where(np.arange(60) < 2, 0, y))


def with_outliers():
    random = np.random.default_rng(0)
    x = random.uniform(0, 10, (200, 1))
    y = 2 * x[:, 0] + 1 + 0.1 * random.normal(size=200)
    y[::20] += 500
    return x, y


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss", ["absolute", "huber", "quantile", lambda y, p: np.log1p((y - p) ** 2)]
)
def test_gross_outliers_do_not_move_a_line(loss):
    model = regressor(loss=loss, max_functions=10_000, folds=3).fit(*with_outliers())
    grid = np.linspace(0, 10, 20)[:, None]
    np.testing.assert_allclose(model.predict(grid), 2 * grid[:, 0] + 1, atol=0.15)


@pytest.mark.slow
def test_squares_are_moved_by_them():
    with pytest.warns(NoLawWarning, match="better than a constant"):
        model = regressor(loss="squared", max_functions=10_000, folds=3).fit(*with_outliers())
    assert model.predict([[0.0]])[0] > 10


@pytest.mark.slow
@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.8])
def test_a_quantile_is_that_of_a_linear_program(quantile):
    random = np.random.default_rng(0)
    x = random.uniform(1, 5, (400, 1))
    y = x[:, 0] * (1 + random.exponential(size=400))
    model = regressor(loss="quantile", quantile=quantile, max_functions=10_000).fit(x, y)
    exact = QuantileRegressor(quantile=quantile, alpha=0, solver="highs").fit(x, y)
    wanted = exact.predict([[1.5], [3.0], [4.5]])
    np.testing.assert_allclose(model.predict([[1.5], [3.0], [4.5]]), wanted, rtol=0.15)


def upper(y, p):
    return np.where(y > p, 0.9, 0.1) * np.abs(p - y)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"loss": "quantile", "quantile": 0.9}, {"loss": upper}])
def test_the_law_of_a_quantile_of_skewed_noise_is_found(settings):
    random = np.random.default_rng(1)
    x = random.uniform(0.5, 4, (400, 2))
    law = 3 * x[:, 0] / x[:, 1] + 1
    y = law * (1 + 0.5 * random.exponential(size=400))
    model = regressor(**settings, depth=4, max_functions=10_000).fit(x, y)
    # The best straight line is .41 off, the best constant .52.
    wanted = law * (1 + 0.5 * np.log(10))
    assert np.sqrt(np.mean((model.predict(x) / wanted - 1) ** 2)) < 0.12
    assert model.best_.complexity <= 9 and set(model.best_.features) == {0, 1}


@pytest.mark.slow
def test_relative_errors_weigh_small_targets():
    random = np.random.default_rng(0)
    x = random.uniform(0, 4, (200, 1))
    law = np.exp(2 * x[:, 0])
    y = law * (1 + 0.05 * random.normal(size=200))
    model = regressor(loss="relative", depth=4, max_functions=20_000).fit(x, y)
    np.testing.assert_allclose(model.predict(x), law, rtol=0.1)
