"""Every way to evaluate a formula gives the same: numpy, tensors, modules and printed Python."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression import (
    ExpressionBuilder,
    FormulaModule,
)
from tests.expression.forms import parsed_again, run_source
from tests.expression.random_formulas import (
    EXACT,
    SMOOTH,
    dyadic,
    expressions,
    small,
)

many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


def test_a_deep_chain_prints_and_evaluates():
    """Nothing is recursive."""
    builder = ExpressionBuilder()
    node = builder.input(0)
    for _ in range(3000):
        node = builder.apply("tanh", builder.affine(0.5, [(1.5, node)]))
    expression = builder.build([node], 1)
    assert expression.depth == 6000
    assert expression([0.3]).shape == (1,)
    assert Expression.from_json(expression.to_json()) == expression
    assert expression.simplified() == expression
    assert pickle.loads(pickle.dumps(expression)) == expression
    assert len(expression.latex()[0]) > 3000
    assert parsed_again(expression) == expression


SPECIAL = (0.0, 1.0, -1.0, 0.25, -2.5, 3.0, math.inf, -math.inf, math.nan)


@pytest.mark.slow
@many
@given(expressions(EXACT, dyadic, max_steps=12), st.integers(0, 2**32 - 1))
def test_numpy_torch_module_and_python_agree_to_the_bit(expression, seed):
    """Only exact operators and numbers, so that there is no rounding to differ in."""
    x = np.random.default_rng(seed).choice(SPECIAL, size=(30, expression.num_inputs))
    wanted = expression(x)
    assume(np.abs(wanted[np.isfinite(wanted)], out=None).max(initial=0) < 1e9)
    tensor = torch.tensor(x)
    np.testing.assert_array_equal(expression(tensor).numpy(), wanted)
    np.testing.assert_array_equal(FormulaModule(expression, torch.float64)(tensor).numpy(), wanted)
    scores = run_source(expression)["scores"]
    np.testing.assert_array_equal(np.array([scores(row) for row in x.tolist()]), wanted)


@pytest.mark.slow
@many
@given(expressions(SMOOTH, small, all_nodes=True), st.integers(0, 2**32 - 1))
def test_numpy_torch_module_and_python_agree(expression, seed):
    x = np.random.default_rng(seed).normal(size=(20, expression.num_inputs))
    wanted = expression(x)
    x, wanted = (a[(np.abs(wanted) < 100).all(axis=1)] for a in (x, wanted))
    close = {"rtol": 1e-7, "atol": 1e-9}
    np.testing.assert_allclose(expression(torch.tensor(x)).numpy(), wanted, **close)
    scores = run_source(expression)["scores"]
    for row, values in zip(x.tolist(), wanted, strict=True):
        np.testing.assert_allclose(scores(row), values, **close)


@pytest.mark.parametrize("kind", ["numpy", "torch", "python"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_unused_input_does_not_leak(kind, value):
    expression = parse(["2*x1 + 1", "x1", "5", "max(x1, 0)", "0*x0 + x1"], num_inputs=3)
    row = [value, 3.0, value]
    if kind == "python":
        found = run_source(expression)["scores"](row)
    elif kind == "torch":
        found = expression(torch.tensor(row)).tolist()
    else:
        found = expression(row).tolist()
    assert found == [7.0, 3.0, 5.0, 3.0, 3.0]


@pytest.mark.parametrize("text", ["1/(-2*x0)", "1/(-x0)", "1/(-2*x0 - 3*x1)", "1/(-tanh(x0))"])
def test_the_sign_of_zero_is_the_same_everywhere(text):
    """A ReLU feature is often exactly 0, and -2*0 is a negative zero: 1/(-2*x) is -inf."""
    expression = parse(text, num_inputs=2)
    row = [0.0, 0.0]
    wanted = [-math.inf]
    assert expression(row).tolist() == wanted
    assert run_source(expression)["scores"](row) == wanted
    assert expression(torch.tensor(row)).tolist() == wanted


def test_where_does_not_leak_the_branch_that_is_not_taken():
    expression = parse("1/x0 if x0 != 0 else 7")
    for x in ([0.0], torch.tensor([0.0])):
        assert expression(x).tolist() == [7.0]


@pytest.mark.parametrize(
    "shape", [(2,), (1, 2), (5, 2), (0, 2), (3, 4, 2), (3, 0, 2), (2, 1, 3, 2)]
)
@pytest.mark.parametrize("text", ["3*x0 - x1 + 1", "5", "x1", "sin(x0)*max(x1, 0) + 2"])
def test_shapes(shape, text):
    expression = parse([text, text, "x0"], num_inputs=2)
    x = np.random.default_rng(0).normal(size=shape)
    found = expression(x)
    assert found.shape == (*shape[:-1], 3)
    tensor = expression(torch.tensor(x))
    assert tuple(tensor.shape) == found.shape
    np.testing.assert_allclose(tensor.numpy(), found)
    flat = x.reshape(-1, 2)
    np.testing.assert_array_equal(expression(flat), found.reshape(-1, 3))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1), (5, 0)])
def test_wrong_width_is_a_value_error(shape):
    expression = parse("x0 + x1")
    for x in (np.zeros(shape), torch.zeros(shape)):
        with pytest.raises(ValueError, match="takes 2 inputs"):
            expression(x)


def test_dtypes():
    expression = parse("x0/3 + 1")
    assert expression([1]).dtype == np.float64
    assert expression(np.array([1], dtype=np.int32)).dtype == np.float64
    assert expression(np.array([1], dtype=np.float32)).dtype == np.float32
    for dtype in (torch.float32, torch.float64):
        assert expression(torch.tensor([1.0], dtype=dtype)).dtype == dtype
    assert expression(torch.tensor([1])).dtype == torch.get_default_dtype()
    half = expression(torch.tensor([1.0], dtype=torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert parse("5", num_inputs=1)(np.float32([[1]])).dtype == np.float32
    wide = FormulaModule(expression, torch.float64)(torch.tensor([1.0]))
    assert wide.dtype == torch.float64 and wide.item() == 1 / 3 + 1


def test_module_is_differentiable():
    expression = parse(["x0*sin(x1) + 2*x2", "x0/x1"])
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(expression.torch().double(), x.requires_grad_())


@pytest.mark.parametrize("text", ["3*x0 - x1 + 1", "tanh(2*x0 + x1)*x1", "x0 if x1 > 0 else 2"])
def test_module_under_export_compile_autocast_pickle(text):
    expression = parse([text, "x0 + 0.3"], num_inputs=2)
    module = expression.torch().eval()
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    wanted = module(x)
    torch.testing.assert_close(wanted, torch.tensor(expression(x.numpy())))
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(module, (x,), dynamic_shapes=({0: batch},)).module()
    assert torch.equal(exported(x), wanted)
    assert torch.equal(exported(x[:3]), wanted[:3])
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x), wanted)
    torch._dynamo.reset()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module(x), wanted)
    for again in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert torch.equal(again(x), wanted)
    double = copy.deepcopy(module).double()
    np.testing.assert_allclose(double(x.double()).numpy(), expression(x.double().numpy()))
    assert not list(module.parameters()) and not module.state_dict()
    assert text.split()[0] in repr(module)


def test_agrees_with():
    x = np.array([[1.0, 2.0], [math.nan, 0.0], [math.inf, 1.0]])
    assert parse("x0 + x1").agrees_with(parse("x1 + x0"), x)
    assert parse("x0 + x1").agrees_with(parse("x1 + x0"), torch.tensor(x))
    assert not parse("x0 + x1").agrees_with(parse("x1 + 1.001*x0"), x)
    assert not parse("x0 + x1").agrees_with(parse(["x0 + x1"] * 2), x)
