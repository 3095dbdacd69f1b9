"""Warnings of the estimators, told where a user's own line called them."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

from sklearn.exceptions import ConvergenceWarning

_PACKAGE = __name__.partition(".")[0]


def warn(text: str, category: type[Warning] = ConvergenceWarning) -> None:
    """Warn at the innermost line outside of this package, however deep the call."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_globals.get("__name__", "").startswith(f"{_PACKAGE}."):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)
