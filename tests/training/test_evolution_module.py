"""EvolutionModule: the search under a Trainer is the search, batch by batch."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch.utils.data import DataLoader, TensorDataset

from occamhead import OccamHead
from occamhead.commands.train import main
from occamhead.rows.arrays import ArrayData
from occamhead.search import Evolution, Strategy
from occamhead.training.evolution_module import EvolutionModule, is_on

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
    pytest.mark.filterwarnings("ignore:.*but have no `val_dataloader`"),
]
ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.uniform(-3, 3, (128, 3)).astype(np.float32)
LAW = X[:, 0] * X[:, 1] + X[:, 2]
HEAD = {"bases": ["add", "mul", "neg"], "depth": 2}
STRATEGY = {"seed": 3, "patience": 1000, "max_functions": None, "max_steps": 1000}


@pytest.fixture(autouse=True)
def no_notices(caplog):
    caplog.set_level(logging.ERROR, "pytorch_lightning")


def loader(x, y, size=None, shuffle=False):
    data = TensorDataset(torch.as_tensor(x), torch.as_tensor(y))
    return DataLoader(data, size or len(x), shuffle=shuffle)


def law(**settings) -> EvolutionModule:
    torch.manual_seed(0)
    options = {"classify": False, "head": HEAD, "strategy": STRATEGY}
    return EvolutionModule(3, 1, **{**options, **settings})


# --- one search -----------------------------------------------------------------------------------


def test_on_one_batch_it_is_the_search_itself(make_trainer):
    network = law().head.network
    search = Evolution(network, X, LAW, Strategy(**STRATEGY))
    for _ in range(12):
        search.step()
    module = law(steps_per_batch=3)
    trainer = make_trainer(max_steps=4, max_epochs=-1)
    trainer.fit(module, loader(X, LAW))
    assert trainer.global_step == 4 and module.search.counts.steps == 12
    assert module.search.counts.functions == search.counts.functions == 1200
    # The end of training has replayed the answer; the archive is as the steps left it.
    assert np.array_equal(module.search.archive.error, search.archive.error)
    search.finish()
    assert np.array_equal(module.search.learner.logits, search.learner.logits)
    assert trainer.callback_metrics["functions"] == 1200
    assert trainer.callback_metrics["train_error"] == pytest.approx(search.archive.least.mean())


@pytest.mark.slow
def test_it_finds_a_law_from_batches_and_stops(make_trainer):
    module = law(steps_per_batch=10)
    trainer = make_trainer(max_epochs=200)
    trainer.fit(module, loader(X, LAW, 32, shuffle=True), loader(X, LAW))
    assert trainer.callback_metrics["val_error"] < 1e-5
    assert trainer.current_epoch < 200, "converged, so that it ended"
    np.testing.assert_allclose(module.eval()(torch.from_numpy(X))[:, 0], LAW, rtol=1e-4, atol=1e-5)
    assert set(module.head.formula().features) == {0, 1, 2}


def test_labels(make_trainer):
    y = (X[:, 1] > 0.5).astype(np.int64)
    module = EvolutionModule(
        3, head={"bases": ["sigmoid10", "sub", "affine1"], "per_class": True, "depth": 2},
        strategy={"max_steps": 200, "max_functions": None}, steps_per_batch=20,
    )  # fmt: skip
    trainer = make_trainer(max_epochs=10)
    trainer.fit(module, loader(X, y), loader(X, y))
    found = module.eval()(torch.from_numpy(X)).argmax(1).numpy()
    assert (found == y).mean() == pytest.approx(
        float(trainer.validate(module, loader(X, y), verbose=False)[0]["val_formula_accuracy"])
    )
    assert (found == y).mean() > 0.9
    (predicted,) = trainer.predict(module, loader(X, y))
    assert np.array_equal(predicted.argmax(1), found)


def test_the_paper_s_threshold(make_trainer):
    """By hand: 0.7 and 0.6 are both above one half, so the row counts as wrong."""
    module = EvolutionModule(2, threshold=True, head={"bases": ["add"]})
    with torch.no_grad():
        module.head.network.logits[-1][0] = torch.eye(3)[:2] * 9  # y0 = x0, y1 = x1
    x = torch.tensor([[0.7, 0.6], [0.7, 0.2], [0.1, 0.9], [0.3, 0.1]])
    y = torch.tensor([0, 0, 1, 0])
    (results,) = make_trainer().test(module, loader(x, y, 3), verbose=False)
    assert results["test_formula_accuracy"] == 0.5
    module.hparams["threshold"] = False  # the highest output decides
    (results,) = make_trainer().test(module, loader(x, y, 3), verbose=False)
    assert results["test_formula_accuracy"] == 1.0


# --- other rows -----------------------------------------------------------------------------------


def test_what_is_carried_over():
    search = Evolution(law().head.network, X[:64], LAW[:64], Strategy(**STRATEGY))
    for _ in range(20):
        search.step()
    new = search.on_rows(X[64:], LAW[64:])
    for name in ("logits", "mean", "square", "adam_steps", "start"):
        assert np.array_equal(getattr(new.learner, name), getattr(search.learner, name)), name
    assert new.counts == search.counts and new.counts.functions == 2000
    assert is_on(search, X[:64], LAW[:64, None]) and is_on(new, X[64:], LAW[64:, None])
    assert not is_on(search, X[64:], LAW[64:, None]) and not is_on(search, X[:32], LAW[:32, None])
    # The best function so far, on rows that it has not seen.
    route = search.archive.choices[0, search.answer()[0]]
    ((_, judged),) = new.evaluator.judge(np.maximum(route, 0)[None], 0)
    assert new.archive.least[0] <= judged.error[0, 0] < np.inf
    assert new.engine.elites.fitness[0, 0] >= judged.fitness[0, 0]
    before = new.counts.functions
    new.step()
    assert new.counts.steps == search.counts.steps + 1 and new.counts.functions == before + 100
    search.step()
    assert not np.array_equal(new.learner.logits, search.learner.logits)


def test_features_are_standardised_where_asked(planted, make_trainer):
    data = planted(rows=300, features=8, informative=2)
    module = EvolutionModule(
        8, standardise=True, head={"bases": ["affine2"], "per_class": True, "skip": False},
        strategy={"max_steps": 30, "max_functions": None}, steps_per_batch=30,
    )  # fmt: skip
    trainer = make_trainer(max_epochs=1)
    rows = data.data()
    rows.batch_size = 300
    trainer.fit(module, datamodule=rows)
    np.testing.assert_allclose(module.head.feature_mean, data.train[0].mean(0), rtol=1e-4)
    assert set(module.head.formula().features) == set(data.informative)
    assert trainer.callback_metrics["val_formula_accuracy"] > data.bayes - 0.15


# --- checkpoints, errors --------------------------------------------------------------------------


def test_a_checkpoint_brings_the_formula_back(make_trainer, tmp_path):
    module = law(strategy={**STRATEGY, "regularisation": {"undefined": 0.5}})
    trainer = make_trainer(max_steps=3, max_epochs=-1)
    trainer.fit(module, loader(X, LAW))
    trainer.save_checkpoint(tmp_path / "it.ckpt", weights_only=True)
    loaded = EvolutionModule.load_from_checkpoint(tmp_path / "it.ckpt", weights_only=True).eval()
    assert loaded.head.formula() == module.eval().head.formula()
    assert loaded.strategy == module.strategy and loaded.strategy.regularisation.undefined == 0.5
    fresh = law()
    fresh.load_state_dict(module.state_dict())
    assert fresh.eval().head.formula() == module.head.formula()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"steps_per_batch": 0}, "steps_per_batch must be at least 1, got 0"),
        ({"strategy": {"fitness": "best"}}, "fitness must be one of"),
        ({"strategy": {"scaled": True}}, "scaled"),
        ({"head": {"bases": ["affine2"]}}, "per_class=True"),
    ],
)
def test_errors(settings, words):
    with pytest.raises(ValueError, match=words):
        EvolutionModule(3, 2, **settings)


def test_labels_out_of_range(make_trainer):
    module = EvolutionModule(3, 2, head=HEAD)
    with pytest.raises(ValueError, match="label 2 is out of range for 2 classes"):
        make_trainer(max_epochs=1).fit(module, loader(X, np.full(128, 2)))


# --- command line, devices ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*number of training batches .* is smaller than")
@pytest.mark.usefixtures("offline")
def test_the_configuration_of_the_paper(tmp_path, capsys, monkeypatch):
    """On the digits that pip installs; its numbers are those of Table 3, line 22."""
    monkeypatch.setattr("sys.argv", ["occamhead"])
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    config = ROOT / "configs" / "mnist_evolution.yaml"
    assert f"occamhead train fit --config configs/{config.name}" in config.read_text()
    assert set(yaml.safe_load(config.read_text())) == {"trainer", "model", "data"}
    found = main(
        ["fit", "--config", str(config), "--trainer.default_root_dir", str(tmp_path),
         "--trainer.fast_dev_run", "3", "--trainer.enable_progress_bar", "false",
         "--trainer.enable_model_summary", "false"],
    )  # fmt: skip
    module = found.model
    assert isinstance(module, EvolutionModule)
    network, strategy = module.head.network, module.strategy
    assert network.layout.skip and network.groups == 1 and network.noise == 0
    assert network.leaf_constants.tolist() == [-1, -1, 0, 0, 1, 1, 1]
    assert network.start_temperatures.tolist() == [1, 1, 1, 10]
    assert (strategy.num_samples, strategy.num_kept, strategy.learning_rate) == (150, 10, 0.05)
    assert (strategy.engine, strategy.fitness, strategy.sigma) == ("literal", "gaussian", 0.01)
    assert module.search.counts.functions == 150 * found.trainer.global_step > 0
    formulas = OccamHead.formula(module.head).text()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("y")] == [
        f"y{k} = {text}" for k, text in enumerate(formulas)
    ]


RANKS = """
import json
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset
from occamhead.rows.arrays import ArrayData
from occamhead.training.evolution_module import EvolutionModule

torch.set_num_threads(1)
devices, ours = int(sys.argv[1]), sys.argv[2] == "ours"
pl.seed_everything(5, verbose=False)
x = torch.from_numpy(np.random.default_rng(0).uniform(-3, 3, (64, 2)).astype(np.float32))
y = x[:, 0] * x[:, 1] + x[:, 0]
module = EvolutionModule(2, 1, classify=False, head={"bases": ["add", "mul"], "depth": 2},
                         strategy={"max_steps": 60, "max_functions": None}, steps_per_batch=5)


class Watched(pl.Callback):
    logits, drawn = [], []

    def on_train_batch_end(self, trainer, module, *_):
        logits = module.search.learner.logits
        self.logits.append(logits[np.isfinite(logits)].tolist())
        self.drawn.append(module.search.choices.tolist())


trainer = pl.Trainer(accelerator="cpu", devices=devices, strategy="ddp", max_steps=12, logger=False,
                     callbacks=[Watched()], enable_checkpointing=False,
                     enable_progress_bar=False, enable_model_summary=False)
if ours:
    # Shuffled batches, which every process is given whole.
    rows = x.numpy(), y[:, None].numpy()
    trainer.fit(module, ArrayData(rows, rows, rows, batch_size=48))
else:
    # Lightning deals these out: each process has a part of every batch.
    trainer.fit(module, DataLoader(TensorDataset(x, y), 64 // devices))
Path(f"{devices}-{trainer.global_rank}.json").write_text(json.dumps({
    "logits": Watched.logits, "drawn": Watched.drawn, "steps": trainer.global_step,
    "error": module.search.archive.least.tolist(), "rows": module.search.evaluator.rows,
    "formula": module.eval().head.formula().text(),
    "weights": [p.flatten().tolist() for p in module.parameters()]}))
# A process that ends while gloo's threads still run may be aborted.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize("loader", ["ours", "theirs"])
def test_two_ranks_share_the_search_of_one(tmp_path, loader):
    (tmp_path / "ranks.py").write_text(RANKS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MASTER_ADDR": "127.0.0.1"}
    for devices in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "ranks.py", devices, loader], cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    names = ("1-0", "2-0", "2-1")
    alone, first, second = (json.loads((tmp_path / f"{n}.json").read_text()) for n in names)
    assert first["drawn"] != second["drawn"]
    assert len(first["logits"]) == first["steps"] > 0
    for found in (first, second):
        for what in ("logits", "rows", "weights", "formula", "error", "steps"):
            assert found[what] == alone[what], what
    assert max(alone["error"]) < 1e-6


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", [128, 32])
def test_half_and_half_is_the_whole(make_trainer, tmp_path, size):
    """On one batch again and again, and on batches of some rows each."""

    def run(epochs, resume=None, seed=0):
        module = law(strategy={**STRATEGY, "restarts": 3, "patience": 10}, steps_per_batch=3)
        torch.manual_seed(seed)
        trainer = make_trainer(max_epochs=epochs)
        rows = ArrayData((X, LAW[:, None]), (X, LAW[:, None]), (X, LAW[:, None]), size)
        trainer.fit(module, datamodule=rows, ckpt_path=resume)
        trainer.save_checkpoint(tmp_path / f"{epochs}.ckpt")
        return module

    whole = run(12)
    run(6)
    resumed = run(12, tmp_path / "6.ckpt", seed=9)
    assert replace(whole.search.counts, seconds=0) == replace(resumed.search.counts, seconds=0)
    same, other = whole.search.archive, resumed.search.archive
    assert np.array_equal(same.error, other.error) and np.array_equal(same.choices, other.choices)
    assert np.array_equal(whole.search.learner.logits, resumed.search.learner.logits)
    for one, two in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)
