"""An image recipe, and a module of its kind, on two processes at once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from occamhead.commands.results import FILES

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

ROOT = Path(__file__).parents[2]
# Seconds after which a group of processes hangs, on however busy a machine.
PATIENCE = 600


def in_group(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command in a process group of its own, of which nothing is left afterwards."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment["MASTER_ADDR"] = "127.0.0.1"
    log = folder / "log.txt"
    with log.open("w") as sink:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=sink, stderr=sink, start_new_session=True
        )
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {PATIENCE} s:\n{log.read_text()[-3000:]}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return code, log.read_text()


@pytest.mark.slow
def test_a_recipe_on_two_devices(tmp_path):
    flags = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu"]
    command = [sys.executable, "-m", "recipes.mnist_binary", *flags]
    code, log = in_group([*command, "--restarts", "2", "--steps", "30"], tmp_path)
    assert code == 0, log[-3000:]
    found = list((tmp_path / "runs").iterdir())
    assert len(found) == 1, "each process made a folder"
    assert {path.name for path in found[0].iterdir()} == set(FILES)
    results = json.loads((found[0] / "results.json").read_text())
    assert results["rule_accuracy"] > 0.95 and results["agreement"] == 1.0
    assert log.count("test accuracy on") == 1


TWO_RANKS = """
import json
import sys
from pathlib import Path
import numpy as np
import pytorch_lightning as pl
import torch
from occamhead import OccamModule
from occamhead.rows.arrays import ArrayData
from occamhead.training.shares import share_of

torch.set_num_threads(1)
generator = np.random.default_rng(0)


def rows(count):
    # Column 0 is the row's number; the heads are not shown it.
    x = generator.normal(size=(count, 9)).astype(np.float32)
    y = np.arange(count, dtype=np.int64) % 2
    x[:, 1] += 2 * y
    x[:, 0] = np.arange(count)
    return x, y


class Watched(OccamModule):
    seen: list[int] = []

    def training_step(self, batch, batch_idx):
        (x, *_), _ = share_of(batch, self.trainer)
        self.seen += x[:, 0].int().tolist()
        return super().training_step(batch, batch_idx)


pl.seed_everything(0, verbose=False)
train, validation, test = rows(64), rows(32), rows(32)
data = ArrayData(train, validation, test, batch_size=8)
module = Watched(9, 2, head={"bases": ["affine2"]}, restarts=2, columns=range(1, 9))
trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
                     enable_checkpointing=False, enable_progress_bar=False)
trainer.fit(module, datamodule=data)
metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
formula = [head.eval().formula().text() for head in module.heads]
rank = trainer.global_rank
Path(f"rank{rank}.json").write_text(json.dumps({
    "seen": Watched.seen, "formula": formula, "metrics": metrics, "steps": trainer.global_step,
    "weights": [p.flatten().tolist() for p in module.parameters()]}))
# A process that ends while gloo's threads still run may be aborted.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_ranks_share_the_rows_and_agree(tmp_path):
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS)
    code, log = in_group([sys.executable, str(script)], tmp_path)
    assert code == 0, log[-3000:]
    first, second = (json.loads((tmp_path / f"rank{r}.json").read_text()) for r in (0, 1))
    for epoch in (slice(0, 32), slice(32, 64)):
        seen = [set(rank["seen"][epoch]) for rank in (first, second)]
        assert len(seen[0]) == len(seen[1]) == 32
        assert not seen[0] & seen[1]
        assert seen[0] | seen[1] == set(range(64))
    assert first["seen"][:32] != first["seen"][32:], "epochs are shuffled"
    assert first["steps"] == second["steps"] == 16, "batches are those of one process"
    assert first["formula"] == second["formula"]
    assert first["weights"] == second["weights"]
    for name in ("val_formula_accuracy", "val_soft_accuracy", "val_formula_loss"):
        assert first["metrics"][name] == pytest.approx(second["metrics"][name])
