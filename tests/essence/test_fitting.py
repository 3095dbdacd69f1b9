"""What is learned: exactly, from how few rows, and how short."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence import description_length, fit_circuit
from tests.essence.rules import CENTRE, bits, next_cell

LIFE_WINDOWS = bits(9)


@pytest.mark.slow
def test_all_elementary_cellular_automata():
    windows = bits(3)
    circuits = []
    for rule in range(256):
        cell = (rule >> (windows @ [1, 2, 4])) & 1
        circuits.append(fit_circuit(windows, cell, classes=2))
        assert (circuits[-1].predict(windows) == cell).all(), rule
    assert np.mean([len(circuit.weights) for circuit in circuits]) <= 1.65
    assert np.mean([len(circuit.literals) for circuit in circuits]) <= 2.65


@pytest.mark.parametrize("strategy", ["one_sided", "joint", "shortest"])
def test_life_of_all_windows(strategy):
    cell = next_cell(LIFE_WINDOWS)
    circuit = fit_circuit(LIFE_WINDOWS, cell, strategy=strategy)
    assert (circuit.predict(LIFE_WINDOWS) == cell).all()
    assert circuit.weights.shape == (2, 9) and len(circuit.literals) == 3


def test_life_of_100_random_windows():
    exact = 0
    for seed in range(30):
        windows = np.random.default_rng(seed).integers(0, 2, (100, 9))
        circuit = fit_circuit(windows, next_cell(windows))
        exact += bool((circuit.predict(LIFE_WINDOWS) == next_cell(LIFE_WINDOWS)).all())
        neighbours = np.delete(circuit.weights, CENTRE, axis=1)
        assert (neighbours == neighbours[:, :1]).all(), seed
    assert exact >= 28


def test_another_rule_of_250_random_windows():
    """HighLife: its margins are not symmetric on partial data, equal columns make it so."""
    rule = ((3, 6), (2, 3))
    truth = next_cell(LIFE_WINDOWS, rule)
    exact = 0
    for seed in range(10):
        windows = np.random.default_rng(seed).integers(0, 2, (250, 9))
        circuit = fit_circuit(windows, next_cell(windows, rule))
        exact += bool((circuit.predict(LIFE_WINDOWS) == truth).all())
    assert exact >= 9


def test_life_of_noisy_windows():
    generator = np.random.default_rng(0)
    windows = generator.integers(0, 2, (10_000, 9))
    cell = next_cell(windows) ^ (generator.random(10_000) < 0.1)
    circuit = fit_circuit(windows, cell)
    assert (circuit.predict(LIFE_WINDOWS) == next_cell(LIFE_WINDOWS)).all()


@pytest.mark.parametrize("inputs", [4, 5, 6])
@pytest.mark.parametrize("name", ["parity", "majority", "remainder"])
def test_sums_of_bits(inputs, name):
    x = bits(inputs)
    total = x.sum(axis=1)
    y = {"parity": total % 2, "majority": (total > inputs / 2) * 1, "remainder": total % 3}[name]
    circuit = fit_circuit(x, y)
    assert (circuit.predict(x) == y).all()
    assert (np.abs(circuit.weights) == 1).all() and len(np.unique(circuit.weights, axis=0)) == 1
    # As few thresholds as the sum has changes of class.
    changes = np.diff([y[total == s][0] for s in range(inputs + 1)]) != 0
    assert len(circuit.weights) == changes.sum()


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_comparison_is_one_differentia_of_powers_of_two(size):
    x, powers = bits(2 * size), 2 ** np.arange(size)
    circuit = fit_circuit(x, (x[:, :size] @ powers > x[:, size:] @ powers).astype(int))
    assert circuit.weights.tolist() == [[*powers, *-powers]]
    assert circuit.bias.tolist() == [-0.5]


def test_a_bit_of_a_sum_is_one_direction_with_three_thresholds():
    x, powers = bits(8), 2 ** np.arange(4)
    y = ((x[:, :4] @ powers + x[:, 4:] @ powers) >> 2) & 1
    circuit = fit_circuit(x, y)
    assert (circuit.predict(x) == y).all()
    assert np.unique(circuit.weights, axis=0).tolist() == [[1, 2, 4, 0] * 2]
    assert sorted(circuit.bias) == [-11.5, -7.5, -3.5]


def test_argmax_of_three_numbers():
    generator = np.random.default_rng(0)
    x = np.array([generator.permutation(20)[:3] for _ in range(5000)])
    circuit = fit_circuit(x[:50], x[:50].argmax(axis=1))
    assert (circuit.predict(x) == x.argmax(axis=1)).all()
    assert (circuit.bias == 0).all() and (np.abs(circuit.weights).sum(axis=1) == 2).all()


@pytest.mark.parametrize("strategy", ["one_sided", "joint"])
@pytest.mark.parametrize("seed", range(30))
def test_random_labels_are_learned_exactly(strategy, seed):
    generator = np.random.default_rng(seed)
    rows, inputs, classes = generator.integers((1, 1, 1), (40, 7, 5))
    low, high = ((0, 2), (-4, 5), (-1000, 1000))[seed % 3]
    x = np.unique(generator.integers(low, high, (rows, inputs)), axis=0)
    y = generator.integers(0, classes, len(x))
    circuit = fit_circuit(x, y, classes=int(classes), strategy=strategy)
    assert (circuit.predict(x) == y).all()
    # No row is explained by two classes, and no subconcept, literal or plane is idle.
    held = circuit.subconcepts(x)
    for s, concept in enumerate(circuit.concepts):
        assert (y[held[:, s]] == concept).all() and held[:, s].any()
    used = {d for terms in circuit.literals for d, _ in terms}
    assert used == set(range(len(circuit.weights)))


def test_the_shortest_is_the_shorter_of_both():
    for seed in range(5):
        x = np.random.default_rng(seed).integers(0, 2, (120, 9))
        lengths = {
            strategy: description_length(fit_circuit(x, next_cell(x), strategy=strategy))
            for strategy in ("one_sided", "joint", "shortest")
        }
        assert lengths["shortest"] == min(lengths.values())


def test_constant_inputs_get_no_weight():
    x = np.column_stack([bits(3), np.full(8, 7)])
    circuit = fit_circuit(x, x[:, :3].sum(axis=1) % 2)
    assert (circuit.weights[:, 3] == 0).all() and (circuit.weights[:, :3] != 0).all()


def test_a_single_class_is_a_circuit_without_differentiae():
    circuit = fit_circuit(bits(3), np.ones(8, dtype=int), classes=3)
    assert circuit.weights.shape == (0, 3) and circuit.literals == ((),)
    assert circuit.predict([[1, 1, 1]]).tolist() == [1]
    assert description_length(circuit) == 2


def test_what_cannot_be_learned_is_told(monkeypatch):
    with pytest.raises(ValueError, match="one_sided, joint, shortest, got 'greedy'"):
        fit_circuit([[0], [1]], [0, 1], strategy="greedy")
    monkeypatch.setattr("occamhead.essence.fitting.MAX_SUBCONCEPTS", 3)
    with pytest.raises(ValueError, match=r"more than 3 subconcepts .*raise min_support"):
        fit_circuit(bits(4), bits(4).sum(axis=1) % 2)


def test_a_fit_is_given_up_when_its_time_is_over():
    x = np.random.default_rng(0).integers(0, 2, (400, 12))
    y = np.random.default_rng(1).integers(0, 2, 400)
    with pytest.raises(ValueError, match=r"more than the time limit .* or the limit"):
        fit_circuit(x, y, time_limit=0.0)
    # What separates at once needs no cut, so that there is nothing to give up.
    assert (fit_circuit(x, x[:, 3], time_limit=0.0).predict(x) == x[:, 3]).all()


def test_labels_may_be_far_apart_or_floats():
    x = np.arange(4000)[:, None] % 2000
    circuit = fit_circuit(x, np.where(x[:, 0] < 1000, 0, 10**6))
    assert circuit.classes == 10**6 + 1
    assert circuit.predict([[3], [1999]]).tolist() == [0, 10**6]
    assert fit_circuit([[0], [1]], [0.0, 1.0]).predict([[1], [0]]).tolist() == [1, 0]


def test_rows_that_contradict_others_are_counted(caplog):
    fit_circuit([[0, 0], [0, 0], [0, 0], [0, 1]], [0, 0, 1, 1])
    assert "1 of 4 rows contradict others" in caplog.text
