"""Circuits from noisy labels: which of them is chosen, and at what price."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence import description_length, fit_circuit
from recipes.automata import noisy_labels
from recipes.automata.rules import LIFE, WINDOW

WINDOWS = WINDOW.rows()
LABELS = LIFE.of_windows(WINDOWS)


def noisy_windows(seed, count, of_cells):
    """Windows whose cells are wrong with this probability, with the labels of the right ones."""
    generator = np.random.default_rng(seed)
    cells = generator.integers(0, 2, (count, 9))
    return cells ^ (generator.random(cells.shape) < of_cells), LIFE.of_windows(cells)


def test_error_bits_are_those_of_an_ideal_code():
    assert noisy_labels.error_bits(np.zeros(10, bool)) == 0
    assert noisy_labels.error_bits(np.ones(10, bool)) == 0
    assert noisy_labels.error_bits(np.arange(8) < 4) == pytest.approx(8)
    # log2 of the number of ways to be wrong in 100 of 1000 rows is just below.
    ways = sum(np.log2(np.arange(901, 1001)) - np.log2(np.arange(1, 101)))
    assert ways < noisy_labels.error_bits(np.arange(1000) < 100) < ways + 8


@pytest.mark.slow
def test_of_all_circuits_the_one_of_the_least_price_is_chosen():
    rows, labels = noisy_windows(3, 600, 0.04)
    circuit, fit = noisy_labels.choose(rows, labels)
    wanted = {}
    for support in noisy_labels.SUPPORTS:
        for purity in noisy_labels.PURITIES:
            other = fit_circuit(rows, labels, classes=2, min_support=support, min_purity=purity)
            errors = noisy_labels.error_bits(other.predict(rows) != labels)
            wanted[support, purity] = description_length(other) + errors
    prices = {(support, purity): price for support, purity, price in fit["prices"]}
    assert prices == wanted and len(set(prices.values())) > 1
    assert prices[fit["min_support"], fit["min_purity"]] == min(prices.values())
    errors = noisy_labels.error_bits(circuit.predict(rows) != labels)
    assert description_length(circuit) + errors == min(prices.values())


def test_fits_that_are_refused_have_no_price():
    rows, labels = WINDOWS[:4], LABELS[:4]  # one row of each window
    _, fit = noisy_labels.choose(rows, labels)
    assert [price is None for support, _, price in fit["prices"]] == [
        support > 1 for support, _, _ in fit["prices"]
    ]


def test_no_circuit_at_all_is_an_error():
    # Two rows alike with different labels: no support is above 2, no purity above a half.
    with pytest.raises(ValueError, match="no circuit fits 2 rows"):
        noisy_labels.choose(np.zeros((2, 9), np.int64), np.array([0, 1]))
