"""Programs as they were printed, run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.commands.printed import defined_by

Ints = NDArray[np.int64]


def predict_of(file: Path) -> Callable[[list[int]], Any]:
    """The ``predict(x)`` of a file that a recipe has just written."""
    predict: Callable[[list[int]], Any] = defined_by(file.read_text())["predict"]
    return predict


def run(file: Path, rows: Ints) -> Ints:
    """The classes that the printed program gives, row by row: the formula is the model."""
    predict = predict_of(file)
    return np.array([int(predict(row)) for row in rows.tolist()], dtype=np.int64)
