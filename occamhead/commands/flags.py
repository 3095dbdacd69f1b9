"""The flags that commands share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def add_out(parser: argparse.ArgumentParser, name: str) -> None:
    """Where the results go."""
    add = parser.add_argument
    add("--out", type=Path, metavar="DIR", help=f"folder for the results; default runs/{name}-TIME")
    add("--overwrite", action="store_true", help="replace results that are in --out already")
    add("--resume", action="store_true", help="go on with a run into --out that was stopped")


def add_backbone(parser: argparse.ArgumentParser, picture_size: int | None = None) -> None:
    """Which backbone reads the pictures, and where its features are kept."""
    add = parser.add_argument
    add("--backbone", help="torchvision or timm name, or efficientnet_lite0; default resnet50")
    add_cache(parser)
    add(
        "--picture-size",
        type=positive,
        metavar="PIXELS",
        default=picture_size,
        help="side to which pictures are scaled for the backbone; default:"
        f" {picture_size or 'that of its training'}",
    )


def add_cache(parser: argparse.ArgumentParser) -> None:
    """The files of a backbone's weights and features."""
    add = parser.add_argument
    add("--weights", help="file of the backbone's weights; default: download, see docs/recipes.md")
    add("--cache", help="folder of the feature cache; default ~/.cache/occamhead/features")


def positive(text: str) -> int:
    """A whole number from 1 up."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def positive_seconds(text: str) -> float:
    """A finite number above 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be positive, got {number}")
    return number


def direction(text: str) -> tuple[str, str]:
    """A column and how a law goes with it: ``column=increasing``."""
    column, equals, way = text.rpartition("=")
    if not equals or way not in ("increasing", "decreasing"):
        raise argparse.ArgumentTypeError(
            f"must be COLUMN=increasing or COLUMN=decreasing, got {text!r}"
        )
    return column, way
