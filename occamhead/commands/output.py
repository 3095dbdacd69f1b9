"""What a command says: lines, and tables of aligned columns."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Collection, Iterable, Sequence
from typing import Any


def first_process() -> bool:
    """Whether this is the first process of a run, or the only one.

    Lightning knows; where nobody has loaded it, which takes seconds, there is one process.
    """
    lightning: Any = sys.modules.get("pytorch_lightning.utilities.rank_zero")
    return lightning is None or not getattr(lightning.rank_zero_only, "rank", 0)


def say(text: str = "") -> None:
    """Print at once, in the first process of a distributed run only."""
    if first_process():
        print(text, flush=True)


def say_table(
    titles: Sequence[object], lines: Iterable[Sequence[object]], left: Collection[int] = (0,)
) -> None:
    """Print lines below their titles; see :func:`aligned`."""
    for line in aligned([titles, *lines], left=left):
        say(line)


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
    """An interval of shares as text."""
    return "{:.1%} to {:.1%}".format(*ends)


def quieten() -> None:
    """Let the command's own lines be read: Lightning's tips and notices go."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning.*")
