"""What a search does with the functions that were judged: ours, the paper's, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occamhead.search.archive import Archive
from occamhead.search.consolidation import CHECK_EVERY, consolidate
from occamhead.search.counts import Counts
from occamhead.search.elites import EQUAL, Elites, make_elites, might_enter, select, update_elites
from occamhead.search.judging.evaluator import Evaluator, Judged
from occamhead.search.judging.sampling import NONE
from occamhead.search.learner import Learner
from occamhead.search.shares import Shares
from occamhead.search.strategy import EngineName, Strategy
from occamhead.search.variation import vary_elites

# Steps in a row in which the kept functions must be equally fit (paper, section 5).
EQUAL_STEPS = 30

# Shares of the longest complexity to which the functions of one start after another are limited.
COMPLEXITY_SHARES = (1 / 2, 1.0)


@dataclass(eq=False, repr=False)
class Engine:
    """Samples the network as it is, on the parts of one search; the other engines do more.

    Args:
        strategy: How to search.
        learner: What may learn.
        evaluator: What judges.
        archive: The best functions ever seen; kept by the search.
        counts: How far the search is; kept by the search, but for what an engine counts.
        shares: The processes that share the samples of a step.
    """

    strategy: Strategy
    learner: Learner
    evaluator: Evaluator
    archive: Archive
    counts: Counts
    shares: Shares

    def __post_init__(self) -> None:
        """Make what an engine keeps beside these parts."""

    def prepare(self, key: np.uint64, choices: NDArray[np.int32], given: NDArray[np.bool_]) -> None:
        """Before a step: let some samples start from given edges; see :func:`vary_elites`."""

    def matter(self, judged: Judged) -> NDArray[np.bool_]:
        """Which samples may be kept or learnt from, whatever others there are, [samples]."""
        return np.zeros(len(judged.error), np.bool_)

    def keep(self, choices: NDArray[np.int32], judged: Judged) -> None:
        """Take what is worth keeping beside the archive, from routes [samples, rows]."""

    def keeps(self) -> dict[str, Archive | Elites]:
        """What is kept beside the archive, by name."""
        return {}

    def kept(self) -> list[NDArray[np.int32]]:
        """What is kept, as arrays of routes [any, rows]."""
        return [each.choices[each.root != NONE] for each in self.keeps().values()]

    def learn(self, choices: NDArray[np.int32], fitness: NDArray[np.float64]) -> None:
        """After a step: learn from its samples [samples, rows], fitness [samples, outputs]."""

    def converged(self) -> str:
        """Why the search has ended of itself; empty while it has not."""
        return "exact" if self.is_exact() else ""

    def settle(self) -> None:
        """At the end: let the network's most probable function be the answer."""

    def is_exact(self) -> bool:
        """Whether an exact function is known of every output."""
        return bool((self.archive.least <= self.strategy.exact).all())


class PaperEngine(Engine):
    """The paper's algorithm to the letter: learns from the best samples of each step."""

    def matter(self, judged: Judged) -> NDArray[np.bool_]:
        found = np.zeros(len(judged.fitness), np.bool_)
        chosen = self._best(judged.fitness)
        found[chosen[chosen >= 0]] = True
        # There must be something to learn from, if only to find that nothing is defined.
        found[:1] |= not found.any()
        return found

    def _best(self, fitness: NDArray[np.float64]) -> NDArray[np.int32]:
        """Samples of the top lambda of each output, [outputs, lambda]; -1 where there are fewer."""
        chosen = np.empty((fitness.shape[1], self.strategy.num_kept), np.int32)
        for j in range(fitness.shape[1]):
            select(np.ascontiguousarray(fitness[:, j]), self.strategy.num_kept, chosen[j])
        return chosen

    def learn(self, choices: NDArray[np.int32], fitness: NDArray[np.float64]) -> None:
        """Top lambda of this step's samples, copies included; notes whether all are as fit."""
        chosen = self._best(fitness)
        values = np.take_along_axis(fitness.T, np.maximum(chosen, 0), axis=1)
        values = np.where(chosen >= 0, values, np.nan)
        best = values.max(axis=1)  # NaN, and so equal to nothing, where too few are defined
        equal = bool((best - values.min(axis=1) <= EQUAL * np.abs(best)).all())
        self.counts.equal_steps = self.counts.equal_steps + 1 if equal else 0
        self.learner.learn(choices[np.maximum(chosen, 0)], values, self.strategy.learning_rate)

    def converged(self) -> str:
        if self.counts.equal_steps >= EQUAL_STEPS:
            return f"the kept functions were equally fit for {EQUAL_STEPS} steps"
        return ""


class OwnEngine(Engine):
    """Learns from the best distinct functions of a start, and starts again when it is stuck.

    Attributes:
        elites: The fittest functions of each output.
        shapes: Those of the best shape: what linear scaling would make of them counts.
        niches: The best for their size since the last restart.
    """

    def __post_init__(self) -> None:
        wiring = self.evaluator.wiring
        size = len(wiring.output_rows), self.strategy.num_kept, len(wiring.num_sources)
        self.elites, self.shapes = make_elites(*size), make_elites(*size)
        self.niches = Archive(wiring, self.strategy.exact)
        self.evaluator.held += [self.elites.root, self.shapes.root, self.niches.root]
        self._limit_complexity()

    def prepare(self, key: np.uint64, choices: NDArray[np.int32], given: NDArray[np.bool_]) -> None:
        vary_elites(
            self.evaluator.wiring, key, self.strategy.descend, self.parents(), choices, given,
            self.shares.rank, self.shares.size,
        )  # fmt: skip

    def matter(self, judged: Judged) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.niches.would_take(judged)
        for elites, values in ((self.elites, judged.fitness), (self.shapes, judged.shape)):
            found |= might_enter(elites, values, judged.key, judged.size)
        return found

    def parents(self) -> NDArray[np.int32]:
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

    def keep(self, choices: NDArray[np.int32], judged: Judged) -> None:
        self.niches.add(choices, judged)
        for elites, values in ((self.elites, judged.fitness), (self.shapes, judged.shape)):
            update_elites(
                self.evaluator.wiring, elites, choices, values, judged.key, judged.size,
                judged.root,
            )  # fmt: skip

    def keeps(self) -> dict[str, Archive | Elites]:
        return {"elites": self.elites, "shapes": self.shapes, "niches": self.niches}

    def learn(self, choices: NDArray[np.int32], fitness: NDArray[np.float64]) -> None:
        elites = self.elites
        self.learner.learn(elites.choices, elites.fitness, self.strategy.learning_rate)

    def converged(self) -> str:
        """See :meth:`Engine.converged`; restarts the search if it is stuck."""
        strategy, counts = self.strategy, self.counts
        exact = self.is_exact()
        # An exact function is found in a long form first: look for a shorter one for a while.
        if exact and counts.since_improvement >= max(50, counts.steps // 4):
            return "exact"
        if not exact and counts.since_improvement >= strategy.patience and self._is_settled():
            if counts.restarts >= strategy.restarts:
                return f"no better function in {counts.since_improvement} steps"
            self.restart()
        return ""

    def _is_settled(self) -> bool:
        """Whether the most probable function is the best of this start, or patience ran out."""
        counts = self.counts
        if counts.since_improvement >= 4 * self.strategy.patience:
            return True
        if counts.steps % CHECK_EVERY:
            return False
        judged = self.evaluator.judge_route(self.learner.mode(), counts.steps)
        fitness = np.nan_to_num(judged.fitness[0], nan=-np.inf)
        best = self.elites.fitness[:, 0]
        return bool((fitness >= best - EQUAL * np.abs(best)).all())

    def restart(self) -> None:
        """Start again from the initial network; the archive and all values are kept."""
        self.counts.restarts += 1
        self.counts.since_improvement = 0
        self._limit_complexity()
        self.learner.restart()
        self.elites.clear()
        self.shapes.clear()
        self.niches.clear()

    def _limit_complexity(self) -> None:
        """Take turns between short functions, which are many times faster to search, and all."""
        most = self.strategy.max_complexity
        if most is not None:
            share = COMPLEXITY_SHARES[self.counts.restarts % len(COMPLEXITY_SHARES)]
            self.evaluator.longest = max(int(share * most), 1)

    def settle(self) -> None:
        consolidate(self.learner, self.evaluator, self.archive, self.counts.steps)


ENGINES: dict[EngineName, type[Engine]] = {
    "occamhead": OwnEngine,
    "literal": PaperEngine,
    "no-learning": Engine,
}
