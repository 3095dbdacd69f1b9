"""What the flags of `recipes.orientation` take."""

from __future__ import annotations

import argparse


def side(text: str) -> int:
    """A side at which every shape can be drawn."""
    value = int(text)
    if value < 16:
        raise argparse.ArgumentTypeError(f"must be 16 or more for all shapes to fit, got {value}")
    return value
