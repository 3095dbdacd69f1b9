"""Text in columns, and numbers as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(
    lines: Sequence[Sequence[object]],
    widths: Sequence[int] | None = None,
    left: Collection[int] = (0,),
) -> list[str]:
    """Lines of text whose cells stand in columns.

    Args:
        lines: The cells of each line, equally many; None is shown as a dash.
        widths: Least width of each column; None makes a column as wide as its widest cell, which
            a table that grows line by line cannot know.
        left: The columns whose cells begin alike; those of all others end alike.
    """
    cells = [["-" if cell is None else str(cell) for cell in line] for line in lines]
    if widths is None:
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place in left else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def between(ends: Sequence[float]) -> str:
    """An interval of shares as text: "86.0% to 95.0%"."""
    return "{:.1%} to {:.1%}".format(*ends)
