"""A line of Table 1: its law, its data, and the points on which answers are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from occamhead import BASIS_SETS, Expression, OccamNet
from recipes import CONFIGS as EVERY_CONFIG

CONFIGS = EVERY_CONFIG / "table1"

POINTS = 2000  # fresh points of the wider domain
# Distances of points on either side of a threshold. None leads from one threshold to another: at
# a tie itself either branch is right.
BESIDE = np.geomspace(1e-6, 0.7, 20)
POLE_DISTANCE = 0.05

Array = np.ndarray


def _sign(generator: np.random.Generator, like: Array) -> Array:
    return generator.choice([-1.0, 1.0], len(like))


# The last input of an implicit law, given the drawn ones [rows, inputs - 1]. On the wider domain
# an arc cosine is taken from both of the angles next to zero.
SOLUTIONS: dict[int, Callable[[Array, np.random.Generator, bool], Array]] = {
    9: lambda x, _, wide: 1 / x[:, 0],
    10: lambda x, generator, wide: _sign(generator, x) * np.sqrt(1 - x[:, 0] ** 2),
    11: lambda x, generator, wide: (_sign(generator, x) if wide else 1.0) * np.arccos(x[:, 0]),
    12: lambda x, _, wide: x[:, 0],
    13: lambda x, _, wide: x[:, 0] * x[:, 1] / x[:, 2],
}


@dataclass(frozen=True)
class Task:
    """One line of Table 1, as its file in ``configs/table1`` describes it.

    Args:
        line: Its number.
        title: What the paper prints.
        target: Formula of each output; of an implicit law the constant that `law` is on the data.
        ranges: Lowest and highest value of each drawn input; an implicit law gives the last.
        rows: Number of training rows.
        network: Bases (a name of ``BASIS_SETS``), in `copies` of each per layer, by default one,
            and other arguments of :class:`OccamNet`.
        strategy: The paper's settings of the search.
        limits: Most functions to sample, per engine.
        occamhead: What our own engine does otherwise, of `network` and `strategy`.
        paper: Success rate eta, seconds, and the success rate of Eureqa.
        peer: The best other tool and its figures, as text.
        law: Left side of an implicit law; None for an explicit one.
        applied: How many times the formulas are applied (lines 20 and 21).
        discrete: Whether the inputs are whole numbers.
        judged: Ranges to judge on; None makes `ranges` twice as wide about their centres.
        poles: Formulas that judged points keep `POLE_DISTANCE` away from zero.
        thresholds: Per input the places, numbers or other inputs, where a program branches.
    """

    line: int
    title: str
    target: Sequence[str]
    ranges: Sequence[tuple[float, float]]
    rows: int
    network: Mapping[str, Any]
    strategy: Mapping[str, Any]
    limits: Mapping[str, int]
    occamhead: Mapping[str, Any]
    paper: Mapping[str, float]
    peer: str | None
    law: Sequence[str] | None = None
    applied: int = 1
    discrete: bool = False
    judged: Sequence[tuple[float, float]] | None = None
    poles: Sequence[str] = ()
    thresholds: Mapping[str, Sequence[float | str]] = field(default_factory=dict)

    @classmethod
    def load(cls, line: int, folder: Path = CONFIGS) -> Task:
        """Read the file of a line.

        Raises:
            ValueError: If there is no such line, or the file has keys that mean nothing.
        """
        path = folder / f"{line:02d}.yaml"
        if not path.is_file():
            raise ValueError(f"no task of line {line}: {path} is missing; choose lines 1 to 21")
        settings = yaml.safe_load(path.read_text())
        if unknown := settings.keys() - {item.name for item in fields(cls)}:
            raise ValueError(f"{path} has unknown keys {sorted(unknown)}; see recipes.table1_lines")
        return cls(**settings)

    @property
    def num_inputs(self) -> int:
        return len(self.ranges) + self.implicit

    @property
    def implicit(self) -> bool:
        return self.law is not None

    @cached_property
    def formula(self) -> Expression:
        """What the network should spell: the target applied once, or the law's left side."""
        return Expression.parse(list(self.law or self.target), num_inputs=self.num_inputs)

    def build(self, engine: str) -> OccamNet:
        """The network, untrained; the engine "occamhead" may have other settings for it."""
        own = {k: v for k, v in self.occamhead.items() if engine == "occamhead"}
        settings = {name: own.get(name, value) for name, value in self.network.items()}
        bases = BASIS_SETS[settings.pop("bases")]
        copies = settings.pop("copies", [1] * settings["depth"])
        layers = [[basis for basis in bases.bases for _ in range(count)] for count in copies]
        return OccamNet(
            self.num_inputs, len(self.target), layers, constants=bases.constants, **settings
        )

    def search_settings(self, engine: str) -> dict[str, Any]:
        """Settings of the search for "occamhead", "literal" (the paper's) or "no-learning".

        Our own engine keeps its default R, lambda and alpha, whatever the line.
        """
        settings = dict(self.strategy)
        if engine == "occamhead":
            for name in ("num_samples", "num_kept", "learning_rate"):
                settings.pop(name, None)
            own = self.occamhead.items()
            settings.update({name: value for name, value in own if name not in self.network})
        return {"engine": engine, **settings, "max_functions": self.limits[engine]}

    # --- data --------------------------------------------------------------------------------

    def data(self, seed: int, noise: float = 0.0) -> tuple[Array, Array]:
        """Training rows, drawn by ``numpy.random.default_rng(seed)`` column by column.

        Args:
            seed: Of the generator.
            noise: Standard deviation of the normal noise on each target, in units of the
                target's own.

        Returns:
            Inputs [rows, inputs] and targets [rows, outputs].
        """
        generator = np.random.default_rng(seed)
        x = self.draw(generator, self.ranges, self.rows, wide=False)
        y = self.values(x)
        return x, y + noise * y.std(axis=0) * generator.standard_normal(y.shape)

    def values(self, x: Array) -> Array:
        """The noise-free targets, [rows, outputs]."""
        target = Expression.parse(list(self.target), num_inputs=self.num_inputs)
        return iterated(target, x, self.applied)

    def draw(
        self,
        generator: np.random.Generator,
        ranges: Sequence[tuple[float, float]],
        rows: int,
        wide: bool,
    ) -> Array:
        """Rows [rows, inputs] within the ranges of the drawn inputs; implicit laws hold on them."""
        if self.discrete:
            columns = [
                generator.integers(int(low), int(high), rows, endpoint=True).astype(float)
                for low, high in ranges
            ]
        else:
            columns = [generator.uniform(low, high, rows) for low, high in ranges]
        x = np.stack(columns, axis=1)
        if not self.implicit:
            return x
        return np.column_stack([x, SOLUTIONS[self.line](x, generator, wide)])

    @cached_property
    def points(self) -> Array:
        """Where answers are judged, [points, inputs]."""
        if self.discrete:
            grid = np.meshgrid(*(np.arange(low, high + 1.0) for low, high in self.ranges))
            return np.stack(grid, axis=-1).reshape(-1, len(self.ranges))
        ranges = self.judged or [
            ((3 * low - high) / 2, (3 * high - low) / 2) for low, high in self.ranges
        ]
        # Seeded by words, so that no seed of the training data gives the same points.
        generator = np.random.default_rng([self.line, *b"judge"])
        x = self.draw(generator, ranges, 2 * POINTS, wide=True)
        for pole in self.poles:
            away = Expression.parse(pole, num_inputs=self.num_inputs)(x)[:, 0]
            x = x[np.abs(away) >= POLE_DISTANCE]
        assert len(x) >= POINTS, f"line {self.line}: most points are close to a pole"
        x = x[:POINTS]
        shifts = np.concatenate([BESIDE, -BESIDE])
        beside = [x]
        for name, places in self.thresholds.items():
            for place in places:
                rows = generator.choice(x, len(shifts))
                threshold = Expression.parse(str(place), num_inputs=self.num_inputs)(rows)
                rows[:, int(name[1:])] = threshold[:, 0] + shifts
                beside.append(rows)
        return np.concatenate(beside)


def iterated(formula: Expression, x: Array, times: int) -> Array:
    """The formula applied `times` times to rows, [rows, outputs]."""
    for _ in range(times):
        x = formula(x)
    return x
