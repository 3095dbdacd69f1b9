"""Files of formulas: what they are named by, what is replaced, and what is refused."""

from __future__ import annotations

import json
import re

import pytest
import torch
from torch import nn

from occamhead.expression import (
    Expression,
)
from occamhead.expression.formats.files import export
from tests.expression.formats.machines import make_head

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_file_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "formula.json"
    formula = Expression.parse("x0 + 1")
    assert export(formula, str(path)) == path
    with pytest.raises(FileExistsError, match="overwrite=True"):
        export(Expression.parse("x0"), path)
    assert Expression.from_json(path.read_text()) == formula
    export(Expression.parse("x0"), path, overwrite=True)
    assert Expression.from_json(path.read_text()) == Expression.parse("x0")


def test_names_reach_every_file(tmp_path):
    head = make_head(in_features=3, classes=2)
    names = ["antennae", "stripes", "wings"]
    read = Expression.from_json(head.export(tmp_path / "f.json", names=names).read_text())
    assert read == head.formula(names)
    used = [names[i] for i in read.features]
    for path in (head.export(tmp_path / "f.c", names=names),
                 head.export(tmp_path / "f.sql", names=names)):  # fmt: skip
        assert all(name in path.read_text() for name in used)
    assert json.loads((tmp_path / "f.json").read_text())["names"] == names


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("formula.pdf", {}, "suffix must be one of .py, .json, .c, .sql, .onnx"),
        ("formula", {}, "suffix must be one of"),
        ("f.c", {"backbone": nn.Identity()}, ".c takes no option 'backbone'; its options: comment"),
        ("f.json", {"tabel": "t"}, "takes no option 'tabel'"),
        ("f.sql", {"classes": ["one"]}, "2 outputs need as many class names, got 1"),
        ("f.onnx", {"classes": ["one"]}, "2 outputs need as many class names, got 1"),
        ("f.c", {"names": ["one"]}, "as many names, got 1"),
        ("f.onnx", {"backbone": nn.Identity()}, "both backbone= and example="),
        ("f.onnx", {"example": (2,)}, "both backbone= and example="),
        ("f.onnx", {"backbone": nn.Identity(), "example": torch.zeros(0, 2)}, "empty batch"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, name, options, message):
    if name.endswith(".onnx"):
        pytest.importorskip("onnxscript")
    with pytest.raises(ValueError, match=re.escape(message)):
        export(Expression.parse(["x0", "x1"], num_inputs=2), tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_without_onnxscript_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"occamhead\[onnx\]"):
        export(Expression.parse("x0"), tmp_path / "f.onnx")
