"""The table and the plot of `recipes.nec`, and what papers say of theirs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from occamhead.commands.output import say, say_table
from recipes.shared.means import mean

Row = Mapping[str, Any]

# Accuracy of the sparse head as a share of the dense head's, at 5 features a class.
PUBLISHED = (
    ("VLG-CBM, ImageNet, ResNet-50 (arXiv 2408.01432)", "73.15 of 76.13: 96 %"),
    ("VLG-CBM, CUB", "99 %"),
    ("SLDD, Q-SENN, CHiQPM: 5 of 50 shared features, backbones tuned", "97 to 99 %"),
)
COLOURS = ("#b2182b", "#2166ac", "#4dac26", "#7b3294", "#e08214", "#01665e", "#8c510a", "#555555")
MARKERS = "os^Dvp*X"


def say_method(rows: Sequence[Row], name: str, seed: int) -> None:
    """One method on one seed, as it is done."""
    if not rows:
        say(f"seed {seed} {name:<10} no head in time")
        return
    cells = " ".join(f"{row['nec']:.0f}: {row['accuracy']:.3f}" for row in rows)
    cut = ", out of time" if rows[0]["cut"] else ""
    say(f"seed {seed} {name:<10} {cells} ({rows[0]['seconds']:.0f} CPU s{cut})")


def report(rows: Sequence[Row], budgets: Sequence[int], notice: str | None) -> None:
    """Mean test accuracy over the seeds by NEC, its mean (ANEC), and the share of the dense head's.

    Args:
        rows: One of each method, budget and seed.
        budgets: All that were asked for.
        notice: What is to be said beside the figures.
    """
    seeds = len({row["seed"] for row in rows})
    full = mean_accuracy([row for row in rows if row["method"] == "dense"])
    least = budgets[0]
    say(f"\ntest accuracy, mean of {seeds} seeds, by NEC (features of a class in the mean)")
    lines = []
    for name in (name for name in dict.fromkeys(row["method"] for row in rows) if name != "dense"):
        own = [row for row in rows if row["method"] == name]
        cells = [mean_accuracy([row for row in own if row["budget"] == b]) for b in budgets]
        whole = None if None in cells else float(np.mean(cells))  # type: ignore[arg-type]
        kept = cells[0] / full if full and cells[0] else None
        few = [row for row in own if row["budget"] == least]
        lines.append([
            name, *(_text(cell, ".3f") for cell in (*cells, whole)), _text(kept, ".1%"),
            *(mean(few, figure, ".3f") if few else None for figure in ("top5", "ece", "brier")),
            *(mean(own, figure, ".0f") for figure in ("seconds", "peak_mb")),
        ])  # fmt: skip
    at = [f"{figure} at {least}" for figure in ("of dense", "top5", "ece", "brier")]
    say_table(["", *budgets, "ANEC", *at, "CPU s", "peak MB"], lines)
    if full is not None:
        own = [row for row in rows if row["method"] == "dense"]
        seconds = mean(own, "seconds", ".0f")
        say(f"dense: {full:.3f} with all {own[0]['budget']} features ({seconds} CPU s)")
    say()
    say_table(("published, 5 features a class", "of dense"), PUBLISHED, left=(0, 1))
    if notice:
        say(f"notice: {notice}")


def mean_accuracy(rows: Sequence[Row]) -> float | None:
    """Of some rows; None where there are none."""
    return float(np.mean([row["accuracy"] for row in rows])) if rows else None


def _text(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def draw(rows: Sequence[Row], path: Path, title: str) -> None:
    """Accuracy against NEC, a line for each method, the dense head across.

    Args:
        rows: One of each method, budget and seed.
        path: Picture file; the suffix chooses the format.
        title: What the rows are.
    """
    if importlib.util.find_spec("matplotlib") is None:
        say("no plot: it needs matplotlib, pip install 'occamhead[recipes]'")
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    sparse = [row for row in rows if row["method"] != "dense"]
    for place, name in enumerate(dict.fromkeys(row["method"] for row in sparse)):
        own = [row for row in sparse if row["method"] == name]
        counts = sorted({row["budget"] for row in own})
        groups = [[row for row in own if row["budget"] == count] for count in counts]
        axes.plot(
            [np.mean([row["nec"] for row in group]) for group in groups],
            [np.mean([row["accuracy"] for row in group]) for group in groups],
            label=name,
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=5,
            linewidth=2.5 if name == "ours" else 1.2,
        )
    full = mean_accuracy([row for row in rows if row["method"] == "dense"])
    if full is not None:
        axes.axhline(full, color="black", linestyle="--", linewidth=1, label="dense")
    counts = sorted({row["budget"] for row in sparse})
    axes.set_xticks(counts, labels=[str(count) for count in counts])
    axes.set_xlabel("NEC: features of a class in the mean")
    axes.set_ylabel("test accuracy")
    axes.set_title(title, fontsize=10, wrap=True)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path)
