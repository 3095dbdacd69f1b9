"""Constants are found again, derivatives are torch's, and undefined functions are left alone."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
import torch

from occamhead.expression import OPERATORS, Expression
from occamhead.network.bases import BASES, Basis, get_basis
from occamhead.search.judging.instructions import BLOCK, compile_bases
from occamhead.search.judging.least_squares import constant_nodes, evaluate_functions, fit_constants
from occamhead.search.judging.tape import Tape, backward, forward, load, record

MAX_CONSTANTS = 24
NAMES = [*BASES, "affine3", "tanh_affine3", "add9", "max4"]


class Graph:
    """A small node store: leaves are rows of numbers, other nodes apply a basis."""

    def __init__(self, leaves: np.ndarray, *bases: str | Basis) -> None:
        self.bases = [get_basis(basis) for basis in bases]
        self.instructions = compile_bases(self.bases)
        count = len(leaves)
        self.basis, self.num_constants, self.row = [-1] * count, [0] * count, list(range(count))
        self.children, self.values = [[0] * 64 for _ in leaves], list(leaves)

    def add(self, name: str | Basis, *children: int) -> int:
        basis = get_basis(name)
        number = self.bases.index(basis)
        constants = basis.num_constants + sum(self.num_constants[child] for child in children)
        self.basis.append(number)
        self.children.append([*children, *[0] * (64 - len(children))])
        self.num_constants.append(constants)
        self.row.append(-1 if constants else len(self.values))
        if not constants:
            rows = np.stack([self.values[self.row[child]] for child in children], axis=-1)
            self.values.append(basis.formula(rows)[..., 0])
        return len(self.basis) - 1

    def arrays(self) -> tuple[np.ndarray, ...]:
        integers = (self.basis, self.children, self.num_constants, self.row)
        return *(np.array(each, np.int32) for each in integers), np.array(self.values)

    def fit(
        self, roots, targets, start=None, *, scaled=False, weights=None, iterations=60, redraws=100,
        outputs=None, seed=0, most=MAX_CONSTANTS,
    ):  # fmt: skip
        roots, targets = np.array(roots, np.int32), np.atleast_2d(targets)
        starts = np.full((len(roots), most), np.nan)
        if start is not None:
            starts[:, : len(start)] = start
        basis_start = np.zeros((len(self.bases), 1 + max(b.num_constants for b in self.bases)))
        for number, basis in enumerate(self.bases):
            basis_start[number, : basis.num_constants] = basis.start
        outputs = np.zeros(len(roots), np.int32) if outputs is None else np.array(outputs, np.int32)
        weights = np.ones(targets.shape[1]) if weights is None else weights
        codes = np.arange(len(self.basis), dtype=np.uint64)
        return fit_constants(
            self.instructions, roots, outputs, *self.arrays(), targets, weights, starts,
            basis_start, scaled, iterations, seed, codes, redraws,
        )  # fmt: skip

    def compute(self, root: int, constants: np.ndarray, scaled: bool = False) -> np.ndarray:
        *nodes, values = self.arrays()
        out = np.empty((1, values.shape[1]))
        evaluate_functions(
            self.instructions, np.array([root], np.int32), np.atleast_2d(constants), *nodes, values,
            scaled, out,
        )  # fmt: skip
        return out[0]

    def tape(self, root: int, scaled: bool = False) -> Tape:
        basis, children, num_constants, row, _ = self.arrays()
        nodes = np.empty(50, np.int64)
        found = constant_nodes(root, basis, children, num_constants, self.instructions, nodes)
        return record(root, nodes[:found], basis, children, row, self.instructions, scaled)

    def derivatives(self, root: int, constants: np.ndarray) -> np.ndarray:
        """By each constant, [constants, B]; B at most BLOCK."""
        tape, values = self.tape(root), np.array(self.values)
        size, columns = tape.num_constants + tape.opcode.size, values.shape[1]
        memory = np.full((size + tape.leaf.size, columns), np.nan)
        memory[: tape.num_constants] = constants[:, None]
        load(tape, values, 0, memory, columns)
        forward(tape, memory, columns)
        adjoint = np.full((size + 1, columns), np.nan)
        adjoint[size - 1] = 1.0
        backward(tape, memory, adjoint, columns)
        return adjoint[: tape.num_constants]


def relative(errors: np.ndarray, target: np.ndarray) -> float:
    return float(errors[0] / np.sum(target**2))


def inputs(count: int, rows: int = 200, low: float = -2, high: float = 2) -> np.ndarray:
    return np.random.default_rng(count).uniform(low, high, (count, rows))


# --- values and derivatives ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_values_of_bases_of_constants(name):
    """Every argument is c*x, so that every instruction runs on the tape."""
    basis = get_basis(name)
    special = [0.0, -1.0, 1.0, math.inf, -math.inf, math.nan, 1e300, -700.0]
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    leaves = np.concatenate(
        [generator.choice(special, (basis.arity, 300)), inputs(basis.arity)], axis=1
    )
    graph = Graph(leaves, basis, "mul_constant")
    root = graph.add(basis, *(graph.add("mul_constant", i) for i in range(basis.arity)))
    constants = generator.choice([-1.5, 0.5, 2.0, 1.0], basis.arity + basis.num_constants)
    scales, own = constants[: basis.arity], constants[basis.arity :]
    with np.errstate(invalid="ignore"):
        arguments = [*(leaves * scales[:, None]), *np.broadcast_to(own[:, None], (own.size, 500))]
    wanted = basis.formula(np.stack(arguments, -1))[:, 0]
    found = graph.compute(root, constants)
    np.testing.assert_allclose(found, wanted, rtol=1e-13, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_torch(name):
    basis = get_basis(name)
    leaves = inputs(basis.arity)
    graph = Graph(leaves, basis, "mul_constant")
    root = graph.add(basis, *(graph.add("mul_constant", i) for i in range(basis.arity)))
    constants = np.linspace(0.7, 1.6, basis.arity + basis.num_constants)
    if name in ("pow", "pow_constant"):
        graph.values[0] = np.abs(graph.values[0]) + 0.1
    values = torch.tensor(np.array(graph.values[: basis.arity])).T

    def function(given: torch.Tensor) -> torch.Tensor:
        own = given[basis.arity :].expand(len(values), -1)
        return basis.formula(torch.cat([values * given[: basis.arity], own], 1))[:, 0]

    wanted = torch.autograd.functional.jacobian(function, torch.tensor(constants)).numpy().T
    found = graph.derivatives(root, constants)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("operator", OPERATORS)
def test_derivatives_are_finite_differences(operator):
    arity = OPERATORS[operator].arity or 3
    names = [f"x{i}" for i in range(arity)]
    basis = Basis("one", Expression.parse(_text(operator, names), names=names), arity)
    leaves = inputs(arity, low=0.3)
    graph = Graph(leaves, basis, "mul_constant")
    root = graph.add(basis, *(graph.add("mul_constant", i) for i in range(arity)))
    constants, step = np.linspace(0.7, 1.3, arity), 1e-6
    found = graph.derivatives(root, constants)
    for i in range(arity):
        shift = step * (np.arange(arity) == i)
        above, below = (
            graph.compute(root, constants + shift),
            graph.compute(root, constants - shift),
        )
        np.testing.assert_allclose(found[i], (above - below) / (2 * step), rtol=1e-6, atol=1e-8)


def _text(operator: str, names: list[str]) -> str:
    symbol = OPERATORS[operator].infix
    if operator == "where":
        return f"{names[1]} if {names[0]} > 1 else {names[2]}*{names[2]}"
    if operator == "choose":
        return f"choose({names[0]} > 1, {names[1]}, {names[2]}*{names[2]})"
    return f" {symbol} ".join(names) if symbol else f"{operator}({', '.join(names)})"


def test_derivatives_of_a_branch_that_is_not_taken_do_not_leak():
    basis = Basis("guarded", Expression.parse("log(x) if x > 0 else 0*x", names=["x"]), 1)
    graph = Graph(np.array([[-1.0, 0.0, 2.0]]), basis, "mul_constant")
    root = graph.add(basis, graph.add("mul_constant", 0))
    assert graph.derivatives(root, np.array([2.0])).tolist() == [[0.0, 0.0, 0.5]]


def test_the_derivative_by_an_exponent_is_zero_where_the_base_is_not_positive():
    graph = Graph(np.array([[-3.0, 0.0, math.e]]), "pow_constant")
    found = graph.derivatives(graph.add("pow_constant", 0), np.array([2.0]))
    np.testing.assert_allclose(found, [[0.0, 0.0, math.e**2]], rtol=1e-14)


# --- which nodes, which constants ------------------------------------------------------------


def test_constant_nodes_are_distinct_and_in_postorder():
    graph = Graph(inputs(2), "add", "mul", "sin", "add_constant", "affine2")
    free = graph.add("sin", 0)
    shared = graph.add("add_constant", free)
    left = graph.add("mul", shared, graph.add("sin", shared))
    right = graph.add("affine2", shared, 1)
    root = graph.add("add", right, left)
    basis, children, num_constants, _, _ = graph.arrays()
    out = np.empty(5, np.int64)
    given = (basis, children, num_constants, graph.instructions)
    assert constant_nodes(root, *given, out) == 5
    assert out.tolist() == [shared, right, left - 1, left, root]
    assert constant_nodes(root, *given, out[:4]) == -1
    assert constant_nodes(root, *given, out[:0]) == -1
    assert constant_nodes(free, *given, out) == 0
    # The constants in that order: c of the shared node, then c0, c1, c2 of the sum.
    x, y = graph.values[:2]
    s = np.sin(x) + 3.0
    wanted = (5.0 * s + 7.0 * y + 11.0) + s * np.sin(s)
    np.testing.assert_allclose(graph.compute(root, [3.0, 11.0, 5.0, 7.0]), wanted, rtol=1e-13)


@pytest.mark.parametrize(
    ("text", "linear"),
    [("x*a + y*b", True), ("a/y", True), ("y/a", False), ("a*b", False), ("(a + 2*b)*x/y", True),
     ("sin(x)*a - b", True), ("sin(a)", False), ("a*x + a*b", False), ("max(a, x)", False)],
)  # fmt: skip
def test_what_is_linear_in_its_constants(text, linear):
    basis = Basis("any", Expression.parse(text, names=["x", "y", "a", "b"]), 2, (1.0, 1.0))
    graph = Graph(inputs(2), basis)
    assert graph.tape(graph.add(basis, 0, 1)).linear is linear


# --- fits ------------------------------------------------------------------------------------


def test_a_power_law_is_found():
    x = inputs(1, low=0.1, high=1.0)
    graph, target = Graph(x, "mul_constant", "pow_constant"), 10.5 * x[0] ** 3.1
    root = graph.add("mul_constant", graph.add("pow_constant", 0))
    constants, errors = graph.fit([root], target)
    np.testing.assert_allclose(constants[0, :2], [3.1, 10.5], rtol=1e-11)
    assert relative(errors, target) < 1e-24 and np.isnan(constants[0, 2:]).all()


def test_a_sine_is_found_from_near():
    x = inputs(1)
    graph, target = Graph(x, "sin", "add_constant", "mul_constant"), np.sin(2.3 * x[0] + 0.7)
    root = graph.add("sin", graph.add("add_constant", graph.add("mul_constant", 0)))
    constants, errors = graph.fit([root], target, [2.0, 0.4])
    np.testing.assert_allclose(constants[0, :2], [2.3, 0.7], rtol=1e-11)
    assert relative(errors, target) < 1e-24


@pytest.mark.parametrize("rows", [100, BLOCK, 2 * BLOCK + 5])
def test_an_exponential_is_found_whatever_the_number_of_blocks(rows):
    x = inputs(1, rows, 0, 3)
    graph, target = Graph(x, "exp", "neg", "mul_constant"), 4.0 * np.exp(-1.7 * x[0])
    root = graph.add(
        "mul_constant", graph.add("exp", graph.add("neg", graph.add("mul_constant", 0)))
    )
    constants, errors = graph.fit([root], target)
    np.testing.assert_allclose(constants[0, :2], [1.7, 4.0], rtol=1e-11)
    np.testing.assert_allclose(graph.compute(root, constants), target, rtol=1e-11)
    assert relative(errors, target) < 1e-24


def test_a_sum_of_seventeen_terms_takes_two_steps():
    x = inputs(17)
    graph, wanted = Graph(x, "affine17"), np.linspace(-3, 5, 18)
    target = wanted[1:] @ x + wanted[0]
    constants, errors = graph.fit([graph.add("affine17", *range(17))], target, iterations=2)
    np.testing.assert_allclose(constants[0, :18], wanted, rtol=1e-12)
    assert relative(errors, target) < 1e-24


def test_noise_and_weights_as_numpy_solves_it():
    generator, x = np.random.default_rng(1), inputs(4)
    target, weights = generator.normal(size=200), generator.uniform(0, 2, 200)
    weights[:50] = 0.0
    graph = Graph(x, "affine4")
    constants, errors = graph.fit([graph.add("affine4", 0, 1, 2, 3)], target, weights=weights)
    design = np.vstack([np.ones(200), x]).T * np.sqrt(weights)[:, None]
    wanted, residual, _, _ = np.linalg.lstsq(design, target * np.sqrt(weights), rcond=None)
    np.testing.assert_allclose(constants[0, :5], wanted, rtol=1e-10)
    np.testing.assert_allclose(errors, residual, rtol=1e-12)


def test_equal_terms_share_their_coefficient():
    x = inputs(1)
    graph, target = Graph(x, "affine3"), 5 * x[0] + 1
    constants, errors = graph.fit([graph.add("affine3", 0, 0, 0)], target)
    assert relative(errors, target) < 1e-24
    np.testing.assert_allclose(constants[0, 1:4].sum(), 5, rtol=1e-12)


def test_columns_of_very_different_size():
    x = inputs(3) * np.array([[1e-6], [1.0], [1e7]])
    graph, target = Graph(x, "affine3"), 3e6 * x[0] + x[1] - 2e-7 * x[2] + 9
    constants, errors = graph.fit([graph.add("affine3", 0, 1, 2)], target)
    np.testing.assert_allclose(constants[0, :4], [9, 3e6, 1, -2e-7], rtol=1e-10)
    assert relative(errors, target) < 1e-24


def test_slope_and_intercept_come_last():
    x = inputs(1)
    graph, target = Graph(x, "sin", "mul_constant", "square"), 4 * np.sin(2.3 * x[0]) - 1
    root = graph.add("sin", graph.add("mul_constant", 0))
    constants, errors = graph.fit([root], target, [2.0], scaled=True)
    np.testing.assert_allclose(constants[0, :3], [2.3, 4, -1], rtol=1e-11)
    np.testing.assert_allclose(graph.compute(root, constants, True), target, rtol=1e-10, atol=1e-12)
    target = 6 * x[0] ** 2 + 2  # of a function without constants of its own
    constants, errors = graph.fit([graph.add("square", 0)], target, scaled=True)
    np.testing.assert_allclose(constants[0, :2], [6, 2], rtol=1e-12)
    assert relative(errors, target) < 1e-24


def test_a_scaled_sum_is_found_though_its_slope_is_redundant():
    x = inputs(2)
    graph, target = Graph(x, "affine2"), 2 * x[0] - 3 * x[1] + 4
    _, errors = graph.fit([graph.add("affine2", 0, 1)], target, scaled=True)
    assert relative(errors, target) < 1e-24


def test_without_constants_the_error_is_what_it_is():
    x = inputs(1)
    graph = Graph(x, "square", "add_constant")
    constants, errors = graph.fit([graph.add("square", 0)], x[0])
    np.testing.assert_allclose(errors, [np.sum((x[0] ** 2 - x[0]) ** 2)], rtol=1e-13)
    assert np.isnan(constants).all()


def test_each_function_has_its_output():
    x = inputs(2)
    graph = Graph(x, "affine1")
    roots = [graph.add("affine1", 0), graph.add("affine1", 1), graph.add("affine1", 0)]
    targets = np.stack([2 * x[0] + 1, 3 * x[1] - 1])
    constants, errors = graph.fit(roots, targets, outputs=[0, 1, 1])
    np.testing.assert_allclose(constants[:2, :2], [[1, 2], [-1, 3]], rtol=1e-12)
    assert max(errors[:2]) < 1e-24 * np.sum(targets**2) and errors[2] > 1


def test_a_float32_store_and_more_columns_than_targets():
    x = inputs(1, 60)
    graph = Graph(x, "affine1")
    root = graph.add("affine1", 0)
    graph.values = [row.astype(np.float32) for row in graph.values]
    target = 2 * graph.values[0][:40].astype(float) + 1
    constants, errors = graph.fit([root], target)
    np.testing.assert_allclose(constants[0, :2], [1, 2], rtol=1e-12)
    assert relative(errors, target) < 1e-24


# --- undefined functions (supplement F) --------------------------------------------------------


@pytest.mark.parametrize("start", [1.5, 1.0, 3.0, -2.5])
@pytest.mark.parametrize("low", [-2.0, -3.0])
def test_the_power_of_negative_numbers_is_found(start, low):
    x = inputs(1, low=low, high=low + 3)
    graph, target = Graph(x, "pow_constant"), x[0] ** 2
    constants, errors = graph.fit([graph.add("pow_constant", 0)], target, [start])
    assert constants[0, 0] == 2.0 and errors[0] == 0.0


def test_without_redraws_a_function_that_is_undefined_at_its_start_stays_so():
    graph = Graph(inputs(1), "pow_constant")
    root = graph.add("pow_constant", 0)
    constants, errors = graph.fit([root], np.ones(200), [1.5], redraws=0)
    assert errors[0] == math.inf and constants[0, 0] == 1.5


def test_undefined_for_all_constants():
    x = inputs(1)
    graph = Graph(x, "mul_constant", "sub", "div", "log_abs", "mul")
    zero = graph.add("sub", 0, 0)
    with np.errstate(all="ignore"):
        root = graph.add("div", graph.add("mul_constant", 0), zero)
    _, errors = graph.fit([root], np.ones(200))
    _, scaled_errors = graph.fit([root], np.ones(200), scaled=True)
    assert errors[0] == scaled_errors[0] == math.inf


def test_a_step_to_undefined_values_is_not_taken():
    x = inputs(1, low=0.01, high=1.0)
    log = Basis("log_of", Expression.parse("log(x + c)", names=["x", "c"]), 1, (1.0,))
    graph, target = Graph(x, log), np.log(x[0])  # the best c is 0, next to where it ends
    constants, errors = graph.fit([graph.add(log, 0)], target, redraws=0)
    assert abs(constants[0, 0]) < 1e-9 and relative(errors, target) < 1e-16


def test_redraws_depend_on_the_seed_and_the_function_alone():
    x = inputs(1)
    graph = Graph(x, "pow_constant", "add_constant")
    root = graph.add("add_constant", graph.add("pow_constant", 0))
    target = np.cos(x[0])
    first, again = (graph.fit([root, root], target, [0.5], seed=3) for _ in range(2))
    assert np.array_equal(first[0], again[0], equal_nan=True)
    assert np.isfinite(first[1]).all() and np.array_equal(first[1], again[1])
    # Not on what is fitted beside it.
    alone, _ = graph.fit([root], target, [0.5], seed=3)
    assert np.array_equal(first[0], np.repeat(alone, 2, axis=0), equal_nan=True)


def test_more_constants_than_there_is_room_for():
    graph = Graph(inputs(5), "affine5")
    root = graph.add("affine5", *range(5))
    constants, errors = graph.fit([root, 0], np.ones(200), most=5)
    assert errors[0] == math.inf and np.isnan(constants[0]).all() and np.isfinite(errors[1])
    assert np.isnan(graph.compute(root, np.zeros(5))).all()
