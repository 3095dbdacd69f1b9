"""The evolutionary strategy: sample, judge, keep the best, raise their probability, repeat.

Source: Costa et al. 2021 (arXiv 2007.10784v2), sections 3 and 5, supplement B to G.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from occamhead.network.occamnet import OccamNet
from occamhead.saving import NOWHERE, Kept
from occamhead.search.archive import Archive
from occamhead.search.checks import check_rows
from occamhead.search.compiling import cpu_seconds
from occamhead.search.counts import Counts
from occamhead.search.engines import ENGINES
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.sampling import NONE
from occamhead.search.learner import Learner
from occamhead.search.logits import read_logits, space_of, write_constants, write_logits
from occamhead.search.result import Result, make_result
from occamhead.search.saved import about, restore, state_of
from occamhead.search.shares import ALONE, Group, Shares
from occamhead.search.strategy import Strategy

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

# Seconds between two times that a search is written to where it is kept.
KEEP_EVERY = 10.0


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
        learner, counts: Those of a search that this one goes on with; see :meth:`on_rows`.
        shares: The processes that share the samples of a step.

    Attributes:
        learner: What is learnt; it does not depend on the rows.
        evaluator: What judges functions on the rows.
        archive: The best functions ever seen.
        engine: What is done with the functions that were judged.
        counts: How far the search is.
        choices: Routes of the last step that are this process's, [samples, rows of the network].

    Raises:
        ValueError: If the rows do not fit the network, are not finite, or leave nothing to learn,
            or if the network's groups see features of their own.
    """

    def __init__(
        self,
        network: OccamNet,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        strategy: Strategy | None = None,
        weights: NDArray[np.floating] | None = None,
        *,
        learner: Learner | None = None,
        counts: Counts | None = None,
        shares: Shares = ALONE,
    ) -> None:
        self.network, self.shares = network, shares
        self.strategy = strategy = strategy or Strategy()
        space = space_of(network)
        x, y, weights = check_rows(space, x, y, weights)
        self.evaluator = Evaluator(space, x, y, strategy, weights)
        wiring = self.evaluator.wiring
        self.learner = learner or Learner(wiring, *read_logits(network))
        self.counts = counts or Counts()
        self.archive = Archive(wiring, strategy.exact)
        self.evaluator.held.append(self.archive.root)
        self.engine = ENGINES[strategy.engine](
            strategy, self.learner, self.evaluator, self.archive, self.counts, shares
        )
        own = len(range(shares.rank, strategy.num_samples, shares.size))
        self.choices = np.empty((own, len(wiring.num_sources)), np.int32)
        self.given = np.zeros(own, np.bool_)

    def on_rows(
        self,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        weights: NDArray[np.floating] | None = None,
    ) -> Evolution:
        """A search that goes on with this one on other rows.

        What was learnt and all counts are the old ones. Elites and archive are filled by judging
        the old ones' functions on the new rows.

        Args:
            x, y, weights: See :class:`Evolution`.
        """
        new = Evolution(
            self.network, x, y, self.strategy, weights, learner=self.learner.copy(),
            counts=replace(self.counts), shares=self.shares,
        )  # fmt: skip
        known = self.archive.choices[self.archive.root != NONE]
        new.propose(np.concatenate([*self.engine.kept(), known]))
        return new

    # --- the loop --------------------------------------------------------------------------------

    def run(
        self, callback: Callable[[Progress], None] | None = None, kept: Kept = NOWHERE
    ) -> Result:
        """Search until an answer is found or a limit is reached; see :meth:`search`."""
        return self.result(self.search(callback, kept))

    def search(
        self, callback: Callable[[Progress], None] | None = None, kept: Kept = NOWHERE
    ) -> str:
        """As :meth:`run`, but the network alone holds the answer.

        Ctrl-C ends the search; what was found until then is kept.

        Args:
            callback: Called after every step.
            kept: Where the search is kept while it runs, and goes on from if it was stopped.

        Returns:
            Why the search ended.

        Raises:
            WrongRun: If what is kept is of another search.
        """
        state = None
        if kept.keeps:
            kept.check(about(self))
            if (state := kept.read("search")) is not None:
                restore(self, state)
        began, written = cpu_seconds() - self.counts.seconds, time.monotonic()
        reason = ""
        try:
            # A state may be that of the step with which a search ends, or starts anew.
            reason = "" if state is None else self.converged()
            while not reason and not (reason := self.ends(began)):
                improved = self.step()
                if kept.keeps and time.monotonic() - written >= KEEP_EVERY:
                    self.counts.seconds = cpu_seconds() - began
                    kept.write("search", state_of(self))
                    written = time.monotonic()
                if callback is not None:
                    callback(self._progress(improved))
                reason = self.converged()
            if kept.keeps:
                self.counts.seconds = cpu_seconds() - began
                kept.write("search", state_of(self))
        except KeyboardInterrupt:
            reason = "interrupted"
            self.evaluator.redo(self.counts.steps)
        if callback is not None:
            callback(self._progress(False, last=True))
        self.finish()
        self.counts.seconds = cpu_seconds() - began
        return reason

    def finish(self) -> None:
        """Make the answer the network's most probable function, with its free constants."""
        self.evaluator.longest = self.strategy.max_complexity
        self.engine.settle()
        self.publish()

    def publish(self) -> None:
        """Write logits, and the constants of the most probable function, into the network."""
        write_logits(self.network, self.learner.logits, self.learner.temperatures)
        judged = self.evaluator.judge_route(self.learner.mode(), self.counts.steps)
        for output, root in enumerate(judged.root[0].tolist()):
            for image, constants in self.evaluator.constants_of(root, output):
                write_constants(self.network, image, constants)

    def result(self, reason: str) -> Result:
        """What was found, read off a search that has ended for this reason."""
        return make_result(self.learner, self.evaluator, self.archive, self.counts, reason)

    def step(self) -> bool:
        """Sample R functions, judge them, and learn from the best.

        Returns:
            Whether the least error of an output fell.
        """
        strategy, counts, learner = self.strategy, self.counts, self.learner
        counts.steps += 1
        if strategy.end_temperature is not None and strategy.max_steps is not None:
            learner.cool(strategy.end_temperature, min(counts.steps / strategy.max_steps, 1.0))
        learner.fill_tables()
        key = np.uint64(strategy.seed * 1_000_003 + counts.steps)
        self.engine.prepare(key, self.choices, self.given)
        learner.draw(key, self.given, self.choices, self.shares)
        counts.functions += strategy.num_samples
        taken = self.choices if self.shares.size == 1 else self._together()
        improved, fitness = self._take(taken)
        counts.since_improvement = 0 if improved else counts.since_improvement + 1
        if counts.first_exact is None and (self.archive.least <= 1e-6).all():
            counts.first_exact = counts.functions
        self.engine.learn(taken, fitness)
        return improved

    def _together(self) -> NDArray[np.int32]:
        """What may matter of the samples of all processes, in the order of their numbers."""
        matter = np.zeros(len(self.choices), np.bool_)
        for part, judged in self.evaluator.judge(self.choices, self.counts.steps):
            whole = judged if self.evaluator.recurrence is None else judged.together()
            matter[part] = self.engine.matter(judged) | self.archive.would_take(whole)
        numbers = np.arange(self.shares.rank, self.strategy.num_samples, self.shares.size)
        return self.shares.together(numbers[matter], self.choices[matter])

    def _take(self, choices: NDArray[np.int32]) -> tuple[bool, NDArray[np.float64]]:
        """Judge routes and keep what is better than what is kept.

        Returns:
            Whether the least error of an output fell, and the fitnesses, [routes, outputs].
        """
        improved = False
        fitness = np.empty((len(choices), len(self.archive.error)))
        for part, judged in self.evaluator.judge(choices, self.counts.steps):
            chosen = choices[part]
            # What is applied again needs all outputs of one sample, however good each is elsewhere.
            whole = judged if self.evaluator.recurrence is None else judged.together()
            improved |= self.archive.add(chosen, whole)
            self.engine.keep(chosen, judged)
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
        sizes = self.evaluator.wiring.num_sources
        if choices.shape[1] != len(sizes) or ((choices < NONE) | (choices >= sizes)).any():
            raise ValueError(
                f"routes must hold edges of this network's {len(sizes)} P-nodes, got an array of"
                f" shape {list(choices.shape)}"
            )
        self.learner.fill_tables()
        key = np.uint64(self.strategy.seed * 1_000_003)
        self.learner.draw(key, np.ones(len(choices), np.bool_), choices)
        self._take(choices)

    def _progress(self, improved: bool, last: bool = False) -> Progress:
        counts = self.counts
        return Progress(
            counts.steps, counts.functions, self.archive.least, improved, self._describe, last
        )

    def _describe(self) -> str:
        found = [(j, c) for j, c in enumerate(self.answer()) if c is not None]
        if not found:
            return "none yet"
        roots = [int(self.archive.root[j, c]) for j, c in found]
        function = self.evaluator.function(roots, [j for j, _ in found])
        return "; ".join(function.expression().simplified().rounded(4).text())

    # --- when to stop ----------------------------------------------------------------------------

    def limit(self, began: float) -> str:
        """Which limit is reached; empty if none."""
        strategy, counts = self.strategy, self.counts
        if strategy.max_functions is not None and (
            counts.functions + strategy.num_samples > strategy.max_functions
        ):
            return f"sampled {counts.functions} functions (max_functions)"
        if strategy.max_steps is not None and counts.steps >= strategy.max_steps:
            return f"took {counts.steps} steps (max_steps)"
        if strategy.time_budget is not None and (cpu_seconds() - began >= strategy.time_budget):
            return f"used {strategy.time_budget:g} s of CPU time (time_budget)"
        return ""

    def ends(self, began: float) -> str:
        """Which limit is reached; of several processes' clocks the first one's counts."""
        reason = self.limit(began)
        return reason if self.strategy.time_budget is None else self.shares.agreed(reason)

    def converged(self) -> str:
        """Why the search has ended of itself; empty while it has not. Restarts it if stuck."""
        return self.engine.converged()

    def answer(self) -> list[int | None]:
        """Complexity of the archive's best function of each output."""
        return self.archive.answer(self.evaluator.rows)


def evolve(
    network: OccamNet,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    strategy: Strategy | None = None,
    weights: NDArray[np.floating] | None = None,
    callback: Callable[[Progress], None] | None = None,
    start: NDArray[np.int32] | None = None,
    checkpoint: str | Path | None = None,
    group: ProcessGroup | None = None,
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
        checkpoint: Folder in which the search is kept while it runs. One that was stopped goes on
            from there and ends as if it had not been, but for `evaluated` and `seconds`; limits
            may be others.
        group: Processes that share the samples of each step, such as
            ``torch.distributed.group.WORLD``. Each calls this function with the same arguments, and
            each gets the same result, that of a single process.

    Raises:
        ValueError: If the rows do not fit the network, are not finite, or leave nothing to learn;
            or if the checkpoint is of another search, which is named.

    Example:
        >>> import numpy as np
        >>> from occamhead import OccamNet, Strategy, evolve
        >>> x = np.random.default_rng(0).uniform(-10, 10, (200, 1))
        >>> network = OccamNet(1, 1, "table1/1", depth=3)
        >>> print(evolve(network, x, 2 * x**2 + 3 * x, Strategy(seed=0)).best)
        2*x0*x0 + 3*x0
    """
    shares: Shares = ALONE if group is None else Group(group)
    search = Evolution(network, x, y, strategy, weights, shares=shares)
    if start is not None:
        search.propose(start)
    return search.run(callback, Kept(checkpoint, writes=shares.rank == 0))


__all__ = ["Evolution", "Progress", "evolve"]
