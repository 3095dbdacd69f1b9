"""OccamModule's checkpoints: the same head comes back, and training goes on to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from occamhead import OccamModule
from tests.training.test_module import HEAD, differing, ordered, weights

pytestmark = [
    pytest.mark.usefixtures("offline", "one_thread"),
    # A backbone's batch norm is meant to be; Lightning cannot know.
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
    # Those who resume need not go on making checkpoints.
    pytest.mark.filterwarnings("ignore:.*when using `ckpt_path`, callbacks"),
]


@pytest.mark.parametrize(
    "head",
    [HEAD, {"bases": "phi_b", "depth": 2, "per_class": False, "skip": True, "noise": 2.0,
            "constants": [-1, 0.5], "last_temperature": 10.0, "equalisation": 1.0, "digits": 3}],
    ids=["affine", "phi_b"],
)  # fmt: skip
def test_a_checkpoint_gives_the_same_head(make_trainer, tmp_path, head):
    data = ordered()
    pl.seed_everything(0, verbose=False)
    module = OccamModule(6, 2, head=head, end_temperature=0.5)
    trainer = make_trainer(max_steps=9)
    trainer.fit(module, datamodule=data)
    file = tmp_path / "head.ckpt"
    trainer.save_checkpoint(file)
    stored = torch.load(file, weights_only=True)
    assert stored["hyper_parameters"]["head"] == head
    loaded = OccamModule.load_from_checkpoint(file, map_location="cpu", weights_only=True)
    module.eval(), loaded.eval()
    x = torch.from_numpy(data.arrays.test[0])
    assert loaded.head.formula() == module.head.formula()
    assert torch.equal(loaded(x), module(x))
    assert torch.equal(loaded.head.soft(x), module.head.soft(x))
    assert torch.equal(loaded.head.log_prob(), module.head.log_prob())
    assert not differing(weights(module), weights(loaded))


def checkpoints(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)


def straight_and_resumed(
    make_trainer: Callable[..., pl.Trainer],
    make_module: Callable[[], OccamModule],
    loaders: dict[str, Any],
    folder: Path,
) -> tuple[pl.Trainer, pl.Trainer, Path]:
    """Two epochs in one run, and the second again from the checkpoint after the first."""
    pl.seed_everything(0, verbose=False)
    straight = make_trainer(
        max_epochs=2, enable_checkpointing=True, callbacks=[checkpoints(folder)]
    )
    straight.fit(make_module(), **loaders)
    file = folder / "epoch=0.ckpt"
    pl.seed_everything(99, verbose=False)  # another start, which the checkpoint must replace
    resumed = make_trainer(max_epochs=2)
    resumed.fit(make_module(), **loaders, ckpt_path=file)
    return straight, resumed, file


def test_resuming_continues_to_the_bit(make_trainer, tmp_path):
    straight, resumed, file = straight_and_resumed(
        make_trainer, lambda: OccamModule(6, 2, head=HEAD, restarts=2, decay=0.9),
        {"datamodule": ordered()}, tmp_path,
    )  # fmt: skip
    assert (straight.global_step, resumed.global_step) == (6, 6)
    assert torch.load(file, weights_only=True)["global_step"] == 3
    first, second = straight.lightning_module, resumed.lightning_module
    assert not differing(weights(first), weights(second))
    assert torch.equal(first.head.network.temperatures, second.head.network.temperatures)
    assert first.head.formula() == second.head.formula()
    states = [trainer.optimizers[0].state_dict() for trainer in (straight, resumed)]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    assert states[0]["param_groups"][0]["lr"] == pytest.approx(0.1 * 0.9**6)
    for parameter, state in states[0]["state"].items():
        for name, value in state.items():
            assert torch.equal(value, states[1]["state"][parameter][name]), (parameter, name)


RESUME = """
import sys
import pytorch_lightning as pl
import torch
sys.path.insert(0, {tests!r})
from tests.training.test_module import HEAD, OccamModule, ordered
torch.set_num_threads(1)
module = OccamModule(6, 2, head=HEAD, restarts=2, decay=0.9)
pl.Trainer(accelerator="cpu", devices=1, max_epochs=2, logger=False, enable_checkpointing=False,
           enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
           ).fit(module, datamodule=ordered(), ckpt_path={file!r})
torch.save(module.state_dict(), {out!r})
"""


@pytest.mark.slow
def test_resuming_in_another_process_continues_to_the_bit(make_trainer, tmp_path):
    straight, _, file = straight_and_resumed(
        make_trainer, lambda: OccamModule(6, 2, head=HEAD, restarts=2, decay=0.9),
        {"datamodule": ordered()}, tmp_path,
    )  # fmt: skip
    out = tmp_path / "resumed.pt"
    code = RESUME.format(tests=str(Path(__file__).parents[2]), file=str(file), out=str(out))
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=120, cwd=tmp_path, env=dict(os.environ)
    )
    found = torch.load(out, weights_only=True)
    assert not differing(weights(straight.lightning_module), found)


OTHERS: dict[str, dict[str, Any]] = {
    "in_features": {"in_features": 7},
    "num_classes": {"num_classes": 3},
    "restarts": {"restarts": 2},
    "affine4": {"head": {"bases": ["affine4"]}},
    "depth": {"head": {"bases": ["affine3"], "depth": 2}},
    "per_class": {"head": {**HEAD, "per_class": False}},
}


@pytest.fixture
def checkpoint_of_six(make_trainer, tmp_path):
    trainer = make_trainer(max_epochs=1)
    trainer.fit(OccamModule(6, 2, head=HEAD), datamodule=ordered())
    trainer.save_checkpoint(tmp_path / "six.ckpt")
    return tmp_path / "six.ckpt"


@pytest.mark.parametrize("word", OTHERS)
def test_resuming_with_another_architecture_names_the_difference(
    make_trainer, checkpoint_of_six, word
):
    other = {"in_features": 6, "num_classes": 2, "head": HEAD, **OTHERS[word]}
    data = ordered(width=other["in_features"], classes=other["num_classes"])
    with pytest.raises(ValueError, match=f"another architecture.*{word}"):
        make_trainer(max_epochs=2).fit(
            OccamModule(**other), datamodule=data, ckpt_path=checkpoint_of_six
        )


@pytest.mark.parametrize("word", [word for word in OTHERS if word not in ("restarts", "depth")])
def test_loading_with_another_architecture_names_the_shapes(checkpoint_of_six, word):
    with pytest.raises(ValueError, match=r"another architecture.*shape \(.*this head \("):
        OccamModule.load_from_checkpoint(checkpoint_of_six, **OTHERS[word])


@pytest.mark.parametrize("word", ["restarts", "depth"])
def test_loading_with_parts_that_the_checkpoint_lacks_is_an_error(checkpoint_of_six, word):
    with pytest.raises((ValueError, RuntimeError), match=r"_heads\.[01]"):
        OccamModule.load_from_checkpoint(checkpoint_of_six, **OTHERS[word])


def test_resuming_with_other_columns_is_refused(make_trainer, tmp_path):
    """The shapes agree, but each weight would get another feature."""
    trainer = make_trainer(max_epochs=1)
    trainer.fit(OccamModule(6, 2, head=HEAD, columns=[0, 1, 2]), datamodule=ordered())
    trainer.save_checkpoint(tmp_path / "columns.ckpt")
    other = OccamModule(6, 2, head=HEAD, columns=[3, 4, 5])
    with pytest.raises(ValueError, match=r"another architecture.*columns"):
        make_trainer(max_epochs=2).fit(
            other, datamodule=ordered(), ckpt_path=tmp_path / "columns.ckpt"
        )
