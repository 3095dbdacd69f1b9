"""Figures of many runs as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def mean(rows: Iterable[Mapping[str, Any]], name: str, form: str) -> str | None:
    """The mean of a figure over rows, as text; None where a row has it not."""
    values = [row.get(name) for row in rows]
    return None if None in values else format(np.mean(values), form)  # type: ignore[arg-type]


def share(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """Of how many rows something is true, as text: 3/5."""
    return f"{sum(row[name] for row in rows)}/{len(rows)}"
