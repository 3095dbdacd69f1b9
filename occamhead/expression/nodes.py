"""The four kinds of node that a formula consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Input:
    """The input with this index."""

    index: int

    @property
    def children(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True)
class Constant:
    """A number."""

    value: float

    @property
    def children(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True)
class Affine:
    """``constant + sum(coefficient * node)``: `terms` holds (coefficient, node index) pairs."""

    constant: float
    terms: tuple[tuple[float, int], ...]

    @property
    def children(self) -> tuple[int, ...]:
        return tuple(child for _, child in self.terms)


@dataclass(frozen=True)
class Apply:
    """An operator applied to earlier nodes."""

    operator: str
    children: tuple[int, ...]


Node: TypeAlias = Input | Constant | Affine | Apply
