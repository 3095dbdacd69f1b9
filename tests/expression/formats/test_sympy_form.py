"""The sympy form of formulas."""

from __future__ import annotations

import numpy as np
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.expression.random_formulas import (
    SMOOTH,
    expressions,
    small,
)

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
