"""Accuracy against the number of features, a line for each method."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Ours stands out, and keeps its colours whatever else is drawn.
OURS = {
    "occamhead": "#b2182b",
    "occamhead_backprop": "#ef8a62",
    "occamhead_evolution": "#d6604d",
    "occamhead_both": "#f4a582",
}
OTHERS = ("#2166ac", "#4dac26", "#7b3294", "#e08214", "#01665e", "#8c510a", "#555555")
MARKERS = "os^Dvp*X"


def draw(
    means: Mapping[str, Mapping[int, float]],
    dense: float | None,
    path: Path,
    title: str,
    unit: str = "features",
) -> None:
    """Draw the comparison into a picture file.

    Args:
        means: Mean test accuracy by method and count of features.
        dense: Mean test accuracy of the head on all features, a line across; None draws none.
        path: Picture file; the suffix chooses the format.
        title: What the rows are.
        unit: What the counts count.

    Raises:
        ImportError: If matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("the plot needs matplotlib: pip install 'occamhead[recipes]'") from error
    figure = Figure(figsize=(8, 5), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    others = (name for name in means if name not in OURS)
    colours = OURS | dict(zip(others, OTHERS, strict=False))
    for place, (name, line) in enumerate(means.items()):
        axes.plot(
            list(line),
            list(line.values()),
            label=name,
            color=colours.get(name),
            marker=MARKERS[place % len(MARKERS)],
            markersize=5,
            linewidth=2.5 if name == "occamhead" else 1.2,
            zorder=3 if name in OURS else 2,
        )
    if dense is not None:
        axes.axhline(dense, color="black", linestyle="--", linewidth=1, label="dense")
    heights = [height for line in means.values() for height in line.values()]
    heights += [] if dense is None else [dense]
    margin = 0.05 * (max(heights) - min(heights)) or 0.01
    axes.set_ylim(min(heights) - margin, max(heights) + margin)
    counts = sorted({count for line in means.values() for count in line})
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, labels=[str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel(unit)
    axes.set_ylabel("test accuracy")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path)
