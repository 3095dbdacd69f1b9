"""LaTeX of formulas: balanced, rendered by matplotlib, and what it reads."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamhead import Expression
from tests.expression.random_formulas import (
    ALL,
    expressions,
)

many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


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
