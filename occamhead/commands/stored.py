"""A run on features that were made before (``--features NAME_train.npz``)."""

from __future__ import annotations

import argparse
from pathlib import Path

from occamhead.commands.task import Task
from occamhead.vision import StoredFeatures

# What the file decides, or what would need the network that made the features.
NOT_WITH = ("classes", "backbone", "weights", "picture_size", "cache", "save_model")


def stored_task(args: argparse.Namespace, name: str, place: str | Path | None) -> Task:
    """The task of the flag `features`.

    Args:
        args: The flags.
        name: Of the task.
        place: Where the photographs of the test rows are, a folder or a .tar, for the page; None
            makes a page without.

    Raises:
        ValueError: If another flag does not go with it, or the file cannot be used.
    """
    given = [f"--{flag.replace('_', '-')}" for flag in NOT_WITH if getattr(args, flag, None)]
    if getattr(args, "mode", None) == "finetune":
        given.append("--mode finetune")
    if given:
        raise ValueError(
            f"--features has features of all its classes, made before: leave {given[0]} out, or"
            " --features"
        )
    if Path(args.features).suffix != ".npz":
        raise ValueError(
            f"--features: wanted a file NAME_train.npz, got {args.features}; a network is named by"
            " --backbone"
        )
    rows = StoredFeatures(args.features, seed=args.seed, pictures=place)
    rows.setup()
    splits = rows.pictures or rows.named
    return Task(name, splits, rows.description, rows=rows)
