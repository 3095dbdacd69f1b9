"""Where the sum of two classes is cut, against thresholds known by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from occamhead.heads.threshold import Goal, Said, choose_threshold, goal_of
from occamhead.rows.arrays import ArrayData
from occamhead.training.path import fit_path

pytestmark = pytest.mark.usefixtures("one_thread")

NONE = Said(torch.zeros(0).double(), torch.zeros(0).long(), torch.zeros(0).double())


def said(sums, labels) -> Said:
    sums, labels = torch.as_tensor(sums).double(), torch.as_tensor(labels).long()
    return Said(sums, labels, torch.ones_like(sums))


def logits(rows: int, seed: int, shift: float = 0.0) -> Said:
    """Labels drawn with the probabilities that the sums stand for."""
    rng = np.random.default_rng(seed)
    sums = 3 * rng.standard_normal(rows) + shift
    return said(sums, rng.random(rows) < 1 / (1 + np.exp(-sums)))


def skewed(rows: int, seed: int) -> Said:
    """One class all but silent, the other spread out: the best cut is near 0.5, not at 0."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < 0.5
    return said(np.where(labels, 0.4 + rng.exponential(3, rows), 0.1 * rng.random(rows)), labels)


def right(data: Said, threshold: float, prices=(1.0, 1.0)) -> float:
    weight = torch.tensor(prices).double()[data.labels]
    hit = (data.sums > threshold) == (data.labels == 1)
    return float((weight * hit).sum() / weight.sum())


def test_sums_that_are_right_as_they_are_stay_so():
    kept = [choose_threshold(Goal(), logits(150, seed), NONE) == 0.0 for seed in range(20)]
    assert sum(kept) >= 17


def test_a_threshold_moves_where_it_clearly_helps():
    for seed in range(5):
        rows, fresh = skewed(150, seed), skewed(20000, 100 + seed)
        found = choose_threshold(Goal(), rows, NONE)
        assert right(fresh, 0.0) < 0.55 and right(fresh, found) > 0.9


@pytest.mark.parametrize("prices", [(1.0, 5.0), (8.0, 2.0)])
def test_prices_move_the_threshold_to_where_they_balance(prices):
    """Of true log-odds the best cut is log(price of class 0 / price of class 1)."""
    wanted = math.log(prices[0] / prices[1])
    assert choose_threshold(Goal(prices), logits(200, 1), NONE) == pytest.approx(wanted, abs=0.8)
    rows, fresh = skewed(200, 0), skewed(20000, 9)
    found = choose_threshold(Goal(prices), rows, NONE)
    assert right(fresh, found, prices) >= right(fresh, wanted, prices)


def test_classes_alike_for_balanced_accuracy():
    """True log-odds of 1 in 20: the best mean recall is at log(1/19), of the classes' shares."""
    rows = logits(3000, 2, shift=-6.0)
    share = float(rows.labels.double().mean())
    found = choose_threshold(Goal(balanced=True), rows, NONE)
    assert found == pytest.approx(math.log(share / (1 - share)), abs=0.7)
    assert abs(choose_threshold(Goal(), rows, NONE)) < 0.7


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("rows", [40, 400])
def test_a_recall_holds_on_fresh_rows(label, rows):
    """In the mean over draws, as the conformal rule has it; the other class keeps what it can."""
    recalls = []
    for seed in range(60):
        found = choose_threshold(Goal(recall=(label, 0.9)), logits(rows, seed), NONE)
        fresh = logits(4000, 1000 + seed)
        answer = (fresh.sums > found).long()
        recalls.append(float((answer == label)[fresh.labels == label].double().mean()))
    assert 0.885 < np.mean(recalls) < 0.96


def test_the_names_of_the_classes_do_not_matter():
    rows = skewed(120, 3)
    turned = said(-rows.sums, 1 - rows.labels)
    for goal, other in [
        (Goal(), Goal()),
        (Goal((1.0, 3.0)), Goal((3.0, 1.0))),
        (Goal(recall=(1, 0.8)), Goal(recall=(0, 0.8))),
    ]:
        one, two = (choose_threshold(*each, NONE) for each in ((goal, rows), (other, turned)))
        assert one == pytest.approx(-two, abs=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("f1", "wanted 'accuracy', 'balanced_accuracy'.* got 'f1'"),
        ({"recall": 0.9}, "wanted 'accuracy'.* got {'recall': 0.9}"),
        ({"recall": {"wasps": 0.9}}, "classes among ants, bees, or 0 and 1, got 'wasps'"),
        ({"recall": {"ants": 1.5}}, "above 0 and below 1"),
        ({"recall": {"ants": 0.9, "bees": 0.9}}, "the recall of one class"),
        ({"cost": {"ants": 0}}, "prices above 0, got {'ants': 0}"),
        ({}, "wanted 'accuracy'"),
    ],
)
def test_wrong_goals_are_named(given, message):
    with pytest.raises(ValueError, match=f"threshold: .*{message}"):
        goal_of(given, "accuracy", ("ants", "bees"))


def test_goals_as_they_are_given():
    names = ("ants", "bees")
    assert goal_of(None, "balanced_accuracy", names) == Goal(balanced=True)
    assert goal_of("accuracy", "balanced_accuracy", names) == Goal()
    assert goal_of({"cost": {"bees": 5}}, "accuracy", names) == Goal((1.0, 5.0))
    assert goal_of({"recall": {"bees": 0.95}}, "accuracy", names) == Goal(recall=(1, 0.95))
    assert goal_of({"recall": {0: 0.9}}, "accuracy", None) == Goal(recall=(0, 0.9))


def test_the_formula_of_a_path_keeps_a_recall(planted):
    data = planted(rows=400, features=10, informative=2)
    x, y = torch.as_tensor(data.test[0]), torch.as_tensor(data.test[1])
    found = {}
    for name, threshold in (("plain", None), ("recall", {"recall": {1: 0.97}})):
        head = fit_path(data.data(), [2], threshold=threshold).points[0].head
        assert torch.equal(head.formula()(x).argmax(1), head.predict(x))
        found[name] = float((head.predict(x) == 1)[y == 1].double().mean())
    assert found["plain"] < 0.93 < 0.95 < found["recall"]


def test_held_out_accuracy_stays_honest_where_there_is_nothing_to_learn():
    held = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((60, 5)).astype(np.float32), np.arange(60) % 2
        held.append(fit_path(ArrayData((x, y), (x[:20] + 1, y[:20]), (x, y)), [1], folds=3))
    rates = [path.points[0].validation_accuracy for path in held]
    assert np.mean(rates) < 0.6


def test_three_classes_have_no_threshold(planted):
    data = planted(rows=90, features=6, classes=3).data()
    with pytest.raises(ValueError, match=r"threshold: .* got 3 classes and nodes=0; leave thres"):
        fit_path(data, [2], threshold="accuracy")
