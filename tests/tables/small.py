"""Tables of a law with and without noise, and estimators that search for a moment."""

from __future__ import annotations

import numpy as np

from occamhead.tables.estimators import OccamClassifier, OccamRegressor

TINY = {"max_functions": 2000, "depth": 2, "random_state": 0}


def regressor(**settings) -> OccamRegressor:
    return OccamRegressor(**{**TINY, "folds": 2, **settings})


def classifier(**settings) -> OccamClassifier:
    return OccamClassifier(**{**TINY, "folds": 2, **settings})


def noisy(rows: int = 60, seed: int = 0, noise: float = 0.2):
    random = np.random.default_rng(seed)
    x = random.uniform(0.5, 3, (rows, 2))
    return x, np.sin(2 * x[:, 0]) * x[:, 1] + x[:, 1] ** 2 + noise * random.normal(size=rows)


def clean(law, rows: int = 60, inputs: int = 2, seed: int = 0):
    x = np.random.default_rng(seed).uniform(1, 5, (rows, inputs))
    return x, law(*x.T)


def assert_same_fit(one, other) -> None:
    assert one.best_ == other.best_
    assert one.equations_.drop(columns="expression").equals(
        other.equations_.drop(columns="expression")
    )
