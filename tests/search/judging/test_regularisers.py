"""The penalties of supplement E: what counts as trivial, near-trivial, clustered and long."""

from __future__ import annotations

import math

import numpy as np
import pytest

from occamhead.network.bases import BASES, get_bases, get_basis
from occamhead.search.judging.function import Function, Image, Leaf, tree_uses
from occamhead.search.judging.regularisers import (
    Regularisation,
    cluster_penalty,
    count_activations,
    count_constants,
)
from occamhead.search.judging.triviality import phi

CONSTANTS = (0.0, 1.0, 2.0, math.pi, -1.0)
ZERO, ONE, TWO, PI, MINUS_ONE = "k0", "k1", "k2", "k3", "k4"
A, B, C, D = "x0", "x1", "x2", "x3"


def make(*formulas) -> Function:
    """A function from nested tuples (basis, argument, ..., constant, ...) over x0 ... x3, k0 ..."""
    nodes: list[Leaf | Image] = []

    def add(formula) -> int:
        if isinstance(formula, str):
            node = Leaf(int(formula[1:]) + (4 if formula[0] == "k" else 0))
        else:
            name, *arguments = formula
            numbers = tuple(a for a in arguments if isinstance(a, float))
            children = tuple(add(a) for a in arguments if not isinstance(a, float))
            node = Image(get_basis(name), children, numbers)
        if node not in nodes:
            nodes.append(node)
        return nodes.index(node)

    roots = tuple(add(formula) for formula in formulas)
    return Function(tuple(nodes), roots, 4, CONSTANTS)


def random_function(generator, bases, images: int, leaves: int = 4) -> Function:
    """Random images over inputs, and constants if there are more than four leaves."""
    nodes: list[Leaf | Image] = [Leaf(i) for i in range(leaves)]
    for _ in range(images):
        basis = bases[generator.integers(len(bases))]
        # Two inputs and late nodes, so that functions nest and meet themselves.
        pool = [0, 1, *range(len(nodes) - 3, len(nodes))]
        children = tuple(int(child) for child in generator.choice(pool, basis.arity))
        constants = tuple(generator.uniform(0.2, 0.8, basis.num_constants).tolist())
        nodes.append(Image(basis, children, constants))
    return Function(tuple(nodes), (len(nodes) - 1,), 4, CONSTANTS)


SQUARES_OF_SINE_AND_COSINE = ("add", ("square", ("sin", A)), ("mul", ("cos", A), ("cos", A)))

TRIVIAL = [
    # Named by the paper or seen in the authors' code.
    ("div", A, A), ("sub", A, A), ("div", ("mul", A, B), A), ("cos", ("sub", A, A)),
    ("mul", ONE, A), ("pow", A, ONE), ("pow", A, ZERO),
    # Neutral, absorbing and inverse elements.
    ("add", ZERO, A), ("mul", ZERO, A), ("div", A, ONE), ("div", TWO, TWO), ("sub", PI, PI),
    ("div", ONE, ("div", ONE, A)), ("div", A, ZERO), ("cos", ZERO), ("mul", ONE, ONE),
    ("sub", ("add", A, B), A), ("div", ("add", A, A), A), ("div", A, ("mul", A, B)),
    ("div", ("add", A, A), ("add", B, B)), ("div", ("add", A, B), ("mul", ("add", A, B), C)),
    # Inverse and even functions, signs that cancel.
    ("exp", ("log_abs", A)), ("log_abs", ("exp", A)), ("abs", ("abs", A)), ("abs", ("square", A)),
    ("neg", ("neg", A)), ("cos", ("neg", A)), ("square", ("neg", A)), ("sub", A, ("neg", B)),
    ("mul", ("neg", A), ("neg", B)), ("abs", ("neg", A)), ("neg", ("neg", ("sub", A, B))),
    # Programs.
    ("max", A, A), ("max", ("min", A, B), A), ("max4", A, B, C, A), ("xor", A, A),
    ("if_le", A, A, B, C), ("if_lt", A, A, B, C), ("if_le", A, B, C, C), ("xor", ("xor", A, A), B),
    # What automatic evaluation misses, at the top and below it.
    SQUARES_OF_SINE_AND_COSINE, ("add", B, SQUARES_OF_SINE_AND_COSINE),
    ("sin", ("add", B, SQUARES_OF_SINE_AND_COSINE)),
    ("div", ("add", ("add", A, B), ("add", A, B)), ("add", A, B)),
]  # fmt: skip

MEANINGFUL = [
    # Order, repeated terms and factors.
    ("mul", A, B), ("mul", B, A), ("add", A, A), ("mul", A, A), ("sin", ("add", A, A)),
    ("add", ("add", A, A), ("add", A, A)), ("mul", ("mul", A, A), ("mul", A, A)),
    ("mul", ("exp", A), ("exp", A)), ("mul", ("exp", A), ("exp", B)), ("square", ("square", A)),
    ("mul", ("pow", A, B), ("pow", A, C)), ("add", ("div", A, B), ("div", A, B)),
    ("add", ("mul", A, B), ("mul", B, A)), ("div", C, ("add", ("div", A, B), ("div", A, B))),
    ("mul", ("add", A, B), ("add", A, B)), ("div", A, ("add", B, B)), ("div", C, ("div", A, B)),
    # The laws of Table 4.
    ("sub", ("mul", A, B), ("mul", C, D)), ("add", ("mul", A, A), ("mul", B, B)),
    ("div", A, ("cos", B)), ("div", B, A), ("sin", ("add", A, ("div", PI, TWO))),
    ("mul_constant", ("pow_constant", A, 3.1), 10.5),
    # Signs that move.
    ("sub", A, ("sub", B, C)), ("sub", A, ("sub", B, ("add", C, D))), ("neg", ("sub", A, B)),
    ("add", ("neg", A), B), ("cube", ("neg", A)), ("sigmoid", ("neg", A)), ("sub", ZERO, A),
    ("sin", ("sub", A, B)), ("sin", ("sub", B, A)), ("cos", ("sin", ("sub", B, A))),
    ("cos", ("sin", ("sub", A, B))), ("pow", A, ("neg", B)), ("div", A, ("exp", B)),
    # Sums and fractions that sympy would rather factor; tangents; guards of a logarithm.
    ("add", ("mul", A, A), A), ("div", ("add", ("mul", A, A), A), ("add", A, TWO)),
    ("mul", A, ("add", A, ONE)), ("div", ("add", A, B), A), ("div", ("sin", A), ("cos", A)),
    ("log_abs", ("square", A)), ("log_abs", ("mul", A, A)), ("log_abs", ("div", A, B)),
    # Numbers made of numbers, fitted constants.
    ("add", ONE, TWO), ("add", ONE, ONE), ("div", ONE, A), ("mul", MINUS_ONE, A), ("exp", ONE),
    ("mul_constant", ("add", A, B), 0.5), ("add_constant", ("add_constant", A, 0.4), 0.3),
    ("add", ("mul_constant", A, 0.5), ("mul_constant", A, 0.7)),
    # Programs, and bases that only pass on.
    ("max", ("max", A, B), C), ("min", ("max", A, B), ("max", A, C)), ("xor", ("xor", A, B), C),
    ("if_le", ("if_le", A, B, C, D), B, A, C), ("if_le", A, B, A, B), ("identity", A),
    ("tanh10", ("add", A, A)), ("add4", A, A, B, C),
]  # fmt: skip


@pytest.mark.parametrize("formula", TRIVIAL, ids=str)
def test_phi_finds_trivial_operations_wherever_they_are(formula):
    assert phi(make(formula), 0) == 1
    assert phi(make(("sub", D, formula)), 0) == 1
    assert phi(make(("sin", ("mul", formula, D))), 0) == 1


@pytest.mark.parametrize("formula", MEANINGFUL, ids=str)
def test_phi_lets_meaningful_operations_pass(formula):
    assert phi(make(formula), 0) == 0


def test_phi_judges_each_output_by_what_it_reaches():
    function = make(("mul", A, B), ("div", A, A), ("sin", ("div", A, A)), A)
    assert [phi(function, output) for output in range(4)] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    "basis, constant, expected",
    [
        ("add_constant", 0.09, 1), ("add_constant", -0.09, 1), ("add_constant", 0.11, 0),
        ("add_constant", 1.0, 0), ("mul_constant", 0.0, 1), ("mul_constant", -0.09, 1),
        ("mul_constant", 0.91, 1), ("mul_constant", 1.09, 1), ("mul_constant", 1.11, 0),
        ("mul_constant", -1.0, 0), ("pow_constant", 0.0001, 1), ("pow_constant", 0.89, 0),
        ("pow_constant", 1.0, 1), ("pow_constant", 2.0, 0),
    ],
)  # fmt: skip
def test_phi_counts_near_trivial_constants(basis, constant, expected):
    image = (basis, A, constant)
    assert phi(make(image), 0) == expected
    assert phi(make(("add", ("mul", image, image), B)), 0) == expected, "a shared one is one"
    assert phi(make(("div", image, image)), 0) == expected + 1


def test_constants_of_a_family_basis_are_never_near_trivial():
    assert phi(make(("affine2", A, B, 0.0, 1.0, 1.0)), 0) == 0


@pytest.mark.parametrize("bases", ["table1/9", "pmlb"])
def test_phi_marks_every_function_that_is_constant(bases):
    generator = np.random.default_rng(0)
    rows = generator.uniform(0.1, 1.5, (40, 4))
    constant = 0
    for _ in range(300):
        function = random_function(generator, get_bases(bases), images=4)
        values = function.expression()(rows)
        if np.isfinite(values).all() and np.ptp(values) < 1e-9:
            constant += 1
            assert phi(function, 0) == 1, function.expression()
    assert constant > 5


def test_phi_is_blind_to_order():
    generator = np.random.default_rng(1)
    trivial = 0
    for _ in range(150):
        function = random_function(generator, get_bases("table1/7"), images=5)
        swapped = [
            Image(node.basis, node.children[::-1], node.constants)
            if isinstance(node, Image) and node.basis.name in ("add", "mul")
            else node
            for node in function.nodes
        ]
        before = phi(function, 0)
        assert phi(Function(tuple(swapped), function.roots, 4, CONSTANTS), 0) == before
        trivial += before > 0
    assert 10 < trivial < 140


@pytest.mark.slow
def test_phi_knows_every_basis():
    generator = np.random.default_rng(2)
    bases = [*get_bases(list(BASES)), *get_bases(["max4", "min9", "add9"])]
    found = {phi(random_function(generator, bases, 5, 4 + len(CONSTANTS)), 0) for _ in range(300)}
    assert {0.0, 1.0} <= found


# --- psi ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "basis, outputs, inputs, expected",
    [
        ("square", [0.1, 0.3], [1, 2], 0.1 / 0.2),
        ("square", [0.2, 0.3], [1, 2], 0.0),  # 0.25 is not below the tolerance
        ("square", [0.0, 0.0], [0, 0], 5.0),
        ("cube", [-0.05, -0.05], [1, 2], 2.0),
        ("cube", [0.01, 0.01], [1, 2], 5.0),
        ("cube", [-9.0, 9.0], [1, 2], 5.0),  # the mean counts, not the rows
        ("sin", [0.9, 0.9], [2, 2], 1.0),
        ("sin", [-0.8, -0.8], [9, 9], 0.5),
        ("sin", [0.3, 0.5], [0.35, 0.55], 0.05 / 0.05),
        ("sin", [0.3, 0.5], [0.31, 0.49], 5.0),
        ("sin", [0.3, 0.5], [0.5, 0.7], 0.0),
        ("sin", [0.9, 0.9], [0.95, 0.95], 2.0),  # both rules
        ("cos", [0.9, 0.9], [0.95, 0.95], 1.0),
        ("cos", [-0.76, -0.76], [0, 0], 0.1 / 0.24),
        ("pow_constant", [1.4, 1.4], [3, 3], 0.25),
        ("pow_constant", [0.0, 0.0], [3, 3], 0.0),
        ("mul", [0.0625, 0.25], [0.25, -0.5], 0.1 / 0.15625),  # x*x is a square
        ("mul", [0.0625, 0.25], [0.25, 0.4], 0.0),
        ("add", [0.0, 0.0], [0, 0], 0.0),
        ("sin", [math.nan, 1.0], [0, 0], 0.0),
        ("square", [math.inf, 0.0], [0, 0], 0.0),
        ("sin", [math.nan, math.nan], [math.inf, -math.inf], 0.0),
    ],
)
def test_cluster_penalty(basis, outputs, inputs, expected):
    result = cluster_penalty(basis, np.array(outputs, float), np.array(inputs, float))
    assert result == pytest.approx(expected)


def test_the_paper_s_example_of_a_trivial_approximation():
    x = np.linspace(-1, 1, 101)
    assert cluster_penalty("cos", np.cos(x / 2), x / 2) > 1  # cos(x/2) is nearly 1 there
    x = np.linspace(-10, 10, 101)
    assert cluster_penalty("cos", np.cos(x / 2), x / 2) == 0


# --- xi, gamma and the sum ----------------------------------------------------------------------

INNER = ("mul_constant", A, 2.5)
SHARED = ("mul", INNER, INNER)
LONG = make(("add", SHARED, ("sin", SHARED)), ("add_constant", B, 0.05), C)


def test_uses_follow_the_tree():
    named = dict(zip(LONG.nodes, tree_uses(LONG, 0), strict=True))
    assert named[Leaf(0)] == 4 and named[Leaf(1)] == 0 and named[Leaf(2)] == 0
    assert named[LONG.nodes[LONG.roots[0]]] == 1
    assert sum(named.values()) == LONG.sizes[LONG.roots[0]] == 12


def test_activations_count_per_use_and_constants_once():
    assert [count_activations(LONG, output) for output in range(3)] == [8, 1, 0]
    assert [count_constants(LONG, output) for output in range(3)] == [1, 1, 0]


def test_penalty_is_the_weighted_sum():
    psi = [0.0] * len(LONG.nodes)
    psi[LONG.nodes.index(Image(get_basis("mul_constant"), (0,), (2.5,)))] = 0.5
    for weights, expected in [
        ({"phi": 0.7}, (0.0, 0.7, 0.0)),
        ({"psi": 0.3}, (0.3 * 4 * 0.5, 0.0, 0.0)),
        ({"activations": 0.1}, (0.8, 0.1, 0.0)),
        ({"constants": 0.15}, (0.15, 0.15, 0.0)),
        ({"undefined": 0.5}, (0.0, 0.0, 0.0)),
        ({"phi": 0.7, "psi": 0.3, "activations": 0.1, "constants": 0.15}, (1.55, 0.95, 0.0)),
    ]:
        regularisation = Regularisation(**weights)
        assert [regularisation.penalty(LONG, j, psi) for j in range(3)] == pytest.approx(expected)


def test_complexity_is_what_a_function_without_fault_pays():
    weights = Regularisation(phi=0.7, psi=0.3, activations=0.1, constants=0.15)
    assert weights.complexity_penalty(LONG, 0) == pytest.approx(0.95)
    assert weights.complexity_penalty(LONG, 0) == weights.penalty(LONG, 0, [0.0] * len(LONG.nodes))
    assert weights.complexity_penalty(LONG, 1) == pytest.approx(0.25)


def test_active_names_any_weight():
    assert not Regularisation().active
    assert all(Regularisation(**{name: 0.1}).active for name in Regularisation().__dict__)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["phi", "psi", "activations", "constants", "undefined"])
def test_weights_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be finite and not negative.*{value}"):
        Regularisation(**{name: value})


def test_psi_is_wanted_for_each_node():
    with pytest.raises(ValueError, match=f"each of {len(LONG.nodes)} nodes, got 2"):
        Regularisation(psi=0.3).penalty(LONG, 0, [0.0, 0.0])
