"""Rewrites of formulas keep the values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression import (
    Affine,
    Constant,
)
from tests.expression.random_formulas import (
    SMOOTH,
    any_number,
    expressions,
    small,
    used_operators,
)

few = settings(max_examples=40, deadline=None, derandomize=True)
many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


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
