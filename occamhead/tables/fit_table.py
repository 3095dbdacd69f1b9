"""The search on a table, as both estimators run it: candidates, cross-validation, the choice."""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from occamhead.checks import check_counts
from occamhead.expression import Expression
from occamhead.network.bases import get_bases
from occamhead.network.occamnet import OccamNet
from occamhead.search.evolution import evolve
from occamhead.search.result import Result
from occamhead.search.strategy import Strategy
from occamhead.tables.reporter import reporter
from occamhead.tables.selection import (
    Candidate,
    Choice,
    at_complexity,
    candidates,
    choose,
    linear_complexity,
    shortest_description,
)
from occamhead.tables.table import Table

DEFAULT_BASES = (
    "add", "sub", "mul", "div", "square", "sin", "cos", "exp", "log_abs", "add_constant",
    "mul_constant", "pow_constant",
)  # fmt: skip

# A fold must leave so many rows to judge on.
ROWS_PER_FOLD = 8

# A step of the front must lower the loss by this share to be listed.
LISTED_GAIN = 0.01

Array = NDArray[np.float64]


class TabularSearch(BaseEstimator, ABC):
    """A scikit-learn estimator that fits a formula; see :class:`occamhead.OccamRegressor`."""

    def __init__(
        self,
        *,
        bases: str | Sequence[str] = DEFAULT_BASES,
        depth: int = 4,
        max_terms: int = 5,
        constants: Sequence[float] = (1.0,),
        max_complexity: int = 30,
        max_functions: int | None = 200_000,
        time_budget: float | None = None,
        folds: int = 5,
        strategy: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.bases = bases
        self.depth = depth
        self.max_terms = max_terms
        self.constants = constants
        self.max_complexity = max_complexity
        self.max_functions = max_functions
        self.time_budget = time_budget
        self.folds = folds
        self.strategy = strategy
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # --- what regression and classification do differently ------------------------------------

    @abstractmethod
    def _linear(self, table: Table) -> Expression:
        """The linear model that formulas are compared with."""

    @abstractmethod
    def _losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        """Loss of a formula on each row, [rows]."""

    @abstractmethod
    def _mean_loss(self, table: Table) -> float:
        """Loss of the best constant."""

    @abstractmethod
    def _finish(self, formula: Expression, table: Table) -> Expression:
        """What is done to a formula of the search, on the rows that it was fitted to."""

    @abstractmethod
    def _splits(
        self, table: Table, folds: int, seed: int
    ) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Rows to fit and rows to judge on of each fold; none if there are too few rows."""

    # --- fitting -----------------------------------------------------------------------------

    def _check_columns(self, x: Any) -> None:
        names = [str(name) for name in getattr(x, "columns", ())]
        if double := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"column names must differ, but {double[0]!r} is there twice; rename a column"
            )

    def _weights(self, x: Array, sample_weight: Any) -> Array:
        weights = _check_sample_weight(sample_weight, x, dtype=np.float64)
        if weights.min() < 0 or not weights.any():
            raise ValueError(
                "sample_weight must not be negative and not zero in every row, got a least weight"
                f" of {weights.min():g}; leave it out to weigh all rows alike"
            )
        return weights

    def _check_settings(self) -> None:
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

    def _fit(self, table: Table) -> None:
        """Search on all rows, judge complexities by cross-validation, keep one formula."""
        began = time.process_time()
        self._check_settings()
        names = getattr(self, "feature_names_in_", None)
        names = None if names is None else [str(name) for name in names]
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=self.folds + 1)
        formula = self._linear(table).renamed(names)
        linear = Candidate(linear_complexity(formula), formula, self._loss(formula, table))
        strategy = self._strategy(int(seeds[0]), 1.0, self._seconds(0.5, began))
        result = self._search(table, strategy, "all rows", self._start(table))
        self.result_, self.n_functions_ = result, result.functions
        self._last_shape = self._shape(table)
        front = [
            Candidate(each.complexity, each.formula.renamed(names), each.loss)
            for each in self._front(result, table)
        ]
        self._choice: Choice | None = None
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
                self._choice = self._cross_validate(table, seeds[1:], began)
                complexity = None if self._choice is None else self._choice.complexity
                chosen = None if complexity is None else at_complexity(front, complexity)
            except KeyboardInterrupt:
                # The search's own choice, by description length, needs no folds.
                warnings.warn("the search was interrupted; the best formula so far is kept",
                              ConvergenceWarning, stacklevel=3)  # fmt: skip
        self.best_ = (chosen or linear).formula
        self.equations_ = self._equations(front, linear, chosen or linear, table)

    def _shape(self, table: Table) -> dict[str, Any]:
        """What routes through the network depend on."""
        return {
            "features": table.x.shape[1],
            "outputs": table.targets.shape[1],
            "bases": tuple(basis.name for basis in get_bases(self.bases)),
            "depth": self.depth,
            "max_terms": self.max_terms,
            "constants": tuple(self.constants),
        }

    def _start(self, table: Table) -> NDArray[np.int32] | None:
        """Routes of the last fit to start from, if any.

        Only the search on all rows starts warm: a fold must not know its held-out rows.
        """
        if not self.warm_start or not hasattr(self, "result_"):
            return None
        for name, value in self._shape(table).items():
            if value != self._last_shape[name]:
                raise ValueError(
                    f"warm_start goes on in the same network, but {name} were"
                    f" {self._last_shape[name]} and are now {value}; set warm_start=False to start"
                    " anew"
                )
        return self.result_.routes

    def _seconds(self, share: float, began: float) -> float | None:
        """A share of what is left of the time budget; None without one."""
        if self.time_budget is None:
            return None
        return max(share * (self.time_budget - (time.process_time() - began)), 0.01)

    def _strategy(self, seed: int, share: float, seconds: float | None) -> Strategy:
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

    def _search(
        self,
        table: Table,
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

    def _cross_validate(
        self, table: Table, seeds: NDArray[np.int64], began: float
    ) -> Choice | None:
        """Held-out losses by complexity and the choice that they call for; None without folds.

        Raises:
            KeyboardInterrupt: If a search was interrupted.
        """
        folds = min(len(seeds), len(table.x) // ROWS_PER_FOLD)
        splits = self._splits(table, folds, int(seeds[0])) if folds > 1 else []
        if not splits:
            return None
        losses = np.full((len(table.x), self.max_complexity), np.inf)
        linear = np.empty(len(table.x))
        for fold, (rows, held) in enumerate(splits):
            part, x, labels = table.part(rows), table.x[held], table.labels[held]
            linear[held] = self._losses(self._linear(part), x, labels)
            seconds = self._seconds(1 / (len(splits) - fold), began)
            # Half as many functions: a fold must only tell which complexity to trust.
            strategy = self._strategy(int(seeds[fold]), 0.5, seconds)
            found = self._search(part, strategy, f"fold {fold + 1} of {len(splits)}")
            if found.reason == "interrupted":
                raise KeyboardInterrupt
            for candidate in self._front(found, part):
                # Until a more complex one is better, this one stands for them, too.
                current = self._losses(candidate.formula, x, labels)
                losses[held, candidate.complexity - 1 :] = current[:, None]
        scale = self._mean_loss(table) or 1.0
        return choose(losses / scale, linear / scale, table.weights)

    def _loss(self, formula: Expression, table: Table) -> float:
        return float(table.weights @ self._losses(formula, table.x, table.labels))

    def _front(self, result: Result, table: Table) -> list[Candidate]:
        return candidates(
            result,
            lambda formula: self._finish(formula, table),
            lambda formula: self._loss(formula, table),
        )

    def _equations(
        self, front: list[Candidate], linear: Candidate, chosen: Candidate, table: Table
    ) -> Any:
        """The front and the linear model as a data frame."""
        import pandas as pd

        listed: list[Candidate] = []
        for candidate in front:
            if (
                candidate is chosen
                or not listed
                or candidate.loss < listed[-1].loss * (1 - LISTED_GAIN)
            ):
                listed.append(candidate)
        choice, scale = self._choice, self._mean_loss(table) or 1.0
        rows = []
        for candidate in [*listed, linear]:
            held_out = np.nan
            if choice is not None:
                by_complexity = choice.losses[candidate.complexity - 1 :]
                held_out = choice.linear_loss if candidate is linear else by_complexity[0]
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

    # --- results -----------------------------------------------------------------------------

    def sympy(self) -> Any:
        """The chosen formula as a sympy expression; a list of them for several outputs."""
        check_is_fitted(self, "best_")
        forms = self.best_.sympy()
        return forms[0] if len(forms) == 1 else forms

    def latex(self) -> str | list[str]:
        """The chosen formula as LaTeX; a list of them for several outputs."""
        check_is_fitted(self, "best_")
        forms = self.best_.latex()
        return forms[0] if len(forms) == 1 else forms

    def _evaluate(self, x: Any) -> Array:
        check_is_fitted(self, "best_")
        return self.best_(validate_data(self, x, dtype=np.float64, reset=False))
