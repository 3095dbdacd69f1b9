"""Staged fine-tuning: what trains when, what never moves, and what a resumed run brings back."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from occamhead import OccamModule
from occamhead.training.renewal import FormulaRenewal, renew
from occamhead.training.unfreezing import StagedUnfreezing, find_stages, hold_still, named_stages
from occamhead.vision import Backbone

pytestmark = [
    pytest.mark.usefixtures("offline", "one_thread"),
    # What is frozen is meant to be in eval mode; Lightning cannot know.
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
    pytest.mark.filterwarnings("ignore:.*when using `ckpt_path`, callbacks"),
]

HEAD = {"bases": ["affine3"]}


def block(inputs: int, outputs: int) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU(), nn.Dropout2d(0.1)]
    return nn.Sequential(*layers)


class Tiny(nn.Module):
    """A network of ResNet's build: stem, norm, layers; all biases of its convolutions are zero."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.layer1, self.layer2 = block(6, 6), block(6, 6)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.zeros_(part.bias)
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.running_mean, -0.1, 0.1)
                nn.init.uniform_(part.running_var, 0.5, 1.5)
        self.fc = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(self.bn1(self.conv1(x)).relu()))
        return self.fc(x.mean(dim=(2, 3)))


@pytest.fixture
def tiny(monkeypatch):
    """Make modules whose backbone, whatever its name, is Tiny with the same random weights."""

    def load(name: str, weights: Any = None, **_: Any) -> Backbone:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = Tiny().eval()
        return Backbone(name, module, 6, lambda picture: picture, "random", "", None)

    monkeypatch.setattr("occamhead.vision.load_backbone", load)
    monkeypatch.setattr("occamhead.vision.build_backbone", lambda name: Tiny().eval())

    def make(**options: Any) -> OccamModule:
        defaults = {"backbone": "tiny", "head": HEAD, "backbone_learning_rate": 1e-3}
        return OccamModule(**{**defaults, **options})

    return make


def pictures(count: int = 16) -> dict[str, Any]:
    """Small tensors of two colours in a fixed order: two batches an epoch."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, 10, 10, generator=generator)
    y = torch.arange(count) % 2
    x[y == 0, 0] += 1
    batches = DataLoader(TensorDataset(x, y), batch_size=8)
    return {"train_dataloaders": batches, "val_dataloaders": batches}


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def differing(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> set[str]:
    assert first.keys() == second.keys()
    return {name for name in first if not torch.equal(first[name], second[name])}


def top(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


class Epochs(pl.Callback):
    """What each epoch changed in the backbone, the rates, the modes, and features in train mode."""

    def __init__(self) -> None:
        self.changed: list[set[str]] = []
        self.rates: list[dict[str, float]] = []
        self.training: list[set[str]] = []
        self.features: list[torch.Tensor] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            self.before = weights(module.backbone)
            groups = trainer.optimizers[0].param_groups
            self.rates.append({group["name"]: group["lr"] for group in groups})
            self.training.append(
                {name for name, part in module.backbone.named_modules() if part.training}
            )

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.changed.append(differing(self.before, weights(module.backbone)))
        with torch.random.fork_rng():
            self.features.append(module.features(pictures()["train_dataloaders"].dataset[:8][0]))


# --- stages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, stages",
    [
        ("resnet18", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
        ("resnet50", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
        ("densenet121", None),
        ("efficientnet_lite0", None),
        ("timm/convnext_atto", ["stem", "stages.0", "stages.1", "stages.2", "stages.3"]),
        ("timm/vit_tiny_patch16_224", None),
        ("mobilenet_v3_small", ["features", "classifier"]),
    ],
)
def test_stages_are_a_partition_in_the_order_of_the_network(name, stages):
    from occamhead.vision import build_backbone

    network = build_backbone(name)
    found = find_stages(network)
    names = [parameter for parameter, _ in network.named_parameters()]
    assert [parameter for stage in found.values() for parameter in stage] == names
    if stages is None:
        assert len(found) == 5
    else:
        assert list(found) == stages
    assert list(find_stages(network, count=1).values()) == [tuple(names)]


def test_a_norm_belongs_to_what_stands_before_it():
    stages = find_stages(Tiny())
    assert list(stages) == ["conv1", "layer1", "layer2"]
    assert stages["conv1"] == ("conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias")


def test_wrong_names_are_told_the_stages():
    with pytest.raises(ValueError, match=r"no part 'layer9'.*conv1, layer1, layer2"):
        named_stages(Tiny(), ["layer9"])
    with pytest.raises(
        ValueError, match=r"layer1\.0\.weight belongs to 'layer1' and to 'layer1\.0'"
    ):
        named_stages(Tiny(), ["layer1", "layer1.0"])
    with pytest.raises(ValueError, match="no parameters"):
        find_stages(nn.Identity())


# --- training -----------------------------------------------------------------------------------


def test_stages_begin_one_after_the_other_each_at_its_rate(tiny, make_trainer):
    module, seen = tiny(decay=0.9, learning_rate=0.05), Epochs()
    callbacks = [StagedUnfreezing([1, 2], decay=0.25), seen]
    make_trainer(max_epochs=4, callbacks=callbacks).fit(module, **pictures())
    assert [top(changed) for changed in seen.changed] == [
        set(), {"layer2"}, {"layer2", "layer1"}, {"layer2", "layer1"},
    ]  # fmt: skip
    parameters = {name for name, _ in module.backbone.named_parameters()}
    assert seen.changed[3] == {name for name in parameters if name.startswith("layer")}
    for epoch, rates in enumerate(seen.rates):
        factor = 0.9 ** (2 * epoch)
        wanted = {"head": 0.05, "layer2": 1e-3, "layer1": 0.25e-3}
        assert rates == pytest.approx({name: rate * factor for name, rate in wanted.items()})


def test_named_parts_begin_at_steps(tiny, make_trainer):
    module, seen = tiny(), Epochs()
    callback = StagedUnfreezing({"layer2.0": 1, "conv1": 2}, unit="step")
    make_trainer(max_epochs=2, callbacks=[callback, seen]).fit(module, **pictures())
    # Two steps an epoch: the second step of the first trains one part, the second epoch both.
    assert seen.changed == [
        {"layer2.0.weight", "layer2.0.bias"},
        {"layer2.0.weight", "layer2.0.bias", "conv1.weight", "conv1.bias"},
    ]


def test_what_is_frozen_gives_the_same_features_to_the_bit(tiny, make_trainer):
    """Outputs in train mode, where frozen norms must not use or keep statistics of the batch."""
    module, seen = tiny(), Epochs()
    start = weights(module.backbone)
    x = pictures()["train_dataloaders"].dataset[:8][0]
    with torch.no_grad():
        before = module.backbone.eval()(x)
        stem = module.backbone.layer1(module.backbone.bn1(module.backbone.conv1(x)).relu())
    make_trainer(max_epochs=3, callbacks=[StagedUnfreezing([2]), seen]).fit(module, **pictures())
    assert torch.equal(seen.features[0], before) and torch.equal(seen.features[1], before)
    assert not torch.equal(seen.features[2], before)
    with torch.no_grad():
        backbone = module.train().backbone
        assert torch.equal(backbone.layer1(backbone.bn1(backbone.conv1(x)).relu()), stem)
    statistics = {name for name in start if "running" in name or "tracked" in name}
    assert len(statistics) == 9
    assert not statistics & differing(start, weights(module.backbone))


@pytest.mark.slow
def test_modes_follow_the_stages(tiny, make_trainer):
    """Frozen: all in eval mode. Trained: dropout works, batch norm keeps its statistics."""
    module, seen = tiny(), Epochs()
    make_trainer(max_epochs=2, callbacks=[StagedUnfreezing([1]), seen]).fit(module, **pictures())
    assert seen.training == [set(), {"", "layer2", "layer2.0", "layer2.2", "layer2.3", "fc"}]


def test_a_frozen_norm_among_trained_layers_stays_still():
    """Also where a user froze single parts by hand."""
    network = Tiny().train()
    network.layer1.requires_grad_(False)
    hold_still(network)
    assert not any(part.training for part in network.layer1.modules())
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) == 3 and not any(norm.training for norm in norms)
    assert network.layer2[3].training


def test_equal_parameters_are_all_trained(tiny, make_trainer):
    """Three zero biases of one shape: each in one group, and each moves."""
    module = tiny()
    trainer = make_trainer(max_epochs=2, callbacks=[StagedUnfreezing([0, 0, 0], decay=1.0)])
    biases = [module.backbone.conv1.bias, module.backbone.layer1[0].bias]
    biases.append(module.backbone.layer2[0].bias)
    assert all(torch.equal(biases[0], bias) for bias in biases)
    trainer.fit(module, **pictures())
    assert all(bias.abs().min() > 0 for bias in biases)
    grouped = [id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in module.parameters())


# --- resuming -----------------------------------------------------------------------------------


def callbacks(folder: Path | None = None) -> list[pl.Callback]:
    found: list[pl.Callback] = [StagedUnfreezing([1, 2]), FormulaRenewal()]
    if folder is not None:
        found.append(ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1))
    return found


def same_end(first: pl.Trainer, second: pl.Trainer) -> None:
    """Weights, what trains, groups, rates, the optimiser's memory and temperatures."""
    a, b = first.lightning_module, second.lightning_module
    assert first.global_step == second.global_step
    assert not differing(weights(a), weights(b))
    frozen = [[name for name, p in m.named_parameters() if not p.requires_grad] for m in (a, b)]
    assert frozen[0] == frozen[1]
    states = [trainer.optimizers[0].state_dict() for trainer in (first, second)]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    assert states[0]["state"].keys() == states[1]["state"].keys()
    for parameter, state in states[0]["state"].items():
        for name, value in state.items():
            assert torch.equal(value, states[1]["state"][parameter][name]), (parameter, name)
    temperatures = [m.head.network.temperatures for m in (a, b)]
    assert torch.equal(*temperatures)
    assert a.head.formula() == b.head.formula()


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_resuming_continues_to_the_bit(tiny, make_trainer, tmp_path, epoch):
    """From before the first stage trains, between the two, and after both do."""
    no_dropout = {"learning_rate": 0.05, "decay": 0.95, "anneal_fraction": 0.3}
    pl.seed_everything(0, verbose=False)
    straight = make_trainer(max_epochs=4, enable_checkpointing=True, callbacks=callbacks(tmp_path))
    module = tiny(**no_dropout)
    without_dropout(module)
    straight.fit(module, **pictures())
    pl.seed_everything(99, verbose=False)  # another start, which the checkpoint must replace
    file = tmp_path / f"epoch={epoch}.ckpt"
    module = tiny(**no_dropout)
    without_dropout(module)
    resumed = make_trainer(max_epochs=4, callbacks=callbacks())
    resumed.fit(module, **pictures(), ckpt_path=file)
    same_end(straight, resumed)
    stored = torch.load(file, weights_only=True)["state_dict"]
    changed = {name for name in differing(stored, weights(module)) if name.startswith("backbone")}
    assert {name.split(".")[1] for name in changed} == {"layer1", "layer2"}
    renewals = [trainer.callbacks[1].renewals for trainer in (straight, resumed)]
    assert renewals[0] == renewals[1] and [row["epoch"] for row in renewals[0]] == [1, 2, 3]


def without_dropout(module: OccamModule) -> None:
    """The generator's state is not in a checkpoint, so runs with dropout cannot be compared."""
    for part in module.backbone.modules():
        if isinstance(part, nn.Dropout2d):
            part.p = 0.0


def test_a_run_stopped_by_max_steps_goes_on(tiny, make_trainer, tmp_path):
    """After the first stage was unfrozen by step 3; the temperatures do not depend on the limit."""

    def run(steps: int, file: Path | None = None) -> pl.Trainer:
        module = tiny(anneal_fraction=0.0)
        without_dropout(module)
        callback = StagedUnfreezing({"layer2": 3, "layer1": 5}, unit="step")
        trainer = make_trainer(max_steps=steps, max_epochs=-1, callbacks=[callback])
        trainer.fit(module, **pictures(), ckpt_path=file)
        return trainer

    pl.seed_everything(0, verbose=False)
    straight = run(8)
    pl.seed_everything(0, verbose=False)
    run(4).save_checkpoint(tmp_path / "half.ckpt")
    pl.seed_everything(99, verbose=False)
    same_end(straight, run(8, tmp_path / "half.ckpt"))


def test_another_schedule_is_refused(tiny, make_trainer, tmp_path):
    trainer = make_trainer(max_epochs=1, callbacks=[StagedUnfreezing([0, 1])])
    trainer.fit(tiny(), **pictures())
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    for other in (StagedUnfreezing([0, 2]), StagedUnfreezing([0, 1], decay=0.5)):
        with pytest.raises(
            ValueError, match=r"another schedule: layer2 at 0, layer1 at 1 \(epochs"
        ):
            make_trainer(max_epochs=2, callbacks=[other]).fit(
                tiny(), **pictures(), ckpt_path=tmp_path / "one.ckpt"
            )


def test_a_finished_run_is_judged_without_its_schedule(tiny, make_trainer, tmp_path):
    trainer = make_trainer(max_epochs=2, callbacks=callbacks())
    trainer.fit(tiny(), **pictures())
    trainer.save_checkpoint(tmp_path / "done.ckpt")
    loaded = OccamModule.load_from_checkpoint(tmp_path / "done.ckpt").eval()
    x = pictures()["train_dataloaders"].dataset[:8][0]
    assert torch.equal(loaded(x), trainer.lightning_module.eval()(x))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"schedule": []}, "starts from 0 up"),
        ({"schedule": [0, -1]}, r"\[0, -1\]"),
        ({"schedule": [0], "decay": 0.0}, r"decay.*0\.0"),
        ({"schedule": [0], "unit": "batch"}, "'batch'"),
    ],
)
def test_impossible_schedules_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        StagedUnfreezing(**options)


def test_modules_that_cannot_be_tuned_in_stages_are_refused(tiny, make_trainer):
    for module in (OccamModule(6, head=HEAD), tiny(freeze_backbone=True)):
        with pytest.raises(ValueError, match="freeze_backbone=False"):
            make_trainer(max_epochs=1, callbacks=[StagedUnfreezing([0])]).fit(module, **pictures())
    with pytest.raises(ValueError, match=r"4 starts are too many.*3 stages: layer2, layer1, conv1"):
        make_trainer(max_epochs=1, callbacks=[StagedUnfreezing([0] * 4)]).fit(tiny(), **pictures())


def test_several_devices_need_a_strategy_that_allows_for_frozen_stages(tiny):
    """Lightning's ddp would wait for the gradients of frozen parts for ever."""
    trainer = SimpleNamespace(world_size=2, strategy=SimpleNamespace(_ddp_kwargs={}))
    with pytest.raises(ValueError, match=r"\(layer1\).*ddp_find_unused_parameters_true"):
        StagedUnfreezing([0, 1]).setup(trainer, tiny(), "fit")
    module = tiny()
    StagedUnfreezing([0, 0]).setup(trainer, module, "fit")
    assert [stage.name for stage in module.stages] == ["layer2", "layer1"]


# --- renewal -----------------------------------------------------------------------------------


def test_renewal_in_training_fits_the_features_as_they_are(tiny, make_trainer):
    """At the start of epoch 2; after it neither backbone nor head trains."""
    module = tiny(anneal_fraction=0.0, learning_rate=0.0, backbone_learning_rate=0.05)
    renewal, seen = FormulaRenewal(every=2, penalty=1e-3), Epochs()
    stages = [StagedUnfreezing([0]), Rates({1: 0.05, 2: 0.0})]
    trainer = make_trainer(max_epochs=3, callbacks=[*stages, renewal, seen])
    x, y = pictures()["train_dataloaders"].dataset[:]
    trainer.fit(module, **pictures())
    assert [row["epoch"] for row in renewal.renewals] == [2]
    assert "layer2.3" in seen.training[2]  # the dropout, off while the sample passes
    assert trainer.callback_metrics["renewal_agreement"] == renewal.renewals[0]["agreement"]
    features = module.eval().backbone(x).detach()
    torch.testing.assert_close(module.head.feature_mean, features.mean(dim=0))
    again = copy.deepcopy(module.head)
    renew(again, (features, y), 1e-3)
    torch.testing.assert_close(again(features), module.head(features), rtol=0, atol=0.01)


class Rates(pl.Callback):
    """Set the backbone's rate at the start of an epoch."""

    def __init__(self, rates: dict[int, float]) -> None:
        self.rates = rates

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        rate = self.rates.get(trainer.current_epoch)
        if rate is not None:
            trainer.optimizers[0].param_groups[1]["lr"] = rate


def test_the_formula_of_the_tuned_backbone_is_the_model(tiny, make_trainer):
    module = tiny(anneal_fraction=0.5, learning_rate=0.05)
    make_trainer(max_epochs=3, callbacks=callbacks()).fit(module, **pictures())
    x = pictures()["train_dataloaders"].dataset[:8][0]
    module.eval()
    assert torch.equal(module(x), module.head.formula()(module.backbone(x)))


TWO_RANKS = """
import json
import sys
from pathlib import Path
import pytorch_lightning as pl
import torch
sys.path.insert(0, {tests!r})
import occamhead.vision
from tests.training.test_unfreezing import (HEAD, Backbone, OccamModule, StagedUnfreezing, Tiny,
                                            pictures)
torch.set_num_threads(1)
torch.manual_seed(0)
net = Tiny().eval()
occamhead.vision.load_backbone = lambda *_, **__: Backbone("tiny", net, 6, None, "", "", None)
module = OccamModule(backbone="tiny", head=HEAD, backbone_learning_rate=1e-3)
before = {{name: value.clone() for name, value in net.state_dict().items()}}
trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp_find_unused_parameters_true",
                     max_epochs=3, logger=False, enable_checkpointing=False,
                     callbacks=[StagedUnfreezing([1, 2])], enable_progress_bar=False)
trainer.fit(module, **pictures(32))
Path(f"rank{{trainer.global_rank}}.json").write_text(json.dumps({{
    "moved": [n for n, v in net.state_dict().items() if not torch.equal(v, before[n])],
    "weights": [p.flatten().tolist() for p in module.parameters()]}}))
# A process that ends while gloo's threads still run may be aborted.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_stages_that_begin_late_are_equal_on_two_devices(tmp_path):
    """What is frozen when Lightning wraps the module would be trained on each device alone."""
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS.format(tests=str(Path(__file__).parents[2])))
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path, timeout=180)
    first, second = (json.loads((tmp_path / f"rank{r}.json").read_text()) for r in (0, 1))
    assert first == second
    assert top(set(first["moved"])) == {"layer1", "layer2"}
