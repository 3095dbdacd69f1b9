"""The table of `recipes.orientation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from occamhead.commands.output import say_table
from recipes.lines.shapes import SHAPES
from recipes.shared.means import mean


def say_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Accuracy by method and shape, the mean over seeds."""
    lines = []
    for method, side in dict.fromkeys((row["method"], row["side"]) for row in rows):
        own = [row for row in rows if (row["method"], row["side"]) == (method, side)]
        parts = ([row for row in own if row["task"] == shape] for shape in SHAPES)
        cells = [mean(part, "accuracy", ".4f") for part in parts]
        lines.append([f"{method}, side {side}", *cells])
    say_table(["", *SHAPES], lines)
