"""Backprop on several processes takes the batches of one, and ends with its formula."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from occamhead.rows.batches import Batches, Order
from occamhead.training.shares import share_of

ROOT = Path(__file__).parents[2]

TRAINING = """
import json, sys
import numpy as np
import pytorch_lightning as pl
import torch
from occamhead.rows.arrays import ArrayData
from occamhead.training.module import OccamModule

torch.set_num_threads(1)
pl.seed_everything(3, verbose=False)
random = np.random.default_rng(0)
x = random.normal(size=(301, 6)).astype(np.float32)
y = (x[:, 0] + x[:, 1] + 0.3 * random.normal(size=301) > 0).astype(np.int64)
module = OccamModule(6, 2, head={"bases": ["affine3"]}, restarts=2, learning_rate=0.05)
count = int(sys.argv[1])
trainer = pl.Trainer(max_epochs=6, devices=count, strategy="ddp" if count > 1 else "auto",
                     accelerator="cpu", logger=False, enable_progress_bar=False,
                     enable_model_summary=False, enable_checkpointing=False)
# The last batch has 5 rows: of 4 processes one has two of them.
trainer.fit(module, datamodule=ArrayData((x, y), (x, y), (x, y), batch_size=37))
if trainer.global_rank == 0:
    weights = [p.detach().flatten().tolist() for p in module.parameters()]
    found = {"weights": weights, "formula": module.head.eval().formula().text(),
             "accuracy": float(trainer.callback_metrics["val_formula_accuracy"])}
    with open(f"{count}.json", "w") as file:
        json.dump(found, file)
"""


@pytest.mark.slow
def test_processes_differ_by_the_order_of_a_sum_alone(tmp_path):
    (tmp_path / "training.py").write_text(TRAINING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MASTER_ADDR": "127.0.0.1"}
    found = {}
    for count in ("1", "2", "4"):
        done = subprocess.run(
            [sys.executable, "training.py", count], cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found[count] = json.loads((tmp_path / f"{count}.json").read_text())
    one = found["1"]
    for count in ("2", "4"):
        for mine, theirs in zip(one["weights"], found[count]["weights"], strict=True):
            torch.testing.assert_close(torch.tensor(mine), torch.tensor(theirs), atol=1e-4, rtol=0)
        assert found[count]["accuracy"] == one["accuracy"]
        assert found[count]["formula"] == one["formula"]


class Processes:
    """What a trainer says of its processes."""

    def __init__(self, rank: int, size: int) -> None:
        self.global_rank, self.world_size = rank, size
        self.train_dataloader = Batches(torch.arange(5), 5, sampler=Order(5, False))


@pytest.mark.parametrize("rows", [1, 2, 5, 8])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_mean_of_the_shares_is_the_mean_of_the_batch(rows, size):
    losses = torch.arange(1.0, rows + 1)
    shares = [share_of((losses, losses), Processes(rank, size)) for rank in range(size)]
    means = [factor * part[0].mean() for part, factor in shares]
    torch.testing.assert_close(torch.stack(means).mean(), losses.mean())
    assert all(len(part[0]) for part, _ in shares)
