"""The evolutionary strategy: sample, judge, keep the best, raise their probability, repeat.

Source: Costa et al. 2021 (arXiv 2007.10784v2), sections 3 and 5, supplement B to G.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occamhead.network.occamnet import OccamNet
from occamhead.search.archive import Archive
from occamhead.search.checks import check_rows
from occamhead.search.consolidation import CHECK_EVERY, consolidate
from occamhead.search.judging.evaluator import Evaluator, Judged
from occamhead.search.judging.sampling import NONE, draw_routes, most_probable, softmax_tables
from occamhead.search.judging.wiring import read_logits, write_constants, write_logits
from occamhead.search.learning import EQUAL, adam, learn_from, make_elites, select, update_elites
from occamhead.search.result import Result, make_result
from occamhead.search.strategy import Strategy
from occamhead.search.variation import vary_elites

# Steps in a row in which the kept functions must be equally fit (paper, section 5).
EQUAL_STEPS = 30

# Shares of the longest complexity to which the functions of one start after another are limited.
COMPLEXITY_SHARES = (1 / 2, 1.0)


@dataclass(frozen=True)
class Progress:
    """What a callback is told after a step.

    Args:
        step, functions: Steps done and functions sampled.
        error: Least error (NRMSE) of each output so far.
        improved: Whether a better function was found in this step.
        best: Gives the best formulas so far, as they were sampled.
        last: Whether the search ends here.
    """

    step: int
    functions: int
    error: NDArray[np.float64]
    improved: bool
    best: Callable[[], str]
    last: bool = False


class Evolution:
    """One search over the functions of a network.

    Args:
        network: Where it starts; at the end its most probable function is the answer.
        x: Inputs, [rows, inputs].
        y: Targets, [rows, outputs] or [rows].
        strategy: How to search.
        weights: Weight of each row; None weighs all alike.

    Raises:
        ValueError: If the rows do not fit the network, are not finite, or leave nothing to learn.
    """

    def __init__(
        self,
        network: OccamNet,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        strategy: Strategy | None = None,
        weights: NDArray[np.floating] | None = None,
    ) -> None:
        self.network = network
        self.strategy = strategy = strategy or Strategy()
        x, y, weights = check_rows(network, x, y, weights)
        self.rows = len(x)
        self.evaluator = Evaluator(network, x, y, strategy, weights)
        wiring = self.wiring = self.evaluator.wiring
        self.logits, self.temperatures = read_logits(network)
        self.start = self.logits.copy()
        self.start_temperatures = self.temperatures.copy()
        self.log_probs = np.zeros_like(self.logits)
        self.cumulative = np.zeros_like(self.logits)
        self.mean, self.square = np.zeros_like(self.logits), np.zeros_like(self.logits)
        self.gradient = np.zeros_like(self.logits)
        self.pull = np.zeros(len(wiring.num_sources))
        self.adam_steps = 0
        outputs, rows = len(wiring.output_rows), len(wiring.num_sources)
        self.elites = make_elites(outputs, strategy.num_kept, rows)
        self.shapes = make_elites(outputs, strategy.num_kept, rows)
        self.archive = Archive(wiring, strategy.exact)
        self.niches = Archive(wiring, strategy.exact)
        self.evaluator.held += [
            self.elites.root, self.shapes.root, self.archive.root, self.niches.root
        ]  # fmt: skip
        self.choices = np.empty((strategy.num_samples, rows), np.int32)
        self.given = np.zeros(strategy.num_samples, np.bool_)
        self.steps = self.functions = self.num_restarts = 0
        self.since_improvement = self.equal_steps = 0
        self._limit_complexity()
        self.first_exact: int | None = None
        self.seconds = 0.0

    # --- the loop --------------------------------------------------------------------------------

    def run(self, callback: Callable[[Progress], None] | None = None) -> Result:
        """Search until an answer is found or a limit is reached; see :meth:`search`."""
        return make_result(self, self.search(callback))

    def search(self, callback: Callable[[Progress], None] | None = None) -> str:
        """As :meth:`run`, but the network alone holds the answer.

        Ctrl-C ends the search; what was found until then is kept.

        Args:
            callback: Called after every step.

        Returns:
            Why the search ended.
        """
        began = time.process_time()
        reason = ""
        try:
            while not (reason := self.limit(began)):
                improved = self.step()
                if callback is not None:
                    callback(self._progress(improved))
                if reason := self.converged():
                    break
        except KeyboardInterrupt:
            reason = "interrupted"
            self.evaluator.redo(self.steps)
        if callback is not None:
            callback(self._progress(False, last=True))
        self.finish()
        self.seconds += time.process_time() - began
        return reason

    def finish(self) -> None:
        """Make the answer the network's most probable function, with its free constants."""
        self.evaluator.longest = self.strategy.max_complexity
        if self.strategy.engine == "occamhead":
            consolidate(self)
        self.publish()

    def publish(self) -> None:
        """Write logits, and the constants of the most probable function, into the network."""
        write_logits(self.network, self.logits, self.temperatures)
        for output, root in enumerate(self.judge_mode().root[0].tolist()):
            for image, constants in self.evaluator.constants_of(root, output):
                write_constants(self.network, image, constants)

    def step(self) -> bool:
        """Sample R functions, judge them, and learn from the best.

        Returns:
            Whether the least error of an output fell.
        """
        strategy = self.strategy
        self.steps += 1
        self._cool()
        self.fill_tables()
        key = np.uint64(strategy.seed * 1_000_003 + self.steps)
        if strategy.engine == "occamhead":
            vary_elites(
                self.wiring, key, strategy.descend, self._parents(), self.choices, self.given
            )
        draw_routes(self.wiring, self.cumulative, key, self.given, self.choices)
        self.functions += strategy.num_samples
        improved, fitness = self._take(self.choices)
        self.since_improvement = 0 if improved else self.since_improvement + 1
        if self.first_exact is None and (self.archive.least <= 1e-6).all():
            self.first_exact = self.functions
        if strategy.engine == "occamhead":
            self.learn(self.elites.choices, self.elites.fitness, strategy.learning_rate)
        elif strategy.engine == "literal":
            self._learn_literally(fitness)
        return improved

    def _take(self, choices: NDArray[np.int32]) -> tuple[bool, NDArray[np.float64]]:
        """Judge routes and keep what is better than what is kept.

        Returns:
            Whether the least error of an output fell, and the fitnesses, [routes, outputs].
        """
        improved = False
        fitness = np.empty((len(choices), len(self.elites.fitness)))
        for part, judged in self.evaluator.judge(choices, self.steps):
            chosen = choices[part]
            # What is applied again needs all outputs of one sample, however good each is elsewhere.
            whole = judged if self.evaluator.recurrence is None else judged.together()
            improved |= self.archive.add(chosen, whole)
            if self.strategy.engine == "occamhead":
                self.niches.add(chosen, judged)
                for elites, values in ((self.elites, judged.fitness), (self.shapes, judged.shape)):
                    update_elites(
                        self.wiring, elites, chosen, values, judged.key, judged.size, judged.root
                    )
            fitness[part] = judged.fitness
        return improved, fitness

    def propose(self, routes: NDArray[np.int32]) -> None:
        """Let given functions enter the elites and the archive, as if they had been sampled.

        Args:
            routes: Edges, [routes, rows of the network]; -1 is drawn from the network.

        Raises:
            ValueError: If the routes are of another network.
        """
        choices = np.array(routes, np.int32, ndmin=2)
        sizes = self.wiring.num_sources
        if choices.shape[1] != len(sizes) or (choices >= sizes).any() or choices.min() < NONE:
            raise ValueError(
                f"routes must hold edges of this network's {len(sizes)} P-nodes, got an array of"
                f" shape {list(choices.shape)}"
            )
        self.fill_tables()
        key = np.uint64(self.strategy.seed * 1_000_003)
        given = np.ones(len(choices), np.bool_)
        draw_routes(self.wiring, self.cumulative, key, given, choices)
        self._take(choices)

    def _progress(self, improved: bool, last: bool = False) -> Progress:
        return Progress(
            self.steps, self.functions, self.archive.least, improved, self._describe, last
        )

    def _describe(self) -> str:
        found = [(j, c) for j, c in enumerate(self.answer()) if c is not None]
        if not found:
            return "none yet"
        roots = [int(self.archive.root[j, c]) for j, c in found]
        function = self.evaluator.function(roots, [j for j, _ in found])
        return "; ".join(function.expression().simplified().rounded(4).text())

    def _parents(self) -> NDArray[np.int32]:
        """Routes from which samples may descend, [parents, rows].

        The fittest functions alone are soon variants of one. So those of the right shape and
        those that fit best for their size, since the last restart, take part.
        """
        parents = [elites.choices[elites.root != NONE] for elites in (self.elites, self.shapes)]
        parents += [
            self.niches.choices[output, self.niches.front(output)]
            for output in range(len(self.niches.error))
        ]
        return np.concatenate(parents)

    def _cool(self) -> None:
        end, last = self.strategy.end_temperature, self.strategy.max_steps
        if end is not None and last is not None:
            share = min(self.steps / last, 1.0)
            start = self.start_temperatures
            self.temperatures[:] = start * (end / start) ** share

    def fill_tables(self) -> None:
        """Compute the probabilities of all edges from logits and temperatures."""
        softmax_tables(
            self.logits, self.temperatures, self.wiring.num_sources, self.log_probs,
            self.cumulative,
        )  # fmt: skip

    def learn(self, choices: NDArray[np.int32], fitness: NDArray[np.float64], rate: float) -> None:
        learn_from(
            self.wiring, self.log_probs, self.temperatures, choices, fitness, self.gradient,
            self.pull,
        )  # fmt: skip
        self.adam_steps += 1
        adam(self.logits, self.gradient, self.mean, self.square, self.adam_steps, rate)

    def _learn_literally(self, fitness: NDArray[np.float64]) -> None:
        """Top lambda of this step's samples, copies included; notes whether all are as fit."""
        count = self.strategy.num_kept
        chosen = np.empty((fitness.shape[1], count), np.int32)
        for j in range(fitness.shape[1]):
            select(np.ascontiguousarray(fitness[:, j]), count, chosen[j])
        values = np.take_along_axis(fitness.T, np.maximum(chosen, 0), axis=1)
        values = np.where(chosen >= 0, values, np.nan)
        best = values.max(axis=1)  # NaN, and so equal to nothing, where too few are defined
        equal = bool((best - values.min(axis=1) <= EQUAL * np.abs(best)).all())
        self.equal_steps = self.equal_steps + 1 if equal else 0
        self.learn(self.choices[np.maximum(chosen, 0)], values, self.strategy.learning_rate)

    # --- when to stop ----------------------------------------------------------------------------

    def limit(self, began: float) -> str:
        """Which limit is reached; empty if none."""
        strategy = self.strategy
        if strategy.max_functions is not None and (
            self.functions + strategy.num_samples > strategy.max_functions
        ):
            return f"sampled {self.functions} functions (max_functions)"
        if strategy.max_steps is not None and self.steps >= strategy.max_steps:
            return f"took {self.steps} steps (max_steps)"
        if strategy.time_budget is not None and (
            time.process_time() - began >= strategy.time_budget
        ):
            return f"used {strategy.time_budget:g} s of CPU time (time_budget)"
        return ""

    def converged(self) -> str:
        """Why the search has ended of itself; empty while it has not. Restarts it if stuck."""
        strategy = self.strategy
        exact = bool((self.archive.least <= strategy.exact).all())
        if strategy.engine == "no-learning":
            return "exact" if exact else ""
        if strategy.engine == "literal":
            if self.equal_steps >= EQUAL_STEPS:
                return f"the kept functions were equally fit for {EQUAL_STEPS} steps"
            return ""
        # An exact function is found in a long form first: look for a shorter one for a while.
        if exact and self.since_improvement >= max(50, self.steps // 4):
            return "exact"
        if not exact and self.since_improvement >= strategy.patience and self._is_settled():
            if self.num_restarts >= strategy.restarts:
                return f"no better function in {self.since_improvement} steps"
            self.restart()
        return ""

    def _is_settled(self) -> bool:
        """Whether the most probable function is the best of this start, or patience ran out."""
        if self.since_improvement >= 4 * self.strategy.patience:
            return True
        if self.steps % CHECK_EVERY:
            return False
        fitness = np.nan_to_num(self.judge_mode().fitness[0], nan=-np.inf)
        best = self.elites.fitness[:, 0]
        return bool((fitness >= best - EQUAL * np.abs(best)).all())

    def restart(self) -> None:
        """Start again from the initial network; the archive and all values are kept."""
        self.num_restarts += 1
        self._limit_complexity()
        self.logits[:] = self.start
        self.mean.fill(0.0)
        self.square.fill(0.0)
        self.adam_steps = self.since_improvement = 0
        self.elites.clear()
        self.shapes.clear()
        self.niches.clear()

    def _limit_complexity(self) -> None:
        """Take turns between short functions, which are many times faster to search, and all."""
        most = self.strategy.max_complexity
        if most is not None and self.strategy.engine == "occamhead":
            share = COMPLEXITY_SHARES[self.num_restarts % len(COMPLEXITY_SHARES)]
            self.evaluator.longest = max(int(share * most), 1)

    # --- the most probable function --------------------------------------------------------------

    def mode(self) -> NDArray[np.int32]:
        """The most probable route by dynamic programming (supplement C), [rows]."""
        self.fill_tables()
        route = np.full(len(self.wiring.num_sources), NONE, np.int32)
        most_probable(self.wiring, self.log_probs, route)
        return route

    def judge_mode(self) -> Judged:
        """Scores of the most probable function of each output, each [1, outputs]."""
        _, judged = next(self.evaluator.judge(self.mode()[None], self.steps))
        return judged

    def answer(self) -> list[int | None]:
        """Complexity of the archive's best function of each output."""
        return [self.archive.best(j, self.rows) for j in range(len(self.archive.error))]


def evolve(
    network: OccamNet,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    strategy: Strategy | None = None,
    weights: NDArray[np.floating] | None = None,
    callback: Callable[[Progress], None] | None = None,
    start: NDArray[np.int32] | None = None,
) -> Result:
    """Search for the functions of y among those that a network can spell.

    Args:
        network: An OccamNet; it is trained in place.
        x: Inputs, [rows, inputs].
        y: Targets, [rows, outputs] or [rows].
        strategy: How to search; see :class:`Strategy`.
        weights: Weight of each row.
        callback: Called after every step.
        start: Routes to start from, as in ``Result.routes`` of an earlier search.

    Raises:
        ValueError: If the rows do not fit the network, are not finite, or leave nothing to learn.

    Example:
        >>> import numpy as np
        >>> from occamhead import OccamNet, Strategy, evolve
        >>> x = np.random.default_rng(0).uniform(-10, 10, (200, 1))
        >>> network = OccamNet(1, 1, "table1/1", depth=3)
        >>> print(evolve(network, x, 2 * x**2 + 3 * x, Strategy(seed=0)).best)
        2*x0*x0 + 3*x0
    """
    search = Evolution(network, x, y, strategy, weights)
    if start is not None:
        search.propose(start)
    return search.run(callback)


__all__ = ["Evolution", "Progress", "evolve"]
