"""The run that ``occamhead photos`` and ``occamhead demo`` share: the recipes', told briefly."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from occamhead.commands import run
from occamhead.commands.image_flags import add_image_flags
from occamhead.commands.output import say
from occamhead.commands.summary import summary
from occamhead.commands.task import Task
from occamhead.rows.arrays import ArrayDataModule
from occamhead.training.results import Fit


def run_pictures(
    task: Task, args: argparse.Namespace, words: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """Fit the rule, write the files of the recipes and a page, and say what matters.

    Args:
        task: The pictures.
        args: The flags that the command has; the recipes' others are as they are by default.
        words: What features look at, by index.
    """
    parser = argparse.ArgumentParser()
    add_image_flags(parser)
    usual = vars(parser.parse_args([]))
    args = argparse.Namespace(**{**usual, **vars(args), "mode": "path", "report": True})

    def tell(out: Path, fit: Fit, data: ArrayDataModule, results: dict[str, Any]) -> None:
        say()
        for line in summary(fit, data, results, out, words):
            say(line)

    return run.run(task, args, tell)
