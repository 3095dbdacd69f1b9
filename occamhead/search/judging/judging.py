"""How functions are judged, in one checked record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from occamhead.checks import check_counts
from occamhead.search.judging.regularisers import Regularisation
from occamhead.search.judging.scoring import FITNESS

BACKENDS = ("compiled", "torch")
DTYPES = ("float64", "float32")


@dataclass(frozen=True, kw_only=True)
class Judging:
    """What a function is worth, and where that is computed.

    Args:
        fitness: ``"gaussian"`` (the paper's likelihood), ``"error"`` (1 / (1 + NRMSE), which
            needs no sigma), ``"accuracy"`` (output above one half where the target is) or
            ``"cross_entropy"`` (the output as log-odds).
        sigma: Standard deviation of the Gaussian likelihood, in units of the target.
        scaled: Let every function stand for ``slope * f + intercept``, fitted to the target.
        regularisation: Weights of supplement E's terms and of undefined outputs (F).
        recurrence: D; each function is also judged applied twice, ..., D times (supplement D).
        shadow: Append rows whose columns are shuffled independently; a function that fits those
            as well is trivial and scores nothing. For implicit laws.
        max_complexity: Longer functions are not judged: nodes of the expression tree plus free
            constants. None judges all.
        fit_iterations: Levenberg-Marquardt iterations per function with free constants.
        store_mb: Memory of the node store, in MB.
        backend: ``"compiled"`` or ``"torch"``.
        device: Device of the torch back end.
        dtype: ``"float64"`` or ``"float32"``.
        seed: Seed of shuffled rows and of the constants that are tried.

    Raises:
        ValueError: On a value out of range.
    """

    fitness: str = "error"
    sigma: float = 0.1
    scaled: bool = False
    regularisation: Regularisation = field(default_factory=Regularisation)
    recurrence: int = 1
    shadow: bool = False
    max_complexity: int | None = None
    fit_iterations: int = 20
    store_mb: float = 256.0
    backend: str = "compiled"
    device: str = "cpu"
    dtype: str = "float64"
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_choice("fitness", tuple(FITNESS))
        self._check_choice("backend", BACKENDS)
        self._check_choice("dtype", DTYPES)
        check_counts(
            recurrence=self.recurrence, fit_iterations=self.fit_iterations,
            max_complexity=self.max_complexity,
        )  # fmt: skip
        self._check_positive("sigma", "store_mb")
        if self.scaled and self.fitness != "error":
            raise ValueError(
                f'scaled needs fitness "error", got {self.fitness!r}: the others judge a function'
                " as it is"
            )
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")

    def _check_choice(self, name: str, known: Sequence[str]) -> None:
        if getattr(self, name) not in known:
            raise ValueError(
                f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
            )

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
