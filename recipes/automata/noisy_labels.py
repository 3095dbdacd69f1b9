"""Circuits from labels of which some are wrong: support and purity by description length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.essence import Circuit, description_length, fit_circuit
from occamhead.essence.patterns import pool

Ints = NDArray[np.int64]
SUPPORTS, PURITIES = (1, 2, 3, 5), (0.6, 0.75, 0.9)  # of which each fit takes the best


def choose(rows: Ints, labels: Ints) -> tuple[Circuit, dict[str, Any]]:
    """Fit a circuit per support and purity; take the one that describes the labels most briefly.

    Args:
        rows: What to learn from, [rows, inputs] whole numbers.
        labels: The class of each, [rows] 0 or 1.

    Returns:
        The circuit, and what its fit was: support and purity, the patterns that were kept and
        dropped, the least and the middle support and purity of those that were kept, and the
        price of every circuit, None where the fit was refused.

    Raises:
        ValueError: If every fit was refused.

    Source: minimum description length (Rissanen 1978): the circuit's price plus the bits that
    say where it is wrong. Training rows suffice, since the price holds the circuit small.
    """
    prices: dict[tuple[int, float], float | None] = {}
    best: tuple[float, Circuit, int, float] | None = None
    for support in SUPPORTS:
        for purity in PURITIES:
            try:
                circuit = fit_circuit(
                    rows, labels, classes=2, min_support=support, min_purity=purity
                )
            except ValueError:  # no pattern is left, or too many subconcepts: said in the prices
                prices[support, purity] = None
                continue
            price = description_length(circuit) + error_bits(circuit.predict(rows) != labels)
            prices[support, purity] = price
            if best is None or price < best[0]:
                best = price, circuit, support, purity
    if best is None:
        raise ValueError(
            f"no circuit fits {len(labels)} rows at any support of {SUPPORTS} and purity of"
            f" {PURITIES}; give more rows, or labels and inputs that are less noisy"
        )
    _, circuit, support, purity = best
    patterns = pool(rows, labels, classes=2, min_support=support, min_purity=purity)
    return circuit, {
        "min_support": support,
        "min_purity": purity,
        "patterns": len(patterns.points),
        "patterns_dropped": patterns.num_dropped,
        "support": [int(patterns.support.min()), float(np.median(patterns.support))],
        "purity": [float(patterns.purity.min()), float(np.median(patterns.purity))],
        "training_accuracy": float(np.mean(circuit.predict(rows) == labels)),
        "prices": [[*setting, price] for setting, price in prices.items()],
    }


def error_bits(wrong: NDArray[np.bool_]) -> float:
    """The bits that tell which predictions are wrong, [rows]: rows times the entropy of one."""
    share = np.array([wrong.mean(), 1 - wrong.mean()])
    present = share[share > 0]
    return float(-len(wrong) * (present * np.log2(present)).sum())
