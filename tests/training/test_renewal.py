"""Closed-form fits of a head to the features of the backbone that is trained through it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from occamhead import OccamModule
from occamhead.essence import fit_real_circuit
from occamhead.heads.essence import EssenceHead
from occamhead.training.renewal import RefitHead

# What is held still is meant to be in eval mode; Lightning cannot know.
pytestmark = pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")

HEAD = {"inputs": "real", "subconcepts": 4}


def pictures(count: int = 24, batch_size: int = 8, shuffle: bool = False) -> dict[str, Any]:
    """Two colours in noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, 32, 32, generator=generator)
    y = torch.arange(count) % 2
    x[y == 0, 0] += 0.3
    x[y == 1, 2] += 0.3
    batches = DataLoader(TensorDataset(x, y), batch_size, shuffle=shuffle)
    return {"train_dataloaders": batches, "val_dataloaders": batches}


class Circuits(pl.Callback):
    """The head's circuit in every epoch, and the features it should be fitted to."""

    def __init__(self) -> None:
        self.circuits: list[Any] = []
        self.features: list[Tensor] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if index == 0:
            assert module.training and module.head.training
            self.circuits.append(module.head.circuit)
            module.eval()
            with torch.no_grad():
                rows = [module.features(x) for x, _ in trainer.train_dataloader]
            module.train()
            self.features.append(torch.cat(rows))


def module_of(file: Any, **options: Any) -> OccamModule:
    options = {"kind": "essence", "head": HEAD, "backbone_learning_rate": 1e-3, **options}
    return OccamModule(backbone="resnet18", weights=str(file), **options)


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_the_head_is_fitted_to_the_features_as_they_are(resnet_file, make_trainer, every):
    module, seen = module_of(resnet_file), Circuits()
    before = module.backbone.conv1.weight.detach().clone()
    trainer = make_trainer(max_epochs=4, callbacks=[RefitHead(every), seen], num_sanity_val_steps=2)
    trainer.fit(module, **pictures())
    assert not torch.equal(before, module.backbone.conv1.weight)
    y = np.arange(24) % 2
    for epoch, circuit in enumerate(seen.circuits):
        rows = seen.features[epoch - epoch % every].numpy()
        own = fit_real_circuit(rows, y, classes=2, subconcepts=4)
        assert (circuit.weights == own.weights).all() and (circuit.bias == own.bias).all()
        again = epoch % every == 0
        assert (epoch > 0 and circuit is seen.circuits[epoch - 1]) == (not again)


@pytest.mark.slow
def test_the_backbone_learns_through_the_soft_circuit(resnet_file, make_trainer):
    """With the circuit held, the loss through it falls."""
    module = module_of(resnet_file, decay=1.0, backbone_learning_rate=1e-5)
    make_trainer(max_epochs=1, callbacks=[RefitHead()]).fit(module, **pictures())
    loader = pictures()["train_dataloaders"]

    def loss() -> float:
        with torch.no_grad():
            module.eval()
            scores = [module.head.soft(module.features(x)) for x, _ in loader]
        targets = torch.cat([y for _, y in loader])
        return torch.nn.functional.cross_entropy(torch.cat(scores), targets).item()

    before, circuit = loss(), module.head.circuit
    make_trainer(max_epochs=5, callbacks=[RefitHead(every_n_epochs=100)]).fit(module, **pictures())
    assert module.head.circuit is circuit
    assert loss() < 0.9 * before


@pytest.mark.slow
def test_a_checkpoint_holds_the_head(resnet_file, make_trainer, tmp_path):
    module = module_of(resnet_file)
    trainer = make_trainer(max_epochs=2, callbacks=[RefitHead()])
    trainer.fit(module, **pictures())
    trainer.save_checkpoint(tmp_path / "essence.ckpt")
    loaded = OccamModule.load_from_checkpoint(tmp_path / "essence.ckpt").eval()
    assert isinstance(loaded.head, EssenceHead)
    assert loaded.head.formula() == module.head.formula()
    x, _ = next(iter(pictures()["train_dataloaders"]))
    assert torch.equal(loaded(x), module.eval()(x))


@pytest.mark.slow
def test_rows_are_limited(resnet_file, make_trainer):
    module = module_of(resnet_file)
    make_trainer(max_epochs=1, callbacks=[RefitHead(max_rows=10)]).fit(module, **pictures())
    with torch.no_grad():
        # Fitted before the first step, to the first ten pictures.
        assert module.head.circuit is not None
    fresh = module_of(resnet_file).eval()
    x = torch.cat([x for x, _ in pictures()["train_dataloaders"]])[:10]
    with torch.no_grad():
        own = fit_real_circuit(fresh.features(x).numpy(), np.arange(10) % 2, subconcepts=4)
    np.testing.assert_allclose(module.head.circuit.weights, own.weights, rtol=0.05, atol=1e-4)


def test_what_cannot_be_is_refused(resnet_file, make_trainer):
    with pytest.raises(ValueError, match="every_n_epochs"):
        RefitHead(0)
    occam = OccamModule(backbone="resnet18", weights=str(resnet_file), head={"bases": ["affine3"]})
    with pytest.raises(ValueError, match="OccamHead is not fitted in closed form"):
        make_trainer(max_epochs=1, callbacks=[RefitHead()]).fit(occam, **pictures())
    with pytest.raises(ValueError, match="gradients change nothing"):
        OccamModule(6, 2, kind="essence")
    with pytest.raises(ValueError, match="gradients change nothing"):
        module_of(resnet_file, freeze_backbone=True)
    with pytest.raises(ValueError, match="neither restarts"):
        module_of(resnet_file, restarts=2)
    with pytest.raises(ValueError, match="'squared_error'"):
        module_of(resnet_file, loss="squared_error")
    with pytest.raises(ValueError, match="kind must be one of"):
        module_of(resnet_file, kind="tree")


TWO_RANKS = """
import json
import sys
from pathlib import Path
import pytorch_lightning as pl
import torch
sys.path.insert(0, {tests!r})
from tests.training.test_renewal import RefitHead, module_of, pictures
torch.set_num_threads(1)
module = module_of({weights!r}, backbone_learning_rate=1e-5)
trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
                     enable_checkpointing=False, enable_progress_bar=False,
                     use_distributed_sampler=True, callbacks=[RefitHead()])
trainer.fit(module, **pictures(24, 4, shuffle=True))
circuit = module.head.circuit
Path(f"rank{{trainer.global_rank}}.json").write_text(json.dumps({{
    "weights": circuit.weights.tolist(), "bias": circuit.bias.tolist(),
    "first": module.backbone.conv1.weight.flatten().tolist()}}))
# A process that ends while gloo's threads still run may be aborted.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_devices_end_with_one_head(resnet_file, tmp_path):
    script = tmp_path / "two_ranks.py"
    tests = str(Path(__file__).parents[2])
    script.write_text(TWO_RANKS.format(tests=tests, weights=str(resnet_file)))
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path, timeout=180)
    first, second = (json.loads((tmp_path / f"rank{r}.json").read_text()) for r in (0, 1))
    assert first == second
    assert np.array(first["weights"]).any()
