"""Rows and what is to be told of them, as arrays."""

from __future__ import annotations

import numpy as np

Part = tuple[np.ndarray, np.ndarray]
"""Features [rows, features] and labels or targets [rows]."""


def together(train: Part, validation: Part) -> Part:
    """The rows of both."""
    x, y = (np.concatenate(both) for both in zip(train, validation, strict=True))
    return x, y
