"""How formulas are searched in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import check_counts
from occamhead.expression import Apply
from occamhead.network.bases import Basis, get_bases
from occamhead.network.occamnet import OccamNet
from occamhead.saving import NOWHERE, Kept
from occamhead.search.compiling import cpu_seconds
from occamhead.search.evolution import evolve
from occamhead.search.result import Result
from occamhead.search.strategy import Strategy
from occamhead.tables.reporter import reporter
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.warn import warn

# CPU seconds that a budget leaves to the choice.
CHOICE_SECONDS = 1.5


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """How formulas are searched in a table; see :class:`occamhead.OccamRegressor`.

    Raises:
        ValueError: On a value out of range.
    """

    bases: str | Sequence[str | Basis]
    depth: int
    max_terms: int
    constants: Sequence[float]
    max_complexity: int
    max_functions: int | None
    time_budget: float | None
    folds: int
    strategy: Mapping[str, Any] | None
    verbose: bool
    n_jobs: int | None = None

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
        kept: Kept = NOWHERE,
    ) -> Result:
        """One search; the title is that of its progress bar, and `kept` where it is kept."""
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
        return evolve(
            network, table.x, table.targets, strategy, table.weights, report, start, kept.folder
        )

    @property
    def processes(self) -> int | None:
        """`n_jobs`, but 1 where CPU seconds are counted: those are of one process."""
        return self.n_jobs if self.time_budget is None else 1

    @property
    def choices(self) -> int:
        """What a node of a formula may be, but for the inputs: a basis or a constant."""
        return len(get_bases(self.bases)) + len(self.constants) + self.max_terms

    @property
    def operators(self) -> frozenset[str]:
        """What formulas may be made of."""
        nodes = (node for basis in get_bases(self.bases) for node in basis.formula.nodes)
        return frozenset(node.operator for node in nodes if isinstance(node, Apply))

    def seconds(self, share: float, began: float) -> float | None:
        """A share of the time that is left to search; None without a budget.

        Of the budget that is left two fifths, at most `CHOICE_SECONDS`, are for what comes after.
        """
        if self.time_budget is None:
            return None
        left = self.time_budget - (cpu_seconds() - began)
        return max(share * (left - min(0.4 * left, CHOICE_SECONDS)), 0.01)

    def is_used_up(self, began: float, times: float = 1.0) -> bool:
        """Whether so many times the time is over; never without a budget."""
        return self.time_budget is not None and cpu_seconds() - began > times * self.time_budget

    def say_used_up(self, done: str) -> None:
        """Warn that the time was too short for the rest."""
        warn(f"{self.time_budget:g} s are used up: {done}; a larger time_budget does the rest")

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
