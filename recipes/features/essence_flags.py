"""The flags of `recipes.essence_heads`."""

from __future__ import annotations

import argparse

from occamhead.commands.flags import add_cache
from recipes.shared.flags import recipe_parser

TABLES = ("digits", "iris", "wine", "cancer")
PHOTOGRAPHS = ("hymenoptera", "imagenette_springer_truck")
# Those of `recipes.features.parts`.
SHAPES = ("disc", "product", "wave")
TASKS = (*TABLES, *PHOTOGRAPHS, *SHAPES)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The parser."""
    parser = recipe_parser("essence_heads", description, seeds=range(5))
    add = parser.add_argument
    add("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK",
        help=f"of {', '.join(TASKS)}")  # fmt: skip
    add("--data", help="folder with the photographs; default: below $OCCAMHEAD_DATA")
    add_cache(parser)
    return parser
