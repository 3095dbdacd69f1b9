"""One file for backbone and formulas: what comes back, and what is refused."""

from __future__ import annotations

import copy
import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from occamhead import EssenceHead, OccamHead
from occamhead.heads.base import Record, record_of
from occamhead.heads.model_file import FormulaModel, _seal, load_model, save_model
from occamhead.vision import Backbone, build_backbone, load_transform
from occamhead.vision.backbones import state_hash
from occamhead.vision.preparation import Preparation

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

CLASSES = ("ants", "bees")
SMALL = Preparation(40, (32, 32), "bilinear", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


@pytest.fixture(scope="module")
def resnet() -> Backbone:
    """A ResNet-18 with random weights and statistics, on pictures of 32 pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build_backbone("resnet18")
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.uniform_(-0.1, 0.1)
                part.running_var.uniform_(0.9, 1.1)
    return Backbone("resnet18", module, 512, SMALL, "random weights", "", "Only for tests.")


@pytest.fixture
def head() -> OccamHead:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = OccamHead(512, 2, ["affine5"], noise=1.0)
        made.feature_mean.normal_()
        made.feature_scale.uniform_(0.5, 2.0)
        made.calibration.fill_(0.3)
    return made.eval()


@pytest.fixture
def file(resnet, head, tmp_path) -> Path:
    return save_model(tmp_path / "model.safetensors", resnet, head, CLASSES, facts={"seed": "3"})


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def pictures(count: int = 5) -> list[Image.Image]:
    generator = np.random.default_rng(0)
    return [
        Image.fromarray(generator.integers(0, 256, (48, 60, 3), dtype=np.uint8))
        for _ in range(count)
    ]


def assert_same_parts(found: Record, wanted: Record) -> None:
    assert (found.kind, found.dtype, found.config) == (wanted.kind, wanted.dtype, wanted.config)
    assert found.state_dict.keys() == wanted.state_dict.keys()
    for name, value in wanted.state_dict.items():
        again = found.state_dict[name]
        if isinstance(value, torch.Tensor):
            assert again.dtype == value.dtype and torch.equal(again, value), name
        else:  # tuples come back as lists out of JSON
            assert json.loads(json.dumps(again)) == json.loads(json.dumps(value)), name


# --- what comes back ----------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("kind", ["essence", "labels", "numbers", "bfloat16"])
def test_heads_of_every_kind_and_loss_come_back(kind, resnet, images, tmp_path):
    features = resnet.module(images)
    if kind == "essence":
        head = EssenceHead(512, 2, inputs="real", classes=CLASSES)
        head.fit(features, torch.tensor([0, 1, 1, 0]), validation=(features, [0, 1, 1, 0]))
    else:
        loss = {"labels": "binary_cross_entropy", "numbers": "squared_error"}.get(kind)
        head = OccamHead(512, 2, ["affine5"], loss=loss or "cross_entropy", classes=CLASSES)
        head.initialise(features)
    head.to(torch.bfloat16 if kind == "bfloat16" else torch.float32).eval()
    head.names, head.hints = {3: "fuzzy body"}, tuple(f"class {i}" for i in range(512))
    model = load_model(save_model(tmp_path / "model.safetensors", resnet, head))
    assert model.formula == head.formula() == model.head.formula()
    assert model.head.dtype == head.dtype and model.head.config() == head.config()
    assert (model.head.names, model.head.hints) == (head.names, head.hints)
    assert_same_parts(record_of(model.head), record_of(head))
    head.save(tmp_path / "head.pt")
    assert_same_parts(record_of(type(head).load(tmp_path / "head.pt")), record_of(head))
    assert torch.equal(model(images), head(features))
    found = model.predict(pictures(2))
    assert len(found) == 2
    if kind == "labels":
        assert all(set(labels) <= set(CLASSES) for labels in found)
    elif kind != "numbers":
        assert set(found) <= set(CLASSES)


@torch.no_grad()
def test_the_file_alone_gives_the_same_scores_to_the_bit(resnet, head, file, images):
    model = load_model(file)
    features = resnet.module(images)
    assert torch.equal(model(images), head(features))
    assert torch.equal(model(images), head.formula()(features))
    assert torch.equal(model.probabilities(images), head.probabilities(features))
    assert model.formula == head.formula() == model.head.formula()
    assert model.classes == CLASSES and model.transform == SMALL
    assert (model.weights, model.notice) == ("random weights", "Only for tests.")
    assert model.facts == {"seed": "3"}
    for mine, theirs in ((resnet.module, model.backbone), (head, model.head)):
        found, wanted = theirs.state_dict(), mine.state_dict()
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_pictures_and_files_are_prepared_and_named(resnet, head, file, tmp_path):
    model, shown = load_model(file), pictures()
    shown[1] = shown[1].convert("L")  # grey, as a user may have it
    batch = torch.stack([SMALL(picture.convert("RGB")) for picture in shown])
    with torch.no_grad():
        probabilities = head.probabilities(resnet.module(batch))
    wanted = [CLASSES[label] for label in probabilities.argmax(dim=1)]
    assert model.predict(shown) == wanted == model.predict(shown, batch_size=2)
    for number, picture in enumerate(shown):
        picture.save(tmp_path / f"{number}.png")
    assert model.predict([tmp_path / "0.png", str(tmp_path / "1.png")]) == wanted[:2]
    sure = probabilities.amax(dim=1)
    limit = float(sure.median())
    kept = [name if p >= limit else None for name, p in zip(wanted, sure.tolist(), strict=True)]
    assert model.predict(shown, reject_below=limit) == kept and None in kept
    assert model.predict([]) == []
    with pytest.raises(ValueError, match=r"reject_below.*1\.5"):
        model.predict(shown, reject_below=1.5)


def test_an_older_file_runs_the_formula_that_it_holds(resnet, head, tmp_path, images, monkeypatch):
    """Which had a sum for each of two classes, where the head's own says 0 and the difference."""
    two_sums = head.network.expression().simplified().rounded(4)
    with monkeypatch.context() as patch:
        patch.setattr(OccamHead, "formula", lambda head, names=None: two_sums)
        file = save_model(tmp_path / "old.safetensors", resnet, head, CLASSES)
    model = load_model(file)
    assert model.formula == two_sums and model.head.formula() == head.formula()
    with torch.no_grad():
        wanted = two_sums.torch()(model.backbone(images))
        assert torch.equal(model(images), wanted) and wanted[:, 0].any()
        torch.testing.assert_close(model.probabilities(images), model.head.probabilities_of(wanted))


def test_it_stays_in_eval_mode(file, images):
    model = load_model(file)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        scores = model(images)
        assert torch.equal(model.train()(images), scores)
    assert not any(part.training for part in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_saving_leaves_modes_alone(resnet, head, tmp_path):
    head.train()
    resnet.module.layer4.train()
    try:
        save_model(tmp_path / "model.safetensors", resnet, head, CLASSES)
        assert head.training and resnet.module.layer4.training
        assert not resnet.module.layer3.training
    finally:
        resnet.module.eval()


def test_channels_last_and_half_precision(resnet, head, tmp_path, images):
    """Weights in another order of memory, which safetensors refuses, and of another type."""
    module = build_backbone("resnet18").to(memory_format=torch.channels_last)
    module.load_state_dict(resnet.module.state_dict())
    assert not module.conv1.weight.is_contiguous()
    file = save_model(tmp_path / "last.safetensors", replace(resnet, module=module), head, CLASSES)
    with torch.no_grad():
        assert torch.equal(load_model(file)(images), head(resnet.module(images)))
    file = save_model(
        tmp_path / "half.safetensors", replace(resnet, module=module.bfloat16()), head, CLASSES
    )
    half = load_model(file).backbone
    assert half.conv1.weight.dtype == torch.bfloat16
    assert torch.equal(half.conv1.weight, resnet.module.conv1.weight.bfloat16())
    assert half.bn1.num_batches_tracked.dtype == torch.int64


def test_a_tuned_backbone_keeps_its_notice_and_says_so(resnet, head, tmp_path, images):
    module = build_backbone("resnet18")
    tuned = resnet.fine_tuned(module.train())
    assert not module.training and tuned.notice == resnet.notice
    assert tuned.fingerprint == state_hash(module.state_dict())
    assert tuned.fingerprint != state_hash(resnet.module.state_dict())
    model = load_model(save_model(tmp_path / "m.safetensors", tuned, head, CLASSES))
    assert model.weights == "random weights, fine-tuned"
    with torch.no_grad():
        assert torch.equal(model(images), head(module(images)))


def test_a_backbone_in_half_precision_is_shown_pictures(resnet, head, tmp_path):
    backbone = replace(resnet, module=copy.deepcopy(resnet.module).bfloat16())
    cast = copy.deepcopy(head).bfloat16()
    model = load_model(save_model(tmp_path / "m.safetensors", backbone, cast, CLASSES))
    assert set(model.predict(pictures(2))) <= set(CLASSES)


ALONE = """
import sys
from occamhead.heads.model_file import load_model
model = load_model(sys.argv[1])
print(model.classes, len(model.formula), model.transform.crop, model.predict([sys.argv[2]]))
"""


@pytest.mark.slow
def test_another_process_needs_the_file_only(file, tmp_path):
    picture = pictures(1)[0]
    picture.save(tmp_path / "picture.png")
    found = subprocess.run(
        [sys.executable, "-c", ALONE, str(file), str(tmp_path / "picture.png")],
        check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=dict(os.environ),
    )  # fmt: skip
    label = load_model(file).predict([picture])
    assert found.stdout == f"{CLASSES} 2 (32, 32) {label}\n"


def test_the_formula_can_be_read_without_this_package(file, head):
    with file.open("rb") as source:
        (size,) = struct.unpack("<Q", source.read(8))
        metadata = json.loads(source.read(size))["__metadata__"]
    content = json.loads(metadata["occamhead"])
    assert metadata["format"] == "pt"  # what other readers of safetensors look for
    assert content["formula"]["text"] == list(head.formula().text())
    assert content["formula"]["rule"] == head.formula().rule(CLASSES)
    assert content["classes"] == list(CLASSES)


# --- preparation of pictures --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["resnet50", "densenet121", "efficientnet_lite0", "timm/resnet18", "timm/convnext_atto"]
)
@pytest.mark.parametrize("picture_size", [None, 96])
def test_a_stored_preparation_is_the_transform_to_the_bit(name, picture_size):
    transform = load_transform(name, picture_size=picture_size)
    stored = json.loads(json.dumps(Preparation.of(transform).plain()))
    prepare = Preparation.from_plain(stored)
    assert Preparation.of(prepare) is prepare
    generator = np.random.default_rng(0)
    for size in ((300, 200, 3), (64, 90, 3), (256, 256, 3)):
        picture = Image.fromarray(generator.integers(0, 256, size, dtype=np.uint8))
        assert torch.equal(prepare(picture), transform(picture))


def test_transforms_that_cannot_be_stored_are_refused(resnet, head, tmp_path):
    from torchvision import transforms

    flip = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()])
    with pytest.raises(ValueError, match=r"(?s)RandomHorizontalFlip.*Preparation"):
        save_model(tmp_path / "m.safetensors", replace(resnet, transform=flip), head, CLASSES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change, words",
    [
        ({"resize": 0}, "from 1 to"),
        ({"crop": (10, 10, 10)}, "two numbers"),
        ({"std": (0.1, 0.0, 0.1)}, "std not 0"),
        ({"mean": (0.1, 0.2)}, "three colour channels"),
        ({"interpolation": "magic"}, "bilinear.*'magic'"),
        ({"code": "import os"}, "code"),
    ],
)
def test_impossible_preparations_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        Preparation.from_plain({**SMALL.plain(), **change})


# --- what is refused ----------------------------------------------------------------------------


def test_existing_files_are_not_replaced_unasked(resnet, head, file):
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_model(file, resnet, head, CLASSES)
    assert file.read_bytes() == before
    save_model(file, resnet, head, ("a", "b"), overwrite=True)
    assert load_model(file).classes == ("a", "b")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_parts_that_do_not_fit_are_refused(resnet, head, tmp_path):
    file = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match=r"2 formulas.*got 3"):
        save_model(file, resnet, head, ("a", "b", "c"))
    with pytest.raises(ValueError, match=r"512 features.*takes 7"):
        save_model(file, resnet, OccamHead(7, 2), CLASSES)
    with pytest.raises(ValueError, match=r"not the network that is called 'resnet34'"):
        save_model(file, replace(resnet, name="resnet34"), head, CLASSES)
    with pytest.raises(ValueError, match="unknown name 'resnet19'"):
        save_model(file, replace(resnet, name="resnet19"), head, CLASSES)
    assert not file.exists()


def rewritten(file: Path, change: Any) -> None:
    """Change the JSON of a file and what guards it, its weights left as they are."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as source:
        content = json.loads(source.metadata()["occamhead"])
        state = {name: source.get_tensor(name) for name in source.keys()}  # noqa: SIM118
    change(content)
    if "sha256" in content:
        content["sha256"] = _seal(content, state)
    save_file(state, file, {"format": "pt", "occamhead": json.dumps(content)})


CHANGES: dict[str, Any] = {
    "version": lambda content: content.update(version=2),
    "format": lambda content: content.update(format="other"),
    "no formula": lambda content: content.pop("formula"),
    "no hash": lambda content: content.pop("sha256"),
    "formula of more features": lambda content: content["formula"].update(num_inputs=513),
    "foreign node": lambda content: content["formula"]["nodes"].append(["import", "os"]),
    "classes": lambda content: content["classes"].append("wasps"),
    "head": lambda content: content["head"].update(bases=[["affine6"]]),
    "head's arguments": lambda content: content["head"].update(code="1"),
    "head's basis": lambda content: content["head"].update(bases=[["__import__"]]),
    "backbone": lambda content: content.update(backbone="resnet34"),
    "backbone of the net": lambda content: content.update(backbone="hf-hub:someone/something"),
    "backbone no text": lambda content: content.update(backbone=["resnet18"]),
    "transform": lambda content: content["transform"].update(resize="40"),
    "transform no object": lambda content: content.update(transform=3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_changed_descriptions_are_refused(file, name):
    rewritten(file, CHANGES[name])
    with pytest.raises(ValueError, match=str(file.name)):
        load_model(file)


def test_unchanged_descriptions_are_read(file):
    """So that what the test above changes is what is refused."""
    rewritten(file, lambda content: None)
    assert load_model(file).classes == CLASSES


@pytest.mark.parametrize("position", [0, 9, 4000, -1])
def test_flipped_bits_are_noticed(file, position):
    data = bytearray(file.read_bytes())
    data[position] ^= 0x10
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        load_model(file)


@pytest.mark.parametrize("size", [0, 4, 1000, -1])
def test_cut_files_are_refused(file, size):
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"cut off, damaged or no \.safetensors"):
        load_model(file)


def test_other_files_are_refused(tmp_path, head):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.safetensors")
    head.save(tmp_path / "head.pt")
    with pytest.raises(
        ValueError, match=r"head\.pt \(\d+ bytes\) is cut off, damaged or no \.safetensors"
    ):
        load_model(tmp_path / "head.pt")
    save_file({"weight": torch.zeros(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match=r"holds weights, but is not a model of occamhead"):
        load_model(tmp_path / "weights.safetensors")


def test_a_file_runs_nothing(file, tmp_path, monkeypatch):
    """Neither pickle nor code: what loading calls is ours alone."""
    monkeypatch.setattr("pickle.load", pytest.fail)
    monkeypatch.setattr("torch.load", pytest.fail)
    assert isinstance(load_model(file), FormulaModel)
