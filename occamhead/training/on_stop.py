"""Save where training is when the system asks it to end."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from occamhead.saving.stops import SIGNALS, Stopped, handled


class SaveOnStop(pl.Callback):
    """After the batch in which SIGTERM or SIGUSR1 came: write a checkpoint, and end.

    Signals are noted from :meth:`listening` on, in the first thread. Of several processes all write
    together as soon as one of them was asked to end.

    Raises:
        Stopped: When the checkpoint is written; `file` is where.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.file: Path | None = None

    def listening(self) -> AbstractContextManager[None]:
        """Note the signals in the meantime."""
        return handled(self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._hear_alone()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._hear_alone()

    def _hear_alone(self) -> None:
        """Put our handlers in the place of Lightning's, which it sets after `on_fit_start`.

        Its handler of SIGTERM calls ours too, but ends the process with status 0 where validation
        is going on, and saves nothing.
        """
        for each in SIGNALS:
            if signal.getsignal(each) not in (signal.SIG_DFL, signal.SIG_IGN):
                signal.signal(each, self._note)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any, **index: Any
    ) -> None:
        asked = self.number is not None
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked:
            folder = trainer.log_dir or trainer.default_root_dir
            self.file = Path(folder) / "stopped.ckpt"
            trainer.save_checkpoint(self.file, weights_only=False)
            raise Stopped(self.number or signal.SIGTERM)
