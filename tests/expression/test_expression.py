"""Expression: every form of a formula says the same, and reads back to an equal object."""

from __future__ import annotations

import ast
import copy
import json
import math
import pickle
import re
import string

import numpy as np
import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression import (
    OPERATORS,
    Affine,
    Apply,
    Constant,
    ExpressionBuilder,
    FormulaModule,
    Input,
)
from tests.random_formulas import (
    ALL,
    EXACT,
    SMOOTH,
    any_number,
    dyadic,
    expressions,
    small,
    used_operators,
)

few = settings(max_examples=40, deadline=None, derandomize=True)
many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


def parsed_again(expression: Expression) -> Expression:
    return parse(expression.text(), num_inputs=expression.num_inputs, names=expression.names)


def run_source(expression: Expression) -> dict[str, object]:
    source = expression.python()
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.ImportFrom)
        if isinstance(node, ast.Import):
            assert [alias.name for alias in node.names] == ["math"]
    namespace: dict[str, object] = {}
    exec(source, namespace)
    return namespace


# --- text, JSON, pickle ------------------------------------------------------------------------


@many
@given(expressions(odd_names=True))
def test_text_reads_back_to_an_equal_expression(expression):
    text = expression.text()
    assert parsed_again(expression) == expression
    assert parsed_again(expression).text() == text
    assert str(expression) == "\n".join(text)


@many
@given(expressions())
def test_text_of_inputs_without_names_reads_back(expression):
    assert parsed_again(expression) == expression


@many
@given(expressions(odd_names=True))
def test_json_reads_back_to_an_equal_expression(expression):
    again = Expression.from_json(expression.to_json())
    assert again == expression and hash(again) == hash(expression)
    assert again.names == expression.names
    data = json.loads(expression.to_json())
    assert (data["format"], data["version"]) == ("occamhead.expression", 1)
    assert data["text"] == expression.text()


@few
@given(expressions(odd_names=True))
def test_pickle_and_deepcopy_give_equal_expressions(expression):
    for again in (pickle.loads(pickle.dumps(expression)), copy.deepcopy(expression)):
        assert again == expression and hash(again) == hash(expression)
        assert again.text() == expression.text()


def test_random_expressions_use_all_operators():
    """The strategy above must reach every operator, or the round trips say little."""
    seen: set[str] = set()

    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(expressions())
    def collect(expression):
        seen.update(used_operators(expression))

    collect()
    assert seen == set(ALL)


def test_equality_is_of_nodes_outputs_width_and_names():
    expression = parse("x0 + 2*x1")
    assert expression == parse("x0+ 2 * x1")
    assert expression != parse("2*x1 + x0")
    assert expression != parse("x0 + 2*x1", num_inputs=3)
    assert expression != expression.renamed(["a", "b"])
    assert expression.renamed(["a", "b"]) == parse("a + 2*b", names=["a", "b"])
    assert expression.renamed(["a", "b"]).renamed(None) == expression
    assert len({expression, parse("x0 + 2*x1"), parse("x1")}) == 2
    with pytest.raises(AttributeError):
        expression.num_inputs = 5


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("x0", "x0"),
        ("-x0", "-x0"),
        ("--x0", "x0"),
        ("1*x0", "x0"),
        ("0*x0", "0"),
        ("x0 - x0", "x0 - x0"),
        ("x0*2", "2*x0"),
        ("2*3*x0", "6*x0"),
        ("2*(3*x0)", "2*(3*x0)"),
        ("x0*(2*x1)", "x0*(2*x1)"),
        ("2*x0*x1", "2*x0*x1"),
        ("(2*x0)*x1", "(2*x0)*x1"),
        ("x0/x1/x2", "x0/x1/x2"),
        ("x0/(x1/x2)", "x0/(x1/x2)"),
        ("x0/2", "x0/2"),
        ("x0 - (x1 - x2)", "x0 - (x1 - x2)"),
        ("x0 - (x1 + 2)", "x0 - (x1 + 2)"),
        ("-(x0 + x1)", "-(x0 + x1)"),
        ("x0**-2", "x0**(-2)"),
        ("-x0**2", "-x0**2"),
        ("(-x0)**2", "(-x0)**2"),
        ("(-2)**x0", "(-2)**x0"),
        ("-2**x0", "-2**x0"),
        ("2**x0**x1", "2**(x0**x1)"),
        ("(2**x0)**x1", "(2**x0)**x1"),
        ("x0**(x1*x2)", "x0**(x1*x2)"),
        ("x0**(x1/x2)", "x0**(x1/x2)"),
        ("x0**(-x1)", "x0**(-x1)"),
        ("(x0*x1)**x2", "(x0*x1)**x2"),
        ("x0*x1**x2", "x0*x1**x2"),
        ("x0 < x1", "x0 < x1"),
        ("(x0 < x1) < x2", "(x0 < x1) < x2"),
        ("1 + (x0 < x1)", "(x0 < x1) + 1"),
        ("x0 if x1 else x2 if x3 else x4", "x0 if x1 else x2 if x3 else x4"),
        ("(x0 if x1 else x2) if x3 else x4", "(x0 if x1 else x2) if x3 else x4"),
        ("x0 if (x1 if x2 else x3) else x4", "x0 if (x1 if x2 else x3) else x4"),
        ("max(x0,min(x1,x2), -1)", "max(x0, min(x1, x2), -1)"),
        ("1e-300*x0 + .5", "1e-300*x0 + 0.5"),
        ("1e16*x0 + 1e15", "1e+16*x0 + 1000000000000000"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("sin(0)", "0"),
        ("1/0", "1/0"),
        ("where(x0, x1, 2)", "x1 if x0 else 2"),
        ("div(mul(x0, x1), pow(x0, 2))", "x0*x1/x0**2"),
        ("`x0`", "x0"),
    ],
)
def test_printed_text(text, printed):
    expression = parse(text)
    # Brackets around what binds by itself are a matter of taste; the reading is not.
    assert expression.text()[0].replace("(", "").replace(")", "") == printed.replace(
        "(", ""
    ).replace(")", "")
    assert parse(printed, num_inputs=expression.num_inputs) == expression
    assert parsed_again(expression) == expression


@pytest.mark.parametrize("text", ["1 - -0", "0*x0", "-0*x0 + 0"])
def test_no_negative_zero_is_printed(text):
    assert "-0" not in parse(text).text()[0]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0), ("   ", None), ("x0 +", 4), ("+", 1), ("x0 x1", 3), ("(x0", 3), ("x0)", 2),
        ("sin(x0", 6), ("sin()", 4), ("sin(x0,)", 7), ("sin x0", 0), ("x0 ** ** 2", 6),
        ("x0 < x1 < x2", 8), ("x0 if x1", 8), ("x0 if x1 else", 13), ("if x0 else x1", 0),
        ("x0; x1", 2), ("x0 = 1", 3), ("x0[0]", 2), ("x0.real", 2), ("'x0'", 0), ("x0 & 2", 3),
        ("x0 //* 2", 5), ("lambda: 0", 6), ("1_000", 1), ("1e999", 0), ("nan", 0), ("inf", 0),
        ("1 + inf*x0", 4), ("0x10", 1), ("1j*x0", 1), ("x-1", 0), ("x00.5", 3), ("y", 0),
        ("`x0", 0), ("``", 1), ("foo(x0)", 0), ("x0(1)", 0), ("sin(x0)(x1)", 7), ("max(x0)", 0),
        ("x0 and x1", 3), ("not x0", 0), ("x0 @ x1", 3), ("\x00", 0), ("x0 + \\", 5),
        ("é", 0), ("x0 = = x1", 3), ("x0 + 1e", 6), ("1..2", 2), ("*x0", 0), ("sin(*x0)", 4),
        ("__import__('os')", 11), ("__import__(x0)", 0), ("exec(x0)", 0), ("eval(x0)", 0),
        ("x0.__class__", 2), ("().__class__", 2), ("open(`x`)", 6), ("x0 if else x1", 6),
        ("\N{SUPERSCRIPT TWO}", 0),
    ],
)  # fmt: skip
def test_malformed_text_is_a_value_error_with_its_position(text, position):
    with pytest.raises(ValueError) as caught:
        parse(text)
    found = re.search(r"at position (\d+)", str(caught.value))
    assert found, str(caught.value)
    # White space before what is wrong may count as wrong.
    at = int(found[1])
    assert position is None or (at <= position and not text[at:position].strip())


@many
@given(st.text(alphabet="x01 +-*/().,<>=!if else`sinmax e", max_size=25) | st.text(max_size=12))
def test_any_text_is_read_or_a_value_error(text):
    try:
        expression = parse(text)
    except ValueError:
        return
    assert parsed_again(expression) == expression


@pytest.mark.parametrize(
    "text",
    ["(" * 5000 + "x0" + ")" * 5000, "sin(" * 3000 + "x0" + ")" * 3000,
     "x0" + "**x0" * 5000, "x0" + " if x0 else x0" * 5000,
     "x0**" * 20000 + "x0", "(" * 100_000],
)  # fmt: skip
def test_deep_nesting_is_a_value_error(text):
    with pytest.raises(ValueError, match="position"):
        parse(text)


def test_many_signs_are_not_nesting():
    assert parse("2**" + "-" * 5000 + "x0") == parse("2**x0")


def test_nesting_that_people_write_is_read():
    text = "(" * 60 + "x0" + ")" * 60
    assert parse(text) == parse("x0")
    deep = "tanh(" * 60 + "x0" + ")" * 60
    assert parse(deep).depth == 60


@pytest.mark.parametrize(
    "text",
    [" + ".join(f"0.5*x{i}" for i in range(5000)), "*".join(f"x{i % 7}" for i in range(5000)),
     "max(" + ", ".join(f"x{i}" for i in range(5000)) + ")", "-" * 5001 + "x0"],
    ids=["sum", "product", "max", "signs"],
)  # fmt: skip
def test_long_flat_formulas_are_read(text):
    expression = parse(text)
    assert parsed_again(expression) == expression
    x = np.linspace(-1, 1, expression.num_inputs)
    assert np.isfinite(expression(x)).all()


def test_a_deep_chain_prints_and_evaluates():
    """Built, not parsed: nothing but the parser is recursive."""
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
    try:
        assert parsed_again(expression) == expression
    except ValueError as error:
        assert "nested deeper" in str(error)


@pytest.mark.parametrize("count", [60])
def test_python_source_of_a_deep_formula_compiles(count):
    builder = ExpressionBuilder()
    node = builder.input(0)
    for _ in range(count):
        node = builder.apply("tanh", builder.affine(0.5, [(1.5, node)]))
    expression = builder.build([node], 1)
    scores = run_source(expression)["scores"]
    assert scores([0.3]) == pytest.approx(expression([0.3]).tolist())


def test_several_formulas_share_their_nodes():
    expression = parse(["sin(x0) + 1", "2*sin(x0)", "x1"])
    assert len(expression) == 3 and expression.num_inputs == 2
    assert sum(isinstance(node, Apply) for node in expression.nodes) == 1
    assert parse("sin(x0)*sin(x0)").operations == 2


def test_names():
    expression = parse("2*`petal length` - sin", names=["petal length", "sin"])
    assert expression.text() == ["2*`petal length` - `sin`"]
    assert expression([3.0, 1.0]).tolist() == [5.0]
    with pytest.raises(ValueError, match="did you mean petal length"):
        parse("`petal lenght`", names=["petal length", "sin"])


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_wrong_names_are_value_errors(names):
    with pytest.raises(ValueError, match="names"):
        parse("x0 + x1").renamed(names)
    with pytest.raises(ValueError):
        parse("a", names=names, num_inputs=2)


@pytest.mark.parametrize("name", ["a`b", "`", "two\nlines"])
def test_names_that_cannot_be_printed_are_refused_or_read_back(name):
    try:
        expression = parse("x0 + 1").renamed([name])
    except ValueError as error:
        assert "name" in str(error)
        return
    assert parsed_again(expression) == expression


def test_number_of_inputs():
    assert parse("x3").num_inputs == 4
    assert parse("x1", num_inputs=7).num_inputs == 7
    assert parse("1").num_inputs == 0
    with pytest.raises(ValueError, match="out of range"):
        parse("x3", num_inputs=3)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_numbers_are_refused(value):
    builder = ExpressionBuilder()
    x = builder.input(0)
    with pytest.raises(ValueError, match="finite"):
        builder.constant(value)
    with pytest.raises(ValueError, match="finite"):
        builder.affine(value, [(1.0, x)])
    with pytest.raises(ValueError, match="finite"):
        builder.affine(0.0, [(value, x)])
    for nodes in ((Constant(value),), (Input(0), Affine(value, ((1.0, 0),))),
                  (Input(0), Affine(0.0, ((value, 0),)))):  # fmt: skip
        with pytest.raises(ValueError, match="finite"):
            Expression(nodes, (len(nodes) - 1,), 1)


@pytest.mark.parametrize(
    ("nodes", "outputs", "message"),
    [
        ((Apply("sin", (0,)),), (0,), "not before it"),
        ((Apply("sin", (1,)), Input(0)), (0,), "not before it"),
        ((Input(0), Apply("sin", (-1,))), (1,), "not before it"),
        ((Input(2),), (0,), "out of range"),
        ((Input(-1),), (0,), "out of range"),
        ((Input(0),), (1,), "out of range"),
        ((Input(0),), (-1,), "out of range"),
        ((Input(0),), (), "at least one output"),
        ((Input(0), Apply("sin", (0, 0))), (1,), "takes 1 arguments"),
        ((Input(0), Apply("sinus", (0,))), (1,), "unknown operator"),
        ((Input(0), Affine(1.0, ())), (1,), "term"),
    ],
)
def test_wrong_tables_are_value_errors(nodes, outputs, message):
    with pytest.raises(ValueError, match=message):
        Expression(nodes, outputs, 2)


def malformed() -> list[str]:
    good = json.loads(parse("2*x0 + sin(x1)").to_json())
    changes: list[dict[str, object]] = [
        {"format": "other"}, {"format": None}, {"version": 2}, {"version": "1"}, {"version": None},
        {"nodes": None}, {"nodes": 5}, {"nodes": [[]]}, {"nodes": [None]}, {"nodes": ["input"]},
        {"nodes": [["input"]]}, {"nodes": [["input", "0"]]}, {"nodes": [["input", 0.5]]},
        {"nodes": [["input", True]]}, {"nodes": [["constant", "1"]]}, {"outputs": []},
        {"nodes": [["constant", None]]}, {"nodes": [["apply", "sin", [0]]]},
        {"nodes": [["apply", "sin", [1]], ["apply", "cos", [0]]], "outputs": [0]},
        {"nodes": [["input", 0], ["apply", "system", [0]]], "outputs": [1]},
        {"nodes": [["input", 0], ["apply", "sin", "0"]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, [[1]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, [[1, 0, 0]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, [[1, 5]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", "0", [[1, 0]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, 3]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, []]], "outputs": [1]},
        {"outputs": None}, {"outputs": [99]}, {"outputs": ["0"]}, {"outputs": 0},
        {"num_inputs": None}, {"num_inputs": -1}, {"num_inputs": 1}, {"num_inputs": "2"},
        {"names": ["a"]}, {"names": ["a", "a"]}, {"names": 3}, {"names": "ab"}, {"names": [1, 2]},
        {"nodes": [["constant", 10**400]], "outputs": [0]},
    ]  # fmt: skip
    texts = [json.dumps({**good, **change}) for change in changes]
    for key in ("format", "version", "nodes", "outputs", "num_inputs", "names"):
        texts.append(json.dumps({k: v for k, v in good.items() if k != key}))
    texts += ["", "{", "[]", "null", "3", '"x0"', "NaN", "[" * 100_000]
    node = '["constant", %s]'
    for value in ("NaN", "Infinity", "-Infinity", "1e999"):
        changed = json.dumps({**good, "nodes": ["HERE"], "outputs": [0]})
        texts.append(changed.replace('"HERE"', node % value))
    return texts


@pytest.mark.parametrize("text", malformed(), ids=range(len(malformed())))
def test_malformed_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        Expression.from_json(text)


def test_json_of_another_version_names_it():
    data = json.loads(parse("x0").to_json())
    with pytest.raises(ValueError, match="version 7"):
        Expression.from_json(json.dumps({**data, "version": 7}))


# --- evaluation --------------------------------------------------------------------------------

SPECIAL = (0.0, 1.0, -1.0, 0.25, -2.5, 3.0, math.inf, -math.inf, math.nan)


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


MIXED = (*SMOOTH, "where", "le", "gt", "xor", "exp")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(expressions(MIXED, small, max_steps=6, all_nodes=True), st.integers(0, 2**32 - 1))
def test_sympy_agrees(expression, seed):
    x = np.random.default_rng(seed).normal(size=(6, expression.num_inputs))
    wanted = expression(x)
    assume((np.abs(wanted) < 1e4).all())
    symbols = sympy.symbols([f"x{i}" for i in range(expression.num_inputs)], real=True)
    for k, form in enumerate(expression.sympy()):
        function = sympy.lambdify(symbols, form, "numpy")
        found = [float(function(*map(np.float64, row))) for row in x]
        np.testing.assert_allclose(found, wanted[:, k], rtol=1e-6, atol=1e-9)


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


# --- rewrites ----------------------------------------------------------------------------------


def same_values(a: Expression, b: Expression, x: np.ndarray, rtol: float = 1e-6) -> None:
    first, second = a(x), b(x)
    keep = np.isfinite(first) & (np.abs(first) < 1e6)
    np.testing.assert_allclose(second[keep], first[keep], rtol=rtol, atol=1e-6)


@many
@given(expressions((*SMOOTH, "div", "where"), small), st.integers(0, 2**32 - 1))
def test_simplified_keeps_the_values(expression, seed):
    x = np.random.default_rng(seed).normal(size=(20, expression.num_inputs))
    # Values near a jump, or of a sum that cancels, are outside "up to rounding".
    everything = Expression(expression.nodes, tuple(range(len(expression.nodes))),
                            expression.num_inputs)(x)  # fmt: skip
    keep = ((np.abs(everything) < 1e4) & ((np.abs(everything) > 1e-6) | (everything == 0))).all(1)
    if "where" in used_operators(expression):
        keep &= (np.abs(everything) > 1e-6).all(1)
    same_values(expression, expression.simplified(), x[keep])


@many
@given(expressions(numbers=any_number))
def test_simplified_is_idempotent(expression):
    try:
        once = expression.simplified()
    except ValueError as error:
        assert "finite" in str(error)  # numbers so large that collecting overflows
        assume(False)
    assert once.simplified() == once


@many
@given(expressions(numbers=small))
def test_simplified_is_idempotent_and_no_longer_on_ordinary_numbers(expression):
    once = expression.simplified()
    assert once.simplified() == once
    assert (once.num_inputs, once.names, len(once)) == (expression.num_inputs, None,
                                                        len(expression))  # fmt: skip
    assert set(once.features) <= set(expression.features)


@pytest.mark.parametrize(
    "text",
    ["1e200*(1e200*x0)", "x0/1e-320", "(1e308*x0 + 1) + (1e308*x0 + 1)", "1e200*x0*(1e200*x1)"],
)
def test_numbers_too_large_to_collect_stay_apart(text):
    expression = parse(text)
    x = np.array([[1e-300, 1e-300], [0.5, -1e-200]])[:, : expression.num_inputs]
    assert expression.simplified().agrees_with(expression, x)


def test_the_largest_number_is_rounded_or_kept():
    expression = parse("1.7976931348623157e308*x0").rounded(1)
    assert np.isfinite(expression([1e-300])).all()


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("x0 + x0", "2*x0"),
        ("2*(3*x0)", "6*x0"),
        ("x0/2", "0.5*x0"),
        ("x0 - x0", "0"),
        ("x0 + x1 - x0", "x1"),
        ("(x0 + x1) + (x1 + 2)", "x0 + 2*x1 + 2"),
        ("3*(x0 - 2*(x1 + 1)) + x1", "3*x0 - 5*x1 - 6"),
        ("(2*x0)*(3*x1)", "6*(x0*x1)"),
        ("-(-x0)", "x0"),
        ("-(-(x0 + x1))", "x0 + x1"),
        ("sin(x0 + x0)", "sin(2*x0)"),
        ("sin(x0) + 2*sin(x0)", "3*sin(x0)"),
        ("max(x0 - x0, x1)", "max(0, x1)"),
        ("(x0 + 0)*1", "x0"),
        ("2*(0.25*(x0 - 8) + 0.5*(x1 - 2)) + 1", "0.5*x0 + x1 - 5"),
    ],
)
def test_simplified_text(text, simple):
    expression = parse(text)
    assert expression.simplified() == parse(simple, num_inputs=expression.num_inputs)


@pytest.mark.parametrize(
    "text", ["(x0 + x1) + (x0 + x1)", "(x0 + x1) - 3*(x0 + x1)", "2*(x0 + 1) + sin(x1)*(x0 + 1)"]
)
def test_simplifying_twice_changes_nothing(text):
    once = parse(text).simplified()
    assert once.simplified() == once


def test_a_shared_sum_is_kept():
    expression = parse(["(x0 + x1 + x2 + 1)*x0 + (x0 + x1 + x2 + 1)", "sin(x0 + x1 + x2 + 1)"])
    assert expression.simplified().operations <= expression.operations


@many
@given(expressions(numbers=any_number), st.integers(1, 6))
def test_rounding_leaves_at_most_that_many_digits(expression, digits):
    try:
        rounded = expression.rounded(digits)
    except ValueError as error:
        assert "finite" in str(error)
        assume(False)
    for node in rounded.nodes:
        values = [node.value] if isinstance(node, Constant) else []
        if isinstance(node, Affine):
            values = [node.constant, *(c for c, _ in node.terms)]
        for value in values:
            assert float(f"{value:.{digits}g}") == value
    assert rounded.rounded(digits) == rounded


@few
@given(expressions((*SMOOTH,), small, max_steps=5), st.integers(0, 2**32 - 1))
def test_rounding_to_many_digits_keeps_the_values(expression, seed):
    x = np.random.default_rng(seed).normal(size=(10, expression.num_inputs))
    same_values(expression, expression.rounded(15), x[np.abs(expression(x)).max(1) < 100], 1e-5)


def test_rounded_numbers():
    expression = parse("123456*x0 + 0.00123456*x1 - 9.9996")
    assert expression.rounded(4).text() == ["123500*x0 + 0.001235*x1 - 10"]
    for digits in (0, -1):
        with pytest.raises(ValueError, match="digits"):
            expression.rounded(digits)


@pytest.mark.parametrize(
    ("text", "features", "operations", "depth", "constants"),
    [
        ("x0", (0,), 0, 0, 0),
        ("5", (), 0, 0, 1),
        ("-x0", (0,), 0, 1, 0),
        ("2*x0", (0,), 1, 1, 1),
        ("x0 + x2", (0, 2), 1, 1, 0),
        ("2*x0 - x1 + 3", (0, 1), 3, 1, 2),
        ("2*x0 - 3*x1 + 4*x2 + 1", (0, 1, 2), 6, 1, 4),
        ("max(x0, x1, x2, 0)", (0, 1, 2), 3, 1, 1),
        ("sin(x0)", (0,), 1, 1, 0),
        ("sin(x0)*sin(x0)", (0,), 2, 2, 0),
        ("sin(2*x0 + 1)", (0,), 3, 2, 2),
        ("3*x0 if x0 > 0 else -x1", (0, 1), 3, 2, 2),
        ("x0**2/3", (0,), 2, 2, 2),
        (["sin(x1) + 1", "2*sin(x1)"], (1,), 3, 2, 2),
        (["x0", "tanh(tanh(tanh(x0)))"], (0,), 3, 3, 0),
    ],
)
def test_counts(text, features, operations, depth, constants):
    expression = parse(text)
    assert expression.features == features
    assert expression.operations == operations
    assert expression.depth == depth
    assert expression.num_constants == constants


@few
@given(expressions(odd_names=True), st.data())
def test_select_and_getitem(expression, data):
    order = data.draw(st.lists(st.integers(0, len(expression) - 1), min_size=1, max_size=5))
    chosen = expression.select(order)
    assert chosen.text() == [expression.text()[k] for k in order]
    assert (chosen.num_inputs, chosen.names) == (expression.num_inputs, expression.names)
    for k in range(len(expression)):
        assert expression[k] == expression.select([k])
        assert expression[k - len(expression)] == expression[k]
    assert expression.select(range(len(expression))) == expression
    assert [part.text()[0] for part in expression] == expression.text()
    for k in (len(expression), -len(expression) - 1):
        with pytest.raises(IndexError):
            expression[k]
        with pytest.raises(IndexError):
            expression.select([k])


def test_select_of_nothing_is_a_value_error():
    with pytest.raises(ValueError, match="output"):
        parse("x0").select([])


@many
@given(expressions(EXACT, dyadic, max_steps=6), st.data())
def test_compose_is_the_function_of_the_function(outer, data):
    # Folding turns 0 * inf into 0, so the inputs are finite here.
    inner = data.draw(expressions(EXACT, dyadic, max_steps=5))
    inner = inner.select([k % len(inner) for k in range(outer.num_inputs)])
    composed = outer.compose(inner)
    x = np.array(data.draw(st.lists(st.lists(dyadic, min_size=inner.num_inputs,
                 max_size=inner.num_inputs), min_size=1, max_size=5)))  # fmt: skip
    middle = inner(x)
    wanted = outer(middle)
    assume(max(np.abs(middle).max(), np.abs(wanted).max()) < 1e6)
    np.testing.assert_array_equal(composed(x), wanted)
    assert (composed.num_inputs, composed.names) == (inner.num_inputs, inner.names)


def test_compose_needs_an_output_per_input():
    with pytest.raises(ValueError, match="composing needs 2 inner outputs"):
        parse("x0 + x1").compose(parse("x0"))
    named = parse("2*a", names=["a", "b"])
    assert parse("sin(x0)").compose(named).text() == ["sin(2*a)"]


def test_agrees_with():
    x = np.array([[1.0, 2.0], [math.nan, 0.0], [math.inf, 1.0]])
    assert parse("x0 + x1").agrees_with(parse("x1 + x0"), x)
    assert parse("x0 + x1").agrees_with(parse("x1 + x0"), torch.tensor(x))
    assert not parse("x0 + x1").agrees_with(parse("x1 + 1.001*x0"), x)
    assert not parse("x0 + x1").agrees_with(parse(["x0 + x1"] * 2), x)


# --- LaTeX, pictures, Python -------------------------------------------------------------------


def braces_balance(latex: str) -> bool:
    level = 0
    for token in re.findall(r"\\.|[{}]", latex):
        level += {"{": 1, "}": -1}.get(token, 0)
        if level < 0:
            return False
    return level == 0


@many
@given(expressions(odd_names=True))
def test_latex_is_balanced(expression):
    for latex in expression.latex():
        assert braces_balance(latex), latex
        assert latex.count(r"\left") == latex.count(r"\right")
        assert latex.count(r"\begin{cases}") == latex.count(r"\end{cases}")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("x0 + 2*x1 - 3", r"x_{0} + 2 \, x_{1} - 3"),
        ("-x0 + 1", r"- x_{0} + 1"),
        ("x0/(x1 + 1)", r"\frac{x_{0}}{x_{1} + 1}"),
        ("(x0 + 1)**2", r"\left(x_{0} + 1\right)^{2}"),
        ("x0**(x1 + 1)", r"x_{0}^{x_{1} + 1}"),
        ("sin(x0)*x1", r"\sin\left(x_{0}\right) \, x_{1}"),
        ("abs(x0 - 1)", r"\left|x_{0} - 1\right|"),
        ("sigmoid(x0)", r"\sigma\left(x_{0}\right)"),
        ("1.5e-7*x0", r"1.5 \cdot 10^{-7} \, x_{0}"),
        ("max(x0, 2)", r"\max\left(x_{0}, 2\right)"),
        ("x10 <= x2", r"x_{10} \leq x_{2}"),
        ("x0 if x1 > 0 else 2",
         r"\begin{cases} x_{0} & \text{if } x_{1} > 0 \\ 2 & \text{otherwise} \end{cases}"),
        ("-(x0 + x1)", r"- \left(x_{0} + x_{1}\right)"),
        ("x0*(x1*x2)", None),
    ],
)  # fmt: skip
def test_latex_strings(text, latex):
    (found,) = parse(text).latex()
    if latex is not None:
        assert found == latex
    assert braces_balance(found)


def test_latex_shows_the_number_that_the_text_shows():
    """What is printed is what classifies; six digits are not all of 1234567.5."""
    expression = parse("1234567.5*x0")
    assert "1234567.5" in expression.text()[0]
    assert (
        "1234567.5" in expression.latex()[0] or r"1.2345675 \cdot 10^{6}" in expression.latex()[0]
    )


@pytest.mark.parametrize("text", ["(-2)**x0", "(x0**x1)**x2", "(x0/x1)**2", "(x0*x1)**2",
                                  "(2*x0)**2", "sin(x0)**2", "(-x0)**2"])  # fmt: skip
def test_latex_encloses_the_base_of_a_power(text):
    (found,) = parse(text, num_inputs=3).latex()
    assert found.startswith(r"\left(") or text.startswith("sin")


@settings(max_examples=30, deadline=None, derandomize=True)
@given(expressions([name for name in ALL if name != "where"], max_steps=6), st.booleans())
def test_mathtext_renders_the_latex(expression, named):
    """matplotlib knows no \\begin{cases}, so formulas without a case distinction."""
    from matplotlib.mathtext import MathTextParser

    names = ["petal length", "a_b", "cost $", "x 1%"][: expression.num_inputs]
    parser = MathTextParser("path")
    for latex in expression.renamed(names if named else None).latex():
        parser.parse(f"${latex}$")


DRAWN = ["2*x0 - x1 + 1", "sin(x0)*sin(x0) + x1", "5", "x0", "x0 if x1 > 0 else max(x0, x1, 2)",
         ["x0 + x1", "x0 + x1", "tanh(3*x0)/x1"]]  # fmt: skip


@pytest.mark.parametrize("text", DRAWN, ids=range(len(DRAWN)))
def test_pictures(text, tmp_path):
    expression = parse(text, num_inputs=2)
    expression.draw(tmp_path / "formula.png")
    assert (tmp_path / "formula.png").read_bytes().startswith(b"\x89PNG")
    expression.draw(tmp_path / "formula.svg", titles=[f"class {k}" for k in range(len(expression))])
    svg = (tmp_path / "formula.svg").read_text()
    assert svg.count("<path") > 3 and "class 0" in svg


def test_pictures_with_odd_names(tmp_path):
    """$, _ and \\ in a name are text, not mathematics."""
    expression = parse("x0 + 2*x1").renamed(["cost $", "a_b \\frac{$"])
    expression.draw(tmp_path / "formula.png", titles=["$x_"])
    assert (tmp_path / "formula.png").stat().st_size > 1000


def test_wrong_numbers_of_titles_and_classes_are_value_errors(tmp_path):
    expression = parse(["x0", "x1"])
    with pytest.raises(ValueError, match="2 outputs need as many titles, got 1"):
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


def test_alphabet_of_letters_is_read():
    """No letter is an operator by chance."""
    names = list(string.ascii_letters)
    expression = parse(" + ".join(names), names=names)
    assert expression.num_inputs == 52 and expression(np.ones(52)).tolist() == [52.0]
    assert set(OPERATORS) & set(names) == set()
