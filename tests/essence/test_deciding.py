"""An input that decides alone where the patterns allow it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from occamhead.essence import Circuit, fit_circuit
from occamhead.essence.deciding import with_deciding_input
from occamhead.essence.patterns import pool
from tests.essence.rules import CENTRE, WINDOW_SUM, bits, next_cell


def between(weights: list[int], low: float, high: float) -> Circuit:
    """Class 1 where the weighted sum lies between two numbers."""
    literals = (((0, True), (1, False)), ((0, False),), ((1, True),))
    planes = np.array([weights, weights])
    return Circuit(planes, np.array([-low, -high]), literals, (1, 0, 0), 2, 0)


def count_and_bit(circuit: Circuit) -> list[list[int]]:
    """The classes by the bit and the count of four, the last input and the others."""
    return [circuit.predict([[count, bit] for count in range(5)]).tolist() for bit in (0, 1)]


def test_a_set_bit_decides_what_was_not_seen():
    x = np.array([[n, c] for n in range(5) for c in (0, 1) if (n, c) != (0, 1)])
    patterns = pool(x, (x[:, 1] == 0) & (x[:, 0] == 2), classes=2)
    short = between([1, 2], 1.5, 2.5)
    assert count_and_bit(short) == [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]
    raised = with_deciding_input(short, patterns)
    assert count_and_bit(raised) == [[0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert raised.weights.tolist() == [[1, 3]] * 2 and raised.bias.tolist() == [-1.5, -2.5]


def test_a_cleared_bit_decides_as_well():
    """The same with the bit turned round: its weight is -3, and the thresholds move with it."""
    x = np.array([[n, c] for n in range(5) for c in (0, 1) if (n, c) != (0, 0)])
    patterns = pool(x, (x[:, 1] == 1) & (x[:, 0] == 2), classes=2)
    raised = with_deciding_input(between([1, -2], -0.5, 0.5), patterns)
    assert count_and_bit(raised) == [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert raised.weights.tolist() == [[1, -3]] * 2 and raised.bias.tolist() == [1.5, 0.5]


@pytest.mark.parametrize("low", [0, -3])
def test_what_a_pattern_contradicts_is_left(low):
    x = np.array([[n, c] for n in range(low, low + 5) for c in (0, 1)])
    circuit = between([1, 2], low + 1.5, low + 2.5)
    assert with_deciding_input(circuit, pool(x, circuit.predict(x))) is circuit


def test_inputs_that_share_a_column_have_more_values_or_only_signs_are_left():
    x = bits(3)[[0, 7]]
    for circuit in (between([1, 2, 2], 0.5, 3.5), between([1, -1, 0], 0.5, 3.5)):
        patterns = pool(x, circuit.predict(x), classes=2)
        assert with_deciding_input(circuit, patterns) is circuit
    x = np.array([[0, 0], [1, 0], [0, 1], [0, 2]])
    circuit = between([1, 2], 0.5, 1.5)
    assert with_deciding_input(circuit, pool(x, circuit.predict(x))) is circuit


@pytest.mark.parametrize("seed", range(20))
def test_no_pattern_changes_its_class_and_one_input_settles(seed):
    generator = np.random.default_rng(seed)
    weights = generator.integers(-4, 5, (3, 4))
    literals = (((0, True), (1, False)), ((2, True), (0, False)))
    circuit = Circuit(weights, generator.integers(-4, 4, 3) + 0.5, literals, (1, 1), 2, 0)
    x = generator.choice([0, 3], (8, 4))
    raised = with_deciding_input(circuit, pool(x, circuit.predict(x), classes=2))
    assert (raised.predict(x) == circuit.predict(x)).all()
    changed = np.flatnonzero((raised.weights != circuit.weights).any(axis=0))
    assert len(changed) <= 1
    box = np.array([*itertools.product(*(np.unique(column) for column in x.T))])
    for k in changed:
        enters = raised.weights[:, k] != 0
        assert (enters == (circuit.weights[:, k] != 0)).all()
        rows = [box[box[:, k] == value] for value in (0, 3)]
        settled = [len(np.unique(raised.differentiae(r)[:, enters], axis=0)) == 1 for r in rows]
        same = [(raised.differentiae(r) == circuit.differentiae(r)).all() for r in rows]
        assert (settled[0] and same[1]) or (settled[1] and same[0])


def test_one_input_decides_or_the_weights_would_double_with_every_other():
    weights = [2**k for k in range(2, 12)]
    circuit = between(weights, 1.5, 3.5)
    x = np.zeros((2, 10), dtype=np.int64)
    x[1] = 1
    raised = with_deciding_input(circuit, pool(x, circuit.predict(x), classes=2))
    assert np.abs(raised.weights).max() <= sum(weights) + 4


@pytest.mark.parametrize("rule", [((2,), ()), ((3,), range(9))], ids=["seeds", "without death"])
def test_rules_of_250_random_windows_in_which_one_cell_decides(rule):
    rule = tuple(tuple(counts) for counts in rule)
    windows = bits(9)
    truth = next_cell(windows, rule)
    exact = 0
    for seed in range(10):
        drawn = np.random.default_rng(seed).permutation(512)[:250]
        circuit = fit_circuit(windows[drawn], truth[drawn])
        exact += bool((circuit.predict(windows) == truth).all())
        assert len(np.unique(circuit.weights[:, WINDOW_SUM == 1], axis=1).T) == 1
        assert (circuit.weights[:, CENTRE] != 0).any()
    assert exact >= 9
