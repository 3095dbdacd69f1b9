"""Training that is kept on disk while it runs, and goes on where it was stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from occamhead.rows.arrays import LabelledArrays
from occamhead.saving import Kept
from occamhead.training.resuming import generators, set_generators

# Seconds between two checkpoints.
KEEP_EVERY = 10.0
_FILE = "training"


def train_kept(
    module: pl.LightningModule, data: Any, options: Mapping[str, Any], kept: Kept, name: str
) -> pl.Trainer:
    """Train a module, unless that was done before; a training that was stopped goes on.

    Args:
        module: As it is made for the training, also where that was done.
        data: A data module, or batches to train on.
        options: Arguments of the ``Trainer``.
        kept: Where the training is kept.
        name: Of the training, among what is kept there.

    Returns:
        The trainer; it has taken no step where the training was done before.
    """
    if not kept.keeps:
        return _train(module, data, options)
    if (done := kept.read(name)) is not None:
        # For the trainer alone: what it sets up is not what was trained.
        steps = {"max_steps": 0, "limit_val_batches": 0, "callbacks": []}
        trainer = _train(module, data, {**options, **steps})
        module.load_state_dict(done["module"])
        callbacks = options.get("callbacks", [])
        for callback, state in zip(callbacks, done["callbacks"], strict=True):
            callback.load_state_dict(state)
        set_generators(done["generators"])
        return trainer
    folder = kept.part(name).folder
    assert folder is not None
    saver = ModelCheckpoint(
        folder, _FILE, train_time_interval=timedelta(seconds=KEEP_EVERY), save_top_k=1,
        enable_version_counter=False,
    )  # fmt: skip
    callbacks = list(options.get("callbacks", []))
    stopped = folder / f"{_FILE}.ckpt"
    trainer = _train(
        module,
        data,
        {**options, "enable_checkpointing": True, "callbacks": [*callbacks, saver]},
        str(stopped) if stopped.exists() else None,
    )
    state = {
        "module": module.state_dict(),
        "callbacks": [callback.state_dict() for callback in callbacks],
        "generators": generators(),
    }
    kept.write(name, state)
    if kept.writes:
        stopped.unlink(missing_ok=True)
    return trainer


def _train(
    module: pl.LightningModule, data: Any, options: Mapping[str, Any], resume: str | None = None
) -> pl.Trainer:
    trainer = pl.Trainer(**options)
    named = {"datamodule": data} if isinstance(data, pl.LightningDataModule) else {
        "train_dataloaders": data
    }  # fmt: skip
    trainer.fit(module, **named, ckpt_path=resume, weights_only=True)
    return trainer


def kept_fit(
    checkpoint: str | Path | None,
    arrays: LabelledArrays,
    weight: Tensor | None,
    asked: Mapping[str, Any],
) -> Kept:
    """Where a fit is kept.

    Args:
        checkpoint: The folder; None keeps nothing.
        arrays: The rows, of which it may look at those of training and validation.
        weight: What each of them counts, or None.
        asked: What else the fit depends on.

    Raises:
        WrongRun: If the folder holds another fit.
    """
    kept = Kept(checkpoint)
    if kept.keeps:
        weights = [] if weight is None else [weight.numpy()]
        about = {name: repr(value) for name, value in asked.items()}
        kept.check({**about, "rows": rows_digest(arrays, *weights)})
    return kept


def rows_digest(arrays: LabelledArrays, *more: NDArray[Any]) -> str:
    """A digest of the rows of training and validation, and of further arrays."""
    digest = hashlib.sha256()
    for part in (*arrays.train, *arrays.validation, *more):
        digest.update(f"{part.dtype} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:16]
