"""OccamModule: what training changes, what it leaves alone, and what a checkpoint brings back."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from occamhead import OccamHead, OccamModule
from occamhead.rows.arrays import ArrayData

pytestmark = [
    pytest.mark.usefixtures("offline", "one_thread"),
    # A backbone's batch norm is meant to be; Lightning cannot know.
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
    # Those who resume need not go on making checkpoints.
    pytest.mark.filterwarnings("ignore:.*when using `ckpt_path`, callbacks"),
]

HEAD = {"bases": ["affine3"]}


class Ordered(ArrayData):
    """Rows whose batches come in the same order always, so that runs can be compared."""

    def train_dataloader(self) -> Any:
        return self._loader(self.arrays.train)


def rows(count: int, width: int = 6, classes: int = 2, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, width)).astype(np.float32)
    y = np.arange(count, dtype=np.int64) % classes
    x[:, :classes] += 1.5 * np.eye(classes, dtype=np.float32)[y]
    return x * 3 + np.arange(width, dtype=np.float32), y


def ordered(count: int = 24, width: int = 6, classes: int = 2, batch_size: int = 8) -> Ordered:
    splits = [rows(n, width, classes, seed=n) for n in (count, 10, 11)]
    return Ordered(*splits, batch_size=batch_size)


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def differing(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> set[str]:
    assert first.keys() == second.keys()
    return {name for name in first if not torch.equal(first[name], second[name])}


class Recorder(pl.Callback):
    """Temperatures and learning rates in force in each step, and loss."""

    def __init__(self) -> None:
        self.temperatures: list[torch.Tensor] = []
        self.rates: list[list[float]] = []
        self.losses: list[float] = []

    def on_before_zero_grad(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.temperatures.append(module.head.network.temperatures.clone())
        self.rates.append([group["lr"] for group in optimizer.param_groups])

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(float(outputs["loss"]))


# --- training -----------------------------------------------------------------------------------


def test_training_changes_the_head_and_lowers_its_loss(planted, make_trainer):
    data = planted(rows=200, features=12, informative=3).data()
    pl.seed_everything(0, verbose=False)
    module = OccamModule(12, 2, head=HEAD)
    x, y = (torch.from_numpy(a) for a in data.arrays.train)
    module.head.initialise(x, y)
    before, loss = weights(module.head), F.cross_entropy(module.head.soft(x), y).item()
    make_trainer(max_steps=60, max_epochs=-1, limit_val_batches=0).fit(module, datamodule=data)
    changed = differing(before, weights(module.head))
    parameters = {name for name, value in module.head.named_parameters() if value.numel()}
    assert parameters <= changed
    assert F.cross_entropy(module.head.soft(x), y).item() < 0.8 * loss
    formula_loss = F.cross_entropy(module.eval().head(x), y).item()
    assert formula_loss < 0.8 * loss


@pytest.mark.parametrize("last", [None, 10.0])
def test_temperatures_fall_geometrically_and_stay(make_trainer, last):
    module = OccamModule(
        6, 2, head={**HEAD, "temperature": 2.0, "last_temperature": last},
        end_temperature=0.02, anneal_fraction=0.5,
    )  # fmt: skip
    seen = Recorder()
    make_trainer(max_steps=20, max_epochs=-1, callbacks=[seen], limit_val_batches=0).fit(
        module, datamodule=ordered()
    )
    found = torch.stack(seen.temperatures)
    start = torch.tensor([2.0, last or 2.0])
    assert torch.equal(found[0], start)
    for step in range(20):
        wanted = start * (0.02 / start) ** min(step / 10, 1.0)
        torch.testing.assert_close(found[step], wanted)
    torch.testing.assert_close(found[10:], torch.full((10, 2), 0.02))
    torch.testing.assert_close(module.head.network.temperatures, torch.tensor([0.02, 0.02]))


def test_accumulated_gradients_count_as_one_step(make_trainer):
    module = OccamModule(6, 2, head=HEAD, end_temperature=0.02, anneal_fraction=1.0)
    seen = Recorder()
    make_trainer(
        max_epochs=4, accumulate_grad_batches=3, callbacks=[seen], limit_val_batches=0
    ).fit(module, datamodule=ordered())
    found = torch.stack(seen.temperatures)[:, 0]
    torch.testing.assert_close(found, 0.02 ** (torch.arange(4) / 4))


def test_no_annealing_starts_at_the_end_temperature(make_trainer):
    module = OccamModule(6, 2, head=HEAD, end_temperature=0.02, anneal_fraction=0)
    seen = Recorder()
    make_trainer(max_steps=4, callbacks=[seen]).fit(module, datamodule=ordered())
    torch.testing.assert_close(torch.stack(seen.temperatures), torch.full((4, 2), 0.02))


def test_rates_decay_by_step_and_gradients_move_by_them(make_trainer):
    module = OccamModule(6, 2, head=HEAD, learning_rate=0.05, initialise=False)
    before = weights(module.head)["network.logits.0"]
    seen = Recorder()
    make_trainer(max_steps=7, callbacks=[seen]).fit(module, datamodule=ordered())
    rates = [0.05 * 0.999**step for step in range(7)]
    np.testing.assert_allclose(np.array(seen.rates)[:, 0], rates, rtol=1e-9)
    # Adam's steps are about one rate long at most.
    moved = (weights(module.head)["network.logits.0"] - before).abs()
    assert 0 < moved.max() < 1.5 * sum(rates)


def test_the_penalty_pulls_on_the_free_constants_only(make_trainer):
    x, y = (torch.from_numpy(a) for a in rows(8))
    module = OccamModule(6, 2, head=HEAD, constant_penalty=0.5, initialise=False)
    module.log = lambda *_, **__: None  # outside a Trainer there is nowhere to log to
    cross_entropy = F.cross_entropy(module.head.soft(x), y)
    squares = sum(c.square().sum() for c in module.head.network.free_constants)
    torch.testing.assert_close(module.training_step((x, y), 0), cross_entropy + 0.5 * squares)


class Teacher(nn.Module):
    """A teacher with state that a forward pass in train mode would change."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.linear = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.norm(x))


def test_a_teacher_gives_targets_and_is_left_alone(make_trainer, tmp_path):
    teacher = nn.Linear(6, 2)
    before = weights(teacher)
    data = ordered()
    module = OccamModule(6, 2, head=HEAD, teacher=teacher, initialise=False, constant_penalty=0.0)
    x, y = (torch.from_numpy(a)[:8] for a in data.arrays.train)
    targets = torch.softmax(teacher(x), dim=-1)
    wanted = -(targets * torch.log_softmax(module.head.soft(x), dim=-1)).sum(dim=-1).mean()
    assert abs(wanted - F.cross_entropy(module.head.soft(x), y)) > 0.01
    seen = Recorder()
    trainer = make_trainer(max_epochs=2, callbacks=[seen])
    trainer.fit(module, datamodule=data)
    assert seen.losses[0] == pytest.approx(wanted.item(), rel=1e-5)
    assert not differing(before, weights(teacher))
    optimised = {id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]}
    assert not optimised & {id(p) for p in teacher.parameters()}

    trainer.save_checkpoint(tmp_path / "taught.ckpt")
    stored = torch.load(tmp_path / "taught.ckpt", weights_only=True)
    assert not [name for name in stored["state_dict"] if "teacher" in name]
    assert not [name for name in stored["hyper_parameters"] if "teacher" in name]
    loaded = OccamModule.load_from_checkpoint(tmp_path / "taught.ckpt")
    assert loaded.teacher is None
    assert loaded.head.formula() == module.head.formula()
    other = OccamModule(6, 2, head=HEAD, teacher=copy.deepcopy(teacher), initialise=False)
    make_trainer(max_epochs=3).fit(other, datamodule=data, ckpt_path=tmp_path / "taught.ckpt")
    assert not differing(before, weights(other.teacher))


def test_a_teacher_s_statistics_do_not_follow_the_batches(make_trainer):
    teacher = Teacher().eval()
    before = weights(teacher)
    module = OccamModule(6, 2, head=HEAD, teacher=teacher)
    module.train()
    make_trainer(max_epochs=1).fit(module, datamodule=ordered())
    assert not differing(before, weights(teacher))


# --- heads side by side -------------------------------------------------------------------------


@pytest.mark.slow
def test_equal_seeds_give_equal_heads_and_restarts_differ(planted, make_trainer):
    data = planted(rows=120, features=10, informative=3)

    def trained(seed: int) -> OccamModule:
        pl.seed_everything(seed, verbose=False)
        module = OccamModule(10, 2, head=HEAD, restarts=3)
        make_trainer(max_steps=15).fit(module, datamodule=data.data())
        return module

    first, again, other = trained(0), trained(0), trained(1)
    assert not differing(weights(first), weights(again))
    assert differing(weights(first), weights(other))
    logits = [head.network.logits[0] for head in first.heads]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(logits[i], logits[j])


def test_a_head_trained_beside_others_is_as_if_trained_alone(make_trainer):
    data = ordered()
    pl.seed_everything(0, verbose=False)
    together = OccamModule(6, 2, head=HEAD, restarts=3, initialise=False)
    alone = OccamModule(6, 2, head=HEAD, initialise=False)
    alone.head.load_state_dict(together.heads[1].state_dict())
    both, single = Recorder(), Recorder()
    make_trainer(max_steps=12, callbacks=[both]).fit(together, datamodule=data)
    make_trainer(max_steps=12, callbacks=[single]).fit(alone, datamodule=data)
    assert not differing(weights(together.heads[1]), weights(alone.head))
    assert both.losses[0] > single.losses[0]  # the sum


def test_the_kept_head_sees_all_features_and_uses_the_columns(planted, make_trainer):
    data = planted(rows=150, features=20, informative=3)
    columns = sorted({*data.informative.tolist(), 2, 7, 11, 19})
    pl.seed_everything(0, verbose=False)
    module = OccamModule(20, 2, head=HEAD, restarts=2, columns=columns)
    assert module.head.in_features == len(columns)
    make_trainer(max_steps=30).fit(module, datamodule=data.data())
    module.eval()
    x = torch.from_numpy(data.test[0])
    narrow = module.heads[1]
    scores, soft = narrow(x[:, columns]), narrow.soft(x[:, columns])
    assert torch.equal(module(x), module.heads[0](x[:, columns]))
    formula = narrow.formula()
    wide = module.keep(1)
    assert (wide.in_features, module.heads, module.columns) == (20, [wide], None)
    assert torch.equal(wide(x), scores) and torch.equal(module(x), scores)
    torch.testing.assert_close(wide.soft(x), soft)
    torch.testing.assert_close(wide.log_prob(), narrow.log_prob())
    assert set(wide.formula().features) <= set(columns)
    assert wide.formula().features == tuple(columns[i] for i in formula.features)
    assert wide.formula().text() == formula.renamed([f"x{i}" for i in columns]).text()


def test_a_kept_head_can_be_saved_and_trained_on(planted, make_trainer, tmp_path):
    data = planted(rows=150, features=20, informative=3)
    module = OccamModule(20, 2, head=HEAD, restarts=2, columns=[1, 3, 5, 7, 9])
    trainer = make_trainer(max_steps=10)
    trainer.fit(module, datamodule=data.data())
    wide = module.keep(1)
    trainer.save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
    loaded = OccamModule.load_from_checkpoint(tmp_path / "kept.ckpt")
    assert loaded.head.formula() == wide.formula()
    assert len(loaded.heads) == 1 and loaded.columns is None
    before = weights(wide)
    module.hparams["initialise"] = False
    make_trainer(max_steps=5).fit(module, datamodule=data.data())
    assert differing(before, weights(wide))
    assert set(wide.formula().features) <= {1, 3, 5, 7, 9}


# --- evaluation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [1, 2])
def test_logged_accuracies_are_those_of_formula_and_soft_network(planted, make_trainer, restarts):
    data = planted(rows=101, features=10, informative=3, batch_size=16)
    pl.seed_everything(0, verbose=False)
    module = OccamModule(10, 2, head={"bases": ["affine2"], "noise": 1.0}, restarts=restarts)
    trainer = make_trainer(max_epochs=2)
    trainer.fit(module, datamodule=data.data())
    fitted = dict(trainer.callback_metrics)
    tested = trainer.test(module, datamodule=data.data(), verbose=False)[0]
    found = {"val": (fitted, data.validation), "test": (tested, data.test)}
    for stage, (metrics, (x, y)) in found.items():
        hard = [np.mean(h.formula()(x.astype(np.float64)).argmax(1) == y) for h in module.heads]
        soft = [np.mean(h.soft(torch.from_numpy(x)).argmax(1).numpy() == y) for h in module.heads]
        assert float(metrics[f"{stage}_formula_accuracy"]) == pytest.approx(np.mean(hard), abs=1e-6)
        assert float(metrics[f"{stage}_soft_accuracy"]) == pytest.approx(np.mean(soft), abs=1e-6)
        scores = [h.formula()(torch.from_numpy(x)) for h in module.heads]
        loss = np.mean([F.cross_entropy(s, torch.from_numpy(y)).item() for s in scores])
        assert float(metrics[f"{stage}_formula_loss"]) == pytest.approx(loss, rel=1e-4)


def test_prediction_is_the_formula(make_trainer):
    data = ordered()
    module = OccamModule(6, 2, head=HEAD)
    trainer = make_trainer(max_epochs=1)
    trainer.fit(module, datamodule=data)
    found = torch.cat(trainer.predict(module, datamodule=data))
    assert torch.equal(found, module.head.formula()(torch.from_numpy(data.arrays.test[0])))


def loader(x: torch.Tensor, y: torch.Tensor) -> DataLoader[Any]:
    return DataLoader(TensorDataset(x, y), batch_size=4)


@pytest.mark.parametrize("bad, words", [(5, "label 5.*2 classes"), (-1, "label -1.*2 classes")])
def test_labels_out_of_range_are_named(make_trainer, bad, words):
    x, y = torch.randn(8, 6), torch.tensor([0, 1, 0, 1, 0, bad, 1, 0])
    with pytest.raises(ValueError, match=words):
        make_trainer(max_epochs=1).fit(OccamModule(6, 2, head=HEAD), loader(x, y), loader(x, y))


@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_named(make_trainer, value, taught):
    x, y = torch.randn(8, 6), torch.arange(8) % 2
    x[6, 3] = value
    module = OccamModule(6, 2, head=HEAD, teacher=nn.Linear(6, 2) if taught else None)
    with pytest.raises(ValueError, match=f"feature 3 of row 2 is {value}"):
        make_trainer(max_epochs=1).fit(module, loader(x, y), loader(x, y))


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="in_features"):
        OccamModule()
    with pytest.raises(ValueError, match=r"restarts.*0"):
        OccamModule(6, restarts=0)
    with pytest.raises(ValueError, match=r"afine3.*affine3"):
        OccamModule(6, head={"bases": ["afine3"]})


@pytest.mark.parametrize(
    "name, value",
    [
        ("learning_rate", -0.1),
        ("backbone_learning_rate", -0.1),
        ("decay", -0.999),
        ("end_temperature", 0.0),
        ("anneal_fraction", -0.5),
        ("anneal_fraction", 1.5),
        ("constant_penalty", -1.0),
        ("columns", [0, 6]),
    ],
)
def test_impossible_numbers_are_refused_at_construction(name, value):
    with pytest.raises(ValueError, match=name):
        OccamModule(6, head=HEAD, **{name: value})


def test_the_head_of_a_module_is_an_ordinary_head(make_trainer, tmp_path):
    module = OccamModule(6, 2, head=HEAD)
    make_trainer(max_epochs=1).fit(module, datamodule=ordered())
    module.head.save(tmp_path / "head.pt")
    assert OccamHead.load(tmp_path / "head.pt").formula() == module.head.formula()
