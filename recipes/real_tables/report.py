"""The printed table of test errors, ours beside the paper's, and the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from occamhead.commands.output import say, say_table
from recipes.real_tables.tables import SETS

PAPER = {
    "OccamNet": (0.251, 0.704, 0.542, 0.713, 0.589, 0.151, 0.335, 0.137, 0.135, 0.084, 0.180,
                 0.223, 1.088, 0.570, 1.664),
    "V100": (0.141, 0.706, 0.491, 0.679, 0.209, 0.082, 0.761, 0.132, 0.194, 0.086, 0.177, 0.214,
             0.157, 0.440, 0.334),
    "Eplex": (0.223, 0.742, 0.474, 0.679, 0.116, 0.091, 0.829, 0.119, 0.150, 0.097, 0.275, 0.426,
              0.487, 0.442, 0.441),
    "XGB": (0.147, 0.648, 0.464, 0.659, 0.113, 0.234, 0.316, 0.094, 0.094, 0.080, 0.150, 0.165,
            0.622, 0.228, 0.188),
}  # fmt: skip
"""The paper's test MSE (Table 8)."""


def medians(rows: Sequence[dict[str, Any]], method: str, value: str) -> dict[str, float]:
    """The median over the seeds of one method's figure on each set."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["method"] == method:
            found.setdefault(row["set"], []).append(row[value])
    return {name: float(np.median(values)) for name, values in found.items()}


def pairs_won(rows: Sequence[dict[str, Any]], ours: str, other: str) -> tuple[int, int]:
    """On how many splits `ours` has the lower test error, and how many there are."""
    errors: dict[str, dict[tuple[str, int], float]] = {}
    for row in rows:
        errors.setdefault(row["method"], {})[row["set"], row["seed"]] = row["test_mse"]
    pairs = [(error, errors[other][split]) for split, error in errors[ours].items()]
    return sum(a < b for a, b in pairs), len(pairs)


def report(rows: Sequence[dict[str, Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Print the table of test errors and the counts."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    error = {method: medians(rows, method, "test_mse") for method in methods}
    ours = next((method for method in methods if method.startswith("occamhead")), None)
    nodes = medians(rows, ours, "nodes") if ours else {}
    say(f"test MSE, median over seeds; nodes of {ours or 'no'} formula; the paper's on the right")
    lines: list[list[object]] = []
    for name, size in shapes.items():
        number = SETS.index(name)
        found = [f"{error[method][name]:.3f}" for method in methods]
        count = f"{nodes[name]:.0f}" if ours else None
        theirs = [f"{column[number]:.3f}" for column in PAPER.values()]
        lines.append([f"{number + 1} {name}", *size, "|", *found, "|", count, "|", *theirs])
    say_table(["set", "rows", "features", "|", *methods, "|", "nodes", "|", *PAPER], lines)
    say(f"\nsets where the median is at most the paper's, of {len(shapes)}:")
    for method in methods:
        below = {
            label: sum(error[method][name] <= column[SETS.index(name)] for name in shapes)
            for label, column in PAPER.items()
        }
        say(f"  {method}: " + ", ".join(f"{label} {count}" for label, count in below.items()))
    if ours:
        _say_duels(rows, ours, error, len(shapes))


def _say_duels(
    rows: Sequence[dict[str, Any]], ours: str, error: Mapping[str, Mapping[str, float]], sets: int
) -> None:
    say(f"\n{ours} against: sets within 2 % or below, sets below, splits won")
    for other in error:
        if other != ours:
            pairs = [(mine, error[other][name]) for name, mine in error[ours].items()]
            near, below = sum(a <= 1.02 * b for a, b in pairs), sum(a < b for a, b in pairs)
            won, total = pairs_won(rows, ours, other)
            say(f"  {other}: {near} of {sets}, {below} of {sets}, {won} of {total}")
