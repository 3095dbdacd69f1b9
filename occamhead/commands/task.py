"""What an image recipe is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from occamhead.vision import Splits


@dataclass(frozen=True)
class Paper:
    """The paper's accuracy for a task, that of its baseline, and where they stand."""

    accuracy: float
    baseline: float
    source: str


@dataclass(frozen=True)
class Task:
    """Labelled pictures and what the paper reached on its own."""

    name: str
    splits: Splits
    source: str
    paper: Paper | None = None
    pixels: bool = False
