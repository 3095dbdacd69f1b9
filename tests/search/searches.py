"""Rows of a law, networks by name, and a search that is watched."""

from __future__ import annotations

import numpy as np

from occamhead import OccamNet
from occamhead.network.basis_sets import BASIS_SETS
from occamhead.search import Evolution

NOISE = np.random.default_rng(5).normal(size=100)


def noise(*_: np.ndarray) -> np.ndarray:
    return NOISE


def rows(law, count: int = 100, inputs: int = 1, low: float = -2, high: float = 3, seed: int = 0):
    x = np.random.default_rng(seed).uniform(low, high, (count, inputs))
    y = law(*x.T)
    return x, np.stack(y, 1) if isinstance(y, tuple) else np.asarray(y)[:, None]


def network_of(name: str, depth: int = 3, inputs: int = 1, outputs: int = 1, **settings):
    return OccamNet(inputs, outputs, name, depth, constants=BASIS_SETS[name].constants, **settings)


def watched(network, x, y, strategy, weights=None):
    """A run: its result, the choices of every step, and how often nodes were evicted."""
    search = Evolution(network, x, y, strategy, weights)
    seen, evictions, evict = [], [], search.evaluator.evict

    def counted() -> None:
        evictions.append(1)
        evict()

    search.evaluator.evict = counted  # type: ignore[method-assign]

    def note(progress) -> None:
        if len(seen) < progress.step:
            seen.append(search.choices.copy())

    return search.run(note), np.array(seen), len(evictions), search


def assert_agree(found, wanted, inputs: int, low: float = 0.5, high: float = 4.0) -> None:
    """Equal on other rows, up to rounding."""
    x = np.random.default_rng(99).uniform(low, high, (400, inputs))
    expected = wanted(x) if callable(wanted) else wanted
    np.testing.assert_allclose(found(x), expected, rtol=1e-6, atol=1e-9)
