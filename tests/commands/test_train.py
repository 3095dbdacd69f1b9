"""occamhead train: every configuration runs, and errors name what is wrong."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from occamhead.commands.train import main

pytestmark = [
    pytest.mark.usefixtures("offline", "one_thread"),
    # What Lightning says about a fast_dev_run, and about a backbone's batch norm.
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
    pytest.mark.filterwarnings("ignore:.*number of training batches .* is smaller than"),
]

ROOT = Path(__file__).parents[2]
# What LightningCLI reads; laws.yaml is read by its recipe.
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.stem != "laws")
BY_BACKPROP = [path for path in CONFIGS if path.stem != "mnist_evolution"]
LITE = ["--data.init_args.backbone", "efficientnet_lite0"]


@pytest.fixture(autouse=True)
def bare_command(monkeypatch):
    """Lightning warns of arguments given in both ways; pytest's own are not meant."""
    monkeypatch.setattr("sys.argv", ["occamhead"])
    # Of what Lightning does with it.
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")


def fit(config: str, folder: Path, *flags: str) -> Any:
    """Two batches on the CPU; nothing is written but below `folder`."""
    return main(
        [
            "fit", "--config", str(ROOT / "configs" / config), "--trainer.accelerator", "cpu",
            "--trainer.default_root_dir", str(folder), "--trainer.enable_progress_bar", "false",
            "--trainer.enable_model_summary", "false", *flags,
        ]
    )  # fmt: skip


def dev(config: str, folder: Path, *flags: str) -> Any:
    return fit(config, folder, "--trainer.fast_dev_run", "true", *flags)


@pytest.fixture
def pictures(colours):
    """Enough of them for more than one batch of four."""
    return ["--data.init_args.data", str(colours(10)), "--data.init_args.batch_size", "4"]


def test_every_configuration_is_tested():
    names = {
        "essence_finetune",
        "imagenet_binary",
        "imagenet_finetune",
        "mnist_pixels",
        "paper_backprop",
    }
    by_evolution = {"mnist_evolution"}  # tests/training/test_evolution_module.py
    assert {path.stem for path in CONFIGS} == names | by_evolution


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configurations_explain_their_numbers(path):
    """style.md, section 6: says what it is, how to run it, and that is how it runs."""
    text = path.read_text()
    assert text.startswith("#")
    assert f"occamhead train fit --config configs/{path.name}" in text
    assert set(yaml.safe_load(text)) == {"trainer", "model", "data"}


@pytest.mark.slow
def test_mnist_pixels(tmp_path, capsys):
    """On the digits that pip installs; the formulas are printed after fitting."""
    found = dev("mnist_pixels.yaml", tmp_path)
    formula = found.model.head.formula()
    (rule,) = formula.rule()
    assert capsys.readouterr().out.splitlines()[-1] == rule
    assert rule.startswith("class 1 if ") and rule.endswith(", otherwise class 0")
    assert formula[0].text() == ["0"] and 1 <= len(formula.features) <= 64
    metrics = found.trainer.callback_metrics
    assert 0 <= metrics["val_formula_accuracy"] <= 1


def test_mnist_pixels_of_the_real_digits(data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCAMHEAD_DATA", str(data_folder))
    found = dev("mnist_pixels.yaml", tmp_path, "--data.init_args.classes", "[1, 2, 3]",
                "--model.num_classes", "3")  # fmt: skip
    assert found.datamodule.description.startswith("MNIST in ")
    assert len(found.model.head.formula()) == 3


@pytest.mark.slow
def test_mnist_pixels_learns(tmp_path):
    """A few epochs and not only a few batches, with a checkpoint at the end."""
    found = fit("mnist_pixels.yaml", tmp_path, "--trainer.max_epochs", "3",
                "--trainer.logger", "false", "--trainer.num_sanity_val_steps", "0",
                "--trainer.log_every_n_steps", "1")  # fmt: skip
    assert found.trainer.callback_metrics["val_formula_accuracy"] > 0.9
    assert len(list(tmp_path.rglob("*.ckpt"))) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_a_checkpoint_can_be_judged(few_digits, tmp_path):
    """The other commands, of the weights that fit left."""
    data = ["--data.init_args.data", str(few_digits)]
    quiet = ["--trainer.logger", "false", "--trainer.num_sanity_val_steps", "0"]
    fitted = fit("mnist_pixels.yaml", tmp_path, "--trainer.max_epochs", "1", *quiet, *data,
                 "--trainer.log_every_n_steps", "1")  # fmt: skip
    (file,) = tmp_path.rglob("*.ckpt")
    for command in ("validate", "test", "predict"):
        judged = main(
            [
                command, "--config", str(ROOT / "configs" / "mnist_pixels.yaml"), "--ckpt_path",
                str(file), "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
                "--trainer.default_root_dir", str(tmp_path / command), *quiet, *data,
            ]
        )  # fmt: skip
        assert judged.model.head.formula() == fitted.model.head.formula()
        if command == "validate":
            name = "val_formula_accuracy"
            found = [run.trainer.callback_metrics[name] for run in (judged, fitted)]
            assert found[0] == found[1]


@pytest.mark.slow
def test_seeds_are_set(few_digits, tmp_path):
    data = ["--data.init_args.data", str(few_digits)]
    first, again = (dev("mnist_pixels.yaml", tmp_path, *data).model.head for _ in range(2))
    other = dev("mnist_pixels.yaml", tmp_path, *data, "--seed_everything", "1").model.head
    assert first.formula() == again.formula() != other.formula()


@pytest.mark.slow
def test_imagenet_binary(tmp_path, pictures):
    width = ["--model.in_features", "1280"]
    found = dev("imagenet_binary.yaml", tmp_path, *pictures, *LITE, *width)
    assert found.datamodule.num_features == found.model.head.in_features == 1280
    assert found.datamodule.classes == ("blue", "red")
    assert len(found.model.head.formula()) == 2


@pytest.mark.slow
def test_imagenet_finetune(tmp_path, pictures):
    both = ["--model.backbone", "efficientnet_lite0", *LITE]
    found = dev("imagenet_finetune.yaml", tmp_path, *pictures, *both)
    assert found.model.head.in_features == 1280
    assert found.model.backbone is not None
    groups = found.trainer.optimizers[0].param_groups
    rates = {group["name"]: group["initial_lr"] for group in groups}
    assert rates == pytest.approx({"head": 0.1, "_conv_head": 1e-4, "_blocks.15": 3e-5})
    # The first epoch trains the head alone.
    assert not any(parameter.requires_grad for parameter in found.model.backbone.parameters())


@pytest.mark.slow
def test_essence_finetune(tmp_path, pictures):
    both = ["--model.backbone", "efficientnet_lite0", *LITE]
    found = dev("essence_finetune.yaml", tmp_path, *pictures, *both)
    assert found.model.head.kind == "essence" and found.model.head.in_features == 1280
    # Fitted before the first step, in closed form: there is nothing to train in the head.
    assert found.model.head.circuit.weights.shape == (1, 1280)
    assert not list(found.model.head.parameters())
    trained = [n for n, p in found.model.backbone.named_parameters() if p.requires_grad]
    assert trained and all(name.startswith(("_conv_head", "_bn1")) for name in trained)


def paper(tmp_path: Path, pictures: list[str], *flags: str) -> Any:
    width = ["--model.in_features", "1280"]
    return fit("paper_backprop.yaml", tmp_path, *pictures, *LITE, *width, *flags)


@pytest.mark.slow
def test_paper_backprop(tmp_path, pictures):
    found = paper(tmp_path, pictures, "--trainer.fast_dev_run", "true")
    network = found.model.head.network
    assert network.layout.depth == 4 and not network.layout.skip and network.groups == 1
    assert network.leaf_constants.tolist() == [-1, -1, 0, 0, 1, 1, 1]
    assert network.start_temperatures.tolist() == [1, 1, 1, 1, 10]


@pytest.mark.slow
def test_the_paper_does_not_anneal(tmp_path, pictures):
    """T = 1 and T_last = 10 from start to end (Table 3, line 25)."""
    found = paper(tmp_path, pictures, "--trainer.max_steps", "8", "--trainer.logger", "false",
                  "--trainer.enable_checkpointing", "false")  # fmt: skip
    assert found.trainer.global_step == 8
    torch.testing.assert_close(
        found.model.head.network.temperatures, torch.tensor([1.0, 1, 1, 1, 10])
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", BY_BACKPROP, ids=lambda path: path.stem)
def test_configurations_as_they_are(path, data_folder, tmp_path, monkeypatch, colours):
    """With ResNet-50, its weights found in the folder of real data, on a few pictures."""
    monkeypatch.setenv("OCCAMHEAD_DATA", str(data_folder))
    own = [] if path.stem == "mnist_pixels" else ["--data.init_args.data", str(colours(6))]
    found = dev(path.name, tmp_path, *own)
    assert len(found.model.head.formula()) == 2


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--model.learning_rates", "0.1"], ["learning_rates"]),
        (["--model.learning_rate", "fast"], ["learning_rate", "fast"]),
        (["--data.init_args.clases", "[0, 7]"], ["clases"]),
        (["--data.class_path", "occamhead.vision.NoData"], ["NoData"]),
        (["--trainer.epochs", "3"], ["epochs"]),
        (["--model.head.bases", "[afine32]"], ["afine32", "affine32"]),
        (["--model.head.basis", "[affine32]"], ["basis"]),
        (["--model.restarts", "0"], ["restarts", "0"]),
        (["--config", "configs/nothing.yaml"], ["nothing.yaml"]),
    ],
    ids=lambda value: value[0].strip("-") if value[0].startswith("--") else "",
)
def test_errors_name_what_is_wrong(tmp_path, few_digits, capsys, flags, words):
    """Either as usage on stderr or as an exception; the user reads the words in both."""
    with pytest.raises((SystemExit, ValueError, TypeError)) as error:
        dev("mnist_pixels.yaml", tmp_path, "--data.init_args.data", str(few_digits), *flags)
    told = f"{capsys.readouterr().err} {error.value}"
    for word in words:
        assert word in told


def test_wrong_digits_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"digits of 0 to 9.*11"):
        dev("mnist_pixels.yaml", tmp_path, "--data.init_args.classes", "[0, 11]")


def test_wrong_width_is_named(few_digits, tmp_path):
    data = ["--data.init_args.data", str(few_digits)]
    with pytest.raises(ValueError, match=r"\[batch, 700\].*784"):
        dev("mnist_pixels.yaml", tmp_path, *data, "--model.in_features", "700")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stopped_fit_goes_on_to_the_same_weights(tmp_path, number):
    """In the middle of an epoch, wherever the signal comes."""

    def fit(folder, *words):
        command = [sys.executable, "-m", "occamhead", "train", "fit", "--config",
                   str(ROOT / "configs" / "mnist_pixels.yaml"), "--trainer.max_epochs", "300",
                   "--trainer.default_root_dir", str(folder), "--trainer.accelerator", "cpu",
                   "--trainer.enable_progress_bar", "false", *words]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def weights(folder):
        file = max(folder.rglob("epoch*.ckpt"), key=lambda path: path.stat().st_mtime)
        return torch.load(file, weights_only=True)["state_dict"]

    whole = fit(tmp_path / "whole")
    told, errors = whole.communicate()
    assert whole.returncode == 0, errors[-2000:]
    formulas = [line for line in told.splitlines() if " = " in line]
    stopped = fit(tmp_path / "cut", "--trainer.callbacks+=ModelCheckpoint",
                  "--trainer.callbacks.dirpath", str(tmp_path / "seen"),
                  "--trainer.callbacks.every_n_train_steps", "30")  # fmt: skip
    while not list((tmp_path / "seen").glob("*.ckpt")):
        assert stopped.poll() is None, stopped.communicate()[1][-2000:]
        time.sleep(0.05)
    stopped.send_signal(number)
    told, _ = stopped.communicate()
    assert stopped.returncode == 128 + number
    file = re.search(r"not finished: stopped by \w+; go on with --ckpt_path (\S+)", told)[1]
    again = fit(tmp_path / "cut", "--ckpt_path", file)
    told, errors = again.communicate()
    assert again.returncode == 0, errors[-2000:]
    assert [line for line in told.splitlines() if " = " in line] == formulas
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(one[name], two[name]) for name in one)
