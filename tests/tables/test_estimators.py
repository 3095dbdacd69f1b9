"""The estimators: scikit-learn's contract, laws of their results, what they find."""

from __future__ import annotations

import pickle
import time
import warnings
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from occamhead.expression import Expression
from occamhead.search import Evolution
from occamhead.tables import fit_table as module
from occamhead.tables.estimators import OccamClassifier, OccamRegressor

TINY = {"max_functions": 2000, "depth": 2, "random_state": 0}


def regressor(**settings) -> OccamRegressor:
    return OccamRegressor(**{**TINY, "folds": 2, **settings})


def classifier(**settings) -> OccamClassifier:
    return OccamClassifier(**{**TINY, "folds": 2, **settings})


def noisy(rows: int = 60, seed: int = 0, noise: float = 0.2):
    random = np.random.default_rng(seed)
    x = random.uniform(0.5, 3, (rows, 2))
    return x, np.sin(2 * x[:, 0]) * x[:, 1] + x[:, 1] ** 2 + noise * random.normal(size=rows)


def clean(law, rows: int = 60, inputs: int = 2, seed: int = 0):
    x = np.random.default_rng(seed).uniform(1, 5, (rows, inputs))
    return x, law(*x.T)


# --- scikit-learn's contract -----------------------------------------------------------------

CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{number}-{check.func.__name__}")
    for made in (regressor(), classifier(folds=0))
    for number, (estimator, check) in enumerate(estimator_checks_generator(made))
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_of_scikit_learn(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"a check did not run: {skipped}")


def test_scikit_learn_checks_both_and_leaves_nothing_out():
    names = [parameter.id.rpartition("-")[2] for parameter in CHECKS]
    assert names.count("check_sample_weight_equivalence_on_dense_data") == 2
    assert sum(parameter.id.startswith("OccamRegressor") for parameter in CHECKS) >= 50
    assert sum(parameter.id.startswith("OccamClassifier") for parameter in CHECKS) >= 50


def test_cross_validation_of_scikit_learn_runs_it():
    x, y = clean(lambda a, b: a * b)
    assert cross_val_score(regressor(), x, y, cv=3).min() == pytest.approx(1)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_a_pickled_copy_predicts_the_same(make):
    x, y = noisy()
    model = make().fit(x, y > 3 if make is classifier else y)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict(x), model.predict(x))
    assert copy.best_ == model.best_ and copy.equations_.equals(model.equations_)


@pytest.mark.parametrize("method", ["predict", "sympy", "latex"])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_nothing_works_before_fit(make, method):
    with pytest.raises(NotFittedError):
        getattr(make(), method)(*([np.ones((3, 2))] if method == "predict" else []))


# --- what an equal table is ------------------------------------------------------------------


def assert_same_fit(one, other) -> None:
    assert one.best_ == other.best_
    assert one.equations_.drop(columns="expression").equals(
        other.equations_.drop(columns="expression")
    )


@pytest.mark.parametrize("make", [regressor, classifier])
def test_the_order_of_rows_does_not_matter_to_search_and_folds(make):
    x, y = noisy()
    y = y > 3 if make is classifier else y
    order = np.random.default_rng(1).permutation(len(x))
    one, other = make(folds=3).fit(x, y), make(folds=3).fit(x[order], y[order])
    assert one._choice is not None
    assert_same_fit(one, other)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_whole_weights_are_repetitions_to_search_and_folds(make):
    x, y = noisy()
    y = y > 3 if make is classifier else y
    counts = np.random.default_rng(1).integers(0, 4, len(x))
    one = make(folds=3).fit(x, y, sample_weight=counts)
    other = make(folds=3).fit(np.repeat(x, counts, axis=0), np.repeat(y, counts))
    assert one._choice is not None and (counts == 0).any()
    assert_same_fit(one, other)
    assert one.best_ != make(folds=3).fit(x, y).best_


def test_equal_fractions_of_weight_change_nothing_and_unequal_ones_do():
    x, y = noisy()
    plain = regressor().fit(x, y)
    assert_same_fit(plain, regressor().fit(x, y, np.full(len(x), 0.5)))
    # Rows that hold another law, next to no weight on them.
    both, law = np.concatenate([x, x]), np.concatenate([x[:, 0] * x[:, 1], -x[:, 0]])
    weights = np.repeat([1.5, 1e-9], len(x))
    model = regressor(max_functions=4000).fit(both, law, weights)
    np.testing.assert_allclose(model.predict(x), x[:, 0] * x[:, 1], rtol=1e-3)


def test_the_same_random_state_gives_the_same_formula_and_another_one_another():
    x, y = noisy()
    assert_same_fit(regressor().fit(x, y), regressor().fit(x, y))
    assert any(
        not regressor().fit(x, y).equations_.equals(regressor(random_state=s).fit(x, y).equations_)
        for s in (1, 2)
    )


# --- laws of the results ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [regressor, classifier])
@pytest.mark.parametrize("seed", range(3))
def test_equations_are_a_pareto_front_with_one_chosen_row(make, seed):
    x, y = noisy(seed=seed)
    y = np.digitize(y, [2, 5]) if make is classifier else y
    model = make(random_state=seed, folds=3).fit(x, y)
    table = model.equations_
    front = table[table.kind == "search"]
    assert len(front) > 2
    assert (np.diff(front.complexity) > 0).all() and (np.diff(front.loss) < 0).all()
    assert list(table.kind).count("linear model") == 1 and table.chosen.sum() == 1
    assert table[table.chosen].expression.item() == model.best_
    assert table.cross_validated_loss.notna().all()
    assert list(table.equation) == [str(formula) for formula in table.expression]
    assert np.array_equal(model._evaluate(x), model.best_(x))


def test_losses_are_mean_squared_errors_and_cross_entropies():
    x, y = noisy()
    model = regressor().fit(x, y)
    for formula, loss in zip(model.equations_.expression, model.equations_.loss, strict=True):
        assert loss == pytest.approx(np.mean((formula(x)[:, 0] - y) ** 2))
    assert np.array_equal(model.predict(x), model.best_(x)[:, 0])
    labels = np.digitize(y, [2, 5])
    fitted = classifier().fit(x, labels)
    chances = fitted.predict_proba(x)[np.arange(len(x)), labels]
    chosen = fitted.equations_[fitted.equations_.chosen]
    assert chosen.loss.item() == pytest.approx(-np.log(chances).mean())


def test_a_formula_that_the_table_would_leave_out_is_listed_if_it_is_chosen(monkeypatch):
    monkeypatch.setattr(module, "LISTED_GAIN", 0.999)
    x, y = clean(lambda a, b: 3 * a / b + 1)
    model = OccamRegressor(max_functions=20_000, random_state=0).fit(x, y)
    assert model.equations_[model.equations_.chosen].kind.item() == "search"
    assert model.equations_.chosen.sum() == 1


def test_column_names_are_printed_and_kept_apart():
    x, y = clean(lambda a, b: a * b)
    frame = pd.DataFrame(x, columns=["mass", "speed of light"])
    model = regressor().fit(frame, y)
    assert str(model.best_) == "mass*`speed of light`"
    assert model.equations_[model.equations_.chosen].equation.item() == str(model.best_)
    assert {str(symbol) for symbol in model.sympy().free_symbols} == set(frame.columns)
    assert "mass" in model.latex()
    assert list(model.feature_names_in_) == list(frame.columns) and model.n_features_in_ == 2
    np.testing.assert_allclose(model.predict(frame), y)


def test_sympy_and_latex_of_several_outputs_are_lists():
    x, y = noisy()
    model = classifier(folds=0).fit(x, np.digitize(y, [2, 5]))
    assert len(model.sympy()) == len(model.latex()) == len(model.best_) == 3


def test_a_value_that_is_not_finite_counts_as_the_mean():
    x, y = clean(lambda a, b: a + b)
    model = regressor().fit(x, y)
    model.best_ = Expression.parse("x0 + x1 + log(x0 - 2)/1e12", num_inputs=2)
    undefined = ~np.isfinite(model.predict(x))
    assert undefined.any() and not undefined.all()
    expected = np.where(undefined, y.mean(), y)
    assert model.score(x, y) == pytest.approx(
        1 - ((expected - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    )


# --- limits ----------------------------------------------------------------------------------


def test_max_functions_is_kept_and_a_fold_gets_half(monkeypatch):
    sampled = []

    def counted(*args, **settings):
        result = evolve(*args, **settings)
        sampled.append(result.functions)
        return result

    evolve = module.evolve
    monkeypatch.setattr(module, "evolve", counted)
    x, y = noisy()
    model = regressor(max_functions=1500, folds=3).fit(x, y)
    assert sampled == [1500, 700, 700, 700] and model.n_functions_ == 1500
    # Half of a small budget is still one step.
    assert regressor(max_functions=150, folds=2).fit(x, y).n_functions_ == 100


@pytest.mark.parametrize("make", [regressor, classifier])
def test_the_time_budget_is_that_of_all_searches(make):
    x, y = noisy()
    y = y > 3 if make is classifier else y
    settings = {"depth": 4, "folds": 4, "max_functions": None}
    make(**settings, time_budget=0.2).fit(x, y)  # compiles
    began = time.process_time()
    make(**settings, time_budget=1.5).fit(x, y)
    assert 0.9 <= time.process_time() - began <= 1.2 * 1.5 + 0.5


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


def test_one_row_with_weight_is_a_constant():
    x, y = noisy()
    with pytest.warns(ConvergenceWarning, match="in every row"):
        model = regressor().fit(x, y, np.arange(len(x)) == 3)
    np.testing.assert_allclose(model.predict(x), y[3])


# --- going on, and being stopped -------------------------------------------------------------


def test_a_warm_start_keeps_the_law():
    x, y = clean(lambda a, b: (a + 1) / (b * b) + np.sin(a))
    model = OccamRegressor(random_state=0, warm_start=True).fit(x, y)
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


@pytest.mark.parametrize("when", [15, 25, 34], ids=["search", "first fold", "last fold"])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_ctrl_c_keeps_the_best_so_far(make, when, monkeypatch):
    interrupt_at(monkeypatch, when)
    x, y = noisy()
    with pytest.warns(ConvergenceWarning, match="interrupted; the best formula so far is kept"):
        model = make().fit(x, y > 3 if make is classifier else y)
    chosen = model.equations_[model.equations_.chosen]
    assert chosen.kind.item() == "search" and chosen.expression.item() == model.best_
    assert model.n_functions_ == 100 * min(when - 1, 20)
    assert model.score(x, y > 3 if make is classifier else y) > 0.7


def test_ctrl_c_after_an_exact_formula_is_no_loss(monkeypatch):
    interrupt_at(monkeypatch, 45)
    x, y = clean(lambda a, b: a * b)
    assert str(regressor(max_functions=20_000).fit(x, y).best_) == "x0*x1"


def test_verbose_shows_a_bar_with_the_best_formula(capsys):
    x, y = clean(lambda a, b: a * b)
    regressor(verbose=True).fit(x, y)
    shown = capsys.readouterr()
    assert "all rows" in shown.err and "x0*x1" in shown.err and not shown.out
    x, y = noisy()
    regressor(verbose=True, time_budget=0.3, max_functions=None).fit(x, y)
    assert "fold 2 of 2: 100%" in capsys.readouterr().err


# --- what is found ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (lambda a, b: 2 * a - 3 * b + 1, "-3*x1 + 2*x0 + 1"),
        (lambda a, b: 3 * a / b, "3*x0/x1"),
        (lambda a, b: np.pi / 4 * a**2, f"{np.pi / 4}*x0**2"),
        (lambda a, b: b * np.sin(a), "x1*sin(x0)"),
        (lambda a, b: a * b + 0.5, "x0*x1 + 0.5"),
    ],
)
def test_laws_in_clean_data_come_out_exactly(law, text):
    x, y = clean(law)
    model = OccamRegressor(max_functions=20_000, random_state=0).fit(x, y)
    assert str(model.best_) == text
    fresh = np.random.default_rng(9).uniform(-9, 9, (100, 2))
    np.testing.assert_allclose(model.predict(fresh), law(*fresh.T), rtol=1e-12)


def test_bases_may_be_the_name_of_a_set():
    x, y = clean(lambda a, b: a * a + b)
    named = regressor(bases="table1/1").fit(x, y)
    assert named.best_ == regressor(bases=["mul", "mul", "add", "add"]).fit(x, y).best_
    np.testing.assert_allclose(named.predict(x), y)


def test_an_interpolation_is_no_law():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(5, 8)), random.normal(size=5)
    model = OccamRegressor(max_functions=5000, random_state=0, depth=1).fit(x, y)
    assert max(model.result_.error) < 1e-9
    assert model.equations_[model.equations_.chosen].kind.item() == "linear model"


def test_a_noisy_linear_table_is_not_worse_than_ridge():
    random = np.random.default_rng(0)
    x = random.normal(size=(2300, 6))
    y = x @ [1, -2, 0.5, 0, 3, 0] + random.normal(size=2300)
    model = regressor(max_functions=5000).fit(x[:300], y[:300])
    ridge = RidgeCV(np.logspace(-3, 3, 13)).fit(x[:300], y[:300])
    errors = [np.mean((one.predict(x[300:]) - y[300:]) ** 2) for one in (model, ridge)]
    assert errors[0] <= 1.02 * errors[1]


def test_a_linear_model_far_from_the_origin_keeps_its_precision():
    random = np.random.default_rng(0)
    x = 1e6 + random.normal(size=(80, 3))
    y = (x - 1e6) @ [1, 2, 3] + 0.1 * random.normal(size=80)
    model = regressor(folds=0).fit(x, y)
    linear = model.equations_[model.equations_.kind == "linear model"]
    assert linear.loss.item() < 0.02


def test_a_noisy_law_beats_ridge_on_fresh_rows():
    x, y = noisy(150)
    fresh, truth = noisy(500, seed=1, noise=0)
    model = regressor(depth=4, max_functions=20_000, folds=3).fit(x, y)
    assert model.equations_[model.equations_.chosen].kind.item() == "search"
    ridge = RidgeCV().fit(x, y)
    assert np.mean((model.predict(fresh) - truth) ** 2) < 0.5 * np.mean(
        (ridge.predict(fresh) - truth) ** 2
    )


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_digits])
def test_the_classifier_is_not_worse_than_logistic_regression(load):
    x, y = load(return_X_y=True)
    x, fresh, y, truth = train_test_split(x, y, train_size=min(400, 2 * len(y) // 3),
                                          stratify=y, random_state=0)  # fmt: skip
    model = classifier(max_functions=1000).fit(x, y)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    assert model.score(fresh, truth) >= logistic.score(fresh, truth) - 0.03


# --- probabilities ---------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_those_of_the_scores_and_calibrated(classes):
    x, y = noisy(200)
    names = np.array(["low", "mid", "high"])
    y = names[np.digitize(y, [3] if classes == 2 else [2, 5])]
    model = classifier(folds=0).fit(x, y)
    for formula in model.equations_.expression:
        model.best_ = formula
        chances, scores = model.predict_proba(x), model.decision_function(x)
        np.testing.assert_allclose(chances.sum(axis=1), 1)
        if classes == 2:
            assert scores.shape == (200,)
            np.testing.assert_allclose(chances[:, 1], 1 / (1 + np.exp(-scores)))
        else:
            expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            np.testing.assert_allclose(chances, expected)
        assert np.array_equal(model.predict(x), model.classes_[chances.argmax(axis=1)])
        shares = [(y == name).mean() for name in model.classes_]
        np.testing.assert_allclose(chances.mean(axis=0), shares, atol=0.02)


def test_a_class_of_one_row_leaves_no_folds():
    x, y = noisy()
    labels = np.where(y > 3, "a", "b").astype(object)
    labels[0] = "rare"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier().fit(x, labels)
    assert model._choice is None and list(model.classes_) == ["a", "b", "rare"]
    assert model.equations_[model.equations_.chosen].kind.item() == "linear model"
