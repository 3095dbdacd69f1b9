"""Inputs that are joined to sums."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence import description_length, fit_circuit
from occamhead.essence.blocks import blocks, coarser_blocks
from occamhead.essence.patterns import pool
from tests.essence.rules import CENTRE, WINDOW_SUM, bits, next_cell


def test_blocks_of_equal_and_opposite_columns():
    weights = np.array([[1, 0, -1, 2, 1, 0], [0, 0, 0, 1, 0, 3]])
    found = {tuple(row) for row in blocks(weights).tolist()}
    assert found == {
        (1, 0, -1, 0, 1, 0), (0, 1, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 1)
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_coarser_blocks_tell_all_labels(seed):
    generator = np.random.default_rng(seed)
    x = bits(8)[generator.permutation(256)[:120]]
    y = (x[:, :4].sum(axis=1) - x[:, 4:7].sum(axis=1) > 0).astype(int)
    nearly = 9 * np.array([[1, 1, 1, 1, -1, -1, -1, 0]]) + generator.integers(-2, 3, (2, 8))
    joined = 0
    for forms, sums in coarser_blocks(nearly, pool(x, y)):
        joined += 1
        assert (np.abs(forms).sum(axis=0) == 1).all()  # every input is in one block
        label = {tuple(row): y for row, y in zip(sums.points, sums.labels, strict=True)}
        assert [label[tuple(row)] for row in x @ forms.T] == y.tolist()
        assert sums.support.sum() == len(x) and len(sums.points) <= len(x) - 16
    assert joined


def test_few_rows_say_nothing_for_a_sum():
    x = bits(4)
    assert not [*coarser_blocks(np.array([[1, 2, 3, 4]]), pool(x, x.sum(axis=1) % 2))]


def test_no_weights_have_no_blocks():
    x = bits(5)
    assert not [*coarser_blocks(np.zeros((0, 5), dtype=np.int64), pool(x, x[:, 0] * 0))]


@pytest.mark.parametrize("seed", range(3))
def test_random_outer_totalistic_rules_of_150_windows(seed):
    """Most are found on every count of neighbours that was drawn, with equal weights for all."""
    windows = bits(9)
    cells = 9 * windows[:, CENTRE] + windows @ WINDOW_SUM
    generator = np.random.default_rng(seed)
    right = 0
    for _ in range(10):
        birth, survival = (tuple(np.flatnonzero(generator.random(9) < 0.4)) for _ in range(2))
        truth = next_cell(windows, (birth, survival))
        drawn = generator.permutation(512)[:150]
        circuit = fit_circuit(windows[drawn], truth[drawn], classes=2)
        wrong = circuit.predict(windows) != truth
        right += not np.isin(cells[wrong], cells[drawn]).any()
    assert right >= 8


def test_a_sum_is_taken_only_if_its_circuit_is_shorter():
    """Of two bits that count twice and four that count once, no block has both."""
    x = bits(6)[np.random.default_rng(1).permutation(64)[:50]]
    meant = np.array([2, 2, 1, 1, 1, 1])
    circuit = fit_circuit(x, x @ meant > 4)
    assert (circuit.weights == meant).all() and circuit.bias.tolist() == [-4.5]
    assert description_length(circuit) < 30
