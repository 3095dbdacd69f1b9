"""The table of `recipes.arithmetic`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from occamhead.commands.output import say, say_table
from recipes.shared.means import mean, share

TITLES = ("task", "method", "exact", "accuracy", "long lists", "tokens", "seconds")


def say_task(rows: Sequence[Mapping[str, Any]]) -> None:
    """The lines of one task: accuracy at the largest size learned from, then on long lists."""
    lines = []
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]
        lengths = [row["tokens"] for row in own if row["tokens"] is not None]
        runs = [row["long"] for row in own if row["long"] is not None]
        lines.append(
            (
                own[0]["task"],
                name,
                share(own, "exact") if runs else None,
                f"{mean(own, 'accuracy', '.3f')} at {own[0]['size']}",
                f"{np.mean(runs):.3f} at {own[0]['long_size']}" if runs else None,
                max(lengths, default=None),
                f"{sum(row['seconds'] for row in own):.1f}",
            )
        )
    say_table(TITLES, lines, left=(0, 1))
    say()


def say_program(task: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """The program of the first seed that gave one."""
    programs = [row["program"] for row in rows if row["task"] == task and row["program"]]
    say(f"\n{task}:\n{programs[0].strip() if programs else 'no program'}")
