"""Backbones trained through the formula, and features as a stranger would compute them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from occamhead import OccamModule
from occamhead.commands.results import MODEL
from occamhead.heads.model_file import load_model
from occamhead.vision import load_backbone
from recipes import imagenet_binary
from tests.recipes.image_runs import LITE, Run, check, check_formula, run

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([], id=""),
        # Of seeds 0 to 3 the first happens on a feature that moves by more than its deviation.
        pytest.param(
            ["--reselect", "--unfreeze", "0", "1", "--seed", "1"], id="anew", marks=pytest.mark.slow
        ),
    ],
)
def test_fine_tuning(colours, tmp_path, more):
    """The backbone has moved, and the table is of the moved one's features."""
    root = colours(6)
    flags = [*LITE, "--data", str(root), "--mode", "finetune", "--terms", "4", "--epochs", "2"]
    found = run(imagenet_binary, tmp_path / "out", *flags, *more)
    check(found, ["blue", "red"])
    check_tuned(found, ["_conv_head", "_bn1", *(["_blocks"] if more else [])])
    # One feature tells red from blue on all rows held out, and no size was asked for.
    assert found.results["features_used"] == 1
    facts = found.results["finetuning"]
    assert (facts["epochs"], facts["reselect"]) == (2, bool(more))
    assert len(facts["agreement_at_renewals"]) == 1
    assert 0 < facts["drift_shift"] < 1 and 0.9 < facts["drift_correlation"] <= 1


def check_tuned(found: Run, tuned: list[str]) -> None:
    assert found.results["mode"] == "finetune"
    loaded = OccamModule.load_from_checkpoint(found.out / "checkpoint.ckpt").eval()
    plain = load_backbone("efficientnet_lite0")
    before = plain.module.state_dict()
    after = loaded.backbone.state_dict()
    assert before.keys() == after.keys()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert not {name for name in moved if "running" in name or "batches_tracked" in name}
    assert {name.split(".")[0] for name in moved} == set(tuned)
    assert found.results["weights"].endswith(", fine-tuned")
    model = load_model(found.out / MODEL)
    assert model.predict([row["file"] for row in found.predictions]) == [
        row["prediction"] for row in found.predictions
    ]
    assert model.formula.rule(model.classes) == found.results["rule"]
    rows, scores = [], []
    for row in found.predictions:
        with Image.open(row["file"]) as picture, torch.no_grad():
            batch = plain.transform(picture.convert("RGB"))[None]
            rows.append(loaded.backbone(batch)[0].numpy())
            scores.append(loaded(batch)[0])
    check_formula(found, np.stack(rows))
    classes = found.results["classes"]
    assert [classes[s.argmax()] for s in scores] == [row["prediction"] for row in found.predictions]


@pytest.fixture
def springers_and_trucks(data_folder, tmp_path):
    """Links to a few pictures of each class."""

    def make(count: int) -> Path:
        root = tmp_path / "few"
        for split in ("train", "val"):
            for folder in sorted((data_folder / "imagenette_springer_truck" / split).iterdir()):
                (root / split / folder.name).mkdir(parents=True)
                for picture in sorted(folder.iterdir())[:count]:
                    (root / split / folder.name / picture.name).symlink_to(picture)
        return root

    return make


@pytest.mark.slow
def test_fine_tuning_photographs(springers_and_trucks, tmp_path):
    root = springers_and_trucks(20)
    flags = [*LITE, "--data", str(root), "--mode", "finetune"]
    found = run(imagenet_binary, tmp_path / "out", *flags)
    check(found, ["English springer", "garbage truck"])
    assert found.results["n_train"] + found.results["n_val"] == 40
    assert found.results["rule_accuracy"] > 0.9
    check_tuned(found, ["_conv_head", "_bn1"])


@pytest.mark.slow
def test_resnet50_features_by_torchvision_alone(
    springers_and_trucks, data_folder, tmp_path, monkeypatch
):
    """The formula as a stranger would use it: torchvision, PIL and formula.py."""
    import torchvision
    from torchvision import transforms

    file = data_folder / "weights" / "resnet50_imagenet_fp16.pth"
    root = springers_and_trucks(25)
    flags = ["--data", str(root), "--backbone", "resnet50", "--weights", str(file)]
    found = run(imagenet_binary, tmp_path / "out", *flags)
    check(found, ["English springer", "garbage truck"])
    network = torchvision.models.resnet50(weights=None)
    state = torch.load(file, weights_only=True)
    network.load_state_dict({key: v.float() if v.is_floating_point() else v
                             for key, v in state.items()})  # fmt: skip
    network.fc = torch.nn.Identity()
    network.eval()
    prepare = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    rows = []
    for row in found.predictions:
        with Image.open(row["file"]) as picture, torch.no_grad():
            rows.append(network(prepare(picture.convert("RGB"))[None])[0].numpy())
    check_formula(found, np.stack(rows))
