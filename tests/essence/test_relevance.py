"""Far inputs are dropped while the near ones tell all labels."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pytest

from occamhead.essence import fit_circuit, relevant_inputs
from tests.essence.rules import bits, next_cell

FIVE = np.array([max(abs(row), abs(column)) for row in range(-2, 3) for column in range(-2, 3)])
NEAR = np.flatnonzero(FIVE <= 1)


def test_life_in_windows_of_five():
    """The window of three is found from 300 of 2**25 windows, and the rule on it."""
    exact = 0
    for seed in range(5):
        generator = np.random.default_rng(seed)
        x = generator.integers(0, 2, (300, 25))
        assert relevant_inputs(x, next_cell(x[:, NEAR]), FIVE).tolist() == NEAR.tolist()
        circuit = fit_circuit(x, next_cell(x[:, NEAR]), distances=FIVE)
        assert circuit.inputs == 25 and (circuit.weights[:, FIVE > 1] == 0).all()
        new = generator.integers(0, 2, (5000, 25))
        exact += bool((circuit.predict(new) == next_cell(new[:, NEAR])).all())
    assert exact == 5


def test_elementary_rules_in_rows_of_fifteen():
    distances = np.abs(np.arange(15) - 7)
    exact = 0
    for rule in range(0, 256, 7):
        generator = np.random.default_rng(rule)
        x = generator.integers(0, 2, (64, 15))
        new = generator.integers(0, 2, (2000, 15))
        y, truth = ((rule >> (rows[:, 6:9] @ [4, 2, 1])) & 1 for rows in (x, new))
        circuit = fit_circuit(x, y, classes=2, distances=distances)
        exact += bool((circuit.predict(new) == truth).all())
    assert exact >= 36


@pytest.mark.parametrize("seed", range(10))
def test_kept_inputs_tell_all_labels_and_each_is_needed(seed):
    generator = np.random.default_rng(seed)
    x = np.unique(generator.integers(0, 3, (40, 6)), axis=0)
    y = generator.integers(0, 3, len(x))
    distances = generator.random(6)
    kept = relevant_inputs(x, y, distances)

    def tells(columns: list[int]) -> bool:
        pairs = itertools.combinations(range(len(x)), 2)
        return all(y[i] == y[j] or (x[i, columns] != x[j, columns]).any() for i, j in pairs)

    assert tells(kept.tolist())
    assert not any(tells([other for other in kept if other != k]) for k in kept)
    # All that lie farther than the farthest that is kept were dropped for its sake.
    farthest = max(distances[kept])
    assert not tells([i for i in range(6) if distances[i] < farthest])


def test_of_equally_distant_inputs_the_last_goes_first():
    x = np.repeat([[0], [1]], 3, axis=1)
    assert relevant_inputs(x, [0, 1], [1, 1, 1]).tolist() == [0]
    assert relevant_inputs(x, [0, 1], [1, 0, 2]).tolist() == [1]


def test_of_a_single_class_no_input_is_relevant():
    assert relevant_inputs(bits(2), [1] * 4, [0, 1]).tolist() == []
    circuit = fit_circuit(bits(2), [1] * 4, distances=[0, 1])
    assert circuit.weights.shape == (0, 2) and circuit.predict(bits(2)).tolist() == [1] * 4


def test_what_is_kept_is_logged(caplog):
    with caplog.at_level(logging.INFO, "occamhead"):
        circuit = fit_circuit(bits(3), bits(3)[:, 2], distances=[0, 1, 2])
    assert "kept 1 of 3 inputs: [2]" in caplog.text
    assert circuit.weights.tolist() == [[0, 0, 1]]
    caplog.clear()
    fit_circuit(bits(3), bits(3)[:, 2])
    assert not caplog.records


@pytest.mark.parametrize("distances", [[0, 1], [0, 1, np.nan], [[0, 1, 2]], ["a", "b", "c"]])
def test_distances_that_make_no_sense_are_told(distances):
    with pytest.raises(ValueError, match="a finite number for each of 3 inputs, got"):
        fit_circuit(bits(3), bits(3)[:, 0], distances=distances)
