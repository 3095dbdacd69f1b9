"""What an image recipe is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from occamhead.rows.arrays import ArrayDataModule
    from occamhead.vision import Splits


@dataclass(frozen=True)
class Paper:
    """The paper's accuracy for a task, that of its baseline, and where they stand."""

    accuracy: float
    baseline: float
    source: str


@dataclass(frozen=True)
class Task:
    """Labelled pictures and what the paper reached on its own.

    Args:
        name: What the task is called.
        splits: The pictures, or their names alone.
        source: What they are, in one line.
        paper: What the paper reached.
        pixels: Whether the features are the pixels.
        rows: The features, where they were made before.
    """

    name: str
    splits: Splits
    source: str
    paper: Paper | None = None
    pixels: bool = False
    rows: ArrayDataModule | None = None

    @property
    def needs_backbone(self) -> bool:
        """Whether the features are still to be made."""
        return not self.pixels and self.rows is None
