"""What the estimators find, beside linear models; probabilities of classes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from occamhead.problems import load
from occamhead.tables.estimators import OccamRegressor
from tests.tables.small import classifier, clean, noisy, regressor


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (lambda a, b: 2 * a - 3 * b + 1, "2*x0 - 3*x1 + 1"),
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "functions"), [("squared", 5000), ("relative", 20_000), ("absolute", 5000)]
)
def test_keplers_six_rows_are_his_law(loss, functions):
    (kepler,) = (law for law in load("firstprinciples") if law.name == "kepler")
    rows = np.array(kepler.observed)
    model = OccamRegressor(loss=loss, max_functions=functions, random_state=0)
    model.fit(rows[:, :1], rows[:, 1])
    far = np.array([[19.2], [30.1]])  # Uranus, Neptune
    np.testing.assert_allclose(model.predict(far), [30688.5, 60182.0], rtol=0.02)
    assert model.best_.complexity <= 5


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_noisy_law_beats_ridge_on_fresh_rows():
    x, y = noisy(150)
    fresh, truth = noisy(500, seed=1, noise=0)
    model = regressor(depth=4, max_functions=20_000, folds=3).fit(x, y)
    assert model.equations_[model.equations_.chosen].kind.item() in ("search", "direct fit")
    ridge = RidgeCV().fit(x, y)
    assert np.mean((model.predict(fresh) - truth) ** 2) < 0.5 * np.mean(
        (ridge.predict(fresh) - truth) ** 2
    )


@pytest.mark.slow
@pytest.mark.parametrize("table", [load_iris, load_breast_cancer, load_digits])
def test_the_classifier_is_not_worse_than_logistic_regression(table):
    x, y = table(return_X_y=True)
    x, fresh, y, truth = train_test_split(x, y, train_size=min(400, 2 * len(y) // 3),
                                          stratify=y, random_state=0)  # fmt: skip
    model = classifier(max_functions=1000).fit(x, y)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    assert model.score(fresh, truth) >= logistic.score(fresh, truth) - 0.03


# --- probabilities ---------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_class_of_one_row_leaves_no_folds():
    x, y = noisy()
    labels = np.where(y > 3, "a", "b").astype(object)
    labels[0] = "rare"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier().fit(x, labels)
    assert model._choice is None and list(model.classes_) == ["a", "b", "rare"]
    assert model.equations_[model.equations_.chosen].kind.item() == "linear model"
