"""What stands beside a distilled program: classifiers of scikit-learn on the same rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import needs

Ints = NDArray[np.int64]
Predictor = Callable[[Ints], Ints]
BASELINES = ("decision_tree", "mlp", "logistic_regression")


def fitted(method: str, x: Ints, y: Ints, seed: int) -> Any:
    """One of `BASELINES`, fitted to rows [rows, inputs] and classes [rows]."""
    with needs("scikit-learn", "other classifiers"):
        from sklearn.linear_model import LogisticRegression
        from sklearn.neural_network import MLPClassifier
        from sklearn.tree import DecisionTreeClassifier

    makers: Mapping[str, Callable[[], Any]] = {
        "decision_tree": lambda: DecisionTreeClassifier(random_state=seed),
        # On so few rows L-BFGS is the solver that scikit-learn advises.
        "mlp": lambda: MLPClassifier((64, 64), solver="lbfgs", max_iter=500, random_state=seed),
        "logistic_regression": lambda: LogisticRegression(max_iter=1000),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that were not enough: the table tells
        return makers[method]().fit(x, y)


def columns(y: Ints) -> Ints:
    """The classes, [outputs, rows]."""
    return y.reshape(len(y), -1).T


def right(predicted: Ints, truth: Ints) -> float:
    """The share of rows on which all outputs are right."""
    return float(np.mean((predicted == columns(truth).T).all(axis=1)))


def learned(method: str, x: Ints, y: Ints, seed: int) -> Predictor:
    """A classifier per output, from rows to classes [rows, outputs]."""
    models = [fitted(method, x, column, seed) for column in columns(y)]
    return lambda rows: np.stack([model.predict(rows) for model in models], axis=1)
