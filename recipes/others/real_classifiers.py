"""Classifiers of real rows to compare with: dense logistic regression, an RBF machine, an MLP.

Each is chosen and fitted by ``(train, validation, seed)`` and gives what predicts the classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.checks import needs
from occamhead.rows.dense import choose_dense_head, fit_dense_head
from recipes.shared.rows import Part, together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def dense(train: Part, validation: Part, seed: int) -> Callable[[Floats], Ints]:
    parts = [(torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y))
             for x, y in (train, validation, together(train, validation))]  # fmt: skip
    classes = int(parts[2][1].max()) + 1
    start, penalty = choose_dense_head(parts[0], parts[1], classes)
    layer = fit_dense_head(parts[2], classes, penalty, start)
    return lambda x: layer(torch.as_tensor(x, dtype=torch.float32)).argmax(dim=1).numpy()


def rbf(train: Part, validation: Part, seed: int) -> Callable[[Floats], Ints]:
    with needs("scikit-learn", "other classifiers"):
        from sklearn.svm import SVC

    count = train[0].shape[1]
    grid = {
        "model__C": [0.1, 1.0, 10.0, 100.0],
        # 1 / inputs is scikit-learn's default for standardised inputs.
        "model__gamma": [factor / count for factor in (0.1, 0.3, 1.0, 3.0)],
    }
    return _chosen(SVC(), grid, together(train, validation))


def mlp(train: Part, validation: Part, seed: int) -> Callable[[Floats], Ints]:
    with needs("scikit-learn", "other classifiers"):
        from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((64, 64), max_iter=200, random_state=seed)
    return _chosen(model, {"model__alpha": [1e-4, 1.0]}, together(train, validation))


def _chosen(
    model: Any, grid: Mapping[str, Sequence[float]], rows: Part
) -> Callable[[Floats], Ints]:
    """A model of scikit-learn on standardised inputs, or on inputs divided by one number."""
    with needs("scikit-learn", "other classifiers"):
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

    largest = float(rows[0].std(axis=0).max())
    scalers = [StandardScaler(), FunctionTransformer(_divided, kw_args={"by": largest})]
    pipeline = Pipeline([("scale", scalers[0]), ("model", model)])
    search = GridSearchCV(pipeline, {"scale": scalers, **grid}, cv=5, error_score="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that were not enough: the table tells
        search.fit(*rows)
    return lambda x: np.asarray(search.predict(x))


def _divided(x: Floats, by: float) -> Floats:
    return x / by


REAL_CLASSIFIERS: Mapping[str, Callable[[Part, Part, int], Callable[[Floats], Ints]]] = {
    "dense": dense,
    "rbf": rbf,
    "mlp": mlp,
}
