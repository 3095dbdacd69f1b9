"""How a run ends that the system stops: with what was found saved, and a status that says so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """The system asked this process to end, as batch systems do before they kill it.

    Not a :class:`KeyboardInterrupt`: a person who presses Ctrl-C wants the best so far as the
    answer; a batch system wants the run to end, and to go on later.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")

    @property
    def status(self) -> int:
        """The exit status, as shells have it: 128 and the signal's number."""
        return 128 + self.number


SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let a function handle these signals in the meantime.

    Python's handlers run in the main thread alone; in any other nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, handler) for each in SIGNALS}
    try:
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Stopped` where SIGTERM or SIGUSR1 comes; see :func:`handled`."""

    def stop(number: int, frame: FrameType | None) -> None:
        # Once: what saves and cleans up on the way out is not to be stopped in its turn.
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    with handled(stop):
        yield
