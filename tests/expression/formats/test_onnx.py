"""Formulas, and whole models that end in one, in ONNX and in torch's exporter and compiler."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from occamhead import OccamHead, attach_head
from occamhead.expression import (
    Expression,
)
from occamhead.expression.formats.files import export
from tests.expression.formats.machines import SPECIAL, all_operators, highest, make_head, run_onnx

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_operator_at_every_singular_point_in_onnx(tmp_path, dtype):
    pytest.importorskip("onnxscript")
    formula, names = all_operators()
    rows = np.array(list(itertools.product(SPECIAL, repeat=3)), dtype=dtype)
    wanted = formula(rows)
    path = export(formula, tmp_path / "all.onnx", dtype=torch.from_numpy(rows).dtype)
    found, _ = run_onnx(path, rows)
    assert found.dtype == dtype
    close = {"rtol": 3e-6, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    for k, name in enumerate(names):
        np.testing.assert_allclose(found[:, k], wanted[:, k], err_msg=name, **close)


class Small(nn.Module):
    """A backbone of convolutions, with batch norm and dropout to be put in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Dropout(0.5),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.fc: nn.Module = nn.Identity()

    def forward(self, x):
        return self.fc(self.body(x))


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    model = Small()
    model.body[1].running_mean.uniform_(-1, 1)
    return model


def pictures(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(count))


@pytest.mark.slow
@pytest.mark.parametrize("example", [(3, 8, 8), pictures(1)])
def test_backbone_and_formula_in_onnx(tmp_path, backbone, example):
    pytest.importorskip("onnxscript")
    head = make_head()
    backbone.train()
    before = copy.deepcopy(backbone.state_dict())
    path = head.export(tmp_path / "m.onnx", backbone=backbone, example=example)
    assert backbone.training and all(module.training for module in backbone.modules())
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    backbone.eval()
    for count in (1, 2, 7, 64):
        with torch.no_grad():
            wanted = head(backbone(pictures(count))).numpy()
        scores, classes = run_onnx(path, pictures(count).numpy())
        np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(classes, highest(wanted))


def test_an_attached_head_in_onnx(tmp_path):
    """The formula takes the head's place: what is exported is the formula even in train mode."""
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = Small()
    model.fc = nn.Linear(12, 3)
    head = attach_head(model, head=make_head())
    model.eval()
    wanted = model(pictures(5)).detach().numpy()
    model.train()
    path = head.export(tmp_path / "m.onnx", backbone=model, example=(3, 8, 8))
    assert model.fc is head and head.training
    scores, _ = run_onnx(path, pictures(5).numpy())
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_onnx_tells_the_formula_and_the_classes(tmp_path):
    pytest.importorskip("onnxscript")
    onnx = pytest.importorskip("onnx")
    formula = Expression.parse(["2*a - b", "a*b"], names=["a", "b"])
    path = export(formula, tmp_path / "f.onnx", classes=["no", "yes"])
    model = onnx.load(path)
    onnx.checker.check_model(model)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["formula"].splitlines() == formula.text()
    assert told["features"].splitlines() == ["0 a", "1 b"]
    assert told["classes"].splitlines() == ["no", "yes"]
    assert [path.name for path in tmp_path.iterdir()] == ["f.onnx"]  # no file of weights beside it


@pytest.mark.slow
def test_onnx_in_float64_has_the_printed_numbers(tmp_path):
    pytest.importorskip("onnxscript")
    formula = Expression.parse("0.1*x0 + 1234.567*x1 - 0.3774")
    path = export(formula, tmp_path / "f.onnx", dtype=torch.float64)
    rows = np.random.default_rng(0).normal(size=(100, 2))
    np.testing.assert_allclose(run_onnx(path, rows)[0], formula(rows), rtol=1e-14, atol=1e-12)


@pytest.mark.parametrize("whole", [False, True])
def test_torch_export_with_any_batch(backbone, whole):
    head = make_head()
    model = (nn.Sequential(backbone, head) if whole else head).eval()

    def rows(count):
        return pictures(count) if whole else torch.randn(count, 12)

    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (rows(4),), dynamic_shapes=({0: batch},))
    for count in (1, 2, 33):
        x = rows(count)
        torch.testing.assert_close(program.module()(x), model(x))
        assert torch.equal(program.module()(x).argmax(1), model(x).argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_torch_compile_without_a_graph_break(backbone, whole):
    """With dynamo and autograd's tracer; what inductor makes of it is the slow test below."""
    torch.compiler.reset()
    head = make_head()
    model = (nn.Sequential(backbone, head) if whole else head).eval()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=True)
    for count in (2, 33):
        x = pictures(count) if whole else torch.randn(count, 12)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), model(x))
            assert torch.equal(compiled(x).argmax(1), model(x).argmax(1))


@pytest.mark.slow
def test_onnx_adds_up_without_a_race(tmp_path):
    """A scatter-add is one in onnxruntime: of some sixty runs one or two had wrong scores."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    head = OccamHead(784, 10, ["affine16"]).eval()
    path = head.export(tmp_path / "f.onnx")
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert not {name for name in operators if name.startswith("Scatter")}
    rows = torch.rand(5000, 784)
    with torch.no_grad():
        wanted = head(rows).numpy()
    for _ in range(20):
        assert np.allclose(run_onnx(path, rows.numpy())[0], wanted, atol=1e-4)
