"""Laws with real constants, and the rows that are drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from occamhead import Expression
from recipes import CONFIGS

CONFIG = CONFIGS / "laws.yaml"


@dataclass(frozen=True)
class Law:
    """A law over named inputs.

    Args:
        name: Its name in the tables.
        about: What it computes, in what units.
        formula: One output.
        ranges: Per input the ends of the training range.
        limits: Per input the ends of what is physical.
    """

    name: str
    about: str
    formula: Expression
    ranges: tuple[tuple[float, float], ...]
    limits: tuple[tuple[float, float], ...]

    @property
    def wide(self) -> tuple[tuple[float, float], ...]:
        """The ranges 1.5 times as wide about their centres, cut at the limits."""
        return tuple(
            (max(a - (b - a) / 4, low), min(b + (b - a) / 4, high))
            for (a, b), (low, high) in zip(self.ranges, self.limits, strict=True)
        )

    def sample(self, rows: int, seed: int, wide: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Rows [rows, inputs] drawn uniformly, column by column, and their values [rows]."""
        generator = np.random.default_rng(seed)
        ranges = self.wide if wide else self.ranges
        x = np.column_stack([generator.uniform(a, b, rows) for a, b in ranges])
        return x, self.formula(x)[:, 0]


@dataclass(frozen=True)
class Study:
    """The laws, how many rows they are sampled on, and the options of each method."""

    laws: tuple[Law, ...]
    rows: int
    fresh_rows: int
    options: Mapping[str, Mapping[str, Any]]


def load_study(path: str | Path = CONFIG) -> Study:
    """Read the laws.

    Raises:
        ValueError: If a range is empty or leaves its limits, or a formula does not parse.
    """
    config = yaml.safe_load(Path(path).read_text())
    laws = []
    for name, entry in config["laws"].items():
        inputs = entry["inputs"]
        for symbol, about in inputs.items():
            (a, b), (low, high) = about["range"], about["limits"]
            if not low <= a < b <= high:
                raise ValueError(
                    f"{name}: range [{a}, {b}] of {symbol} must ascend within its limits "
                    f"[{low}, {high}]"
                )
        laws.append(
            Law(
                name,
                entry["about"],
                Expression.parse(entry["law"], names=list(inputs)),
                tuple((float(i["range"][0]), float(i["range"][1])) for i in inputs.values()),
                tuple((float(i["limits"][0]), float(i["limits"][1])) for i in inputs.values()),
            )
        )
    return Study(tuple(laws), config["rows"], config["fresh_rows"], config["methods"])
