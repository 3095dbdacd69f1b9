"""The table and the plot of `recipes.compare_heads`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from occamhead.commands.output import say, say_table
from recipes.features import comparison_plot
from recipes.features.comparison import Means


def say_fit(seed: int, name: str, rows: Sequence[Mapping[str, Any]], cut: bool) -> None:
    """One method on one seed, as it is done."""
    cells = " ".join(f"{row['accuracy']:.3f}" for row in rows)
    spent = f"{rows[0]['seconds']:.1f} s" if rows else "no head in time"
    say(f"seed {seed} {name:<20} {cells} ({spent}{', out of time' if cut else ''})")


def report(results: Mapping[str, Any], means: Means, out: Path) -> None:
    """Print the table and draw the plot."""
    counts, seeds = results["counts"], {row["seed"] for row in results["rows"]}
    unit = "features of each class" if results["per_class"] else "features in all"
    say(f"\ntest accuracy, mean of {len(seeds)} seeds, by the most {unit}")
    sparse = {name: line for name, line in means.items() if name != "dense"}
    lines = [
        [name, *(f"{line[count]:.3f}" if count in line else None for count in counts)]
        for name, line in sparse.items()
    ]
    say_table(["", *counts], lines)
    dense = None
    if "dense" in means:
        ((count, dense),) = means["dense"].items()
        say(f"dense: {dense:.3f} with all {count} features")
    for name, won in results["cells_won"].items():
        say(f"cells won: {name} is >= the best other sparse method on {len(won)} of {len(counts)}")
    for entry in results["cut"]:
        say(f"out of its {results['seconds_budget']:g} s: {entry['method']}, seed {entry['seed']}")
    if results["notice"]:
        say(f"notice: {results['notice']}")
    if importlib.util.find_spec("matplotlib") is None:
        say("no plot: it needs matplotlib, pip install 'occamhead[recipes]'")
    elif sparse:
        title = f"{results['backbone']}: {', '.join(results['classes'])}"
        comparison_plot.draw(sparse, dense, out / "compare.png", title, unit)
