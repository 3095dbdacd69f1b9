"""The flags that recipes share."""

from __future__ import annotations

import argparse
from pathlib import Path


def recipe_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for ``python -m recipes.NAME``, whose help keeps the lines of its description."""
    return argparse.ArgumentParser(
        f"python -m recipes.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_output(parser: argparse.ArgumentParser, name: str) -> None:
    """Where the results go, and whether they may replace others."""
    add = parser.add_argument
    add("--out", type=Path, help=f"folder for the results; default runs/{name}-TIME")
    add("--overwrite", action="store_true", help="replace results that are in --out already")


def positive(text: str) -> int:
    """A whole number from 1 up."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number
