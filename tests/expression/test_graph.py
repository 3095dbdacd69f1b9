"""Formulas as data: what is a formula, when two are equal, and what is read off them."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression import (
    Affine,
    Apply,
    Constant,
    ExpressionBuilder,
    Input,
)
from tests.expression.random_formulas import (
    ALL,
    EXACT,
    dyadic,
    expressions,
    used_operators,
)

few = settings(max_examples=40, deadline=None, derandomize=True)
many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


@few
@given(expressions(odd_names=True))
def test_pickle_and_deepcopy_give_equal_expressions(expression):
    for again in (pickle.loads(pickle.dumps(expression)), copy.deepcopy(expression)):
        assert again == expression and hash(again) == hash(expression)
        assert again.text() == expression.text()


@pytest.mark.slow
def test_random_expressions_use_all_operators():
    """The strategy above must reach every operator, or the round trips say little."""
    seen: set[str] = set()

    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(expressions())
    def collect(expression):
        seen.update(used_operators(expression))

    collect()
    assert seen == set(ALL)


def test_equality_is_of_nodes_outputs_width_and_names():
    expression = parse("x0 + 2*x1")
    assert expression == parse("x0+ 2 * x1")
    assert expression != parse("2*x1 + x0")
    assert expression != parse("x0 + 2*x1", num_inputs=3)
    assert expression != expression.renamed(["a", "b"])
    assert expression.renamed(["a", "b"]) == parse("a + 2*b", names=["a", "b"])
    assert expression.renamed(["a", "b"]).renamed(None) == expression
    assert len({expression, parse("x0 + 2*x1"), parse("x1")}) == 2
    with pytest.raises(AttributeError):
        expression.num_inputs = 5


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_wrong_names_are_value_errors(names):
    with pytest.raises(ValueError, match="names"):
        parse("x0 + x1").renamed(names)
    with pytest.raises(ValueError):
        parse("a", names=names, num_inputs=2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_numbers_are_refused(value):
    builder = ExpressionBuilder()
    x = builder.input(0)
    with pytest.raises(ValueError, match="finite"):
        builder.constant(value)
    with pytest.raises(ValueError, match="finite"):
        builder.affine(value, [(1.0, x)])
    with pytest.raises(ValueError, match="finite"):
        builder.affine(0.0, [(value, x)])
    for nodes in ((Constant(value),), (Input(0), Affine(value, ((1.0, 0),))),
                  (Input(0), Affine(0.0, ((value, 0),)))):  # fmt: skip
        with pytest.raises(ValueError, match="finite"):
            Expression(nodes, (len(nodes) - 1,), 1)


@pytest.mark.parametrize(
    ("nodes", "outputs", "message"),
    [
        ((Apply("sin", (0,)),), (0,), "not before it"),
        ((Apply("sin", (1,)), Input(0)), (0,), "not before it"),
        ((Input(0), Apply("sin", (-1,))), (1,), "not before it"),
        ((Input(2),), (0,), "out of range"),
        ((Input(-1),), (0,), "out of range"),
        ((Input(0),), (1,), "out of range"),
        ((Input(0),), (-1,), "out of range"),
        ((Input(0),), (), "at least one output"),
        ((Input(0), Apply("sin", (0, 0))), (1,), "takes 1 arguments"),
        ((Input(0), Apply("sinus", (0,))), (1,), "unknown operator"),
        ((Input(0), Affine(1.0, ())), (1,), "term"),
    ],
)
def test_wrong_tables_are_value_errors(nodes, outputs, message):
    with pytest.raises(ValueError, match=message):
        Expression(nodes, outputs, 2)


@pytest.mark.parametrize(
    ("text", "features", "operations", "depth", "constants"),
    [
        ("x0", (0,), 0, 0, 0),
        ("5", (), 0, 0, 1),
        ("-x0", (0,), 0, 1, 0),
        ("2*x0", (0,), 1, 1, 1),
        ("x0 + x2", (0, 2), 1, 1, 0),
        ("2*x0 - x1 + 3", (0, 1), 3, 1, 2),
        ("2*x0 - 3*x1 + 4*x2 + 1", (0, 1, 2), 6, 1, 4),
        ("max(x0, x1, x2, 0)", (0, 1, 2), 3, 1, 1),
        ("sin(x0)", (0,), 1, 1, 0),
        ("sin(x0)*sin(x0)", (0,), 2, 2, 0),
        ("sin(2*x0 + 1)", (0,), 3, 2, 2),
        ("3*x0 if x0 > 0 else -x1", (0, 1), 3, 2, 2),
        ("x0**2/3", (0,), 2, 2, 2),
        (["sin(x1) + 1", "2*sin(x1)"], (1,), 3, 2, 2),
        (["x0", "tanh(tanh(tanh(x0)))"], (0,), 3, 3, 0),
    ],
)
def test_counts(text, features, operations, depth, constants):
    expression = parse(text)
    assert expression.features == features
    assert expression.operations == operations
    assert expression.depth == depth
    assert expression.num_constants == constants


@few
@given(expressions(odd_names=True), st.data())
def test_select_and_getitem(expression, data):
    order = data.draw(st.lists(st.integers(0, len(expression) - 1), min_size=1, max_size=5))
    chosen = expression.select(order)
    assert chosen.text() == [expression.text()[k] for k in order]
    assert (chosen.num_inputs, chosen.names) == (expression.num_inputs, expression.names)
    for k in range(len(expression)):
        assert expression[k] == expression.select([k])
        assert expression[k - len(expression)] == expression[k]
    assert expression.select(range(len(expression))) == expression
    assert [part.text()[0] for part in expression] == expression.text()
    for k in (len(expression), -len(expression) - 1):
        with pytest.raises(IndexError):
            expression[k]
        with pytest.raises(IndexError):
            expression.select([k])


def test_select_of_nothing_is_a_value_error():
    with pytest.raises(ValueError, match="output"):
        parse("x0").select([])


@pytest.mark.slow
@many
@given(expressions(EXACT, dyadic, max_steps=6), st.data())
def test_compose_is_the_function_of_the_function(outer, data):
    # Folding turns 0 * inf into 0, so the inputs are finite here.
    inner = data.draw(expressions(EXACT, dyadic, max_steps=5))
    inner = inner.select([k % len(inner) for k in range(outer.num_inputs)])
    composed = outer.compose(inner)
    x = np.array(data.draw(st.lists(st.lists(dyadic, min_size=inner.num_inputs,
                 max_size=inner.num_inputs), min_size=1, max_size=5)))  # fmt: skip
    middle = inner(x)
    wanted = outer(middle)
    assume(max(np.abs(middle).max(), np.abs(wanted).max()) < 1e6)
    np.testing.assert_array_equal(composed(x), wanted)
    assert (composed.num_inputs, composed.names) == (inner.num_inputs, inner.names)


def test_compose_needs_an_output_per_input():
    with pytest.raises(ValueError, match="composing needs 2 inner outputs"):
        parse("x0 + x1").compose(parse("x0"))
    named = parse("2*a", names=["a", "b"])
    assert parse("sin(x0)").compose(named).text() == ["sin(2*a)"]


def test_whatever_is_made_of_an_expression_is_an_expression():
    formula = Expression.parse(["2*(a + b)", "a*b"], names=["a", "b"])
    made = [
        formula[0],
        formula.select([1, 0]),
        formula.simplified(),
        formula.rounded(2),
        formula.with_numbers(abs),
        formula.renamed(["c", "d"]),
        formula.compose(Expression.parse(["x0", "x1 + 1"])),
        Expression.from_json(formula.to_json()),
        pickle.loads(pickle.dumps(formula)),
    ]
    assert {type(each) for each in made} == {Expression}
    assert [each.names for each in made[:5]] == [("a", "b")] * 5
