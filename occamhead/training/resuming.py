"""What a checkpoint needs beside the weights, for training to go on as if it had not stopped."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn

GENERATORS = "generators"


def generators() -> dict[str, Any]:
    """The states of torch's global generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_generators(states: dict[str, Any] | None) -> None:
    """Put torch's global generators into these states; None, of older checkpoints, does nothing."""
    if states is None:
        return
    torch.set_rng_state(states["cpu"].cpu())
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])


def draw_as_one(states: dict[str, Any], trainer: pl.Trainer) -> None:
    """Let several processes draw what one would: Lightning seeds anew where it starts them.

    Args:
        states: Of the generators when the module had been made.
        trainer: The processes.
    """
    if trainer.world_size > 1:
        set_generators(states)


def goes_on(module: pl.LightningModule) -> bool:
    """Whether a checkpoint is read for training to go on, and not for its weights alone."""
    return module._trainer is not None and module._trainer.state.fn == TrainerFn.FITTING
