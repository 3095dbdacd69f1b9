"""What heads know of their features from the classifier that they replaced."""

from __future__ import annotations

import copy
import io
import pickle
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from occamhead import OccamHead, attach_head, detach_head, fit_model, fit_path
from occamhead.heads.base import SymbolicHead
from occamhead.rows.arrays import ArrayData
from occamhead.rows.telling import telling_classes

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

ANIMALS = ["ant, pismire", "bee", "wasp", "fly"]


class Model(nn.Module):
    """As models of transformers: it says what its classes are called."""

    def __init__(self, words: list[str] | None = None) -> None:
        super().__init__()
        self.body, self.classifier = nn.Linear(3, 6), nn.Linear(6, 4)
        words = words or [f"LABEL_{k}" for k in range(4)]
        self.config = SimpleNamespace(id2label=dict(enumerate(words)), num_labels=4)

    def forward(self, x):
        return self.classifier(self.body(x))


def told(layer: nn.Linear, words: list[str]) -> tuple[str, ...]:
    words = [word.split(",")[0] for word in words]
    return tuple(", ".join(telling_classes(layer.weight, words, i)) for i in range(6))


def test_a_model_s_own_names_are_taken():
    model = Model(ANIMALS)
    layer = model.classifier
    head = attach_head(model, num_classes=2)
    assert head.hints == told(layer, ANIMALS)
    assert detach_head(model).hints == head.hints
    assert attach_head(Model(), num_classes=2).hints is None
    named = attach_head(Model(), num_classes=2, categories=["a", "b", "c", "d"])
    assert named.hints is not None
    with pytest.raises(ValueError, match="a name for each class of the replaced classifier"):
        attach_head(Model(), categories=["a"])


def test_a_head_keeps_hints_of_its_own():
    head = OccamHead(6, 2)
    head.hints = tuple("abcdef")
    attach_head(Model(ANIMALS), head=head)
    assert head.hints == tuple("abcdef")
    attach_head(Model(), head=copy.deepcopy(head), categories=ANIMALS)


def test_imagenet_s_names_go_with_networks_of_torchvision_and_timm():
    models = pytest.importorskip("torchvision.models")
    timm = pytest.importorskip("timm")
    categories = models.ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    for model, name in (
        (models.resnet18(), "fc"),
        (models.squeezenet1_1(), "classifier.1"),
        (timm.create_model("test_resnet"), "fc"),
    ):
        weight = model.get_submodule(name).weight.flatten(1)
        head = attach_head(model, num_classes=2)
        assert head.hints[5] == ", ".join(telling_classes(weight, categories, 5))
        assert len(head.hints) == head.in_features
    assert attach_head(models.resnet18(num_classes=5)).hints is None


def test_fits_hand_them_on():
    model = Model(ANIMALS)
    layer = model.classifier
    x = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=20)
    fit = fit_model(model, loader, budgets=(1, 2))
    assert fit.head.hints == told(layer, ANIMALS)
    assert all(point.head.hints == fit.head.hints for point in fit.path)
    assert fit.edit(drop=[fit.head.formula().features[0]]).head.hints == fit.head.hints


def saved(head: SymbolicHead) -> SymbolicHead:
    file = io.BytesIO()
    head.save(file)
    file.seek(0)
    return SymbolicHead.load(file)


def test_copies_and_files_keep_them():
    head = OccamHead(3, 2).eval()
    assert saved(head).hints is None
    head.hints = ("ant, bee", "vase", "vase")
    for again in (saved(head), pickle.loads(pickle.dumps(head)), copy.deepcopy(head)):
        assert again.hints == head.hints


def test_formulas_print_them():
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    data = ArrayData((x, (x[:, 0] - x[:, 1] + x[:, 2] > 0).long()))
    head = fit_path(data, budgets=(3,)).select().head
    with pytest.raises(ValueError, match="nobody knows what this head's features are; name them"):
        head.formula("auto")
    head.hints = ("vase", "broccoli, `rape`", "vase")
    words = ("vase (x0)", "broccoli, 'rape'", "vase (x2)")
    assert head.formula("auto").names == words and head.formula().names is None
    assert all(f"`{word}`" in str(head.formula("auto")) for word in words)
    head.names = {0: "body"}
    assert head.formula("auto").names == ("body", "broccoli, 'rape'", "vase")
    assert [head.words(i) for i in range(3)] == ["body", "broccoli, `rape`", "vase"]
    head.hints = None
    assert head.formula("auto") == head.formula()
