"""What features are worth, against the same computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead import Expression
from occamhead.explain import Spread, explain_features
from occamhead.explain.features import extremes

FORMULA = Expression.parse(
    ["2*x0 - x3 + 0.5", "x1*x1 - 0.3*x0 + max(x3, 0)", "0.1*x4"], num_inputs=6
)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 6)).astype(np.float32)
    return x, generator.integers(0, 3, 200), Spread.of(generator.normal(1, 2, (50, 6)))


@pytest.fixture(scope="module")
def features(rows):
    x, y, spread = rows
    return {f.index: f for f in explain_features(FORMULA, spread, x, y, examples=3, seed=7)}


def accuracy(x, y):
    return float(np.mean(FORMULA(x.astype(np.float64)).argmax(axis=1) == y))


def test_every_feature_is_there_with_its_users(features):
    assert sorted(features) == [0, 1, 3, 4]
    assert features[0].users == ((0, 2.0), (1, -0.3))
    assert features[1].users == ((1, None),)  # x1*x1 is no term of x1
    assert features[3].users == ((0, -1.0), (1, None))
    assert features[4].users == ((2, 0.1),)


@pytest.mark.parametrize("index", [0, 1, 3, 4])
def test_removal_is_as_computed_by_hand(features, rows, index):
    x, y, spread = rows
    replaced = x.astype(np.float64)
    replaced[:, index] = spread.mean[index]
    feature = features[index]
    assert feature.accuracy == accuracy(x, y)
    assert feature.without == accuracy(replaced, y)
    before, after = (FORMULA(rows.astype(np.float64)) for rows in (x, replaced))
    assert feature.changed == np.sum(before.argmax(axis=1) != after.argmax(axis=1)) > 0
    assert feature.effect == pytest.approx(np.abs(before - after).max(axis=1).mean())


@pytest.mark.parametrize("index", [0, 4])
def test_shuffling_is_as_computed_by_hand(features, rows, index):
    x, y, _ = rows
    generator = np.random.default_rng(7)
    found = []
    for _ in range(5):
        shuffled = x.copy()
        shuffled[:, index] = x[generator.permutation(200), index]
        found.append(accuracy(shuffled, y))
    assert features[index].shuffled == pytest.approx(np.mean(found), abs=1e-15)


def test_the_extremes_are_the_extremes(features, rows):
    x, _, _ = rows
    for index, feature in features.items():
        order = np.argsort(x[:, index])
        assert list(feature.least) == order[:3].tolist()
        assert list(feature.most) == order[::-1][:3].tolist()


def test_equals_are_taken_from_all_over():
    values = np.array([0.0] * 50 + [-1.0] + [0.0] * 50)
    first, *rest = extremes(values, 4)
    assert first == 50 and rest == [0, 50 - 1 + 1 + 1, 100]
    assert extremes(np.zeros(2), 5) == (0, 1)


def test_shares_are_of_each_class(features, rows):
    x, y, _ = rows
    for index, feature in features.items():
        assert feature.shares.sum(axis=1) == pytest.approx([1, 1, 1])
        lowest = x[:, index] < feature.edges[1]
        for k in range(3):
            assert feature.shares[k, 0] == pytest.approx(np.mean(lowest[y == k]))


def test_the_most_important_come_first(rows):
    x, y, spread = rows
    features = explain_features(FORMULA, spread, x, y)
    worth = [(f.without, -f.changed) for f in features]
    assert worth == sorted(worth)
    again = explain_features(FORMULA, spread, x, y)
    assert [(f.index, f.shuffled) for f in again] == [(f.index, f.shuffled) for f in features]


def test_formulas_that_are_not_defined_everywhere():
    formula = Expression.parse(["x0/x1", "log(x0)"])
    x = np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 2.0], [2.0, 1.0]], dtype=np.float32)
    # Scores: inf and 0; NaN and -inf; -0.5 and NaN; 2 and 0.7. NaN counts as highest.
    features = explain_features(formula, Spread.of(x), x, np.array([0, 0, 1, 0]))
    assert [feature.accuracy for feature in features] == [1.0, 1.0]
    assert all(np.isfinite(feature.effect) for feature in features)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((3, 5))}, r"rows of 6 features, at least one, got \[3, 5\]"),
        ({"labels": np.full(200, 3)}, "one class of 0 to 2 per row"),
        ({"labels": np.zeros(199, dtype=int)}, "one class of 0 to 2 per row"),
        ({"examples": 0}, "examples must be at least 1"),
        ({"formula": FORMULA[0]}, "a formula per class"),
    ],
)
def test_bad_input_is_refused(rows, change, message):
    x, y, spread = rows
    given = {"formula": FORMULA, "spread": spread, "x": x, "labels": y, **change}
    with pytest.raises(ValueError, match=message):
        explain_features(**given)
