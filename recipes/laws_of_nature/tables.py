"""The tables of `recipes.laws`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from occamhead.commands.output import say, say_table
from recipes.laws_of_nature.laws import Law
from recipes.shared.means import share

Rows = Sequence[dict[str, Any]]
TITLES = ("", "found", "structure", "1 - R2", "CPU s", "best formula")


def report(rows: Rows, laws: Sequence[Law]) -> None:
    """Print, per law and method, how often it was found, how, and in what time."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    say("found and structure found: of how many samples; 1 - R2 and CPU seconds: medians")
    for law in laws:
        say(f"\n{law.name}: {law.formula}")
        own = [[r for r in rows if (r["law"], r["method"]) == (law.name, m)] for m in methods]
        lines = [_line(*pair) for pair in zip(methods, own, strict=True)]
        say_table(TITLES, lines, left=(0, 5))
    say()
    for method in methods:
        mine = [row for row in rows if row["method"] == method]
        solved = {row["law"] for row in mine if row["found"]}
        say(
            f"{method}: found {sum(row['found'] for row in mine)} of {len(mine)} samples,"
            f" structure {sum(row['structure'] for row in mine)},"
            f" {len(solved)} of {len(laws)} laws at some seed"
        )


def _line(method: str, own: Rows) -> tuple[str, ...]:
    best = min(own, key=lambda row: (not row["found"], not row["structure"], row["error"]))
    rest = np.median([1 - row["test_r2"] for row in own])
    seconds = np.median([row["seconds"] for row in own])
    shares = share(own, "found"), share(own, "structure")
    return (f"  {method}", *shares, f"{rest:.1e}", f"{seconds:.1f}", _short(best["formula"]))


def _short(formula: str, width: int = 100) -> str:
    return formula if len(formula) <= width else f"{formula[: width - 4]} ..."
