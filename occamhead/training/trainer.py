"""Trainers of a few steps on rows in memory, and modules of heads that no trainer trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import ArrayDataModule
from occamhead.training.module import OccamModule


def short_options(steps: int, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Arguments of a ``Trainer`` for `steps` optimiser steps on rows in memory.

    It validates four times.
    """
    defaults: dict[str, Any] = {
        "max_steps": steps,
        "max_epochs": -1,
        "check_val_every_n_epoch": None,
        "val_check_interval": max(1, steps // 4),
        "num_sanity_val_steps": 0,
        "log_every_n_steps": max(1, steps // 10),
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
    }
    return {**defaults, **(options or {})}


def as_module(
    head: OccamHead, data: ArrayDataModule, trainer: Mapping[str, Any] | None = None
) -> OccamModule:
    """A module that holds a head that was not trained by it, with a Trainer to write checkpoints.

    Args:
        head: The head; the module has a copy.
        data: The rows that the head was fitted to.
        trainer: Arguments of the ``Trainer``.
    """
    module = OccamModule(
        head.in_features, head.out_features, head=shape(head), initialise=False, loss=head.loss
    )
    module.head.load_state_dict(head.state_dict())
    module.head.origin, module.head.hints = head.origin, head.hints
    # Nothing is trained: no step is taken.
    pl.Trainer(**short_options(0, {"limit_val_batches": 0, **(trainer or {})})).fit(
        module, datamodule=data
    )
    return module.cpu().eval()


def shape(head: OccamHead) -> dict[str, Any]:
    """The arguments that make a head of the same kind for other numbers of features and scores."""
    return {name: value for name, value in head.config().items() if not name.endswith("_features")}
