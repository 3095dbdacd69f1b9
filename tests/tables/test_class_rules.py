"""Rules for classes: what is planted is found, short and rounded, and beats its rivals fairly."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from occamhead.expression.numbers import numbers
from occamhead.tables.class_rules import WIDTHS, rules
from occamhead.tables.class_scores import ScoredRows
from occamhead.tables.estimators import OccamClassifier
from occamhead.tables.platt import probabilities
from occamhead.tables.sorted_rows import SortedRows, sort_rows

PRODUCTS = ("mul", "div", "log")


def table(x, labels) -> SortedRows:
    classes = labels.max() + 1
    targets = labels[:, None].astype(float) if classes == 2 else np.eye(classes)[labels]
    return sort_rows(x, targets, labels, np.ones(len(x)))


def planted(seed: int, rows: int = 400):
    """2*x3 > x7 + 0.5 of 20 inputs, one label in twenty wrong."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 20))
    labels = (2 * x[:, 3] > x[:, 7] + 0.5).astype(int)
    return x, np.where(random.random(rows) < 0.05, 1 - labels, labels)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_rule_of_two_of_twenty_inputs_is_found_as_itself(seed):
    x, labels = planted(seed)
    model = OccamClassifier(max_functions=5000, random_state=0).fit(x, labels)
    assert model.best_.features == (3, 7) and model.best_.complexity <= 9
    unit = np.zeros((3, 20))
    unit[1, 3] = unit[2, 7] = 1
    level, *slopes = model.best_(unit)[:, 0]
    slopes -= level
    assert slopes[1] / slopes[0] == pytest.approx(-0.5, abs=0.15)
    assert -level / slopes[0] == pytest.approx(0.25, abs=0.1)
    fresh, _ = planted(seed + 100, 2000)
    assert (model.predict(fresh) == (2 * fresh[:, 3] > fresh[:, 7] + 0.5)).mean() > 0.97


@pytest.mark.parametrize(
    "law, inputs",
    [(lambda x: x[:, 0] > 1.5 * x[:, 1], (0, 1)), (lambda x: x[:, 2] * x[:, 4] > 8, (2, 4))],
    ids=["quotient", "product"],
)
def test_products_and_quotients_are_terms_where_they_are_allowed(law, inputs):
    x = np.random.default_rng(1).uniform(1, 5, (200, 6))
    found = rules(table(x, law(x).astype(int)), 30, PRODUCTS)[1]
    assert found.features == inputs and found.num_constants <= 2
    assert ((found(x)[:, 0] > 0) == law(x)).mean() > 0.98
    plain = rules(table(x, law(x).astype(int)), 30)
    assert all(node.children == () for f in plain for node in f.nodes[:-1])


@pytest.mark.slow
def test_three_classes_have_a_short_score_each():
    x, y = load_iris(return_X_y=True)
    model = OccamClassifier(max_functions=2000, random_state=0).fit(x, y)
    assert len(model.best_) == 3 and model.best_.complexity <= 25
    assert model.score(x, y) >= 0.96
    chances = model.predict_proba(x)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert (chances >= 0).all()
    chosen = model.equations_[model.equations_.chosen]
    assert 0.93 <= chosen.cross_validated_accuracy.item() <= 1
    assert [line.split(" = ")[0] for line in model.rule()] == ["0", "1", "2"]


@pytest.mark.slow
def test_a_long_formula_is_taken_only_where_it_is_clearly_better():
    random = np.random.default_rng(0)
    x = random.normal(size=(800, 16))
    slightly = x @ np.r_[3, 3, 0.2 * np.ones(14)] + random.logistic(size=800) > 0
    model = OccamClassifier(max_functions=1000, random_state=0).fit(x, slightly)
    assert model.best_.complexity <= 25
    clearly = x @ np.ones(16) > 0
    model = OccamClassifier(max_functions=1000, random_state=0).fit(x, clearly)
    assert model.best_.complexity > 25 and model.score(x, clearly) > 0.95
    assert OccamClassifier().max_complexity == 25


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::occamhead.tables.NoLawWarning")  # in most of the samples
def test_noise_is_told_by_nothing():
    for seed in range(5):
        random = np.random.default_rng(seed)
        x, labels = random.normal(size=(200, 10)), random.integers(0, 2, 200)
        model = OccamClassifier(max_functions=1000, random_state=0).fit(x, labels)
        held_out = model.equations_[model.equations_.chosen].cross_validated_loss.item()
        assert held_out < 0.72 and model.best_.complexity <= 9


def test_numbers_are_those_of_the_greatest_likelihood():
    random = np.random.default_rng(2)
    x = random.normal(size=(500, 2))
    labels = (x @ [1, -2] + random.logistic(size=500) > 0).astype(int)
    rows = ScoredRows((x - x.mean(axis=0)) / x.std(axis=0), table_in_order(x, labels), 1e3)
    scores = rows.fit(((0, 0), (0, 1)))
    wanted = LogisticRegression(C=1e6).fit(rows.columns, labels)
    np.testing.assert_allclose(scores.numbers[1:], wanted.coef_[0], rtol=2e-3)
    # The estimated gain of a further term is what a fit finds, where it is small.
    alone = rows.fit(((0, 1),))
    estimated = rows.gains(alone, np.array([0, 1]))[0]
    assert estimated[1] == pytest.approx(0, abs=0.01 * estimated[0])
    assert estimated[0] == pytest.approx(alone.penalised - scores.penalised, rel=0.25)


def table_in_order(x, labels) -> SortedRows:
    return SortedRows(x, labels[:, None].astype(float), labels, np.full(len(x), 1 / len(x)))


@pytest.mark.slow
def test_rounding_costs_next_to_nothing():
    x, y = load_wine(return_X_y=True)
    for formula in rules(table(x, y), 60)[1:]:
        assert all(len(f"{number:.15g}".strip("-0.").replace(".", "")) <= 5
                   for number in numbers(formula))  # fmt: skip
    accuracies = [(probabilities(f(x)).argmax(axis=1) == y).mean() for f in rules(table(x, y), 60)]
    assert max(accuracies) > 0.98 and accuracies[2 * len(WIDTHS)] > 0.85


def test_what_a_short_time_leaves_out_is_said():
    random = np.random.default_rng(0)
    x = random.normal(size=(3000, 20))
    labels = (x[:, :4] @ random.normal(size=(4, 4)) + random.gumbel(size=(3000, 4))).argmax(axis=1)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        model = OccamClassifier(time_budget=0.05, random_state=0).fit(x, labels)
    said = [str(note.message) for note in notes if note.category is ConvergenceWarning]
    assert any("0.05 s are used up" in text for text in said)
    assert model.score(x, labels) > 0.4
