"""The constant-fitting step of the two-step scheme (paper, section 3), with a cache per function.

Weighted sums of leaves are fitted from moments (:mod:`occamhead.search.judging.gram`), all others
by :mod:`occamhead.search.judging.least_squares`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from occamhead.search.judging import gram
from occamhead.search.judging.instructions import compile_bases
from occamhead.search.judging.judging import Judging
from occamhead.search.judging.least_squares import evaluate_functions, fit_constants
from occamhead.search.judging.scoring import ERROR, SAMPLE, keys
from occamhead.search.judging.store import Store
from occamhead.search.judging.values import Scores, Scoring, empty_scores, score_on_host

# Redraws of the constants of a function that is undefined at their start (supplement F).
REDRAWS = 100

# Iterations for a function that is reported.
POLISH_ITERATIONS = 200

# A function with more free constants than this is not fitted: it counts as undefined.
MOST_CONSTANTS = 96


class ConstantFitter:
    """Fits the free constants of functions to one target each, by least squares.

    Args:
        store: Where the functions are, and where their constants go.
        scoring: The targets.
        judging: Iterations, scaling, seed.
    """

    def __init__(self, store: Store, scoring: Scoring, judging: Judging) -> None:
        self.store, self.scoring, self.judging = store, scoring, judging
        self.instructions = compile_bases(store.bases)
        most = max(basis.num_constants for basis in store.bases)
        self.starts = np.zeros((len(store.bases), most))
        for number, basis in enumerate(store.bases):
            self.starts[number, : basis.num_constants] = basis.start
        self.places = gram.place_table(store.bases)
        self.moments: gram.Moments | None = None

    def fit(
        self, roots: NDArray[np.int32], outputs: NDArray[np.int32], values: NDArray[np.floating]
    ) -> Scores:
        """Fit each function to its output, remember the constants, and score the result."""
        if not self._has_moments(values):
            return self._fit_any(roots, outputs, values)
        nodes, arity = self.store.nodes, self.store.wiring.arity
        sums = gram.are_sums(
            self.places, arity, self.store.num_leaves, roots, nodes.basis, nodes.children
        )
        if not sums.any():
            return self._fit_any(roots, outputs, values)
        of_sums, exact = self._fit_sums(roots[sums], outputs[sums], values)
        rest = ~sums
        rest[np.flatnonzero(sums)[exact]] = True
        if not rest.any():
            return of_sums
        of_rest = self._fit_any(roots[rest], outputs[rest], values)
        scores = empty_scores(len(roots))
        for whole, part, other in zip(scores, of_sums, of_rest, strict=True):
            whole[sums] = part
            whole[rest] = other
        return scores

    def _has_moments(self, values: NDArray[np.floating]) -> bool:
        """Whether moments can be had; takes them from the leaves, which stand first."""
        leaves, rows = self.store.num_leaves, self.scoring.targets.shape[1]
        if self.moments is None:
            if self.judging.scaled or self.judging.shadow or leaves > gram.MOST_LEAVES:
                return False
            if (self.places[:, 0] < 0).all():
                return False
            self.moments = gram.moments_of(
                values[:leaves, :rows].astype(np.float64), self.scoring.targets,
                self.scoring.weights,
            )  # fmt: skip
        return True

    def _fit_sums(
        self, roots: NDArray[np.int32], outputs: NDArray[np.int32], values: NDArray[np.floating]
    ) -> tuple[Scores, NDArray[np.bool_]]:
        """Fit weighted sums of leaves; also says which are too nearly exact to be told so."""
        nodes, scoring, arity = self.store.nodes, self.scoring, self.store.wiring.arity
        assert self.moments is not None
        constants, errors = gram.fit_sums(
            self.moments, self.places, arity, roots, outputs, nodes.basis, nodes.children
        )
        exact = errors <= gram.ALMOST_EXACT * self.moments.target_variance[outputs]
        rows = scoring.targets.shape[1]
        # The error alone needs no look at the rows but for the key, which takes some of them.
        stride = max(rows // SAMPLE, 1) if scoring.kind == ERROR else 1
        looked_at = values[: self.store.num_leaves, :rows:stride]
        predicted = np.empty((len(roots), looked_at.shape[1]))
        gram.evaluate_sums(
            constants, self.places, arity, roots, nodes.basis, nodes.children, looked_at, predicted
        )
        if scoring.kind == ERROR:
            relative = np.sqrt(errors) / scoring.deviations[outputs]
            fitness = 1.0 / (1.0 + relative)
            # No linear scaling makes it any better.
            scores = Scores(
                fitness, relative, fitness.copy(), keys(predicted, relative, False, scoring.drop)
            )
        else:
            places = np.arange(len(roots), dtype=np.int32)
            scores = score_on_host(predicted, places, outputs, scoring)
        self._remember(roots, outputs, constants)
        return scores, exact

    def _fit_any(
        self, roots: NDArray[np.int32], outputs: NDArray[np.int32], values: NDArray[np.floating]
    ) -> Scores:
        nodes, scoring, scaled = self.store.nodes, self.scoring, self.judging.scaled
        counts = np.minimum(nodes.num_constants[roots] + 2 * scaled, MOST_CONSTANTS)
        start = np.full((len(roots), int(counts.max())), np.nan)
        constants, errors = self._fit(roots, outputs, values, start, self.judging.fit_iterations)
        predicted = np.empty((len(roots), values.shape[1]))
        evaluate_functions(
            self.instructions, roots, constants, nodes.basis, nodes.children, nodes.num_constants,
            nodes.row, values, scaled, predicted,
        )  # fmt: skip
        predicted[~np.isfinite(errors)] = np.nan
        wanted = scoring._replace(scaled=False)
        scores = score_on_host(predicted, np.arange(len(roots), dtype=np.int32), outputs, wanted)
        self._remember(roots, outputs, constants)
        return scores

    def _remember(
        self, roots: NDArray[np.int32], outputs: NDArray[np.int32], constants: NDArray[np.float64]
    ) -> None:
        for root, output, numbers in zip(roots, outputs, constants, strict=True):
            self.store.set_constants(root, output, numbers)

    def polish(self, root: int, output: int, values: NDArray[np.floating]) -> None:
        """Fit a function's constants further, from where they are, until nothing is gained."""
        constants = self.store.constants[self.store.nodes.fit[root, output]]
        roots, outputs = np.array([root], np.int32), np.array([output], np.int32)
        better, errors = self._fit(roots, outputs, values, constants[None], POLISH_ITERATIONS)
        if np.isfinite(errors[0]):
            self.store.set_constants(root, output, better[0])

    def _fit(
        self,
        roots: NDArray[np.int32],
        outputs: NDArray[np.int32],
        values: NDArray[np.floating],
        start: NDArray[np.float64],
        iterations: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        nodes, scoring = self.store.nodes, self.scoring
        return fit_constants(
            self.instructions, roots, outputs, nodes.basis, nodes.children, nodes.num_constants,
            nodes.row, values, scoring.targets, scoring.weights, start, self.starts,
            self.judging.scaled, iterations, self.judging.seed, nodes.code, REDRAWS,
        )  # fmt: skip
