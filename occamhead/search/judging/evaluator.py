"""From routes to scores: intern, evaluate what is new, fit free constants, score, penalise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from occamhead.search.judging.constant_fitter import ConstantFitter
from occamhead.search.judging.function import Function, Image
from occamhead.search.judging.iteration import Iteration
from occamhead.search.judging.judging import Judging
from occamhead.search.judging.regularisers import cluster_penalty
from occamhead.search.judging.sampling import NONE, intern_routes
from occamhead.search.judging.scoring import FITNESS, SHADOW_LIMIT, linear_scaling
from occamhead.search.judging.space import Space
from occamhead.search.judging.store import Store
from occamhead.search.judging.values import CompiledValues, Scores, Scoring, TorchValues, Values
from occamhead.search.judging.wiring import wire


class Judged(NamedTuple):
    """Scores of the functions of some samples, each [samples, outputs]."""

    fitness: NDArray[np.float64]
    error: NDArray[np.float64]
    shape: NDArray[np.float64]
    key: NDArray[np.uint64]
    size: NDArray[np.int32]
    root: NDArray[np.int32]

    def together(self) -> Judged:
        """Each output with the largest error and the size of all: they stand and fall together."""
        error = np.repeat(self.error.max(axis=1, keepdims=True), self.error.shape[1], axis=1)
        size = self.size.sum(axis=1, keepdims=True, dtype=np.int32).repeat(len(error.T), axis=1)
        return self._replace(error=error, size=size)


class Evaluator:
    """Judges the functions of routes through one space on one set of rows.

    Args:
        space: Where the routes lead.
        x: Inputs, [rows, inputs].
        y: Targets, [rows, outputs].
        judging: Fitness, regularisation, recurrence, memory, back end.
        weights: Weight of each row; None weighs all alike.

    Attributes:
        rows: Rows of data.
        layout, groups: Shape of the network.
        longest: Complexity up to which functions are judged; None judges all.
        inputs: Inputs as they are judged, in float64, [inputs, rows and shadow rows].
        evaluated: Distinct nodes evaluated, fits of constants included.
        held: Arrays of roots that eviction keeps and renumbers in place.
    """

    def __init__(
        self,
        space: Space,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        judging: Judging,
        weights: NDArray[np.floating] | None = None,
    ) -> None:
        self.judging = judging
        self.wiring, self.bases = wire(space.layout, space.groups)
        self.layout, self.groups = space.layout, space.groups
        self.rows = rows = len(x)
        dtype = np.dtype(judging.dtype)
        constants = space.constants
        inputs = np.asarray(x, np.float64)
        if judging.shadow:
            shuffled = np.random.default_rng(judging.seed).permuted(inputs, axis=0)
            inputs = np.concatenate([inputs, shuffled])
        self.inputs = inputs.T
        leaves = np.concatenate(
            [inputs.T, np.repeat(np.reshape(constants, (-1, 1)), len(inputs), axis=1)]
        ).astype(dtype)
        share = np.full(rows, 1.0) if weights is None else np.asarray(weights, np.float64)
        targets = np.ascontiguousarray(np.asarray(y, np.float64).T)
        share = share / share.sum()
        mean = targets @ share
        deviations = np.sqrt(((targets - mean[:, None]) ** 2) @ share)
        # A constant target has no deviation: its errors are relative to its size, or to 1.
        flat = deviations <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
        deviations = np.where(flat, np.where(mean == 0, 1.0, np.abs(mean)), deviations)
        self.scoring = Scoring(
            targets, share, FITNESS[judging.fitness], judging.sigma, judging.scaled,
            deviations, 22 if dtype == np.float64 else 36,
        )  # fmt: skip
        self.store = Store(
            self.wiring, self.bases, len(targets), leaves.shape[1], dtype.itemsize,
            int(judging.store_mb * 1e6), len(inputs.T), constants,
        )  # fmt: skip
        self.values: Values
        if judging.backend == "compiled":
            self.values = CompiledValues(self.bases, leaves, self.store.nodes.max_rows)
        else:
            self.values = TorchValues(self.bases, leaves, self.store.nodes.max_rows, judging.device)
        self.fitter = (
            ConstantFitter(self.store, self.scoring, judging)
            if self.wiring.num_constants.any()
            else None
        )
        self.recurrence = (
            Iteration(self.store, leaves, self.scoring, judging.recurrence)
            if judging.recurrence > 1
            else None
        )
        self.longest = judging.max_complexity
        self.psi: dict[int, float] = {}
        self.evaluated = 0
        self.held: list[NDArray[np.int32]] = []

    def judge(self, choices: NDArray[np.int32], step: int) -> Iterator[tuple[slice, Judged]]:
        """Judge the functions of routes, in as few parts as the memory allows.

        Roots in a part are valid until the next part is asked for, those in `held` throughout.

        Args:
            choices: Edges, [samples, rows of the network].
            step: Number of the step.
        """
        start = 0
        while start < len(choices):
            roots = np.empty((len(choices), len(self.wiring.output_rows)), np.int32)
            before = int(self.store.count[0])
            end = intern_routes(
                self.wiring, self.store.nodes, self.store.count, choices, start, step, roots
            )
            fresh = self.store.new_nodes(before)
            if len(fresh):
                self.values.evaluate(self.store.nodes, fresh)
                self.evaluated += len(fresh)
            if end > start:
                yield slice(start, end), self._judge_roots(roots[start:end])
            if end < len(choices):
                self.evict()
                if end == start and self.store.count[1] + len(self.wiring.basis) > (
                    self.store.nodes.max_rows
                ):
                    raise MemoryError("the node store is full of what must be kept; raise store_mb")
            start = end

    def judge_route(self, route: NDArray[np.int32], step: int) -> Judged:
        """Scores of the functions of one route [rows of the network], each [1, outputs]."""
        _, judged = next(self.judge(route[None], step))
        return judged

    def _judge_roots(self, roots: NDArray[np.int32]) -> Judged:
        nodes = self.store.nodes
        if self.recurrence is not None:
            scores = self.recurrence.judge(roots)
        else:
            self._score(roots)
            outputs = np.arange(roots.shape[1])
            scores = Scores(
                nodes.fitness[roots, outputs], nodes.error[roots, outputs],
                nodes.shape[roots, outputs], nodes.key[roots, outputs],
            )  # fmt: skip
        complexity = nodes.size[roots] + nodes.num_constants[roots]
        if self.longest is not None:
            long = complexity > self.longest
            scores.fitness[long] = scores.shape[long] = np.nan
            scores.error[long] = np.inf
        return Judged(*scores, complexity, roots)

    def _score(self, roots: NDArray[np.int32]) -> None:
        """Score every (root, output) that has no score yet."""
        nodes = self.store.nodes
        longest = np.iinfo(np.int32).max if self.longest is None else self.longest
        fresh, outputs = unscored(roots, nodes.scored, nodes.size, nodes.num_constants, longest)
        if not len(fresh):
            return
        free = nodes.num_constants[fresh] > 0
        plain = ~free
        if plain.any():
            scores = self.values.score(nodes.row[fresh[plain]], outputs[plain], self.scoring)
            self._file(fresh[plain], outputs[plain], scores)
        if free.any():
            assert self.fitter is not None
            scores = self.fitter.fit(fresh[free], outputs[free], self.values.host())
            self.evaluated += int(free.sum())
            self._file(fresh[free], outputs[free], scores)
        if self.judging.regularisation.active:
            for at in zip(fresh, outputs, strict=True):
                nodes.fitness[at], nodes.error[at] = self._penalised(
                    *at, nodes.fitness[at], nodes.error[at]
                )

    def _file(self, roots: NDArray[np.int32], outputs: NDArray[np.int32], scores: Scores) -> None:
        nodes = self.store.nodes
        for array, values in zip(
            (nodes.fitness, nodes.error, nodes.shape, nodes.key), scores, strict=True
        ):
            array[roots, outputs] = values

    def _penalised(
        self, root: int, output: int, fitness: float, error: float
    ) -> tuple[float, float]:
        """Fitness less the penalties of supplement E and F; a trivial function has no error."""
        weights = self.judging.regularisation
        if np.isnan(fitness):
            return -weights.undefined, np.inf
        function, numbers = self.store.function_of(root, output)
        psi = [0.0] * len(numbers)
        if weights.psi:
            psi = [self._node_psi(node, number) for node, number in
                   zip(function.nodes, numbers, strict=True)]  # fmt: skip
        penalty = weights.penalty(function, 0, psi)
        trivial = penalty - weights.complexity_penalty(function, 0) >= SHADOW_LIMIT
        return fitness - penalty, np.inf if trivial else error

    def _node_psi(self, node: object, number: int) -> float:
        if number not in self.psi:
            penalty = 0.0
            row = self.store.nodes.row[number]
            if isinstance(node, Image) and row != NONE:
                values = self.values.host()
                child = self.store.nodes.children[number, 0]
                penalty = cluster_penalty(
                    node.basis.name, values[row], values[self.store.nodes.row[child]]
                )
            self.psi[number] = penalty
        return self.psi[number]

    def evict(self) -> None:
        """Make room in the store."""
        held = np.concatenate([array.ravel() for array in self.held] or [np.empty(0, np.int32)])
        renumbered, old_rows = self.store.evict(held)
        self.values.keep(old_rows)
        for array in self.held:
            array[...] = np.where(array >= 0, renumbered[array], NONE)
        self.psi = {}
        if self.recurrence is not None:
            self.recurrence.forget()

    def redo(self, step: int) -> None:
        """After an interruption: compute the nodes of a step again, and score them when asked."""
        nodes = self.store.nodes
        met = np.flatnonzero(nodes.used[: self.store.count[0]] == step).astype(np.int32)
        nodes.scored[met] = False
        self.values.evaluate(nodes, met[nodes.row[met] != NONE])

    def function(self, roots: Sequence[int], outputs: Sequence[int]) -> Function:
        """The function of some roots, each with what was fitted for its output."""
        if self.judging.scaled:
            values = self.values.host()
            for root, output in zip(roots, outputs, strict=True):
                if self.store.nodes.num_constants[root] == 0:
                    row = values[self.store.nodes.row[root]]
                    target = self.scoring.targets[output]
                    scale = linear_scaling(row, target, self.scoring.weights)
                    self.store.set_constants(root, output, np.array(scale))
        return self.store.function(roots, outputs)

    def constants_of(self, root: int, output: int) -> Iterator[tuple[int, tuple[float, ...]]]:
        """The images of a function that have free constants, and what was fitted for an output.

        Nothing for a function that was not fitted.
        """
        nodes = self.store.nodes
        if nodes.num_constants[root] == 0 or nodes.fit[root, output] == NONE:
            return
        if np.isfinite(nodes.error[root, output]):
            assert self.fitter is not None
            self.fitter.polish(root, output, self.values.host())
        function, numbers = self.store.function_of(root, output)
        for node, number in zip(function.nodes, numbers, strict=True):
            if isinstance(node, Image) and node.constants:
                yield int(nodes.owner[number]), node.constants


@numba.njit(cache=True)
def unscored(roots, scored, size, num_constants, longest):
    """The (root, output) pairs without scores, each once; marks them as scored.

    Functions that are longer than the longest to judge are left out.
    """
    nodes = np.empty(roots.size, np.int32)
    outputs = np.empty(roots.size, np.int32)
    count = 0
    for r in range(roots.shape[0]):
        for j in range(roots.shape[1]):
            root = roots[r, j]
            if not scored[root, j] and size[root] + num_constants[root] <= longest:
                scored[root, j] = True
                nodes[count], outputs[count] = root, j
                count += 1
    return nodes[:count], outputs[:count]
