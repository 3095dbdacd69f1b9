"""OccamModule with a backbone: what trains, what stands still, and what a checkpoint needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from occamhead import OccamModule
from occamhead.vision import PictureData
from tests.training.test_checkpoints import straight_and_resumed
from tests.training.test_module import HEAD, Recorder, differing, weights

pytestmark = [
    pytest.mark.usefixtures("offline", "one_thread"),
    # A backbone's batch norm is meant to be; Lightning cannot know.
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
    # Those who resume need not go on making checkpoints.
    pytest.mark.filterwarnings("ignore:.*when using `ckpt_path`, callbacks"),
]


@pytest.fixture
def resnet(resnet_file):
    def make(**options: Any) -> OccamModule:
        options = {"head": HEAD, "learning_rate": 0.05, **options}
        return OccamModule(backbone="resnet18", weights=str(resnet_file), **options)

    return make


def pictures(count: int = 24, size: int = 48) -> dict[str, Any]:
    """Tensors of two colours, in a fixed order, smaller than the transform makes them."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, size, size, generator=generator)
    y = torch.arange(count) % 2
    x[y == 0, 0] += 2
    x[y == 1, 2] += 2
    batches = DataLoader(TensorDataset(x, y), batch_size=8)
    return {"train_dataloaders": batches, "val_dataloaders": batches}


class Modes(pl.Callback):
    """Which parts of the backbone are in train mode in any step."""

    def __init__(self) -> None:
        self.training: set[str] = set()

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        self.training |= {
            type(part).__name__ for part in module.backbone.modules() if part.training
        }


def test_a_frozen_backbone_stays_as_it_is(resnet, make_trainer):
    module = resnet(freeze_backbone=True)
    module.train()
    head, backbone, modes = weights(module.head), weights(module.backbone), Modes()
    trainer = make_trainer(max_epochs=2, callbacks=[modes])
    trainer.fit(module, **pictures())
    assert differing(head, weights(module.head))
    assert not differing(backbone, weights(module.backbone))
    assert modes.training == set()
    assert len(trainer.optimizers[0].param_groups) == 1


@pytest.mark.slow
def test_fine_tuning_moves_the_weights_and_not_the_statistics(resnet, make_trainer):
    module = resnet(backbone_learning_rate=1e-4)
    module.train()
    before, modes, seen = weights(module.backbone), Modes(), Recorder()
    trainer = make_trainer(max_epochs=2, callbacks=[modes, seen])
    trainer.fit(module, **pictures())
    changed = differing(before, weights(module.backbone))
    assert changed == {name for name, _ in module.backbone.named_parameters()}
    assert {n for n in before if "running" in n or "batches_tracked" in n}.isdisjoint(changed)
    assert "BatchNorm2d" not in modes.training
    wanted = [[0.05 * 0.999**step, 1e-4 * 0.999**step] for step in range(6)]
    np.testing.assert_allclose(seen.rates, wanted, rtol=1e-9)


def test_gradients_reach_the_first_layer_through_the_head(resnet):
    module = resnet()
    module.log = lambda *_, **__: None
    x, y = next(iter(pictures()["train_dataloaders"]))
    module.training_step((x, y), 0).backward()
    assert module.backbone.conv1.weight.grad.abs().max() > 0
    assert all(p.grad is not None for p in module.parameters() if p.numel())


@pytest.mark.slow
def test_resuming_fine_tuning_goes_on_moving_the_backbone(resnet, make_trainer, tmp_path):
    straight, resumed, file = straight_and_resumed(make_trainer, resnet, pictures(16), tmp_path)
    stored = torch.load(file, weights_only=True)["state_dict"]
    found = weights(resumed.lightning_module)
    changed = differing(stored, found)
    assert {f"backbone.{n}" for n, _ in resumed.lightning_module.backbone.named_parameters()} < (
        changed
    )
    assert not differing(weights(straight.lightning_module), found)


@pytest.mark.slow
def test_photographs_through_the_transform(resnet, resnet_file, make_trainer, colours, tmp_path):
    """From files to a formula: the head learns two colours over a frozen random network."""
    torch.manual_seed(0)
    data = PictureData(str(colours(8)), backbone="resnet18", weights=str(resnet_file), batch_size=4)
    module = resnet(freeze_backbone=True, head={"bases": ["affine8"]})
    trainer = make_trainer(max_epochs=3)
    trainer.fit(module, datamodule=data)
    found = trainer.test(module, datamodule=data, verbose=False)[0]
    assert found["test_soft_accuracy"] == 1.0
    trainer.save_checkpoint(tmp_path / "tuned.ckpt")
    loaded = OccamModule.load_from_checkpoint(tmp_path / "tuned.ckpt").eval()
    x, _ = next(iter(data.test_dataloader()))
    assert torch.equal(loaded(x), module.eval()(x))


@pytest.mark.slow
def test_loading_needs_no_weights_beside_the_checkpoint(
    resnet, resnet_file, make_trainer, tmp_path
):
    """The checkpoint holds the backbone's weights; the file they came from may be gone."""
    import shutil

    weights_file = tmp_path / "moved.pth"
    shutil.copy(resnet_file, weights_file)
    module = OccamModule(backbone="resnet18", weights=str(weights_file), head=HEAD)
    trainer = make_trainer(max_steps=1)
    trainer.fit(module, **pictures(8))
    trainer.save_checkpoint(tmp_path / "whole.ckpt")
    weights_file.unlink()
    loaded = OccamModule.load_from_checkpoint(tmp_path / "whole.ckpt")
    assert not differing(weights(module), weights(loaded))
