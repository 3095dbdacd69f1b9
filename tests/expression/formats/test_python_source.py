"""Stand-alone Python of formulas: it compiles whatever is in it, and its classes are the argmax."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression import (
    ExpressionBuilder,
)
from tests.expression.forms import run_source

many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


@pytest.mark.parametrize("count", [60])
def test_python_source_of_a_deep_formula_compiles(count):
    builder = ExpressionBuilder()
    node = builder.input(0)
    for _ in range(count):
        node = builder.apply("tanh", builder.affine(0.5, [(1.5, node)]))
    expression = builder.build([node], 1)
    scores = run_source(expression)["scores"]
    assert scores([0.3]) == pytest.approx(expression([0.3]).tolist())


def test_wrong_numbers_of_titles_and_classes_are_value_errors(tmp_path):
    expression = parse(["x0", "x1"])
    with pytest.raises(ValueError, match="2 outputs need as many class names, got 1"):
        expression.draw(tmp_path / "formula.png", titles=["one"])
    assert not (tmp_path / "formula.png").exists()
    with pytest.raises(ValueError, match="2 outputs need as many class names, got 3"):
        expression.python(classes=["a", "b", "c"])


VALUES = (0.0, 1.0, -1.0, math.nan, math.inf, -math.inf)


@many
@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=5))
def test_predict_is_argmax(values):
    expression = parse([f"x{i}" for i in range(len(values))])
    namespace = run_source(expression)
    found = namespace["predict"](values)
    assert found == int(np.argmax(values)) == int(torch.tensor(values).argmax())
    np.testing.assert_array_equal(namespace["scores"](values), values)


@pytest.mark.slow
@many
@given(st.text(max_size=20), st.lists(st.text(max_size=10), min_size=2, max_size=2))
def test_any_comment_and_class_name_leave_the_source_whole(comment, classes):
    source = parse(["x0", "sin(x0) + 1"]).python(comment=comment, classes=classes)
    namespace: dict[str, object] = {}
    exec(source, namespace)
    assert namespace["scores"]([0.0]) == [0.0, 1.0]
    assert set(namespace) - {"__builtins__", "__doc__"} <= {"math", "scores", "predict", "_sin"}


def test_python_source_says_what_it_is():
    source = parse(["2*x0", "sin(x0)"]).python(comment="Made by a test.", classes=["cat", "dog"])
    assert source.startswith('"""Made by a test."""')
    assert re.search(r"# cat\n +2 \* x\[0\],\n +# dog\n +_sin\(x\[0\]\),", source)
    assert "math" not in parse("2*x0").python()
    shared = parse(["sin(x0) + 1", "2*sin(x0)"]).python()
    assert shared.count("_sin(x[0])") == 1


def test_long_sums_are_broken_before_their_terms():
    expression = parse(" + ".join(f"{i}.25*x{i}" for i in range(60)))
    source = expression.python()
    assert max(map(len, source.splitlines())) <= 100
    assert run_source(expression)["scores"]([1.0] * 60) == [sum(range(60)) + 15.0]
