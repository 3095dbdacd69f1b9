"""Compiled bases are their formulas, also at infinities, NaN and zeros; the series are exact."""

from __future__ import annotations

import math
from itertools import product

import mpmath
import numba
import numpy as np
import pytest
import torch

from occamhead.expression import OPERATORS, Expression, Operator, register_operator
from occamhead.network.bases import BASES, Basis, get_basis
from occamhead.search.judging import elementary
from occamhead.search.judging.instructions import (
    BLOCK,
    MUL,
    OPCODES,
    compile_bases,
    evaluate_nodes,
    make_scratch,
)

GRID = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 2.0, 3.0, -20.0, 1e30, -1e30, 1e300, 1e-300,
        math.inf, -math.inf, math.nan)  # fmt: skip
NAMES = [*(name for name, basis in BASES.items() if not basis.start), "add9", "max4", "min3"]


def compute(basis: Basis, arguments: np.ndarray) -> np.ndarray:
    """One node on leaves [arity, B]."""
    instructions = compile_bases([get_basis("add"), basis])
    leaves, columns = arguments.shape
    values = np.full((leaves + 1, columns), 7.0, arguments.dtype)
    values[:-1] = arguments
    children = np.arange(leaves, dtype=np.int32)[None].repeat(leaves + 1, 0)
    evaluate_nodes(
        instructions, np.array([leaves], np.int32), np.array([-1] * leaves + [1], np.int32),
        children, np.arange(leaves + 1, dtype=np.int32), values,
        make_scratch(instructions, values.dtype),
    )  # fmt: skip
    return values[-1]


def arguments_of(arity: int, dtype: type) -> np.ndarray:
    """Singular points in all combinations (in some, for many arguments) and random numbers."""
    generator = np.random.default_rng(arity)
    grid = list(product(GRID, repeat=arity)) if arity < 3 else generator.choice(GRID, (4000, arity))
    with np.errstate(over="ignore"):
        rows = np.concatenate([grid, generator.normal(scale=4, size=(700, arity))]).astype(dtype)
    return np.ascontiguousarray(rows.T)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NAMES)
def test_nodes_are_the_formula(name, dtype):
    basis = get_basis(name)
    arguments = arguments_of(basis.arity, dtype)
    found, wanted = compute(basis, arguments), basis.formula(arguments.T)[:, 0]
    assert found.dtype == wanted.dtype == dtype
    rtol = 1e-13 if dtype == np.float64 else 2e-6
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "text",
    [
        "x", "3", "x*y - 2*x + 0.5", "(x + y)**3/(1 + x**2)", "2**x + x**1.5", "xor(x, y) + x",
        "log(x) if x > 0 else y", "max(x, y, 2*x, 0)", "sin(x)*cos(y) + tanh(x) - sigmoid(y)",
    ],
)  # fmt: skip
def test_what_a_user_registers(text):
    basis = Basis("mine", Expression.parse(text, names=["x", "y"]), 2)
    arguments = arguments_of(2, np.float64)
    wanted = basis.formula(arguments.T)[:, 0]
    np.testing.assert_allclose(compute(basis, arguments), wanted, rtol=1e-12, equal_nan=True)


def test_sums_of_many_are_added_from_left_to_right():
    basis = Basis("sum", Expression.parse(" + ".join(f"{i + 2}*x{i}" for i in range(64))), 64)
    arguments = np.random.default_rng(0).normal(size=(64, 300))
    arguments[60, 5], arguments[63, 7] = math.inf, math.nan
    assert np.array_equal(compute(basis, arguments), basis.formula(arguments.T)[:, 0], True)


def test_a_branch_that_is_not_taken_does_not_leak():
    basis = Basis("guarded", Expression.parse("log(x) if x > 0 else 1", names=["x"]), 1)
    assert compute(basis, np.array([[-1.0, math.e]])).tolist() == [1.0, 1.0]


def test_the_result_of_a_block_does_not_depend_on_its_place():
    basis = get_basis("if_le")
    arguments = np.random.default_rng(0).normal(size=(4, 2 * BLOCK + 3))
    assert np.array_equal(compute(basis, arguments), basis.formula(arguments.T)[:, 0])


@pytest.mark.slow
def test_graphs_children_first_and_what_is_left_out():
    bases = [get_basis(name) for name in ("mul", "add_constant", "cube", "neg")]
    instructions = compile_bases(bases)
    basis = np.array([-1, -1, 0, 1, 3, 2, 0], np.int32)
    children = np.array([[0, 0], [0, 0], [0, 1], [2, 0], [3, 0], [2, 0], [5, 2]], np.int32)
    row = np.array([0, 4, 2, -1, -1, 1, 3], np.int32)  # node 4 is neg of a node without a row
    values = np.full((6, 40), 7.0)
    values[0], values[4] = np.random.default_rng(0).normal(size=(2, 40))
    x, y = values[0].copy(), values[4].copy()
    too_small = np.empty((1, 16))  # then room is made
    evaluate_nodes(instructions, np.arange(7), basis, children, row, values, too_small)
    p = x * y
    assert np.array_equal(values, [x, p * p * p, p, p * p * p * p, y, np.full(40, 7.0)])


def test_layout_of_instructions():
    instructions = compile_bases([get_basis(n) for n in ("square", "affine3", "max4", "identity")])
    assert np.diff(instructions.start).tolist() == [1, 4, 3, 1]
    assert instructions.arity.tolist() == [1, 3, 4, 1]
    assert instructions.num_constants.tolist() == [0, 4, 0, 0]
    assert instructions.opcode[0] == MUL and instructions.reference[:2].tolist() == [0, 0]
    # x0*c1 + x1*c2 + x2*c3 + c0: the constants are inputs 3 (c0) to 6.
    first, last = instructions.first[1], instructions.first[5]
    assert instructions.reference[first:last].tolist() == [0, 4, 1, 5, 2, 6, -1, -2, -3, 3]
    assert set(OPCODES) == {*OPERATORS, "AFFINE", "CONSTANT"}
    assert sorted(OPCODES.values()) == list(range(len(OPCODES)))


def test_an_operator_of_a_user_has_no_compiled_form(monkeypatch):
    monkeypatch.setattr("occamhead.expression.operators.OPERATORS", dict(OPERATORS))
    gauss = Operator(
        "gauss", 1, lambda a: torch.exp(-a * a), lambda a: np.exp(-a * a), "_exp(-{0}*{0})",
        lambda sp, a: sp.exp(-a * a),
    )  # fmt: skip
    monkeypatch.delitem(OPERATORS, "gauss", raising=False)
    register_operator(gauss)
    basis = Basis("bell", Expression.parse("gauss(x)", names=["x"]), 1)
    with pytest.raises(ValueError, match=r"'gauss' of basis 'bell'.*backend=\"torch\""):
        compile_bases([basis])


# --- elementary functions --------------------------------------------------------------------


def loop(function):
    @numba.njit(error_model="numpy")
    def run(a, out):
        for i in range(a.size):
            out[0, i] = function(a[0, i])

    return run


FUNCTIONS = {
    "sin": (lambda a, out: elementary.sines(a, 0, 0, out, 0, a.size), mpmath.sin),
    "cos": (lambda a, out: elementary.sines(a, 0, 1, out, 0, a.size), mpmath.cos),
    "exp": (loop(elementary.exponential), mpmath.exp),
    "log": (loop(elementary.logarithm), mpmath.log),
    "tanh": (loop(elementary.hyperbolic_tangent), mpmath.tanh),
    "sigmoid": (loop(elementary.sigmoid), lambda x: 1 / (1 + mpmath.exp(-x))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_to_three_units_in_the_last_place(name):
    run, exact = FUNCTIONS[name]
    generator = np.random.default_rng(0)
    x = np.concatenate(
        [
            generator.uniform(-8, 8, 2000),
            generator.normal(size=1000) * 10.0 ** generator.uniform(-12, 6, 1000),
            1 + 1e-3 * generator.normal(size=500),
            generator.integers(-60000, 60000, 500) * math.pi / 2,  # next to the zeros
            [-745.0, -700.0, 700.0, 709.7, 5e-324, 1e-310, 1e22, math.pi],
        ]
    )
    x = np.abs(x) if name == "log" else x[np.abs(x) < 709.78] if name in ("exp", "sigmoid") else x
    found = np.empty((1, x.size))
    run(x[None], found)
    with mpmath.workprec(200):
        for argument, value in zip(x, found[0], strict=True):
            wanted = exact(mpmath.mpf(float(argument)))
            unit = mpmath.mpf(float(np.spacing(abs(float(wanted)))))
            assert abs(mpmath.mpf(float(value)) - wanted) <= 3 * unit, argument


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_at_singular_points(name):
    run, _ = FUNCTIONS[name]
    x = np.array([[*GRID, 710.0, -746.0, -1e-310]])
    found = np.empty(x.shape)
    run(x, found)
    with np.errstate(all="ignore"):
        wanted = OPERATORS[name].numpy(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-15, atol=0, equal_nan=True)
    defined = ~np.isnan(wanted)
    assert np.array_equal(np.signbit(found[defined]), np.signbit(wanted[defined]))
