"""What every head promises, on every kind and loss, in every mode: the printed formula runs."""

from __future__ import annotations

import copy
import json
import pickle
import runpy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from occamhead import EssenceHead, Expression, OccamHead, attach_head, detach_head, report
from occamhead.heads.base import SymbolicHead
from occamhead.heads.kinds import build_head
from occamhead.rows.arrays import ArrayData
from tests.heads.heads import HEADS, Fitted, fitted

CLOSE = {"rtol": 1e-4, "atol": 1e-4}
few = pytest.mark.parametrize("case", ["deep", "real, quadratic"], indirect=True)


@pytest.fixture(params=HEADS)
def case(request: pytest.FixtureRequest) -> Fitted:
    return fitted(request.param)


# --- the formula ----------------------------------------------------------------------------------


def test_eval_is_the_formula_in_every_form(case, tmp_path):
    head, x, _ = case
    scores, rows, formula = head(x).numpy(), x.double().numpy(), head.formula()
    assert len(formula) == head.out_features and formula.num_inputs == head.in_features
    np.testing.assert_allclose(scores, formula(rows), **CLOSE)
    np.testing.assert_allclose(scores, formula.torch()(x).numpy(), **CLOSE)
    again = Expression.from_json(formula.to_json())
    assert again == formula and again.to_json() == formula.to_json()
    parsed = Expression.parse(formula.text(), num_inputs=head.in_features)
    np.testing.assert_allclose(parsed(rows), formula(rows), **CLOSE)
    head.export(tmp_path / "head.py")
    module = runpy.run_path(str(tmp_path / "head.py"))
    np.testing.assert_allclose([module["scores"](row) for row in rows.tolist()], scores, **CLOSE)
    for suffix in ("json", "c", "sql"):
        assert head.export(tmp_path / f"head.{suffix}", classes=head.classes).stat().st_size
    json.loads((tmp_path / "head.json").read_text())


def test_names_and_widths(case):
    head, x, _ = case
    names = [f"feature{i}" for i in range(head.in_features)]
    assert head.formula(names).names == tuple(names)
    assert f"in_features={head.in_features}" in repr(head)
    for mode in (True, False):
        with pytest.raises(ValueError, match=rf"\[\.\.\., {head.in_features}\]"):
            head.train(mode)(x[:, 1:])
    assert head(x[:0]).shape == (0, head.out_features)


def test_train_is_soft_and_passes_gradients(case):
    head, x, _ = case
    hard = head(x)
    head.train()
    rows = x.clone().requires_grad_()
    head(rows).square().sum().backward()
    if head.out_features > 1:
        assert rows.grad.abs().sum() > 0
    torch.testing.assert_close(head(x), head.soft(x))
    head.eval()
    assert torch.equal(head(x), hard)
    head.soft_eval = True
    torch.testing.assert_close(head(x), head.soft(x))


def test_any_leading_shape_as_a_linear_layer(case):
    head, x, _ = case
    rows, width = x[:6], head.out_features
    for run in (head, head.soft, head.formula().torch(), head.formula()):
        flat = run(rows)
        for shape in ((2, 3), (1, 6), (6, 1), (1, 2, 3)):
            torch.testing.assert_close(run(rows.view(*shape, -1)), flat.view(*shape, width))
        torch.testing.assert_close(run(rows[0]), flat[0])
    answers = head.predict(rows)
    assert torch.equal(head.predict(rows.view(2, 3, -1)), answers.unflatten(0, (2, 3)))
    named = head.predict(rows.view(2, 3, -1), names=True)
    assert [name for part in named for name in part] == head.predict(rows, names=True)


# --- what it answers ------------------------------------------------------------------------------


def test_answers_are_those_of_the_loss(case):
    head, x, y = case
    scores, answers = head(x), head.predict(x)
    if head.loss == "squared_error":
        assert torch.equal(answers, scores)
        assert head.predict(x, names=True) == scores.tolist()
        with pytest.raises(ValueError, match="predict"):
            head.probabilities(x)
        with pytest.raises(ValueError, match="reject_below"):
            head.predict(x, reject_below=0.9)
        return
    probabilities = head.probabilities(x)
    assert probabilities.shape == scores.shape
    if head.loss == "binary_cross_entropy":
        assert torch.equal(answers, (scores > 0).long())
        sure = torch.maximum(probabilities, 1 - probabilities) >= 0.9
        assert torch.equal(head.predict(x, reject_below=0.9), answers.where(sure, -1))
        wanted = [
            [n for n, one in zip(head.classes, row, strict=True) if one] for row in answers.tolist()
        ]
    else:
        lowest = (scores == scores.max(dim=1, keepdim=True).values).int().argmax(dim=1)
        assert torch.equal(answers, lowest)
        torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(x)))
        sure = probabilities.amax(dim=1) >= 0.9
        assert torch.equal(head.predict(x, reject_below=0.9), answers.where(sure, -1))
        wanted = [head.classes[k] for k in answers]
        kept = head.predict(x, reject_below=0.9, names=True)
        assert [name is not None for name in kept] == sure.tolist()
    assert head.predict(x, names=True) == wanted
    if isinstance(head, EssenceHead):
        assert (answers == y).double().mean() > 0.97
    if getattr(head, "inputs", "") == "real":
        assert sure.double().mean() > 0.5
    head.classes = None
    with pytest.raises(ValueError, match="class names"):
        head.predict(x, names=True)


def test_calibrating_changes_no_answer(case):
    head, x, _ = case
    scores, answers = head(x), head.predict(x)
    head.calibration.zero_()
    # Scores that are sure and wrong ask for a temperature.
    head.calibrate(torch.stack([-5 * scores, -5 * scores]), answers)
    assert torch.equal(head(x), scores) and torch.equal(head.predict(x), answers)
    scaled = head.loss != "squared_error" and head.out_features > 1
    assert (head.calibration != 0) == scaled
    with pytest.raises(ValueError, match="class names, got 1"):
        type(head)(**{**head.config(), "out_features": 2, "classes": ["a"]})


# --- copies and files -----------------------------------------------------------------------------


def by_state(head: SymbolicHead, path) -> SymbolicHead:
    other = build_head(head.kind, **head.config()).eval()
    torch.save(head.state_dict(), path)
    other.load_state_dict(torch.load(path, weights_only=True))
    return other


def by_file(head: SymbolicHead, path) -> SymbolicHead:
    head.save(path)
    with pytest.raises(ValueError, match=f"kind '{head.kind}'"):
        (EssenceHead if isinstance(head, OccamHead) else OccamHead).load(path)
    assert torch.equal(type(head).load(path).calibration, head.calibration)
    return SymbolicHead.load(path)


def by_average(head: SymbolicHead, path) -> SymbolicHead:
    model = nn.Sequential(head)
    average = AveragedModel(model, use_buffers=True)
    average.update_parameters(model)
    average.update_parameters(model)
    return average.module[0]


COPIES: dict[str, Callable[..., SymbolicHead]] = {
    "state_dict": by_state,
    "file": by_file,
    "average": by_average,
    "deepcopy": lambda head, _: copy.deepcopy(head),
    "pickle": lambda head, _: pickle.loads(pickle.dumps(head)),
    "double and back": lambda head, _: copy.deepcopy(head).double().float(),
    "half and back": lambda head, _: copy.deepcopy(head).half().bfloat16().float(),
}  # fmt: skip


@pytest.mark.parametrize("way", COPIES)
def test_copies_are_the_same_head(case, way, tmp_path):
    head, x, _ = case
    other = COPIES[way](head, tmp_path / "head.pt")
    assert other.formula() == head.formula() and other.config() == head.config()
    assert torch.equal(other(x).nan_to_num(), head(x).nan_to_num()) and not other.training
    assert other.dtype == head.dtype and other.objective is head.objective
    assert other.predict(x, names=True) == head.predict(x, names=True)


def test_a_formula_is_no_state(case):
    head, _, _ = case
    names = {name for name, _ in (*head.named_buffers(), *head.named_parameters())}
    assert not [name for name in names if "formula" in name or "_term" in name]
    assert {name.split(".")[0] for name in head.state_dict()} <= {
        "network", "feature_mean", "feature_scale", "calibration", "_extra_state"}  # fmt: skip
    if isinstance(head, EssenceHead):
        assert names == {"calibration"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_cast_changes_the_arithmetic_and_not_the_formula(case, dtype):
    head, x, _ = case
    formula, scores = head.formula(), head(x)
    model = nn.Sequential(nn.Linear(head.in_features, 3), head).to(dtype)
    assert head.formula() == formula and model[0].weight.dtype == dtype
    assert head.dtype == head(x.to(dtype)).dtype == head.train()(x.to(dtype)).dtype == dtype
    assert torch.equal(nn.Sequential(head.eval()).float()(x), scores)


def test_a_report_of_it(case, tmp_path):
    head, x, y = case
    if head.loss != "cross_entropy" or head.out_features < 2:
        return
    data = ArrayData(*[(x.numpy(), y.numpy())] * 3, classes=head.classes)
    page = report(tmp_path / "report.html", head, data).read_text()
    assert "<h2" in page and head.classes[1] in page


# --- other people's tools -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_it_takes_the_place_of_a_classifier(case):
    head, x, _ = case
    model = nn.Sequential(nn.Identity(), nn.Linear(head.in_features, 7)).eval()
    linear = model[1]
    assert attach_head(model, name="1", head=head) is head
    assert torch.equal(model(x), head(x))
    graph = torch.fx.symbolic_trace(model)
    assert torch.equal(graph(x), head(x))
    torch.testing.assert_close(torch.fx.symbolic_trace(model.train())(x), head.soft(x))
    with pytest.raises(TypeError, match=r"torch\.jit\.trace\(model\.eval\(\), example\)"):
        torch.jit.script(model)
    assert detach_head(model.eval()) is head and model[1] is linear


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_program_runs_the_formula(case, strict):
    head, x, _ = case
    sizes = {0: torch.export.Dim("rows", min=2)}
    program = torch.export.export(head, (x,), dynamic_shapes=(sizes,), strict=strict)
    torch.testing.assert_close(program.module()(x[:7]), head(x[:7]))
    assert not [name for name in program.state_dict if "formula" in name]


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::torch.jit.TracerWarning")
def test_a_trace_runs_the_formula(case):
    head, x, _ = case
    torch.testing.assert_close(torch.jit.trace(head, x, check_trace=False)(x[:7]), head(x[:7]))


def test_what_is_read_in_inference_mode_has_gradients_after_it(case):
    head, x, _ = case
    with torch.inference_mode():
        head.eval()
        inside = head(x)
    rows = x.clone().requires_grad_()
    scores = head(rows)
    assert torch.equal(scores.detach(), inside)
    if isinstance(head, OccamHead):
        scores.sum().backward()
        assert rows.grad is not None


@few
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_runs_the_formula(case, backend):
    head, x, _ = case
    compiled = torch.compile(nn.Sequential(head), backend=backend, fullgraph=True)
    assert torch.equal(compiled(x), head(x))
    torch._dynamo.reset()


@pytest.mark.slow
@few
def test_onnx(case, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    head, x, _ = case
    session = runtime.InferenceSession(str(head.export(tmp_path / "head.onnx")))
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], head(x).numpy(), **CLOSE)


def test_a_kind_is_asked_for_by_name():
    assert isinstance(build_head("occam", 3, 2), OccamHead)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    head = attach_head(model, name="1", kind="essence", inputs="real")
    assert isinstance(head, EssenceHead) and (head.in_features, head.out_features) == (4, 3)
    with pytest.raises(ValueError, match="kind must be one of occam, essence, got 'tree'"):
        build_head("tree", 3, 2)
    with pytest.raises(ValueError, match="takes no option 'depth'"):
        build_head("essence", 3, 2, depth=2)
