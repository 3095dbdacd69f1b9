"""One form for several groups: found, told apart, refused where it cannot be."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from occamhead import Expression, OccamRegressor
from occamhead.expression.numbers import numbers as numbers_of
from occamhead.problems import load
from occamhead.tables.group_numbers import Together
from occamhead.tables.sorted_rows import sort_rows


def class_law(name):
    return next(problem for problem in load("class") if problem.name == name)


def quick(**options):
    return OccamRegressor(max_functions=4000, random_state=0, **options)


@pytest.fixture(scope="module")
def falling():
    x, y, groups = class_law("free fall").draw_groups(40, 5, seed=1)
    return quick().fit(x, y, groups=np.array([f"run {g}" for g in groups])), x, y, groups


@pytest.mark.slow
def test_gravity_is_common_and_speed_and_height_are_of_each_fall(falling):
    model, x, y, groups = falling
    assert "4.905*x0**2" in str(model.best_)
    assert list(model.groups_.columns) == ["c0", "c0_error", "c1", "c1_error"]
    assert list(model.groups_.index) == [f"run {g}" for g in range(5)]
    labels = [f"run {g}" for g in groups]
    np.testing.assert_allclose(model.predict(x, groups=labels), y, atol=1e-9)
    assert model.score(x, y, groups=labels) > 1 - 1e-12
    rows = groups == 3
    np.testing.assert_allclose(model.formula_of("run 3")(x[rows])[:, 0], y[rows], atol=1e-9)


def test_a_pickle_and_a_clone_know_the_groups(falling):
    model, x, _, groups = falling
    again = pickle.loads(pickle.dumps(model))
    labels = [f"run {g}" for g in groups]
    np.testing.assert_array_equal(again.predict(x, groups=labels), model.predict(x, groups=labels))
    assert not hasattr(clone(model), "groups_")
    assert clone(model).get_params() == model.get_params()


def test_predict_asks_for_the_groups_it_knows(falling):
    model, x, _, _ = falling
    with pytest.raises(ValueError, match="the group of each row"):
        model.predict(x)
    with pytest.raises(ValueError, match="no group 'run 9' in the fit; its groups: 'run 0'"):
        model.predict(x[:2], groups=["run 0", "run 9"])


@pytest.mark.slow
def test_noise_leaves_the_law_of_decay_and_errors_that_cover_it():
    law = class_law("radioactive decay")
    x, y, groups = law.draw_groups(40, 4, seed=2, noise=0.02)
    model = quick().fit(x, y, groups=groups)
    clean = law.draw_groups(40, 4, seed=2)[1]
    assert sorted(str(model.best_).split("*")) == sorted(["c1", "exp(c0", "x0)"])
    for group in range(4):
        rows = groups == group
        rate, logarithm = np.polyfit(x[rows, 0], np.log(clean[rows]), 1)
        found = model.groups_.loc[group]
        # Odds of a false alarm: 1 in 200,000, eight times.
        assert abs(found["c0"] - rate) < 4.5 * found["c0_error"]
        assert abs(found["c1"] - np.exp(logarithm)) < 4.5 * found["c1_error"]


def test_a_law_without_numbers_of_its_own_is_common_to_all():
    x = np.random.default_rng(0).uniform(1, 5, (120, 2))
    y = 3.7 * x[:, 0] / x[:, 1]
    model = quick().fit(x, y, groups=np.repeat([0, 1, 2], 40))
    assert str(model.best_) == "3.7*x0/x1"
    assert model.groups_.shape == (3, 0)


def test_numbers_are_eliminated_as_in_one_large_system():
    generator = np.random.default_rng(0)
    parts, numbers = [], []
    for slope in (1.5, 2.5):
        x = generator.uniform(0, 1, (30, 1))
        y = slope * x[:, 0] + 0.7 * x[:, 0] ** 2 + generator.normal(0, 0.01, 30)
        parts.append(sort_rows(x, y[:, None], y, np.ones(30)))
    halves = [type(p)(p.x, p.targets, p.labels, p.weights / 2) for p in parts]
    together = Together(Expression.parse("2.2*x0 + 0.9*x0**2"), halves)
    own = numbers_of(together.formula).index(2.2)
    common = numbers_of(together.formula).index(0.9)
    start = np.array([numbers_of(together.formula)] * 2)
    found = together.fit(start, (own,), (common,))
    system = np.zeros((60, 3))
    target = np.concatenate([p.targets[:, 0] for p in parts])
    for g, part in enumerate(parts):
        system[30 * g : 30 * (g + 1), g] = part.x[:, 0]
        system[30 * g : 30 * (g + 1), 2] = part.x[:, 0] ** 2
    wanted, left, *_ = np.linalg.lstsq(system, target)
    numbers = [*found.numbers[:, own], found.numbers[0, common]]
    np.testing.assert_allclose(numbers, wanted, rtol=1e-6)
    spread = np.sqrt(left[0] / 57 * np.linalg.inv(system.T @ system).diagonal())
    errors = together.errors(found)
    np.testing.assert_allclose([*errors[:, own], errors[0, common]], spread, rtol=1e-5)


@pytest.mark.slow
def test_a_group_of_one_row_gets_what_the_others_have_and_a_warning():
    x, y, groups = class_law("free fall").draw_groups(30, 4, seed=3)
    kept = (groups < 3) | (np.arange(len(x)) == len(x) - 1)
    with pytest.warns(ConvergenceWarning, match="group 3 has 1 of the 2 rows"):
        model = quick().fit(x[kept], y[kept], groups=groups[kept])
    assert model.groups_.loc[3, "c0"] == np.median(model.groups_.loc[:2, "c0"])
    assert np.isinf(model.groups_.loc[3, "c0_error"])


@pytest.mark.parametrize(
    ("options", "groups", "told"),
    [
        ({}, [0] * 20, "two groups of 3 rows or more, got 1"),
        ({}, [0] * 10 + [1] * 9, "inconsistent numbers of samples"),
        ({}, [0.0] * 10 + [np.nan] * 10, "missing values"),
        ({}, ["a"] * 10 + [1] * 10, None),
        ({"loss": "absolute"}, [0] * 10 + [1] * 10, "by least squares"),
        ({"warm_start": True}, [0] * 10 + [1] * 10, "warm_start=False"),
        ({"units": ["m", "m"]}, [0] * 10 + [1] * 10, "units are not checked"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, groups, told):
    x = np.linspace(0, 1, 20)[:, None]
    if told is None:
        groups, told = np.array(groups, object), "all numbers or all text"
    with pytest.raises(ValueError, match=told):
        quick(**options).fit(x, 2 * x[:, 0], groups=groups)


def test_a_fit_without_groups_forgets_them(falling):
    model, x, y, groups = falling
    model = pickle.loads(pickle.dumps(model))
    one = groups == 0
    model.fit(x[one], y[one])
    assert model.predict(x[one]).shape == (40,)
    with pytest.raises(ValueError, match="the fit had no groups"):
        model.formula_of("run 0")
