"""The search on a table: its limits, a warm start, Ctrl-C, what is listed."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from occamhead.search import Evolution
from occamhead.tables import held_out
from occamhead.tables import settings as settings_module
from occamhead.tables.estimators import OccamRegressor
from occamhead.tables.no_law import NoLawWarning
from occamhead.tables.table_estimator import DEFAULT_BASES
from tests.tables.small import classifier, clean, noisy, regressor


def test_a_formula_that_the_table_would_leave_out_is_listed_if_it_is_chosen(monkeypatch):
    monkeypatch.setattr("occamhead.tables.equations.LISTED_GAIN", 0.999)
    x, y = clean(lambda a, b: 3 * a / b + 1)
    model = OccamRegressor(max_functions=20_000, random_state=0).fit(x, y)
    assert model.equations_[model.equations_.chosen].kind.item() == "direct fit"
    assert model.equations_.chosen.sum() == 1


# --- limits ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_max_functions_is_kept_and_structures_are_searched_once(monkeypatch):
    sampled = []

    def counted(*args, **settings):
        result = evolve(*args, **settings)
        sampled.append(result.functions)
        return result

    evolve = settings_module.evolve
    monkeypatch.setattr(settings_module, "evolve", counted)
    x, y = noisy()
    model = regressor(max_functions=1500, folds=3).fit(x, y)
    assert sampled == [1500] and model.n_functions_ == 1500
    # Another loss takes two, each with half; half of a small budget is still one step.
    model = regressor(max_functions=150, loss="absolute").fit(x, y)
    assert sampled == [1500, 100, 100] and model.n_functions_ == 100


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* s are used up")
@pytest.mark.parametrize("make", [regressor, classifier])
def test_the_time_budget_is_that_of_all_searches(make):
    x, y = noisy()
    y = y > 3 if make is classifier else y
    settings = {"depth": 4, "folds": 4, "max_functions": None}
    make(**settings, time_budget=0.2).fit(x, y)  # compiles
    began = time.process_time()
    make(**settings, time_budget=1.5).fit(x, y)
    assert 0.5 <= time.process_time() - began <= 1.2 * 1.5 + 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_functions": 0}, "max_functions must be positive, got 0"),
        ({"max_functions": 50}, "must be at least num_samples = 100"),
        ({"time_budget": 0}, "time_budget must be positive, got 0"),
        ({"max_functions": None}, "set at least one limit"),
        ({"folds": -1}, "folds must not be negative, got -1"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"max_terms": 0}, "max_terms must be at least 1, got 0"),
        ({"bases": ["sinn"]}, "did you mean sin"),
        ({"strategy": {"sed": 1}}, "strategy has no setting 'sed'; known: engine"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        regressor(**settings).fit(*noisy())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite(bad):
    x, y = noisy()
    with pytest.raises(ValueError, match=r"Input y contains|Input contains"):
        regressor().fit(x, np.where(y > 3, bad, y))
    with pytest.raises(ValueError, match="Input X contains"):
        regressor().fit(np.where(x > 2, bad, x), y)


@pytest.mark.slow
def test_tables_that_say_nothing():
    x, y = noisy()
    with pytest.raises(ValueError, match="0 sample"):
        regressor().fit(x[:0], y[:0])
    with pytest.raises(ValueError, match="'a' is there twice; rename"):
        regressor().fit(pd.DataFrame(x, columns=["a", "a"]), y)
    with pytest.raises(ValueError, match="backticks"):
        regressor().fit(pd.DataFrame(x, columns=["`", "a"]), y)
    with pytest.raises(ValueError, match="non-zero"):
        regressor().fit(x, y, 0 * y)
    with pytest.raises(ValueError, match=r"not be negative.*-1"):
        regressor().fit(x, y, y - y - 1)
    with pytest.raises(ValueError, match="got 1 class: a"):
        classifier().fit(x, np.where(y > 3, "a", "b"), (y > 3) * 1.0)


@pytest.mark.parametrize("value", [0.0, 3.7, -1e-20])
def test_a_constant_target_is_that_constant_and_said(value):
    x, _ = noisy()
    with pytest.warns(ConvergenceWarning, match=f"the target is {value:g} in every row"):
        model = regressor().fit(x, np.full(len(x), value))
    assert model.best_.features == ()
    np.testing.assert_allclose(model.predict(x), value)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_few_rows_of_noise_are_a_constant_and_that_is_said(seed):
    random = np.random.default_rng([seed, 12])
    x, y = random.uniform(1, 5, (12, 1 + seed)), random.normal(size=12)
    with pytest.warns(NoLawWarning, match="of 12, better than a constant.*more rows"):
        model = regressor(folds=5, depth=4, max_functions=5000).fit(x, y)
    assert model.best_.features == ()


@pytest.mark.slow
def test_rows_that_nearly_all_are_outliers_are_said():
    random = np.random.default_rng(0)
    x = random.uniform(1, 5, (40, 1))
    y = np.where(random.uniform(size=40) < 0.9, 100 * random.normal(size=40), 2 * x[:, 0])
    with pytest.warns(NoLawWarning, match="constant"):
        regressor(loss="absolute").fit(x, y)


def test_one_row_with_weight_is_a_constant():
    x, y = noisy()
    with pytest.warns(ConvergenceWarning, match="in every row"):
        model = regressor().fit(x, y, np.arange(len(x)) == 3)
    np.testing.assert_allclose(model.predict(x), y[3])


# --- going on, and being stopped -------------------------------------------------------------


@pytest.mark.slow
def test_a_warm_start_keeps_the_law():
    # A kink, which no direct fit has.
    x, y = clean(lambda a, b: np.maximum(a, b) * b + np.sin(a))
    bases = (*DEFAULT_BASES, "max")
    model = OccamRegressor(random_state=0, warm_start=True, bases=bases).fit(x, y)
    law = str(model.best_)
    assert model.score(x, y) == pytest.approx(1, abs=1e-12)
    model.set_params(max_functions=100, random_state=1).fit(x, y)
    assert model.n_functions_ <= 100 and str(model.best_) == law
    cold = clone(model).fit(x, y)
    assert cold.score(x, y) < 1 - 1e-6
    for _ in range(2):
        with pytest.raises(ValueError, match="depth were 4 and are now 2"):
            model.set_params(depth=2).fit(x, y)


def interrupt_at(monkeypatch, when: int) -> None:
    """Ctrl-C in the middle of a step of any search."""
    taken, step = [], Evolution.step

    def interrupted(self):
        taken.append(1)
        if len(taken) == when:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(Evolution, "step", interrupted)


def raise_interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("where", ["search", "folds"])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_ctrl_c_keeps_the_best_so_far(make, where, monkeypatch):
    if where == "search":
        interrupt_at(monkeypatch, 15)
    else:
        monkeypatch.setattr(held_out, "choose", lambda *_: raise_interrupt())
    x, y = noisy()
    with pytest.warns(ConvergenceWarning, match="interrupted; the best formula so far is kept"):
        model = make().fit(x, y > 3 if make is classifier else y)
    chosen = model.equations_[model.equations_.chosen]
    assert chosen.kind.item() in ("search", "direct fit")
    assert chosen.expression.item() == model.best_
    assert model.n_functions_ == (1400 if where == "search" else 2000)
    assert model.score(x, y > 3 if make is classifier else y) > 0.7


def test_ctrl_c_after_an_exact_formula_is_no_loss(monkeypatch):
    interrupt_at(monkeypatch, 45)
    x, y = clean(lambda a, b: a * b)
    assert str(regressor(max_functions=20_000).fit(x, y).best_) == "x0*x1"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* s are used up")
def test_verbose_shows_a_bar_with_the_best_formula(capsys):
    x, y = clean(lambda a, b: a * b)
    regressor(verbose=True, bases=("add", "mul", "max")).fit(x, np.maximum(*x.T))
    shown = capsys.readouterr()
    assert "search" in shown.err and "max(x0, x1)" in shown.err and not shown.out
    x, y = noisy()
    regressor(verbose=True, time_budget=0.3, max_functions=None).fit(x, y)
    assert "search: 100%" in capsys.readouterr().err
