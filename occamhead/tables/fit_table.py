"""The search on a table: candidates, cross-validation, the choice."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from occamhead.checks import check_counts, needs
from occamhead.expression import Expression
from occamhead.network.bases import get_bases
from occamhead.network.occamnet import OccamNet
from occamhead.search.compiling import cpu_seconds
from occamhead.search.evolution import evolve
from occamhead.search.result import Result
from occamhead.search.strategy import Strategy
from occamhead.tables.reporter import reporter
from occamhead.tables.selection import (
    Candidate,
    Verdict,
    at_complexity,
    candidates,
    choose,
    linear_complexity,
    shortest_description,
)
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.task import Task

# A fold must leave so many rows to judge on.
ROWS_PER_FOLD = 8

# A step of the front must lower the loss by this share to be listed.
LISTED_GAIN = 0.01


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """How formulas are searched in a table; see :class:`occamhead.OccamRegressor`.

    Raises:
        ValueError: On a value out of range.
    """

    bases: str | Sequence[str]
    depth: int
    max_terms: int
    constants: Sequence[float]
    max_complexity: int
    max_functions: int | None
    time_budget: float | None
    folds: int
    strategy: Mapping[str, Any] | None
    verbose: bool

    def __post_init__(self) -> None:
        check_counts(depth=self.depth, max_terms=self.max_terms, max_complexity=self.max_complexity)
        if self.folds < 0:
            raise ValueError(f"folds must not be negative, got {self.folds}")
        for name in ("max_functions", "time_budget"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, got {value}; None means no limit")
        if unknown := set(self.strategy or {}) - set(Strategy.names()):
            raise ValueError(
                f"strategy has no setting {min(unknown)!r}; known: {', '.join(Strategy.names())}"
            )

    def search(
        self,
        table: SortedRows,
        strategy: Strategy,
        title: str,
        start: NDArray[np.int32] | None = None,
    ) -> Result:
        """One search; the title is that of its progress bar."""
        inputs, outputs = table.x.shape[1], table.targets.shape[1]
        sums = [f"affine{terms}" for terms in range(1, self.max_terms + 1)]
        network = OccamNet(
            inputs,
            outputs,
            [*[get_bases(self.bases)] * self.depth, sums],
            constants=self.constants,
            groups=outputs,
        )
        report = reporter(strategy, title) if self.verbose else None
        return evolve(network, table.x, table.targets, strategy, table.weights, report, start)

    def seconds(self, share: float, began: float) -> float | None:
        """A share of what is left of the time budget; None without one."""
        if self.time_budget is None:
            return None
        return max(share * (self.time_budget - (cpu_seconds() - began)), 0.01)

    def strategy_of(self, seed: int, share: float, seconds: float | None) -> Strategy:
        """How to search: with a share of max_functions or, of a time budget, so many seconds."""
        options: dict[str, Any] = {
            "max_complexity": self.max_complexity,
            "fit_iterations": 10,
            "patience": 40,
            "seed": seed,
            "max_functions": self.max_functions,
            **(self.strategy or {}),
        }
        most = options["max_functions"]
        if seconds is not None:
            options |= {"time_budget": seconds, "max_functions": None}
        elif most is not None and share < 1:
            one_step = int(options.get("num_samples", Strategy.num_samples))
            options["max_functions"] = max(int(share * most), one_step)
        return Strategy(**options)


@dataclass(frozen=True)
class FittedTable:
    """What was found in a table.

    Args:
        best: The formula that was chosen.
        equations: The Pareto front and the linear model, as a data frame.
        result: The search on all rows.
        verdict: What cross-validation decided; None where it did not run to its end.
    """

    best: Expression
    equations: Any
    result: Result
    verdict: Verdict | None


def fit_table(
    table: SortedRows,
    task: Task,
    settings: TableSettings,
    seeds: NDArray[np.int64],
    names: Sequence[str] | None = None,
    start: NDArray[np.int32] | None = None,
) -> FittedTable:
    """Search on all rows, judge complexities by cross-validation, keep one formula.

    Args:
        table: The rows.
        task: What is asked of the formulas.
        settings: How to search.
        seeds: Of the search on all rows, then of each fold, [1 + folds].
        names: Names of the inputs in the formulas; None keeps x0, x1, ...
        start: Routes to start from. Only the search on all rows starts warm: a fold must not
            know its held-out rows.
    """
    began = cpu_seconds()
    formula = task.linear(table).renamed(names)
    linear = Candidate(linear_complexity(formula), formula, task.loss(formula, table))
    strategy = settings.strategy_of(int(seeds[0]), 1.0, settings.seconds(0.5, began))
    result = settings.search(table, strategy, "all rows", start)
    front = [
        Candidate(each.complexity, each.formula.renamed(names), each.loss)
        for each in _front(result, table, task)
    ]
    verdict: Verdict | None = None
    shortest = shortest_description(result)
    chosen = None if shortest is None else at_complexity(front, shortest)
    # As many numbers as rows fit any target: that is no law.
    exact = (
        chosen is not None
        and max(result.error) <= strategy.exact
        and chosen.formula.num_constants < len(table.x)
    )
    if not exact:
        try:
            if result.reason == "interrupted":
                raise KeyboardInterrupt
            verdict = _cross_validate(table, task, settings, seeds[1:], began)
            complexity = None if verdict is None else verdict.complexity
            chosen = None if complexity is None else at_complexity(front, complexity)
        except KeyboardInterrupt:
            # The search's own choice, by description length, needs no folds.
            warnings.warn("the search was interrupted; the best formula so far is kept",
                          ConvergenceWarning, stacklevel=4)  # fmt: skip
    best = chosen or linear
    scale = task.mean_loss(table) or 1.0
    return FittedTable(
        best.formula, _equations(front, linear, best, verdict, scale), result, verdict
    )


def _cross_validate(
    table: SortedRows, task: Task, settings: TableSettings, seeds: NDArray[np.int64], began: float
) -> Verdict | None:
    """Held-out losses by complexity and the verdict that they call for; None without folds.

    Raises:
        KeyboardInterrupt: If a search was interrupted.
    """
    folds = min(len(seeds), len(table.x) // ROWS_PER_FOLD)
    splits = task.splits(table, folds, int(seeds[0])) if folds > 1 else []
    if not splits:
        return None
    losses = np.full((len(table.x), settings.max_complexity), np.inf)
    linear = np.empty(len(table.x))
    for fold, (rows, held) in enumerate(splits):
        part, x, labels = table.part(rows), table.x[held], table.labels[held]
        linear[held] = task.losses(task.linear(part), x, labels)
        seconds = settings.seconds(1 / (len(splits) - fold), began)
        # Half as many functions: a fold must only tell which complexity to trust.
        strategy = settings.strategy_of(int(seeds[fold]), 0.5, seconds)
        found = settings.search(part, strategy, f"fold {fold + 1} of {len(splits)}")
        if found.reason == "interrupted":
            raise KeyboardInterrupt
        for candidate in _front(found, part, task):
            # Until a more complex one is better, this one stands for them, too.
            current = task.losses(candidate.formula, x, labels)
            losses[held, candidate.complexity - 1 :] = current[:, None]
    scale = task.mean_loss(table) or 1.0
    return choose(losses / scale, linear / scale, table.weights)


def _front(result: Result, table: SortedRows, task: Task) -> list[Candidate]:
    return candidates(
        result,
        lambda formula: task.finish(formula, table),
        lambda formula: task.loss(formula, table),
    )


def _equations(
    front: list[Candidate],
    linear: Candidate,
    chosen: Candidate,
    verdict: Verdict | None,
    scale: float,
) -> Any:
    """The front and the linear model as a data frame; `scale` is the loss of the mean."""
    with needs("pandas", "the table of formulas", "tabular"):
        import pandas as pd

    listed: list[Candidate] = []
    for candidate in front:
        if (
            candidate is chosen
            or not listed
            or candidate.loss < listed[-1].loss * (1 - LISTED_GAIN)
        ):
            listed.append(candidate)
    rows = []
    for candidate in [*listed, linear]:
        held_out = np.nan
        if verdict is not None:
            by_complexity = verdict.losses[candidate.complexity - 1 :]
            held_out = verdict.linear_loss if candidate is linear else by_complexity[0]
        rows.append(
            {
                "complexity": candidate.complexity,
                "loss": candidate.loss,
                "cross_validated_loss": scale * held_out,
                "equation": str(candidate.formula),
                "expression": candidate.formula,
                "kind": "linear model" if candidate is linear else "search",
                "chosen": candidate is chosen,
            }
        )
    return pd.DataFrame(rows)
