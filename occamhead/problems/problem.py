"""A law to find again, and rows that are drawn from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import check_counts
from occamhead.expression import Expression

Floats = NDArray[np.float64]
Unit = tuple[float, ...]
"""Exponents of m, kg, s, A, K, mol and cd."""

KINDS = ("uniform", "log", "integer")
NOISE_OF = ("rms", "value")
_DRAWS = 400  # times that as many rows as are missing are drawn before one gives up


@dataclass(frozen=True)
class Input:
    """What a law is a function of, and how it is drawn.

    Args:
        name: As in the formula.
        kind: ``"uniform"``, ``"log"`` (uniform in the logarithm) or ``"integer"`` (uniform, then
            rounded).
        low: Lower end of the range, in the unit.
        high: Upper end.
        signed: Whether a drawn value gets either sign at random.
        unit: Exponents of m, kg, s, A, K, mol and cd; None if none is published.
    """

    name: str
    kind: str
    low: float
    high: float
    signed: bool = False
    unit: Unit | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind of {self.name} must be one of {KINDS}, got {self.kind!r}")
        lowest = 0.0 if self.kind == "log" else -math.inf
        if not lowest < self.low < self.high < math.inf:
            raise ValueError(
                f"range of {self.name} must ascend and be finite, and positive for 'log'; "
                f"got [{self.low}, {self.high}]"
            )

    def draw(self, rows: int, generator: np.random.Generator, scale: float = 1.0) -> Floats:
        """Values [rows] from a range `scale` times as wide.

        The range widens about its centre, for ``"log"`` that of the logarithms; an integer, which
        counts, goes on upwards only.
        """
        low, high = self.low, self.high
        if self.kind == "log":
            low, high = math.log10(low), math.log10(high)
        more = (scale - 1) * (high - low)
        if self.kind == "integer":
            high += more
        else:
            low, high = low - more / 2, high + more / 2
        values = generator.uniform(low, high, rows)
        if self.kind == "log":
            values = 10**values
        elif self.kind == "integer":
            values = np.round(values)
        return values * generator.choice((-1.0, 1.0), rows) if self.signed else values


@dataclass(frozen=True)
class Problem:
    """A published law, the ranges of its inputs, and where it is from.

    Args:
        name: Its name in the suite.
        suite: The suite that defines it.
        formula: One output over the inputs and then the constants.
        inputs: What it is a function of.
        target: Name of what it computes.
        source: Where it was published.
        licence: Of the file it was converted from.
        rows: How many the published definition draws, or as many as there are observed.
        about: What it says, in words.
        constants: Numbers that differ from one group of rows to the next.
        unit: The target's, as an input's.
        accepted: Other forms that count as the law, as text over the inputs' names.
        where: Conditions on the inputs, as text; a row that breaks one is not drawn.
        observed: Rows that were measured, the target last; empty if rows are drawn.
    """

    name: str
    suite: str
    formula: Expression
    inputs: tuple[Input, ...]
    target: str
    source: str
    licence: str
    rows: int
    about: str = ""
    constants: tuple[Input, ...] = ()
    unit: Unit | None = None
    accepted: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    observed: tuple[tuple[float, ...], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs' names."""
        return tuple(variable.name for variable in self.inputs)

    @property
    def units(self) -> dict[str, Unit] | None:
        """The unit of each input, each constant and the target, by name; None if not published."""
        if self.unit is None:
            return None
        known = {v.name: v.unit for v in (*self.inputs, *self.constants) if v.unit is not None}
        return {**known, self.target: self.unit}

    def parse(self, text: str) -> Expression:
        """A formula over the names of the inputs and constants, such as an accepted form."""
        return Expression.parse(text, names=list(self.formula.names or ()))

    def draw(
        self,
        rows: int,
        seed: int,
        noise: float = 0.0,
        scale: float = 1.0,
        noise_of: str = "rms",
    ) -> tuple[Floats, Floats]:
        """Rows of a law without constants of groups.

        Args:
            rows: How many.
            seed: Of the rows and the noise; the same seed gives the same rows.
            noise: Standard deviation of what is added to the target, relative to what `noise_of`
                says.
            scale: How many times as wide the ranges are.
            noise_of: ``"rms"``, the root of the mean of the target's squares, or ``"value"``, each
                target: what is sensible where these span decades.

        Returns:
            Inputs [rows, inputs] and targets [rows]. A row at which the law is not finite, or that
            breaks a condition, is drawn again.

        Raises:
            ValueError: If a count or the noise is out of range, the law has constants of groups,
                or hardly a row of the ranges satisfies it.
        """
        if self.constants:
            raise ValueError(f"{self.name} has constants of groups; use draw_groups")
        check_counts(rows=rows)
        generator = np.random.default_rng(seed)
        x = self._draw(rows, generator, scale, ())
        return x, _noisy(self.formula(x)[:, 0], noise, generator, noise_of)

    def draw_groups(
        self, rows: int, groups: int, seed: int, noise: float = 0.0, scale: float = 1.0
    ) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Rows of several groups, each with constants of its own.

        Args:
            rows: How many in each group.
            groups: How many groups.
            seed: As of :meth:`draw`.
            noise: As of :meth:`draw`; relative to the targets of all groups.
            scale: As of :meth:`draw`; the constants keep their ranges.

        Returns:
            Inputs [groups * rows, inputs], targets [groups * rows] and the number of each row's
            group.

        Raises:
            ValueError: As :meth:`draw`, or if the law has no constants of groups.
        """
        if not self.constants:
            raise ValueError(f"{self.name} has no constants of groups; use draw")
        check_counts(rows=rows, groups=groups)
        generator = np.random.default_rng(seed)
        parts = []
        for _ in range(groups):
            own = [constant.draw(1, generator).item() for constant in self.constants]
            parts.append(self._draw(rows, generator, scale, own))
        full = np.concatenate(parts)
        y = _noisy(self.formula(full)[:, 0], noise, generator)
        return full[:, : len(self.inputs)], y, np.repeat(np.arange(groups), rows)

    def _draw(
        self, rows: int, generator: np.random.Generator, scale: float, constants: Sequence[float]
    ) -> Floats:
        """Rows [rows, inputs + constants] at which the law holds."""
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be positive and finite, got {scale}")
        conditions = [self.parse(text) for text in self.where]
        kept, missing = [], rows
        for _ in range(_DRAWS):
            columns = [variable.draw(missing, generator, scale) for variable in self.inputs]
            x = np.column_stack([*columns, *(np.full(missing, value) for value in constants)])
            with np.errstate(all="ignore"):
                holds = np.isfinite(self.formula(x)[:, 0])
                for condition in conditions:
                    holds &= condition(x)[:, 0] == 1
            kept.append(x[holds])
            missing -= int(holds.sum())
            if not missing:
                return np.concatenate(kept)
        raise ValueError(
            f"{self.name}: {missing} of {rows} rows are missing after {_DRAWS} draws from ranges "
            f"{scale} times as wide; lower scale"
        )


def _noisy(
    y: Floats, noise: float, generator: np.random.Generator, noise_of: str = "rms"
) -> Floats:
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise must be finite and not negative, got {noise}")
    if noise_of not in NOISE_OF:
        raise ValueError(f"noise_of must be one of {', '.join(NOISE_OF)}, got {noise_of!r}")
    largest = float(np.max(np.abs(y)))
    if not noise or not largest:
        return y
    if noise_of == "value":
        return y * (1 + noise * generator.normal(size=len(y)))
    # In units of the largest: the squares of some laws' values are beyond float64.
    spread = noise * largest * math.sqrt(float(np.mean((y / largest) ** 2)))
    return y + spread * generator.normal(size=len(y))
