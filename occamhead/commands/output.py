"""What a command says: lines, and tables."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterable, Sequence

from occamhead.columns import aligned
from occamhead.saving import first_process


def visible(text: str) -> str:
    """The text as a terminal may have it: what it would obey or cannot print is spelt out.

    That is ESC and its like, what turns the direction of writing, and bytes of file names that are
    no UTF-8.

    Example:
        >>> from occamhead.commands.output import visible
        >>> print(visible("bees\\x1b[2J"))
        bees\\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text
    )


class _Visible(logging.Formatter):
    """What is logged, as a terminal may have it."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def say(text: str = "") -> None:
    """Print at once, in the first process of a distributed run only."""
    if first_process():
        print(visible(text), flush=True)


def say_table(
    titles: Sequence[object], lines: Iterable[Sequence[object]], left: Collection[int] = (0,)
) -> None:
    """Print lines below their titles; see :func:`occamhead.columns.aligned`."""
    for line in aligned([titles, *lines], left=left):
        say(line)


def quieten() -> None:
    """Let the command's own lines be read: Lightning's tips and notices go."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Visible("%(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning.*")
