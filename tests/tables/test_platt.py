"""Calibration against score equations, scikit-learn, and cases that have no finite maximum."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.tables.platt import calibrate, probabilities, smoothed


def drawn(classes: int, rows: int = 300, seed: int = 0):
    """Scores that say something about labels, with weights."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    signal = np.eye(classes)[labels] if classes > 2 else labels[:, None].astype(float)
    scores = 5 + 0.3 * signal + 0.2 * random.normal(size=signal.shape)
    weights = random.uniform(0.5, 2, rows)
    return scores, labels, weights / weights.sum()


def test_probabilities_by_hand():
    np.testing.assert_allclose(probabilities(np.log([[3.0]])), [[0.25, 0.75]])
    np.testing.assert_allclose(probabilities(np.log([[1.0, 2.0, 5.0]])), [[1 / 8, 2 / 8, 5 / 8]])
    extremes = np.array([[np.inf], [-np.inf], [np.nan]])
    np.testing.assert_allclose(probabilities(extremes), [[0, 1], [1, 0], [0.5, 0.5]])


def test_smoothed_indicators_are_those_of_platt():
    labels, weights = np.array([0, 0, 0, 1]), np.full(4, 0.25)
    np.testing.assert_allclose(
        smoothed(labels, weights, 2), [[4 / 5, 1 / 5]] * 3 + [[1 / 3, 2 / 3]]
    )
    three = smoothed(np.array([0, 1, 2, 2]), weights, 3)
    np.testing.assert_allclose(three[3], [1 / 5, 1 / 5, 3 / 5])


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_gradient_is_zero_so_that_mean_probabilities_are_those_wanted(classes):
    scores, labels, weights = drawn(classes)
    slopes, intercepts = calibrate(scores, labels, weights)
    chances = probabilities(slopes * scores + intercepts)
    slack = chances - smoothed(labels, weights, classes)
    np.testing.assert_allclose(weights @ slack, 0, atol=1e-9)
    own = slack[:, -scores.shape[1] :]
    np.testing.assert_allclose(weights @ (own * scores), 0, atol=1e-8)
    shares = np.bincount(labels, weights)
    np.testing.assert_allclose(weights @ chances, shares, atol=classes / len(labels))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_change_of_units_changes_no_probability(classes):
    scores, labels, weights = drawn(classes)
    slopes, intercepts = calibrate(scores, labels, weights)
    other = calibrate(-1e6 * scores + 3, labels, weights)
    np.testing.assert_allclose(
        probabilities(other[0] * (-1e6 * scores + 3) + other[1]),
        probabilities(slopes * scores + intercepts),
        atol=1e-8,
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_that_separate_the_classes_or_say_nothing(classes):
    labels = np.arange(200) % classes
    weights = np.full(200, 1 / 200)
    perfect = labels[:, None].astype(float) if classes == 2 else np.eye(classes)[labels]
    slopes, intercepts = calibrate(perfect, labels, weights)
    chances = probabilities(slopes * perfect + intercepts)
    assert np.isfinite(slopes).all() and (chances.argmax(axis=1) == labels).all()
    assert chances[np.arange(200), labels].min() > 0.9
    slopes, intercepts = calibrate(np.ones_like(perfect), labels, weights)
    np.testing.assert_allclose(probabilities(slopes + intercepts[None]), 1 / classes, atol=1e-9)


def test_the_slope_is_that_of_an_unpenalised_logistic_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    scores, labels, weights = drawn(2, rows=20_000)
    slopes, intercepts = calibrate(scores, labels, weights)
    model = linear_model.LogisticRegression(C=1e9, tol=1e-8)
    model.fit(scores, labels, sample_weight=weights * len(labels))
    # Smoothing has the weight of two rows in 20 000.
    assert slopes[0] == pytest.approx(model.coef_[0, 0], rel=2e-3)
    assert intercepts[0] == pytest.approx(model.intercept_[0], rel=2e-3)
