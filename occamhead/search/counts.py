"""How far a search is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """What a search counts; it goes on counting where its rows change.

    Args:
        steps, functions, restarts: Steps, functions sampled, and restarts so far.
        since_improvement: Steps since the least error of an output fell, or since a restart.
        equal_steps: Steps in a row in which the kept functions were equally fit.
        first_exact: Functions sampled when every output had an error of at most 1e-6; None if
            that never was.
        seconds: CPU seconds of the process, without what numba took to compile the search.
    """

    steps: int = 0
    functions: int = 0
    restarts: int = 0
    since_improvement: int = 0
    equal_steps: int = 0
    first_exact: int | None = None
    seconds: float = 0.0
