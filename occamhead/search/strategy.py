"""How a search is run: the paper's hyperparameters and ours, in one checked record."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from occamhead.checks import check_counts, check_temperature
from occamhead.search.judging.judging import Judging

EngineName = Literal["occamhead", "literal", "no-learning"]


@dataclass(frozen=True, kw_only=True)
class Strategy(Judging):
    """The evolutionary strategy of Costa et al. 2021, section 3, and its limits.

    All settings of :class:`~occamhead.search.judging.judging.Judging`, which say what a function
    is worth, and these, which say how the search goes:

    Args:
        engine: ``"occamhead"`` keeps the best distinct functions of each output (elites),
            learns from them, lets some samples descend from them, restarts when it is stuck, and
            stops only when the most probable function is the best that was seen. ``"literal"``
            is the paper's algorithm: it learns from the best of each step, copies included, and
            stops when they are equally fit for 30 steps. ``"no-learning"`` only samples.
        num_samples: R, functions sampled a step.
        num_kept: lambda, functions of each output to learn from.
        learning_rate: alpha, of Adam.
        descend: Share of the samples that descend from an elite (engine ``"occamhead"``).
        patience: Steps without a better function after which to restart, or to stop.
        restarts: Most restarts.
        end_temperature: T to which every temperature falls geometrically over `max_steps`; None
            keeps it (paper, section 2).
        max_functions, max_steps, time_budget: Limits: functions sampled, steps, CPU seconds
            (compiling the search, once on a machine, is not counted).
        exact: Error (NRMSE) at which a function is taken for exact.
        seed: Also of the functions that are sampled.

    Raises:
        ValueError: On a value out of range.
    """

    engine: EngineName = "occamhead"
    num_samples: int = 100
    num_kept: int = 5
    learning_rate: float = 0.02
    descend: float = 0.8
    patience: int = 200
    restarts: int = 100
    end_temperature: float | None = None
    max_functions: int | None = 1_000_000
    max_steps: int | None = None
    time_budget: float | None = None
    exact: float = 1e-9

    def __post_init__(self) -> None:
        self._check_choice("engine", get_args(EngineName))
        super().__post_init__()
        check_counts(num_samples=self.num_samples, num_kept=self.num_kept, patience=self.patience)
        if self.num_samples < self.num_kept:
            raise ValueError(
                f"num_samples (R = {self.num_samples}) must not be below num_kept (lambda ="
                f" {self.num_kept}): a step cannot keep more functions than it samples"
            )
        self._check_positive("learning_rate", "exact")
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
        if self.end_temperature is not None:
            if self.max_steps is None:
                raise ValueError("end_temperature needs max_steps: the schedule runs over them")
            check_temperature(end_temperature=self.end_temperature)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all settings, those of judging last."""
        judging = [setting.name for setting in fields(Judging)]
        own = [setting.name for setting in fields(cls) if setting.name not in judging]
        return (*own, *judging)
