"""numba compiles the search once on a machine: that is announced, and is no part of its time."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from numba.core import event

log = logging.getLogger("occamhead")

TEXT = "compiling the search, once on this machine: up to about 45 s"
# What is compiled before a first law, numba's own functions included; some may be there already.
USUAL_FUNCTIONS = 225
FORMAT = "{desc}: {percentage:3.0f}%|{bar:30}|"


def cpu_seconds() -> float:
    """CPU seconds of this process without those in which numba compiled or loaded functions.

    Differences of it are what a search took, on a machine that has never compiled it, too.
    """
    return time.process_time() - _CLOCK.compiling


class _Outermost(event.Listener):
    """Hears where compiling begins and ends, in each thread; what is compiled on the way is part.

    numba compiles the functions that a function calls while it compiles that one.
    """

    def __init__(self) -> None:
        self._thread = threading.local()

    def on_start(self, event: Any) -> None:
        depth = getattr(self._thread, "depth", 0)
        self._thread.depth = depth + 1
        if depth == 0:
            self.begin(event)

    def on_end(self, event: Any) -> None:
        # A listener that is there from the start misses no beginning.
        self._thread.depth -= 1
        self.each()
        if self._thread.depth == 0:
            self.end()

    def begin(self, event: Any) -> None:
        """The outermost has begun."""

    def each(self) -> None:
        """One has ended, of whatever depth."""

    def end(self) -> None:
        """The outermost has ended."""


class _Clock(_Outermost):
    """Adds up CPU seconds of compiling, and of loading what was compiled before."""

    def __init__(self) -> None:
        super().__init__()
        self.compiling = 0.0
        self._lock = threading.Lock()

    def begin(self, event: Any) -> None:
        self._thread.began = time.thread_time()

    def end(self) -> None:
        with self._lock:
            self.compiling += time.thread_time() - self._thread.began


class _Announcer(_Outermost):
    """Says once that the search is compiled, with a bar on a terminal while it is."""

    def __init__(self) -> None:
        super().__init__()
        self._said = False
        self._done = 0

    def begin(self, event: Any) -> None:
        self._thread.bar = None
        function = event.data["dispatcher"].py_func
        # Not what a user compiles, nor when there is no one to tell.
        if not function.__module__.startswith("occamhead.search") or not log.isEnabledFor(
            logging.WARNING
        ):
            return
        from tqdm import tqdm

        if not self._said:
            log.warning(TEXT)
            self._said = True
        total = max(USUAL_FUNCTIONS, self._done + 1)
        self._thread.bar = tqdm(
            total=total, initial=self._done, desc="compiling", bar_format=FORMAT, leave=False,
            disable=None,
        )  # fmt: skip

    def each(self) -> None:
        if self._thread.bar is not None:
            self._done += 1
            self._thread.bar.update()

    def end(self) -> None:
        if self._thread.bar is not None:
            self._thread.bar.close()


_CLOCK, _ANNOUNCER = _Clock(), _Announcer()
event.register("numba:compiler_lock", _CLOCK)
event.register("numba:compile", _ANNOUNCER)
