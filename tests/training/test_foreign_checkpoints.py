"""Checkpoints that are damaged, or that others made, are refused before they are believed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from occamhead import OccamModule
from occamhead.commands import train
from occamhead.saving.sealed import Damaged
from occamhead.training.checkpoints import SEAL, check_checkpoint
from occamhead.training.evolution_module import EvolutionModule
from tests.training.test_module import HEAD, differing, ordered, weights

pytestmark = [pytest.mark.usefixtures("offline", "one_thread")]


@pytest.fixture
def fitted(make_trainer, tmp_path):
    """A module after a few steps, and its checkpoint."""
    pl.seed_everything(0, verbose=False)
    module = OccamModule(6, 2, head=HEAD, end_temperature=0.5)
    trainer = make_trainer(max_steps=3)
    trainer.fit(module, datamodule=ordered())
    file = tmp_path / "some.ckpt"
    trainer.save_checkpoint(file)
    return module, file


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that says so when it is imported."""
    (tmp_path / "trapped.py").write_text("raise SystemExit('imported')\nclass Foreign: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "trapped.Foreign"
    assert "trapped" not in sys.modules


def change(file, **arguments):
    """Write other arguments into a checkpoint, as its maker could, seal and all."""
    content = torch.load(file, weights_only=True)
    content.pop(SEAL, None)
    content["hyper_parameters"].update(arguments)
    torch.save(content, file)


@pytest.mark.slow
def test_a_flipped_bit_is_refused_or_changes_nothing(fitted):
    """300 flips, as were injected when other weights came of 117."""
    module, file = fitted
    whole = file.read_bytes()
    generator = np.random.default_rng(0)
    believed = 0
    for place in generator.integers(0, len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(8))
        file.write_bytes(damaged)
        try:
            loaded = OccamModule.load_from_checkpoint(file)
        except ValueError as error:
            assert str(file) in str(error)
        else:
            believed += 1
            assert not differing(weights(module), weights(loaded))
    # Padding and the archive's names of itself are read by nobody.
    assert believed < 200


def test_a_checkpoint_that_is_cut_off_names_itself(fitted):
    _, file = fitted
    whole = file.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"{file} \({length} bytes\) is cut off or damaged"):
            OccamModule.load_from_checkpoint(file)


def test_training_does_not_go_on_from_other_weights(fitted, make_trainer):
    _, file = fitted
    content = torch.load(file, weights_only=True)
    first = next(iter(content["optimizer_states"][0]["state"].values()))
    first["exp_avg"].view(-1)[0] += 1e-6
    torch.save(content, file)
    module = OccamModule(6, 2, head=HEAD, end_temperature=0.5)
    with pytest.raises(Damaged, match="'optimizer_states' is not what was saved"):
        make_trainer(max_steps=6).fit(module, datamodule=ordered(), ckpt_path=file)


def test_a_seal_that_lost_its_name_is_no_missing_seal(fitted):
    _, file = fitted
    content = torch.load(file, weights_only=True)
    content["occamhead_sea1"] = content.pop(SEAL)
    torch.save(content, file)
    with pytest.raises(Damaged, match="lost its name"):
        OccamModule.load_from_checkpoint(file)


@pytest.mark.parametrize("module", [OccamModule, EvolutionModule])
def test_nothing_is_imported_that_a_checkpoint_names(fitted, trap, module):
    _, file = fitted
    of_lightning = "pytorch_lightning.cli.instantiate_module"
    asked = [
        {"_instantiator": trap},
        {"_instantiator": ["trapped", "Foreign"]},
        {"_instantiator": of_lightning, "_class_path": trap},
        {"_instantiator": of_lightning, "_class_path": None, "head": {"class_path": trap}},
        {"head": {"bases": [{"class_path": trap, "init_args": {}}]}},
        {"_class_path": 7},
        {"teacher": trap},
    ]
    for arguments in asked:
        change(file, _instantiator=None, _class_path=None, teacher=None, head={})
        change(file, **arguments)
        with pytest.raises(ValueError, match=f"{file} is refused"):
            module.load_from_checkpoint(file)


def test_the_command_line_imports_nothing_either(fitted, trap, monkeypatch):
    _, file = fitted
    change(file, _class_path=trap)
    monkeypatch.setattr(sys, "argv", ["occamhead"])
    words = ["predict", "--ckpt_path", str(file), "--model.in_features", "6"]
    with pytest.raises(ValueError, match=f"{file} is refused"):
        train.main([*words, "--data", "occamhead.vision.MNISTData"])


def test_what_the_command_line_saves_is_read(fitted):
    """Its checkpoints name the class, and how to call it."""
    module, file = fitted
    change(
        file,
        _instantiator="pytorch_lightning.cli.instantiate_module",
        _class_path=f"{OccamModule.__module__}.{OccamModule.__qualname__}",
    )
    check_checkpoint(file)
    assert not differing(weights(module), weights(OccamModule.load_from_checkpoint(file)))


def test_a_pickle_that_would_run_is_refused(fitted, tmp_path):
    _, file = fitted
    torch.save({"state_dict": {}, "run": print}, file)
    with pytest.raises(ValueError, match=str(file)):
        OccamModule.load_from_checkpoint(file)
