"""The parser of a recipe."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from occamhead.commands.flags import add_out


def recipe_parser(
    name: str, description: str | None, seeds: Iterable[int] | None = None
) -> argparse.ArgumentParser:
    """A parser for ``python -m recipes.NAME``, whose help keeps the lines of its description.

    Args:
        name: NAME.
        description: What the recipe does.
        seeds: Those that it takes unless told otherwise; None leaves the flag out.
    """
    parser = argparse.ArgumentParser(
        f"python -m recipes.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_out(parser, name)
    if seeds is not None:
        parser.add_argument(
            "--seeds", nargs="+", type=int, default=list(seeds), help="of what is drawn at random"
        )
    return parser
