"""Iterated functions, judged applied once, twice, ..., D times (recurrence, supplement D)."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from occamhead.search.judging.instructions import compile_bases, evaluate_nodes, make_scratch
from occamhead.search.judging.sampling import NONE
from occamhead.search.judging.store import Store
from occamhead.search.judging.values import Scores, Scoring, score_on_host


class Iteration:
    """Judges f, f(f), ... on rows: the functions of all outputs together map inputs to inputs.

    Args:
        store: Where the functions are.
        leaves: Values of the leaves, [leaves, rows].
        scoring: The targets.
        depth: D, how often a function is applied at most.

    Raises:
        ValueError: If there are not as many outputs as inputs.
    """

    def __init__(
        self, store: Store, leaves: NDArray[np.floating], scoring: Scoring, depth: int
    ) -> None:
        outputs = len(scoring.targets)
        if outputs != store.num_inputs:
            raise ValueError(
                f"recurrence feeds outputs back as inputs and needs as many, got {outputs} outputs"
                f" of {store.num_inputs} inputs"
            )
        if any(basis.num_constants for basis in store.bases):
            raise ValueError("recurrence takes bases without free constants")
        self.store, self.scoring, self.depth = store, scoring, depth
        self.leaves = leaves
        self.instructions = compile_bases(store.bases)
        self.scratch = make_scratch(self.instructions, leaves.dtype)
        self.cache: dict[bytes, tuple[Scores, int]] = {}

    def forget(self) -> None:
        """Drop the scores, which are filed by node numbers."""
        self.cache = {}

    def judge(self, roots: NDArray[np.int32]) -> Scores:
        """Scores of each sample, each [samples, outputs].

        The number of applications is the one with the best mean fitness over the outputs.
        """
        scores = [self.scores(tops)[0] for tops in roots]
        return Scores(*(np.stack(arrays) for arrays in zip(*scores, strict=True)))

    def scores(self, roots: NDArray[np.int32]) -> tuple[Scores, int]:
        """Scores of each output, and the number of applications."""
        name = roots.tobytes()
        if name not in self.cache:
            self.cache[name] = self._scores(roots)
        return self.cache[name]

    def _scores(self, roots: NDArray[np.int32]) -> tuple[Scores, int]:
        outputs = np.arange(len(roots), dtype=np.int32)
        best, best_fitness = None, -np.inf
        whole = np.zeros(len(roots), np.uint64)
        for n, values in enumerate(self.applications(roots), start=1):
            scores = score_on_host(values, outputs, outputs, self.scoring)
            # Functions are the same if they agree in all applications, on and off the rows.
            whole = whole * np.uint64(0x9E3779B97F4A7C15) + scores.key
            fitness = float(np.nan_to_num(scores.fitness, nan=-1.0).mean())
            if best is None or fitness > best_fitness:
                best, best_fitness = (scores, n), fitness
        assert best is not None
        return best[0]._replace(key=whole), best[1]

    def applications(self, roots: NDArray[np.int32]) -> list[NDArray[np.floating]]:
        """Values after one to D applications, each [outputs, rows]."""
        nodes = self.store.nodes
        ids = below(roots, nodes.children, self.store.num_leaves)
        row = np.full(self.store.count[0], NONE, np.int32)
        row[: self.store.num_leaves] = np.arange(self.store.num_leaves)
        row[ids] = self.store.num_leaves + np.arange(len(ids))
        values = np.empty((self.store.num_leaves + len(ids), self.leaves.shape[1]),
                          self.leaves.dtype)  # fmt: skip
        values[: self.store.num_leaves] = self.leaves
        results = []
        for _ in range(self.depth):
            evaluate_nodes(
                self.instructions, ids, nodes.basis, nodes.children, row, values, self.scratch
            )
            results.append(values[row[roots]])
            values[: self.store.num_inputs] = results[-1]
        return results


@numba.njit(cache=True)
def below(roots, children, num_leaves):
    """The nodes below some roots and these themselves, without leaves, children first."""
    stack, found = [np.int32(root) for root in roots], [np.int32(0) for _ in range(0)]
    seen = {np.int32(-1)}
    while len(stack):
        node = stack.pop()
        if node < num_leaves or node in seen:
            continue
        seen.add(node)
        found.append(node)
        for k in range(children.shape[1]):
            if children[node, k] >= num_leaves:
                stack.append(children[node, k])
    ids = np.array(found, np.int32) if len(found) else np.empty(0, np.int32)
    return np.sort(ids)
