"""How far a recipe of many runs is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

from occamhead.checks import needs

Run = TypeVar("Run")


def progress(runs: Sequence[Run], about: Callable[[Run], str]) -> Iterator[Run]:
    """Each of the runs in turn, on one thread of the processor, with a bar that tells about it."""
    with needs("scikit-learn", "one thread for every method"):
        from threadpoolctl import threadpool_limits
    with threadpool_limits(1), tqdm(total=len(runs), disable=None, file=sys.stderr) as bar:
        for run in runs:
            bar.set_description(about(run))
            yield run
            bar.update()
