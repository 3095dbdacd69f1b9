"""What the columns of a table must be before they are read as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def check_columns(x: Any) -> None:
    """Refuse columns of one name, and columns of text.

    Raises:
        ValueError: If there are any.
    """
    names = [str(name) for name in getattr(x, "columns", ())]
    if double := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"column names must differ, but {double[0]!r} is there twice; rename a column"
        )
    if (texts := _text_columns(x, names)) and (shown := ", ".join(map(repr, texts))):
        raise ValueError(
            f"inputs must be numbers, but {shown} hold text; leave such columns out, or encode"
            " them (pandas.get_dummies, sklearn.preprocessing.OneHotEncoder)"
        )


def _text_columns(x: Any, names: Sequence[str]) -> list[str]:
    """Names of the columns that hold text which is no number."""
    if sparse.issparse(x):
        return []
    cells = np.asarray(x)
    if cells.dtype.kind not in "OUS" or cells.ndim != 2:
        return []

    def is_text(column: NDArray[Any]) -> bool:
        for cell in column:
            try:
                float(cell)
            except ValueError:
                return True
            except TypeError:  # no text, but nothing else that is a number: scikit-learn says so
                return False
        return False

    places = [place for place, column in enumerate(cells.T) if is_text(column)]
    return [names[place] if names else f"column {place}" for place in places]
