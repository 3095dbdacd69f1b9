"""What `recipes.recovery` prints and draws."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from occamhead.commands.output import say, say_table

Rows = Sequence[dict[str, Any]]
COUNTED = ("found", "exact", "structure", "near")
_COLOURS = ("#b2182b", "#2166ac", "#4dac26", "#7b3294", "#e08214", "#01665e")


def report(rows: Rows) -> None:
    """Print what became of each law, then how many each method found, suite by suite."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    laws = dict.fromkeys((row["suite"], row["law"]) for row in rows)
    titles = ("", *(f"{method}: found, CPU s" for method in methods))
    say_table(titles, [(law, *(_cell(rows, law, m) for m in methods)) for _, law in laws])
    say("\n  e exact, f unexplained variance <= 1.2e-7, s structure, in brackets that variance\n")
    suites = list(dict.fromkeys(suite for suite, _ in laws))
    lines = []
    for suite in [*suites, "all"] if len(suites) > 1 else suites:
        for method in methods:
            own = [r for r in rows if r["method"] == method and suite in (r["suite"], "all")]
            if own:
                lines.append((suite, method, *_counts(own)))
    say_table(("suite", "method", *COUNTED, "of", "CPU s", "length"), lines, left=(0, 1))
    for row in rows:
        if failure := row.get("failure"):
            say(f"{row['method']} failed on {row['law']}, draw {row['draw']}: {failure:.100}")


def _cell(rows: Rows, law: str, method: str) -> str:
    own = [row for row in rows if (row["law"], row["method"]) == (law, method)]
    return ", ".join(_one(row) for row in own)


def _one(row: dict[str, Any]) -> str:
    marks = {"exact": "e", "found": "f", "structure": "s"}
    mark = "".join(mark for name, mark in marks.items() if row[name])
    fvu = row.get("fvu")
    return f"{mark or 'no'} {row['seconds']:.1f}" + (f" ({fvu:.0e})" if fvu and not mark else "")


def _counts(own: Rows) -> tuple[object, ...]:
    exact = [row["length"] for row in own if row["exact"]]
    spent = sum(row["seconds"] for row in own)
    length = f"{np.median(exact):.2f}" if exact else ""
    return (*(sum(row[name] for row in own) for name in COUNTED), len(own), f"{spent:.0f}", length)


def draw_curve(rows: Rows, seconds: float, path: Path) -> None:
    """Draw the share that was found, and found exactly, against the CPU seconds of its fit."""
    if importlib.util.find_spec("matplotlib") is None:
        say("no curve: it needs matplotlib, pip install 'occamhead[recipes]'")
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    methods = dict.fromkeys(row["method"] for row in rows)
    end = max(seconds, *(row["seconds"] for row in rows))  # some methods overrun
    for place, method in enumerate(methods):
        own = [row for row in rows if row["method"] == method]
        for name, line in (("found", "-"), ("exact", ":")):
            times = sorted(max(row["seconds"], 0.01) for row in own if row[name])
            shares = 100 * np.arange(len(times) + 1) / len(own)
            axes.step([0.01, *times, end], [*shares, shares[-1]], line, where="post",
                      color=_COLOURS[place % len(_COLOURS)], label=f"{method}, {name}")  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(0.01, end)
    axes.set_ylim(0, 100)
    axes.set_xlabel("CPU seconds of a fit")
    axes.set_ylabel("% of the runs")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)
