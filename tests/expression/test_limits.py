"""What others wrote is bounded before it is worked on, and what is written is read again."""

import ast
import json
import sqlite3
import tracemalloc

import numpy as np
import pytest

from occamhead import Expression
from occamhead.expression import ExpressionBuilder
from occamhead.expression.formats.c_source import to_c
from occamhead.expression.formats.mathml import mathml_lines
from occamhead.expression.formats.sql import to_sql
from occamhead.expression.limits import MAX_DEPTH, MAX_DIGITS

WRITERS = (Expression.text, Expression.latex, Expression.python, to_c, to_sql, mathml_lines)


def chain(operator, length):
    builder = ExpressionBuilder()
    node = first = builder.input(0)
    for _ in range(length):
        node = builder.apply(operator, *([node] if operator == "sin" else [node, first]))
    return builder.build([node], 1)


def squared(times):
    builder = ExpressionBuilder()
    node = builder.input(0)
    for _ in range(times):
        node = builder.apply("mul", node, node)
    return builder.build([node], 1)


def run(source, x):
    space = {}
    exec(compile(source, "formula", "exec"), space)
    return space["scores"](x)


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "(9*x0)**387420489", "((2*x0)**1000)**1000", "exp(1000000000*log(2*x0))",
     "max(9**9**9, x0)", "(3*x0)**(x1 - x1 + 387420489)", "x0*" * 301 + "x0"],
)  # fmt: skip
def test_sympy_is_not_asked_for_numbers_without_end(text):
    formula = Expression.parse(text)
    assert formula.text() and formula(np.ones((1, formula.num_inputs))).shape == (1, 1)
    with pytest.raises(ValueError, match="sympy"):
        formula.sympy()


@pytest.mark.parametrize("text", ["(2*x0 + 1)**200", "exp(1000*x0)", "1e+300**x0", "x0**5000"])
def test_sympy_is_asked_for_what_it_can(text):
    (form,) = Expression.parse(text).sympy()
    assert form.free_symbols


def test_shared_squarings_are_refused_and_not_written_out():
    forty = squared(40)
    names = [["input", 0], *(["apply", "mul", [i, i]] for i in range(40))]
    said = {"format": "occamhead.expression", "version": 1, "num_inputs": 1, "names": None}
    text = json.dumps({**said, "outputs": [40], "nodes": names})
    tracemalloc.start()
    try:
        for do in (forty.text, forty.latex, forty.to_json, lambda: Expression.from_json(text)):
            with pytest.raises(ValueError, match="too long to be written out"):
                do()
        # Where parts have names there is nothing to refuse.
        assert run(forty.python(), [1.0]) == [1.0]
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert float(forty([1.0])[0]) == 1.0


@pytest.mark.parametrize(("operator", "length"), [("mul", 30_000), ("sin", 20_000)])
def test_what_is_too_deep_is_refused_by_every_writer(operator, length):
    deep = chain(operator, length)
    for write in WRITERS:
        with pytest.raises(ValueError, match="too deep"):
            write(deep)
    text = "x0" + "*x0" * length if operator == "mul" else "sin(" * length + "x0" + ")" * length
    with pytest.raises(ValueError, match=r"too deep|nested deeper"):
        Expression.parse(text)


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["mul", "sin", "pow", "where", "div"])
@pytest.mark.parametrize("length", [300, MAX_DEPTH])
def test_what_is_written_is_read(operator, length):
    """Deep chains through either argument; memory is the result's, not its square."""
    builder = ExpressionBuilder()
    node = first = builder.input(0)
    for _ in range(length):
        given = {"sin": [node], "where": [first, first, node], "pow": [first, node]}
        node = builder.apply(operator, *given.get(operator, [node, first]))
    formula = builder.build([node], 1)
    tracemalloc.start()
    try:
        (text,) = formula.text()
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
    assert Expression.parse(text) == formula
    assert Expression.from_json(formula.to_json()) == formula


@pytest.mark.parametrize("operator", ["mul", "sin", "div", "max"])
def test_deep_formulas_are_programs_that_run(operator):
    formula = chain(operator, 300)
    x = [0.9]
    wanted = float(formula([x])[0, 0])
    assert run(formula.python(), x) == [wanted]
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE features (x0)")
    table.execute("INSERT INTO features VALUES (0.9)")
    assert table.execute(to_sql(formula)).fetchone()[0] == pytest.approx(wanted, rel=1e-12)
    brackets = np.cumsum([(c == "(") - (c == ")") for c in to_c(formula)])
    assert brackets.max() < 256


def test_a_sum_of_many_terms_is_a_program_that_runs():
    generator = np.random.default_rng(0)
    coefficients, x = generator.standard_normal(5000), generator.standard_normal(5000)
    terms = " + ".join(f"{float(c)!r}*x{i}" for i, c in enumerate(np.abs(coefficients)))
    formula = Expression.parse(f"sin({terms} + 0.25)")
    total = 0.0
    for i, c in enumerate(np.abs(coefficients).tolist()):
        total = total + c * x[i] if i else c * x[i]
    assert run(formula.python(), x.tolist()) == [pytest.approx(np.sin(total + 0.25), abs=0)]
    ast.parse(formula.python())


def test_a_blank_at_the_end_costs_nothing():
    """It was looked for, over all the text, at every token."""
    terms = " + ".join(f"{i % 7 + 0.5}*x{i % 50}" for i in range(20_000))
    wide = Expression.parse(terms)
    assert Expression.parse(terms + " " * 1000) == wide and wide.num_inputs == 50


def test_digits_inputs_and_errors_are_bounded():
    with pytest.raises(ValueError, match="number of 401 characters"):
        Expression.parse("0." + "1" * (MAX_DIGITS - 1))
    with pytest.raises(ValueError, match="too wide"):
        Expression.parse("x999999999")
    with pytest.raises(ValueError) as caught:
        Expression.parse("x0 + " * 100_000 + "?")
    assert len(str(caught.value)) < 400 and "position 499999" in str(caught.value)
    nodes = [["apply", ["mul"] * 100_000, [0]]]
    said = {"format": "occamhead.expression", "version": 1, "num_inputs": 1, "names": None}
    with pytest.raises(ValueError) as caught:
        Expression.from_json(json.dumps({**said, "outputs": [0], "nodes": nodes}))
    assert len(str(caught.value)) < 400
