"""Lines of the printed table, the paper's figures beside ours."""

from __future__ import annotations

from typing import Any

from occamhead.columns import aligned
from recipes.table1_lines.flags import ENGINES
from recipes.table1_lines.task import Task

# The table grows line by line, so its columns are as wide as their cells are known to become.
COLUMNS = {
    "task": 4,
    "mode": 4,
    "best": 4,
    "CPU s": 7,
    "functions": 9,
    "literal: mode / best": 20,
    "no-learning: mode / best": 24,
    "paper: eta, s, Eureqa": 21,
    "best peer": 40,
    "found by occamhead, seed 0": 60,
}
FORMULA = COLUMNS["found by occamhead, seed 0"]


def titles() -> str:
    return _aligned(list(COLUMNS))


def line(task: Task, rows: dict[str, dict[str, Any]]) -> str:
    """One line of the printed table; a dash for an engine that did not run."""
    cells: list[object] = [task.line, *[None] * 4]
    text: str | None = None
    if ours := rows.get("occamhead"):
        text, applied = "; ".join(ours["formulas"][0]), ours["applied"][0]
        text = text if applied == 1 else f"{text}, {applied} times"
        text = text if len(text) <= FORMULA else f"{text[: FORMULA - 3]}..."
        rates = [f"{ours[name]:.2g}" for name in ("success_mode", "success_best")]
        cost = f"{ours['cpu_seconds_median']:.2g}", f"{ours['functions_median']:.0f}"
        cells = [task.line, *rates, *cost]
    for engine in ENGINES[1:]:
        row = rows.get(engine)
        cells.append(f"{row['success_mode']:.2g} / {row['success_best']:.2g}" if row else None)
    paper = ", ".join(str(task.paper[name]) for name in ("eta", "seconds", "eureqa"))
    return _aligned([*cells, paper, task.peer, text])


def _aligned(cells: list[object]) -> str:
    return aligned([cells], list(COLUMNS.values()), left=(8, 9))[0]
