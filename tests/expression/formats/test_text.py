"""The text of a formula reads back to an equal formula; other text is refused with its position."""

from __future__ import annotations

import re
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression import (
    OPERATORS,
    Apply,
)
from tests.expression.forms import parsed_again
from tests.expression.random_formulas import (
    expressions,
)

many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["(" * 25000 + "x0" + ")" * 25000, "sin(" * 12000 + "x0" + ")" * 12000,
     "x0" + "**x0" * 15000, "x0" + " if x0 else x0" * 12000,
     "x0**" * 25000 + "x0", "(" * 100_000],
)  # fmt: skip
def test_deep_nesting_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"position|too deep"):
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


def test_alphabet_of_letters_is_read():
    """No letter is an operator by chance."""
    names = list(string.ascii_letters)
    expression = parse(" + ".join(names), names=names)
    assert expression.num_inputs == 52 and expression(np.ones(52)).tolist() == [52.0]
    assert set(OPERATORS) & set(names) == set()
