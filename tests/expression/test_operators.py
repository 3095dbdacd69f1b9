"""Every operator: torch, numpy, plain Python and sympy are one function; soft forms are tame."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import sympy
import torch
from torch import Tensor

from occamhead.expression import (
    OPERATORS,
    Expression,
    ExpressionBuilder,
    Operator,
    get_operator,
    register_operator,
)

GRID = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, -20.0, -60.0, 1e30, -1e30, 1e300, 1e-300,
        math.inf, -math.inf, math.nan)  # fmt: skip
CASES = [
    (name, arity)
    for name, operator in OPERATORS.items()
    for arity in ([operator.arity] if operator.arity else [2, 3])
]
operators = pytest.mark.parametrize(("name", "arity"), CASES)


def grid(arity: int, values: tuple[float, ...] = GRID) -> list[tuple[float, ...]]:
    return list(product(values if arity < 3 else (*values[::2], math.nan), repeat=arity))


def formula(name: str, arity: int) -> Expression:
    builder = ExpressionBuilder()
    inputs = [builder.input(i) for i in range(arity)]
    return builder.build([builder.apply(name, *inputs)], arity)


def scores_of(source: str):
    """The function that a generated source defines, run in an empty namespace."""
    tree = ast.parse(source)
    modules = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert modules <= {"math"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    namespace: dict[str, object] = {}
    exec(compile(tree, "formula", "exec"), namespace)
    return namespace["scores"]


@operators
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_is_numpy(name, arity, dtype):
    columns = torch.tensor(grid(arity), dtype=dtype).unbind(1)
    found = OPERATORS[name].torch(*columns)
    with np.errstate(all="ignore"):
        wanted = OPERATORS[name].numpy(*(column.numpy() for column in columns))
    assert found.dtype == dtype and wanted.dtype == columns[0].numpy().dtype
    rtol = 2e-6 if dtype == torch.float32 else 1e-13
    np.testing.assert_allclose(found.numpy(), wanted, rtol=rtol, atol=0, equal_nan=True)


@operators
def test_python_source_is_numpy(name, arity):
    expression, rows = formula(name, arity), grid(arity)
    scores = scores_of(expression.python())
    found = np.array([scores(row) for row in rows])
    np.testing.assert_allclose(found, expression(rows), rtol=1e-13, atol=0, equal_nan=True)


@operators
def test_module_is_numpy(name, arity):
    expression, rows = formula(name, arity), grid(arity)
    found = expression(torch.tensor(rows, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found, expression(rows), rtol=1e-13, atol=0, equal_nan=True)


@operators
def test_sympy_is_numpy_where_both_are_defined(name, arity):
    expression = formula(name, arity)
    (form,) = expression.sympy()
    symbols = sympy.symbols([f"x{i}" for i in range(arity)], real=True)
    function = sympy.lambdify(symbols, form, "numpy")
    compared = 0
    for row in product((-2.5, -1.0, 0.0, 0.5, 1.0, 3.0), repeat=arity):
        (wanted,) = expression(row)
        if math.isfinite(wanted):
            assert function(*map(np.float64, row)) == pytest.approx(wanted, rel=1e-12, abs=1e-15)
            compared += 1
    defined = 1 if name == "choose" else 3  # of an index: 0
    assert compared >= defined * 3 ** (arity - 1)


@operators
def test_text_json_and_latex(name, arity):
    expression = formula(name, arity)
    assert Expression.parse(expression.text(), num_inputs=arity) == expression
    assert Expression.from_json(expression.to_json()) == expression
    assert all(f"x_{{{i}}}" in expression.latex()[0] for i in range(arity))
    assert expression.operations == (arity - 1 if OPERATORS[name].is_reduction else 1)
    assert expression.depth == 1


@pytest.mark.parametrize("name", [n for n, o in OPERATORS.items() if o.commutative])
def test_commutative_operators_commute(name):
    columns = torch.tensor(grid(2), dtype=torch.float64).unbind(1)
    swapped = OPERATORS[name].torch(*reversed(columns))
    assert torch.equal(OPERATORS[name].torch(*columns).nan_to_num(7.5), swapped.nan_to_num(7.5))


@pytest.mark.parametrize("name", [n for n, o in OPERATORS.items() if o.kind == "condition"])
def test_conditions_are_zero_or_one(name):
    values = OPERATORS[name].torch(*torch.tensor(grid(2)).unbind(1))
    assert set(values.tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_residues_of_whole_numbers_are_those_of_python(dtype):
    largest = 2**23 if dtype == torch.float32 else 2**52
    near = [sign * (end - k) for end in (20, largest) for k in range(19) for sign in (1, -1)]
    rng = np.random.default_rng(0)
    rows = [(a, b) for a in near for b in (-7, -3, -2, -1, 1, 2, 3, 10, 2**20)]
    rows += rng.integers([-largest, 1], [largest, 10**6], (2000, 2)).tolist()
    expression = Expression.parse(["x0 // x1", "x0 % x1"])
    found = expression(torch.tensor(rows, dtype=dtype)).tolist()
    assert found == [list(divmod(a, b)) for a, b in rows]
    scores = scores_of(expression.python())
    assert [scores(row) for row in rows] == [list(divmod(a, b)) for a, b in rows]


def test_residues_by_zero():
    """As of arrays: the quotient is that of a division, the residue is none."""
    found = Expression.parse(["x0 // 0", "x0 % 0"])([[3.0], [-3.0], [0.0]])
    wanted = [[math.inf, math.nan], [-math.inf, math.nan], [math.nan, math.nan]]
    np.testing.assert_array_equal(found, wanted)


def test_choices_by_number_and_none_where_there_is_none():
    expression = Expression.parse("choose(x0, x1, 7, x1*x1)")
    assert expression.text() == ["choose(x0, x1, 7, x1*x1)"]
    index = [0.0, -0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 1 + 2**-52, 1e30, math.inf, -math.inf, math.nan]
    rows = [[number, 5.0] for number in index]
    wanted = [[5.0], [5.0], [7.0], [25.0]] + [[math.nan]] * 8
    np.testing.assert_array_equal(expression(rows), wanted)
    found = expression(torch.tensor(rows, dtype=torch.float64))
    np.testing.assert_array_equal(found.numpy(), wanted)
    scores = scores_of(expression.python())
    np.testing.assert_array_equal([scores(row) for row in rows], wanted)
    # Other choices than the chosen one do not matter, be they NaN or infinite.
    assert Expression.parse("choose(x0, 1, x1)")([[0.0, math.nan]]).tolist() == [[1.0]]


def test_only_the_chosen_has_a_gradient():
    x = torch.tensor([[1.0, 3.0, 4.0], [2.0, 3.0, 4.0], [0.5, 3.0, 4.0]], requires_grad=True)
    Expression.parse("choose(x0, x1, x2*x2, 5*x1)")(x).nansum().backward()
    assert x.grad is not None and x.grad.tolist() == [[0, 0, 8], [0, 5, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("3*x0 % 2", "(3*x0) % 2"),
        ("3*(x0 % 2)", "3*(x0 % 2)"),
        ("-x0 % 2", "(-x0) % 2"),
        ("-(x0 % 2) + x1", "-(x0 % 2) + x1"),
        ("x1 - x0 // 2 + x0 % 4", "x1 - (x0 // 2) + x0 % 4"),
        ("x0*x1 // 2 % x2*x1", "(x0*x1 // 2 % x2)*x1"),
        ("x0 // (x1*x2)", "x0 // (x1*x2)"),
        ("x0 % (-2) == 1", "x0 % (-2) == 1"),
        ("x0 % x1**2", "x0 % x1**2"),
        ("(x0 + x1) // 2**x2 % 2", "(x0 + x1) // 2**x2 % 2"),
    ],
)
def test_text_of_residues_binds_as_in_python(text, printed):
    expression = Expression.parse(text, num_inputs=3)
    assert expression.text() == [printed]
    assert Expression.parse(printed, num_inputs=3) == expression
    for x0, x1, x2 in product((-5, 2, 7), (1, 3), (1, 2)):
        wanted = eval(text, {"x0": x0, "x1": x1, "x2": x2})
        assert expression([x0, x1, x2]).tolist() == [wanted]


# --- soft forms --------------------------------------------------------------------------------

SOFT = [name for name, operator in OPERATORS.items() if operator.soft]
REGULAR = {
    "div": [(a, b) for a in (-2.0, 0.0, 5.0) for b in (-3.0, -0.01, 0.01, 40.0)],
    "exp": [(a,) for a in (-29.0, -1.0, 0.0, 1.0, 29.0)],
    "log": [(a,) for a in (1e-5, 0.5, 1.0, 1e20)],
    "pow": [(a, b) for a in (0.1, 1.0, 2.0, 7.0) for b in (-3.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)]
    + [(a, b) for a in (-0.1, -1.0, -2.0) for b in (-3.0, -2.0, 0.0, 1.0, 2.0, 5.0)],
    "floordiv": [(a, b) for a in (-7.0, -2.5, 1.0, 6.5) for b in (-3.0, -0.01, 2.0, 40.0)],
    "mod": [(a, b) for a in (-7.0, -2.5, 1.0, 6.5) for b in (-3.0, -0.01, 2.0, 40.0)],
    "choose": [(k, a, b) for k in (0.0, 1.0) for a in (-2.5, 3.0) for b in (-3.0, 7.5)],
}


def test_soft_forms_are_tested():
    assert set(SOFT) == set(REGULAR)


@pytest.mark.parametrize("name", SOFT)
def test_soft_form_and_its_gradient_are_exact_away_from_singular_points(name):
    operator = OPERATORS[name]
    columns = torch.tensor(REGULAR[name], dtype=torch.float64).unbind(1)

    def with_gradient(form) -> list[Tensor]:
        args = [column.clone().requires_grad_() for column in columns]
        value = form(*args)
        value.sum().backward()
        # The exponent of a negative base has no derivative.
        keep = columns[0] >= 0 if name == "pow" else torch.ones_like(columns[0], dtype=torch.bool)
        # What only chooses has no gradient.
        slopes = [torch.zeros_like(arg) if arg.grad is None else arg.grad for arg in args]
        return [value, *(slope[keep if i else slice(None)] for i, slope in enumerate(slopes))]

    for soft, exact in zip(with_gradient(operator.soft), with_gradient(operator.torch),
                           strict=True):  # fmt: skip
        torch.testing.assert_close(soft, exact, rtol=1e-12, atol=1e-14)


@operators
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_training_form_has_finite_values_and_gradients(name, arity, dtype):
    operator = OPERATORS[name]
    points = (0.0, -0.0, -1.0, 1.0, 1e-30, 2.5, 1e18, -1e18)
    if arity == 1 or operator.soft:
        points += (1e30, -1e30)
    args = torch.tensor(grid(arity, points), dtype=dtype).nan_to_num(-1.0).requires_grad_()
    value = (operator.soft or operator.torch)(*args.unbind(1))
    assert value.isfinite().all()
    if value.requires_grad:  # comparisons have no gradient
        value.sum().backward()
        assert args.grad is not None and args.grad.isfinite().all()
    else:
        assert operator.kind == "condition"


# --- arities, the registry ---------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
def test_arity_errors(name):
    operator = OPERATORS[name]
    for count in (0, 1, 2, 3, 4):
        if count == operator.arity or (operator.arity is None and count >= 2):
            operator.check_arity(count)
            continue
        with pytest.raises(ValueError, match=rf"{name}.*takes .* arguments, got {count}"):
            operator.check_arity(count)
        builder = ExpressionBuilder()
        with pytest.raises(ValueError, match="arguments"):
            builder.apply(name, *[builder.input(0)] * count)
        if count:
            with pytest.raises(ValueError, match=r"arguments, got .* at position 0"):
                Expression.parse(f"{name}({', '.join(['x0'] * count)})")


def test_unknown_operator_lists_near_names():
    with pytest.raises(ValueError, match="did you mean tanh"):
        get_operator("tahn")
    with pytest.raises(ValueError, match="known: abs"):
        get_operator("qqqq")


@pytest.mark.parametrize("name", ["", "two words", "1st", "a-b"])
def test_operator_names_are_identifiers(name):
    with pytest.raises(ValueError, match="identifier"):
        register_operator(replace(OPERATORS["sin"], name=name))
    assert name not in OPERATORS


def test_taken_names_are_refused():
    with pytest.raises(ValueError, match="exists already"):
        register_operator(replace(OPERATORS["cos"], name="sin"))
    assert register_operator(OPERATORS["sin"]) is OPERATORS["sin"]


@pytest.fixture
def softplus():
    operator = Operator(
        "softplus",
        1,
        torch.nn.functional.softplus,
        lambda a: np.logaddexp(0, a),
        python="_softplus({0})",
        helpers=("def _softplus(a):\n    return max(a, 0) + math.log1p(math.exp(-abs(a)))",),
        sympy=lambda sp, a: sp.log(1 + sp.exp(a)),
        latex="\\zeta\\left({0}\\right)",
    )
    register_operator(operator)
    yield operator
    del OPERATORS["softplus"]


def test_a_new_operator_is_known_everywhere(softplus):
    expression = Expression.parse("2*softplus(x0 - x1) + softplus(x1)**2")
    assert expression.text() == ["2*softplus(x0 - x1) + softplus(x1)**2"]
    assert Expression.from_json(expression.to_json()) == expression
    x = np.array([[0.5, -1.0], [3.0, 2.0], [-700.0, 1.0]])
    wanted = 2 * np.logaddexp(0, x[:, 0] - x[:, 1]) + np.logaddexp(0, x[:, 1]) ** 2
    np.testing.assert_allclose(expression(x)[:, 0], wanted)
    np.testing.assert_allclose(expression(torch.tensor(x))[:, 0].numpy(), wanted)
    scores = scores_of(expression.python())
    np.testing.assert_allclose([scores(row)[0] for row in x], wanted)
    assert r"\zeta\left(" in expression.latex()[0]
    found = sympy.lambdify(sympy.symbols("x0 x1", real=True), expression.sympy()[0])
    np.testing.assert_allclose([found(*row) for row in x[:2]], wanted[:2])
    assert expression.simplified().agrees_with(expression, x)


def test_an_unregistered_operator_is_gone():
    with pytest.raises(ValueError, match="softplus"):
        Expression.parse("softplus(x0)")


def test_a_new_infix_operator_reads_back_or_is_refused():
    operator = Operator(
        "power", 2, torch.pow, np.power, python="({0} ^ {1})", infix="^",
        sympy=lambda sp, a, b: sp.Pow(a, b),
    )  # fmt: skip
    try:
        register_operator(operator)
    except ValueError as error:
        assert "infix" in str(error)
        return
    try:
        expression = formula("power", 2)
        assert Expression.parse(expression.text()) == expression
    finally:
        del OPERATORS["power"]
