"""Programs as they were printed to files, run."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def predict_of(file: Path) -> Callable[[list[int]], Any]:
    """The ``predict(x)`` that a file defines which a recipe has just written."""
    predict: Callable[[list[int]], Any] = runpy.run_path(str(file))["predict"]
    return predict


def run(file: Path, rows: Ints) -> Ints:
    """The classes that the printed program gives, row by row: the formula is the model."""
    predict = predict_of(file)
    return np.array([int(predict(row)) for row in rows.tolist()], dtype=np.int64)
