"""Stop early by the formula, and not before the soft network has become it."""

from __future__ import annotations

import math
import warnings

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint


def wait_for_annealing(trainer: pl.Trainer, anneal_fraction: float) -> int:
    """Let no callback stop a fit before the temperatures have fallen, and warn of wrong monitors.

    While they fall, the formula is not yet what the soft network is, and what stops then keeps a
    formula that is worse than its network.

    Args:
        trainer: The trainer, at the start of its training.
        anneal_fraction: Share of the steps in which the temperatures fall; 0 if they do not.

    Returns:
        The step from which a callback may stop the fit; its patience begins there.
    """
    stoppers = _stoppers(trainer)
    for callback in (*stoppers, *trainer.checkpoint_callbacks):
        if not isinstance(callback, EarlyStopping | ModelCheckpoint):
            continue
        monitor = callback.monitor or ""
        if "soft" in monitor or monitor == "train_loss":
            warnings.warn(
                f"{type(callback).__name__} monitors {monitor}, of the soft network; what it keeps"
                " may be a worse formula: monitor val_formula_accuracy or val_formula_loss",
                stacklevel=2,
            )
    steps = float(trainer.estimated_stepping_batches) * anneal_fraction
    if not stoppers or not steps:
        return 0
    if math.isinf(steps):
        warnings.warn(
            "EarlyStopping may stop this fit before its temperatures have fallen, since it has no"
            " last step to fall towards: give the Trainer max_epochs or max_steps",
            stacklevel=2,
        )
        return 0
    first = math.ceil(steps) + 1  # the step after which a batch has seen the last temperature
    loop = trainer.fit_loop.epoch_loop
    loop.min_steps = max(first, loop.min_steps or 0)
    return first


def start_patience(trainer: pl.Trainer) -> None:
    """Let every EarlyStopping count its patience from now on."""
    for callback in _stoppers(trainer):
        callback.wait_count = 0


def _stoppers(trainer: pl.Trainer) -> list[EarlyStopping]:
    return [each for each in trainer.early_stopping_callbacks if each is not None]
