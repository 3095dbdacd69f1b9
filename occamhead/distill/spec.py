"""What the inputs of a discrete head are: names, domains, and names for groups of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Int:
    """The whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"Int({self.low}, {self.high}) holds no number; low must be <= high")

    def __len__(self) -> int:
        return self.high - self.low + 1


@dataclass(frozen=True)
class Bool(Int):
    """0 or 1."""

    low: int = field(default=0, init=False)
    high: int = field(default=1, init=False)


@dataclass(frozen=True)
class FeatureSpec:
    """Names and domains of the inputs.

    Args:
        names: One per input, in order.
        domains: One per input: ``Bool()`` or ``Int(low, high)``.
        groups: Names for sums over some inputs, by the indices of these; used in printing only.

    Example:
        >>> from occamhead.distill import FeatureSpec
        >>> FeatureSpec.booleans(["left", "centre", "right"]).num_rows
        8
    """

    names: tuple[str, ...]
    domains: tuple[Int, ...]
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.domains or len(self.names) != len(self.domains):
            raise ValueError(
                f"a name and a domain per input are needed, got {len(self.names)} names and"
                f" {len(self.domains)} domains"
            )
        if wrong := [domain for domain in self.domains if not isinstance(domain, Int)]:
            raise ValueError(
                f"a domain is Bool() or Int(low, high), got {wrong[0]!r}; of values with gaps"
                " declare the range from the least to the largest"
            )
        if len(set(self.names)) < len(self.names):
            double = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f"names of inputs must differ, {double!r} is there twice")

    @classmethod
    def booleans(cls, names: int | Sequence[str]) -> FeatureSpec:
        """Inputs that are 0 or 1: so many (``x0``, ``x1``, ...), or those with these names."""
        listed = [f"x{i}" for i in range(names)] if isinstance(names, int) else list(names)
        return cls(tuple(listed), (Bool(),) * len(listed))

    @classmethod
    def integers(cls, low: int, high: int, names: int | Sequence[str]) -> FeatureSpec:
        """Inputs that all lie between the same two whole numbers."""
        listed = [f"x{i}" for i in range(names)] if isinstance(names, int) else list(names)
        return cls(tuple(listed), (Int(low, high),) * len(listed))

    @classmethod
    def window(cls, side: int = 3) -> FeatureSpec:
        """A square window of cells that are 0 or 1, row by row; `side` is odd.

        The cell in the middle is the ``centre``, the sum of the others ``neighbours``.
        """
        if side < 3 or side % 2 == 0:
            raise ValueError(f"a window has an odd side of at least 3, got {side}")
        middle = side * side // 2
        names = [f"x{i}" for i in range(side * side)]
        names[middle] = "centre"
        others = tuple(i for i in range(side * side) if i != middle)
        return cls(tuple(names), (Bool(),) * len(names), {"neighbours": others})

    @property
    def num_inputs(self) -> int:
        return len(self.domains)

    @property
    def binary(self) -> frozenset[int]:
        """The inputs that are 0 or 1."""
        return frozenset(
            i for i, domain in enumerate(self.domains) if domain.low >= 0 and domain.high <= 1
        )

    @property
    def num_rows(self) -> int:
        """How many different inputs there are."""
        return math.prod(len(domain) for domain in self.domains)

    def rows(self) -> NDArray[np.int64]:
        """All inputs, shape [num_rows, num_inputs]; the last input runs fastest."""
        return grid([np.arange(d.low, d.high + 1) for d in self.domains])

    def sample(self, count: int, seed: int) -> NDArray[np.int64]:
        """Rows drawn evenly, shape [count, num_inputs]."""
        generator = np.random.default_rng(seed)
        low = [domain.low for domain in self.domains]
        high = [domain.high + 1 for domain in self.domains]
        return generator.integers(low, high, size=(count, self.num_inputs))


def grid(columns: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Every combination of one value per column, shape [combinations, columns]."""
    if not columns:
        return np.zeros((1, 0), np.int64)
    mesh = np.meshgrid(*columns, indexing="ij")
    return np.stack([values.ravel() for values in mesh], axis=-1).astype(np.int64)
