"""Copies and files of an OccamHead."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch

from occamhead import OccamHead
from occamhead.expression import Affine
from occamhead.saving.tensors import SEALED
from tests.heads.occam_heads import (
    close,
    configs,
    flip,
    made,
    rows_of,
)


def saved_and_loaded(head: OccamHead) -> OccamHead:
    buffer = io.BytesIO()
    head.save(buffer)
    buffer.seek(0)
    return OccamHead.load(buffer)


def state_dict_copy(head: OccamHead) -> OccamHead:
    torch.manual_seed(99)
    other = OccamHead(**head.config()).eval()
    other.load_state_dict(head.state_dict())
    return other


COPIES = {
    "save": saved_and_loaded,
    "pickle": lambda head: pickle.loads(pickle.dumps(head)),
    "deepcopy": copy.deepcopy,
    "state dict": state_dict_copy,
}


@configs
@pytest.mark.parametrize("way", COPIES)
def test_copies_have_the_same_formula_and_numbers(config, way):
    head = made(config)
    head.network.anneal(0.4, end=0.1)
    head.eval()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    again = COPIES[way](head)
    assert not again.training
    assert again.formula() == head.formula()
    assert torch.equal(again(x).nan_to_num(7.5), head(x).nan_to_num(7.5))
    assert torch.equal(again.soft(x), head.soft(x))
    assert again.config() == head.config()
    assert torch.equal(again.network.temperatures, head.network.temperatures)
    text, literal = head.formula().text(), head.network.expression()
    flip(again)
    assert head.formula().text() == text and literal != again.network.expression()
    close(again(x).numpy(), again.formula()(x.double().numpy()), 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["default", "tanh blocks", "phi_b", "comparisons"])
def test_export_and_compilation_give_the_same_numbers(config):
    head = made(config)
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    wanted = head(x)
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(head, (x,), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(x), wanted, rtol=0, atol=0)
    torch.testing.assert_close(exported(x[:3]), wanted[:3], rtol=0, atol=0)
    compiled = torch.compile(head, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), wanted, rtol=0, atol=0)
    flip(head)
    head.eval()
    changed = head(x)
    assert not torch.equal(changed, wanted)
    torch.testing.assert_close(compiled(x), changed, rtol=0, atol=0)
    torch._dynamo.reset()


@pytest.mark.slow
def test_compiled_training_step_equals_eager():
    head = made("tanh blocks").train()
    x = torch.tensor(rows_of(head, 8), dtype=torch.float32)
    torch.testing.assert_close(torch.compile(head, backend="eager")(x), head(x))
    torch._dynamo.reset()


def test_autocast_does_not_round_the_formula():
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(x), head.formula().torch()(x))


def test_formula_costs_no_gradient_and_works_in_inference_mode():
    with torch.inference_mode():
        head = made("default")
        x = torch.tensor(rows_of(head), dtype=torch.float32)
        close(head(x).numpy(), head.formula()(x.numpy()), 1e-4)
    outside = made("default")
    with torch.inference_mode():
        outside(x)
    x = x.clone().requires_grad_()
    outside(x).sum().backward()  # gradients of the scores in the features: saliency
    wanted = torch.zeros(30)
    for node in outside.formula().nodes:
        if isinstance(node, Affine):
            for coefficient, child in node.terms:
                wanted[outside.formula().nodes[child].index] += coefficient  # type: ignore
    torch.testing.assert_close(x.grad[0], wanted)


def test_state_dict_holds_no_formula():
    head = made("default")
    head(torch.zeros(2, 30))
    assert {name.split(".")[0] for name in head.state_dict()} == {
        "network", "feature_mean", "feature_scale", "calibration"}  # fmt: skip


def test_save_to_a_path(tmp_path):
    head = made("default")
    head.save(tmp_path / "head.pt")
    assert OccamHead.load(tmp_path / "head.pt").formula() == head.formula()
    assert OccamHead.load(str(tmp_path / "head.pt")).formula() == head.formula()
    data = torch.load(tmp_path / "head.pt", weights_only=True)
    assert data["formula"] == head.formula().text()
    assert (data["format"], data["version"]) == ("occamhead.head", 1)


def test_a_float64_head_is_loaded_as_saved():
    head = made("default", dtype=torch.float64)
    again = saved_and_loaded(head)
    assert again.formula() == head.formula()
    x = torch.tensor(rows_of(head))
    close(again(x.to(again.feature_mean)).numpy(), head(x).numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not a saved OccamHead"),
        ({"version": 2}, "version 2"),
        ({"version": None}, "version"),
        ("drop version", "version"),
        ("drop config", "config"),
        ("drop state_dict", "state_dict"),
        ("list", "not a saved OccamHead"),
        ("text", "not a saved OccamHead"),
        ("empty", "not a saved OccamHead"),
        ("code", "not a saved OccamHead"),
    ],
)
def test_other_files_are_value_errors(change, message, tmp_path):
    path = tmp_path / "head.pt"
    made("one class").save(path)
    data = torch.load(path, weights_only=True)
    del data[SEALED]  # what follows writes none
    if isinstance(change, dict):
        torch.save({**data, **change}, path)
    elif change.startswith("drop"):
        data.pop(change.split()[1])
        torch.save(data, path)
    elif change == "list":
        torch.save([1, 2], path)
    elif change == "code":
        torch.save(made("one class"), path)
    else:
        path.write_text("" if change == "empty" else "no head")
    with pytest.raises(ValueError, match=message):
        OccamHead.load(path)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        OccamHead.load(tmp_path / "head.pt")


@pytest.mark.parametrize(
    "other",
    [
        OccamHead(31, 4),
        OccamHead(30, 5),
        OccamHead(30, 4, ["affine19"]),
        OccamHead(30, 4, ["affine20"], per_class=False),
        OccamHead(30, 4, ["affine20"], depth=2),
        OccamHead(30, 4, ["affine20"], constants=(1.0,)),
    ],
    ids=["features", "classes", "bases", "per class", "depth", "constants"],
)
def test_a_state_dict_of_another_architecture_is_a_value_error(other):
    head = made("default")
    text = head.formula().text()
    with pytest.raises(ValueError, match="another architecture"):
        head.load_state_dict(other.state_dict())
    assert head.formula().text() == text
    with pytest.raises(ValueError, match="another architecture"):
        torch.nn.Sequential(torch.nn.Flatten(), head).load_state_dict(
            {f"1.{name}": value for name, value in other.state_dict().items()}
        )
