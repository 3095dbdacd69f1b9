"""What is said while numba compiles the search, which it does once on a machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Compiled on the way to a first law; the bar ends early where some were before.
USUAL_FUNCTIONS = 225
TEXT = "compiling the search once, about 30 s"


@contextmanager
def compiling_announced() -> Iterator[None]:
    """Say on stderr that the search is compiled, if it is, and show how far that is.

    Nothing is said where all is in numba's cache already.
    """
    from numba.core import event
    from tqdm import tqdm

    bars: list[Any] = []

    class Announcer(event.Listener):
        def on_start(self, event: Any) -> None:
            if not bars:
                print(TEXT, file=sys.stderr, flush=True)
                bars.append(
                    tqdm(total=USUAL_FUNCTIONS, desc="compiling", disable=None, leave=False)
                )

        def on_end(self, event: Any) -> None:
            bars[0].update()

    with event.install_listener("numba:compile", Announcer()):
        try:
            yield
        finally:
            for bar in bars:
                bar.close()
