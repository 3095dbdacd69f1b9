"""Products as one fraction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from occamhead.expression import Expression
from occamhead.expression.products import factored
from tests.expression.random_formulas import expressions


@pytest.mark.parametrize(
    "text, short",
    [
        ("x0*x1*(x2*x3/x1*sin(x4) + 1)", "x0*(x2*x3*sin(x4) + x1)"),
        ("1/(x0/x1)**2", "(x1/x0)**2"),
        ("3*x0*x1/(x0*2)", "1.5*x1"),
        ("(x0**2)**0.5", "x0"),
        ("x0**0.75/(x0*(x0 - 1/x0)**2)**0.25", "x0/(x0**2 - 1)**0.5"),
        ("(x0**2 + x0*x1)**0.5", "(x0*(x0 + x1))**0.5"),
        ("x0**1.5/(x1**0.5*(x0 + x1)**0.5)", "x0**1.5/(x1*(x0 + x1))**0.5"),
        ("x0/(1/x1 + x2/x3)", "x0/(1/x1 + x2/x3)"),
        ("x0/(0.25*x1**2)", "4*x0/x1**2"),
    ],
)
def test_equal_factors_are_collected(text, short):
    formula = Expression.parse(text)
    x = np.random.default_rng(0).uniform(1.5, 3, (50, formula.num_inputs))
    found = factored(formula, x)
    assert str(found) == short
    np.testing.assert_allclose(found(x), formula(x), rtol=1e-12)


def test_a_root_keeps_the_sign_of_what_is_negative():
    formula = Expression.parse("(x0**2)**0.5 + x0")
    x = np.array([[-2.0], [3.0]])
    np.testing.assert_allclose(factored(formula, x)(x), [[0.0], [6.0]])


@given(expressions(all_nodes=True))
def test_any_formula_keeps_its_values(formula):
    x = np.random.default_rng(0).uniform(-3, 3, (20, formula.num_inputs))
    found = factored(formula, x)
    assert found.complexity <= formula.complexity and found.names == formula.names
    assert found.agrees_with(formula, x)
