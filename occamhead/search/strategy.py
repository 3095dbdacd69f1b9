"""How a search is run: the paper's hyperparameters and ours, in one checked record."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Literal

from occamhead.checks import check_counts, check_temperature
from occamhead.search.judging.regularisers import Regularisation
from occamhead.search.judging.scoring import FITNESS

Engine = Literal["occamhead", "literal", "no-learning"]
ENGINES = ("occamhead", "literal", "no-learning")
BACKENDS = ("compiled", "torch")


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """The evolutionary strategy of Costa et al. 2021, section 3, and its limits.

    Args:
        engine: ``"occamhead"`` keeps the best distinct functions of each output (elites),
            learns from them, lets some samples descend from them, restarts when it is stuck, and
            stops only when the most probable function is the best that was seen. ``"literal"``
            is the paper's algorithm: it learns from the best of each step, copies included, and
            stops when they are equally fit for 30 steps. ``"no-learning"`` only samples.
        num_samples: R, functions sampled a step.
        num_kept: lambda, functions of each output to learn from.
        learning_rate: alpha, of Adam.
        fitness: ``"gaussian"`` (the paper's likelihood), ``"error"`` (1 / (1 + NRMSE), which
            needs no sigma), ``"accuracy"`` (output above one half where the target is) or
            ``"cross_entropy"`` (the output as log-odds).
        sigma: Standard deviation of the Gaussian likelihood, in units of the target.
        scaled: Let every function stand for ``slope * f + intercept``, fitted to the target.
        regularisation: Weights of supplement E's terms and of undefined outputs (F).
        recurrence: D; each function is also judged applied twice, ..., D times (supplement D).
        shadow: Append rows whose columns are shuffled independently; a function that fits those
            as well is trivial and scores nothing. For implicit laws.
        descend: Share of the samples that descend from an elite (engine ``"occamhead"``).
        patience: Steps without a better function after which to restart, or to stop.
        restarts: Most restarts.
        end_temperature: T to which every temperature falls geometrically over `max_steps`; None
            keeps it (paper, section 2).
        max_functions, max_steps, time_budget: Limits: functions sampled, steps, CPU seconds.
        exact: Error (NRMSE) at which a function is taken for exact.
        max_complexity: Longer functions are not judged: nodes of the expression tree plus free
            constants. None judges all.
        fit_iterations: Levenberg-Marquardt iterations per function with free constants.
        store_mb: Memory of the node store, in MB.
        backend: ``"compiled"`` or ``"torch"``.
        device: Device of the torch back end.
        dtype: ``"float64"`` or ``"float32"``.
        seed: Seed of the functions that are sampled.

    Raises:
        ValueError: On a value out of range.
    """

    engine: Engine = "occamhead"
    num_samples: int = 100
    num_kept: int = 5
    learning_rate: float = 0.02
    fitness: str = "error"
    sigma: float = 0.1
    scaled: bool = False
    regularisation: Regularisation = field(default_factory=Regularisation)
    recurrence: int = 1
    shadow: bool = False
    descend: float = 0.8
    patience: int = 200
    restarts: int = 100
    end_temperature: float | None = None
    max_functions: int | None = 1_000_000
    max_steps: int | None = None
    time_budget: float | None = None
    exact: float = 1e-9
    max_complexity: int | None = None
    fit_iterations: int = 20
    store_mb: float = 256.0
    backend: str = "compiled"
    device: str = "cpu"
    dtype: str = "float64"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (
            ("engine", ENGINES),
            ("fitness", tuple(FITNESS)),
            ("backend", BACKENDS),
            ("dtype", ("float64", "float32")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got"
                                 f" {getattr(self, name)!r}")  # fmt: skip
        counts = ("num_samples", "num_kept", "recurrence", "patience", "fit_iterations",
                  "max_complexity")  # fmt: skip
        check_counts(**{name: getattr(self, name) for name in counts})
        if self.num_samples < self.num_kept:
            raise ValueError(
                f"num_samples (R = {self.num_samples}) must not be below num_kept (lambda ="
                f" {self.num_kept}): a step cannot keep more functions than it samples"
            )
        for name in ("learning_rate", "sigma", "store_mb", "exact"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if self.scaled and self.fitness != "error":
            raise ValueError(
                f'scaled needs fitness "error", got {self.fitness!r}: the others judge a function'
                " as it is"
            )
        if not 0 <= self.descend <= 1:
            raise ValueError(f"descend must be between 0 and 1, got {self.descend}")
        if self.restarts < 0:
            raise ValueError(f"restarts must not be negative, got {self.restarts}")
        limits = ("max_functions", "max_steps", "time_budget")
        if all(getattr(self, name) is None for name in limits):
            raise ValueError(f"set at least one limit: {', '.join(limits)}")
        for name in limits:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value}; None means no limit")
        if self.max_functions is not None and self.max_functions < self.num_samples:
            raise ValueError(
                f"max_functions = {self.max_functions} does not allow a single step; it must be at"
                f" least num_samples = {self.num_samples}"
            )
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.end_temperature is not None:
            if self.max_steps is None:
                raise ValueError("end_temperature needs max_steps: the schedule runs over them")
            check_temperature(end_temperature=self.end_temperature)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all settings."""
        return tuple(setting.name for setting in fields(cls))
