"""A signal ends training with a checkpoint and a status that says so, wherever it comes."""

from __future__ import annotations

import os
import signal

import pytest
import pytorch_lightning as pl
import torch

from occamhead.rows.arrays import ArrayData
from occamhead.saving import Stopped
from occamhead.training.module import OccamModule
from occamhead.training.on_stop import SaveOnStop

pytestmark = pytest.mark.filterwarnings("ignore:.*in eval mode at the start")


class SendAt(pl.Callback):
    """Sends this process a signal in a hook: the second time that it is called in training."""

    def __init__(self, hook: str, number: int) -> None:
        self.number, self.times = number, 0
        setattr(self, hook, self.send)

    def send(self, trainer, *rest):
        self.times += not trainer.sanity_checking
        if self.times == 2:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=["SIGTERM", "SIGUSR1"])
@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_validation_batch_start"])
def test_a_signal_saves_and_ends_also_in_the_midst_of_validation(tmp_path, hook, number):
    x = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
    data = ArrayData((x, (x[:, 1] > 0).long()), batch_size=8)
    saver = SaveOnStop()
    trainer = pl.Trainer(
        default_root_dir=tmp_path, max_epochs=5, log_every_n_steps=1, accelerator="cpu",
        logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[SendAt(hook, number), saver],
    )  # fmt: skip
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stop, saver.listening():
        trainer.fit(OccamModule(3, 2, head={"bases": ["affine2"]}), datamodule=data)
    assert stop.value.status == 128 + number
    assert saver.file is not None and saver.file.is_file()
    assert trainer.current_epoch < 4
    assert signal.getsignal(number) is before
