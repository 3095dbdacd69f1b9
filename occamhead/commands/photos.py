"""``occamhead photos FOLDER``: the recipe of photographs, on any folder of class folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from occamhead.commands.output import say
from occamhead.commands.pictures import run_pictures
from occamhead.commands.stored import stored_task
from occamhead.commands.task import Task
from occamhead.vision.class_folders import class_folder_splits
from occamhead.vision.sources import data_root


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read the folder, fit the rule, write the files of the recipe and a page."""
    folder = _place(args.folder)
    if args.per_class is not None:
        if args.max_features is not None:
            raise ValueError("--per-class counts the features: leave --max-features out")
        args.budgets, args.max_features = [args.per_class], args.per_class
        args.per_class = True
    else:
        args.per_class = False
    if args.features:
        return run_pictures(stored_task(args, "photos", folder), args)
    splits, said = class_folder_splits(folder, args.classes, seed=args.seed)
    for line in said:
        say(line)
    source = f"photographs in {folder} ({', '.join(splits.train.classes)})"
    return run_pictures(Task("photos", splits, source), args)


def _place(folder: str) -> Path:
    """The folder as it is, or else below $OCCAMHEAD_DATA."""
    given, root = Path(folder).expanduser(), data_root()
    if root is not None and not given.exists() and (root / given).is_dir():
        return root / given
    return given
