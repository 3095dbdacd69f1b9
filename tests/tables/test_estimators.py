"""The estimators: scikit-learn's contract, and laws of their results."""

from __future__ import annotations

import pickle
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from occamhead.expression import Expression
from occamhead.network.bases import BASES, register_basis
from tests.tables.small import assert_same_fit, classifier, clean, noisy, regressor

# --- scikit-learn's contract -----------------------------------------------------------------

# Each of these fits many tables, or long ones; the others see the same contract in a second or two.
LONG = (
    "check_array_api", "check_classifier", "check_dtype_object", "check_estimators_dtypes",
    "check_estimators_nan_inf", "check_fit_idempotent", "check_pipeline_consistency",
    "check_regressor", "check_sample_weight", "check_supervised",
)  # fmt: skip
CHECKS = [
    pytest.param(
        estimator,
        check,
        id=f"{type(estimator).__name__}-{number}-{check.func.__name__}",
        marks=[pytest.mark.slow] if check.func.__name__.startswith(LONG) else [],
    )
    for made in (regressor(), classifier(folds=0))
    for number, (estimator, check) in enumerate(estimator_checks_generator(made))
]


@pytest.mark.filterwarnings("ignore::occamhead.tables.NoLawWarning")  # some fit noise
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("make", [regressor, classifier])
def test_the_order_of_rows_does_not_matter_to_search_and_folds(make):
    x, y = noisy()
    y = y > 3 if make is classifier else y
    order = np.random.default_rng(1).permutation(len(x))
    one, other = make(folds=3).fit(x, y), make(folds=3).fit(x[order], y[order])
    assert one._choice is not None
    assert_same_fit(one, other)


@pytest.mark.slow
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


@pytest.mark.slow
def test_equal_fractions_of_weight_change_nothing_and_unequal_ones_do():
    x, y = noisy()
    plain = regressor().fit(x, y)
    assert_same_fit(plain, regressor().fit(x, y, np.full(len(x), 0.5)))
    # Rows that hold another law, next to no weight on them.
    both, law = np.concatenate([x, x]), np.concatenate([x[:, 0] * x[:, 1], -x[:, 0]])
    weights = np.repeat([1.5, 1e-9], len(x))
    model = regressor(max_functions=4000).fit(both, law, weights)
    np.testing.assert_allclose(model.predict(x), x[:, 0] * x[:, 1], rtol=1e-3)


@pytest.mark.slow
def test_the_same_random_state_gives_the_same_formula_and_another_one_another():
    x, y = noisy()
    assert_same_fit(regressor().fit(x, y), regressor().fit(x, y))
    assert any(
        not regressor().fit(x, y).equations_.equals(regressor(random_state=s).fit(x, y).equations_)
        for s in (1, 2)
    )


# --- laws of the results ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [regressor, classifier])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_equations_are_a_pareto_front_with_one_chosen_row(make, seed):
    x, y = noisy(seed=seed)
    y = np.digitize(y, [2, 5]) if make is classifier else y
    model = make(random_state=seed, folds=3).fit(x, y)
    table = model.equations_
    assert table.kind.isin(["search", "direct fit"]).any()
    assert list(table.complexity) == [formula.complexity for formula in table.expression]
    front = table[~table.chosen & (table.kind != "linear model")]
    assert (np.diff(front.complexity) > 0).all() and (np.diff(front.loss) < 0).all()
    assert list(table.kind).count("linear model") == 1 and table.chosen.sum() == 1
    assert table[table.chosen].expression.item() == model.best_
    assert table.cross_validated_loss.notna().all()
    assert list(table.equation) == [str(formula) for formula in table.expression]
    assert np.array_equal(model._evaluate(x), model.best_(x))


@pytest.mark.slow
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


@pytest.mark.slow
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


# --- what is no number, and other processes ------------------------------------------------------


def test_columns_of_text_are_named_with_a_remedy():
    x, y = noisy()
    frame = pd.DataFrame(x, columns=["mass", "speed"]).assign(colour="red", place="7")
    with pytest.raises(ValueError, match=r"'colour' hold text; .*get_dummies"):
        regressor().fit(frame, y)
    with pytest.raises(ValueError, match="'column 1' hold text"):
        classifier().fit(np.array([["1", "a"], ["2", "b"]]), [0, 1])


def test_booleans_are_classes():
    x, y = noisy()
    with pytest.raises(ValueError, match=r"OccamClassifier; .*y\.astype"):
        regressor().fit(x, y > 3)
    model = classifier().fit(x, y > 3)
    assert model.predict(x).dtype == bool and list(model.classes_) == [False, True]


@pytest.fixture
def gauss():
    basis = register_basis("gauss_of_test", "exp(-(x - c)**2)", args="x", constants={"c": 0.0})
    yield basis
    BASES.pop("gauss_of_test", None)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_process_that_does_not_know_a_basis_learns_it(gauss, by_name):
    bases = (gauss.name if by_name else gauss, "add", "mul_constant")
    model = regressor(bases=bases)
    pickled = pickle.dumps(model)
    del BASES[gauss.name]
    copy = pickle.loads(pickled)
    assert BASES[gauss.name] == gauss and "_own_bases" not in vars(copy)
    x, _ = clean(lambda a, b: a)
    y = 2 * np.exp(-((x[:, 0] - 2.5) ** 2))
    assert copy.fit(x, y).score(x, y) == pytest.approx(1)
    del BASES[gauss.name]
    register_basis(gauss.name, "x + 1", args="x")
    with pytest.raises(ValueError, match="registered here as"):
        pickle.loads(pickled)
