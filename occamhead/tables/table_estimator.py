"""What ``OccamRegressor`` and ``OccamClassifier`` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from occamhead.network.bases import get_bases
from occamhead.saving import Kept
from occamhead.saving.content import content_digest
from occamhead.tables.fit_table import FittedTable, Start, fit_table
from occamhead.tables.no_law import say_no_law
from occamhead.tables.own_bases import PicklesOwnBases
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.stages import Stages, about
from occamhead.tables.task import Task
from occamhead.tables.wishes import Wishes

DEFAULT_BASES = (
    "add", "sub", "mul", "div", "square", "sin", "cos", "exp", "log_abs", "add_constant",
    "mul_constant", "pow_constant",
)  # fmt: skip

Array = NDArray[np.float64]


class TableEstimator(PicklesOwnBases, BaseEstimator):
    """What both estimators have in common; see :class:`OccamRegressor`."""

    def __init__(
        self,
        *,
        bases: str | Sequence[str] = DEFAULT_BASES,
        depth: int = 4,
        max_terms: int = 5,
        constants: Sequence[float] | Mapping[str, float] = (1.0,),
        max_complexity: int = 25,
        max_functions: int | None = 200_000,
        time_budget: float | None = None,
        folds: int = 5,
        strategy: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
        n_jobs: int | None = None,
        checkpoint: str | Path | None = None,
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
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint

    def _weights(self, x: Array, sample_weight: Any) -> Array:
        weights = _check_sample_weight(sample_weight, x, dtype=np.float64)
        if weights.min() < 0 or not weights.any():
            raise ValueError(
                "sample_weight must not be negative and not zero in every row, got a least weight"
                f" of {weights.min():g}; leave it out to weigh all rows alike"
            )
        return weights

    def _fitted(
        self,
        table: SortedRows,
        task: Task,
        stages: Stages,
        seeds: NDArray[np.int64],
        wishes: Wishes | None = None,
        share: float = 1.0,
    ) -> FittedTable:
        """Fit the formulas in a share of the time; `stages` and `seeds` are those of `_begin`."""
        settings = self._settings()
        if settings.time_budget is not None:
            settings = replace(settings, time_budget=share * settings.time_budget)
        names = self._names()
        return fit_table(table, task, settings, seeds, names, self._start(table), wishes, stages)

    def _take(self, fitted: FittedTable, table: SortedRows) -> None:
        """Set what both estimators offer afterwards."""
        self._last_shape, self._inputs = self._shape(table), fitted.inputs
        self.result_, self.n_functions_ = fitted.result, fitted.result.functions
        self.best_, self.equations_ = fitted.best, fitted.equations
        self.constant_loss_ = fitted.constant_loss
        self._choice, self._left_out = fitted.verdict, fitted.left_out
        self._parts = fitted.parts
        say_no_law(fitted.no_law)

    def _names(self) -> list[str] | None:
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]

    def _begin(
        self, table: SortedRows, task: Task | None = None
    ) -> tuple[Stages, NDArray[np.int64]]:
        """Where a fit of a table is kept, and its seeds; see :meth:`_stages`.

        Args:
            table: The rows.
            task: What is asked of formulas; None if that is told by the parameters alone.
        """
        start = self._start(table)
        depends = {"names": repr(self._names())}
        depends["start"] = "None" if start is None else content_digest(start.routes)
        if self.checkpoint is not None and task is not None:
            # A loss of a user's own has a name, and values.
            depends["values of the loss"] = repr(task.mean_loss(table))
        return self._stages([table.x, table.targets, table.labels, table.weights], depends)

    def _stages(
        self, rows: Sequence[NDArray[Any]], depends: Mapping[str, str]
    ) -> tuple[Stages, NDArray[np.int64]]:
        """Where this fit is kept, and its seeds: of the search, then of the folds, [2].

        Args:
            rows: The rows, whatever their form.
            depends: What else the fit depends on besides its parameters.
        """
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=2)
        if self.checkpoint is None:
            return Stages(), seeds
        drawn = "drawn" if self.random_state is None else repr(seeds.tolist())
        of = {"estimator": type(self).__name__, "seeds": drawn, "rows": content_digest(rows)[:16]}
        kept = Kept(self.checkpoint)
        kept.check({**about(self.get_params(deep=False)), **of, **depends})
        return Stages(kept), np.array(kept.once("seeds", seeds.tolist))

    def _settings(self) -> TableSettings:
        given = {setting.name: getattr(self, setting.name) for setting in fields(TableSettings)}
        return TableSettings(**{**given, "constants": self._constant_values()})

    def _constant_values(self) -> tuple[float, ...]:
        """Constants beside the inputs; named ones stand beside 1."""
        if isinstance(self.constants, Mapping):
            return tuple(dict.fromkeys((1.0, *map(float, self.constants.values()))))
        return tuple(self.constants)

    def _shape(self, table: SortedRows) -> dict[str, Any]:
        """What routes through the network depend on."""
        return {
            "features": table.x.shape[1],
            "outputs": table.targets.shape[1],
            "bases": tuple(basis.name for basis in get_bases(self.bases)),
            "depth": self.depth,
            "max_terms": self.max_terms,
            "constants": self._constant_values(),
        }

    def _start(self, table: SortedRows) -> Start | None:
        """The last fit, if the next one goes on from it."""
        if not self.warm_start or not hasattr(self, "result_"):
            return None
        for name, value in self._shape(table).items():
            if value != self._last_shape[name]:
                raise ValueError(
                    f"warm_start goes on in the same network, but {name} were"
                    f" {self._last_shape[name]} and are now {value}; set warm_start=False to start"
                    " anew"
                )
        if not len(self.result_.routes):  # a direct fit: there was no network
            return None
        return Start(self.result_.routes, self._inputs)

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
