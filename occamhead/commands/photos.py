"""``occamhead photos FOLDER``: the recipe of photographs, on any folder of class folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from occamhead.commands.image_flags import add_image_flags
from occamhead.commands.output import say
from occamhead.commands.run import run as run_task
from occamhead.commands.summary import summary
from occamhead.commands.task import Task
from occamhead.rows.arrays import ArrayDataModule
from occamhead.training.results import Fit
from occamhead.vision.class_folders import class_folder_splits
from occamhead.vision.sources import data_root


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read the folder, fit the rule, write the files of the recipe and a page."""
    folder = _place(args.folder)
    splits, said = class_folder_splits(folder, args.classes, seed=args.seed)
    for line in said:
        say(line)
    source = f"photographs in {folder} ({', '.join(splits.train.classes)})"
    return run_task(Task("photos", splits, source), _with_defaults(args), _tell)


def _place(folder: str) -> Path:
    """The folder as it is, or else below $OCCAMHEAD_DATA."""
    given, root = Path(folder).expanduser(), data_root()
    return (
        root / folder
        if root is not None and not given.exists() and (root / folder).is_dir()
        else given
    )


def _with_defaults(args: argparse.Namespace) -> argparse.Namespace:
    """The flags of the recipes, which say more, as they are by default."""
    recipe = argparse.ArgumentParser()
    add_image_flags(recipe)
    return argparse.Namespace(
        **{**vars(recipe.parse_args([])), **vars(args), "mode": "path", "report": True}
    )


def _tell(out: Path, fit: Fit, data: ArrayDataModule, results: dict[str, Any]) -> None:
    for line in summary(fit, data, results, out):
        say(line)
