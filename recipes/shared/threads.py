"""One thread of the processor for all that a recipe does."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from occamhead.commands.results import Run, results_run

Done = TypeVar("Done")


def on_one_thread(
    work: Callable[[argparse.Namespace, Run], Done], args: argparse.Namespace, name: str
) -> Done:
    """Do what the flags ask for; torch is loaded here, after they are read, so that help is quick.

    Args:
        work: Imports what takes seconds to load itself; given the flags and where it writes.
        args: The flags.
        name: Of the recipe.
    """
    with results_run(args, name) as run:
        from occamhead.rows.objective import one_thread

        with one_thread():
            return work(args, run)
