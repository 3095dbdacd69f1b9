"""One thread of the processor for all that a recipe does."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

Done = TypeVar("Done")


def on_one_thread(run: Callable[[argparse.Namespace], Done], args: argparse.Namespace) -> Done:
    """Do what the flags ask for; torch is loaded here, after they are read, so that help is quick.

    Args:
        run: Imports what takes seconds to load itself.
        args: The flags.
    """
    from occamhead.rows.objective import one_thread

    with one_thread():
        return run(args)
