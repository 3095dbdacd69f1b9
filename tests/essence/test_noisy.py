"""Rules out of rows some of whose labels are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence import fit_circuit, fit_noisy_circuit

pytest.importorskip("sklearn")


def planted(rows: int, inputs: int, flips: float, seed: int):
    """Bits, labels of `x3 and x7 or x9` of which so many are flipped, and which were."""
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 2, (rows, inputs))
    wrong = generator.random(rows) < flips
    return x, truth(x) ^ wrong, wrong


def truth(x):
    return x[:, 3] & x[:, 7] | x[:, 9]


def check(rows: int, inputs: int, flips: float, seed: int) -> None:
    x, labels, wrong = planted(rows, inputs, flips, seed)
    fit = fit_noisy_circuit(x, labels)
    fresh = np.random.default_rng(seed + 100).integers(0, 2, (20_000, inputs))
    assert (fit.circuit.predict(fresh) == truth(fresh)).all()
    assert fit.misfits.tolist() == np.flatnonzero(wrong).tolist()


@pytest.mark.parametrize("flips", [0.0, 0.05])
def test_a_planted_rule_is_found_and_what_does_not_fit_is_listed(flips):
    check(500, 12, flips, 0)


@pytest.mark.slow
@pytest.mark.parametrize("flips", [0.0, 0.01, 0.05, 0.1])
@pytest.mark.parametrize("rows", [1000, 5000])
@pytest.mark.parametrize("seed", range(10))
def test_the_planted_rule_at_every_share_of_flips(rows, flips, seed):
    check(rows, 20, flips, seed)


@pytest.mark.slow
@pytest.mark.parametrize("flips", [0.01, 0.1])
def test_a_majority_is_found_although_no_small_tree_says_it(flips):
    generator = np.random.default_rng(0)
    x = generator.integers(0, 2, (1000, 20))
    rule = x[:, :5].sum(axis=1) > 2
    fit = fit_noisy_circuit(x, rule ^ (generator.random(1000) < flips))
    assert (fit.circuit.predict(x) == rule).all()
    assert len(fit.circuit.weights) == 1


def test_where_no_label_is_wrong_none_is_given_up():
    x = np.stack(np.meshgrid(*[[0, 1]] * 7), axis=-1).reshape(-1, 7)
    labels = x[:, :5].sum(axis=1) == 2
    fit = fit_noisy_circuit(x, labels)
    assert not len(fit.misfits)
    assert (fit.circuit.predict(x) == fit_circuit(x, labels).predict(x)).all()


def test_labels_without_a_rule_give_the_most_frequent_class():
    generator = np.random.default_rng(1)
    x, labels = generator.integers(0, 2, (300, 6)), (generator.random(300) < 0.3).astype(int)
    fit = fit_noisy_circuit(x, labels)
    assert not fit.circuit.predict(x).any() and not len(fit.circuit.weights)
    assert fit.circuit.inputs == 6 and fit.held_out_right == pytest.approx((labels == 0).mean())


def test_the_same_seed_gives_the_same_circuit():
    x, labels, _ = planted(200, 10, 0.1, 3)
    one, other = fit_noisy_circuit(x, labels), fit_noisy_circuit(x, labels)
    assert one.labels_from == other.labels_from
    assert one.circuit.literals == other.circuit.literals
    np.testing.assert_array_equal(one.circuit.weights, other.circuit.weights)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows(rows):
    x, labels = np.arange(rows)[:, None], np.arange(rows) % 2
    assert fit_noisy_circuit(x, labels).circuit.predict(x).shape == (rows,)


def test_one_fold_holds_nothing_out():
    with pytest.raises(ValueError, match="folds must be at least 2, got 1"):
        fit_noisy_circuit([[0], [1]], [0, 1], folds=1)


def test_without_time_the_most_frequent_class_is_left_and_it_is_said(caplog):
    x, labels, _ = planted(200, 10, 0.0, 0)
    fit = fit_noisy_circuit(x, labels, time_limit=0.0)
    assert (fit.circuit.predict(x) == np.bincount(labels).argmax()).all()
    assert "time limit of 0 CPU seconds" in caplog.text
