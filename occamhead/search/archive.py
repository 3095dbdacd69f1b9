"""The archive: the best function ever seen of each output at each complexity."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from occamhead.search.elites import EQUAL, own_route
from occamhead.search.judging.evaluator import Judged
from occamhead.search.judging.sampling import NONE
from occamhead.search.judging.wiring import Wiring

MOST = 128
"""Complexities from here on share one place."""


class Archive:
    """Error, root and route of the best function per output and complexity.

    Complexity is the number of nodes of the expression tree plus that of its free constants.

    Args:
        outputs: Number of outputs.
        rows: Rows of the network.
        exact: Errors below this are as good as zero.
    """

    def __init__(self, wiring: Wiring, exact: float) -> None:
        outputs, rows = len(wiring.output_rows), len(wiring.num_sources)
        self.wiring, self.exact = wiring, exact
        self.error = np.full((outputs, MOST), np.inf)
        self.root = np.full((outputs, MOST), NONE, np.int32)
        self.choices = np.full((outputs, MOST, rows), NONE, np.int32)

    def clear(self) -> None:
        self.error.fill(np.inf)
        self.root.fill(NONE)

    def add(self, choices: NDArray[np.int32], judged: Judged) -> bool:
        """Take what is better than what stands at its complexity.

        Returns:
            Whether the least error of an output fell.
        """
        return bool(
            _add(self.wiring, choices, judged.error, judged.size, judged.root, self.error,
                 self.root, self.choices, self.exact)
        )  # fmt: skip

    def would_take(self, judged: Judged) -> NDArray[np.bool_]:
        """Which samples :meth:`add` would take, were each the only one, [samples]."""
        outputs = np.arange(judged.error.shape[1])
        held = self.error[outputs, np.minimum(judged.size, MOST - 1)]
        better: NDArray[np.bool_] = (judged.error < held * (1 - EQUAL)) & (held > self.exact)
        return np.asarray(better.any(axis=1))

    @property
    def least(self) -> NDArray[np.float64]:
        """Least error of each output; inf if nothing was found."""
        return self.error.min(axis=1)

    def front(self, output: int) -> list[int]:
        """Complexities of the Pareto front of error against complexity, simplest first."""
        front, least = [], math.inf
        for complexity in range(MOST):
            error = self.error[output, complexity]
            if error < least * (1 - EQUAL) and not (least <= self.exact):
                front.append(complexity)
                least = error
        return front

    def best(self, output: int, rows: int) -> int | None:
        """Complexity of the function to report: that of the shortest description of the rows.

        A node is one of m bases and leaves, so it costs log m nats; what is left of n targets
        costs n log(error) (minimum description length, Rissanen 1978). The least error alone
        would pick the longest function, which fits the noise.
        """
        front = self.front(output)
        if not front:
            return None
        choices = len(self.wiring.arity) + self.wiring.num_leaves

        def length(complexity: int) -> float:
            error = max(float(self.error[output, complexity]), self.exact)
            return rows * math.log(error) + complexity * math.log(choices)

        return min(front, key=length)

    def answer(self, rows: int) -> list[int | None]:
        """Complexity of the function to report of each output; see :meth:`best`."""
        return [self.best(output, rows) for output in range(len(self.error))]


@numba.njit(cache=True)
def _add(wiring, choices, error, size, root, best_error, best_root, best_choices, exact):
    improved = False
    for j in range(error.shape[1]):
        least = best_error[j].min()
        for r in range(len(choices)):
            value = error[r, j]
            place = min(size[r, j], best_error.shape[1] - 1)
            if not value < best_error[j, place] * (1.0 - EQUAL):
                continue
            if best_error[j, place] <= exact:
                continue
            best_error[j, place], best_root[j, place] = value, root[r, j]
            own_route(wiring, choices[r], j, best_choices[j, place])
            if value < least * (1.0 - EQUAL) and least > exact:
                improved = True
                least = value
    return improved
