"""The printer of programs: what it prints computes the formula, and reads well."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamhead.distill import FeatureSpec, distill
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.formats.program_source import to_program
from occamhead.expression.formats.program_tokens import body_tokens
from tests.distill.printed import predict_of
from tests.distill.test_programs import life

OPERATORS = (
    "mod",
    "floordiv",
    "mul",
    "abs",
    "max",
    "min",
    "le",
    "lt",
    "ge",
    "gt",
    "eq",
    "ne",
    "where",
    "choose",
    "xor",
)
ARITY = {"abs": 1, "where": 3}
BINARY = (0, 1)


@st.composite
def programs(draw: st.DrawFn) -> Expression:
    """Formulas of whole numbers over four inputs, of which the first two are 0 or 1."""
    builder = ExpressionBuilder()
    nodes = [builder.input(i) for i in range(4)]
    truths = [nodes[0], nodes[1]]
    for _ in range(draw(st.integers(0, 12))):
        name = draw(st.sampled_from((*OPERATORS, "affine", "not", "max", "min")))
        pick = st.sampled_from(truths if draw(st.booleans()) else nodes)
        if name == "affine":
            terms = [(draw(st.integers(-3, 3)), draw(pick)) for _ in range(draw(st.integers(1, 5)))]
            node = builder.affine(draw(st.integers(-2, 2)), terms)
        elif name == "not":
            node = builder.affine(1, [(-1, draw(st.sampled_from(truths)))])
        else:
            if name == "xor":
                pick = st.sampled_from(truths)
            children = [draw(pick) for _ in range(ARITY.get(name, 2))]
            if name in ("eq", "le", "ge", "gt", "ne") and draw(st.booleans()):
                children[1] = builder.constant(draw(st.integers(-1, 3)))
            if name in ("mod", "floordiv"):
                children[1] = builder.constant(draw(st.sampled_from((2, 2, 3, -2))))
            if name == "choose":
                bits = [(weight, draw(st.sampled_from(truths))) for weight in (2, 1)]
                turned = draw(st.booleans())
                number = [(-w if turned else w, bit) for w, bit in bits]
                children = [builder.affine(3 * turned, number), *(draw(pick) for _ in range(4))]
            node = builder.apply(name, *children)
        nodes.append(node)
        if name in ("le", "lt", "ge", "gt", "eq", "ne", "xor", "not"):
            truths.append(node)
    outputs = [nodes[-1], *(draw(st.sampled_from(nodes)) for _ in range(draw(st.integers(0, 2))))]
    names = draw(st.sampled_from([None, ("a", "b", "s", "t"), ("x", "if", "c", "sum")]))
    return builder.build(outputs, 4, names)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, derandomize=True)
@given(programs())
def test_the_program_computes_the_formula(expression):
    predict = predict_of(to_program(expression, binary=BINARY, groups={"both": (2, 3)}))
    for row in itertools.product((0, 1), (0, 1), (-1, 0, 2), (0, 3)):
        values = expression(row)
        wanted = values[0] if len(values) == 1 else values.argmax()
        assert predict(list(row)) == wanted


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("max(x0 == 1, x0 == 4)", "return x[0] in (1, 4)"),
        ("min(x0 != 4, x0 != 1)", "return x[0] not in (1, 4)"),
        ("min(x0 >= 2, x0 <= 5)", "return 2 <= x[0] <= 5"),
        ("min(x0 + x1 + x2 + x3 + x4 > 1, x0 + x1 + x2 + x3 + x4 < 4)", "return 1 < sum(x) < 4"),
        ("x0 + x1 + x2 + x3 + x4 == 2", "return sum(x) == 2"),
        ("x1 + x2 + x3 > 1", "return sum(x[1:4]) > 1"),
        ("x0 + x2 + x4", "return sum(x[::2])"),
        ("x0 + x1 + x3 + x4", "return sum(x) - x[2]"),
        ("x0 + x0 + x0", "return x[0] + x[0] + x[0]"),
        ("x0 - x1 <= -1", "return x[0] < x[1]"),
        ("x0 - x1 <= 0", "return x[0] <= x[1]"),
        ("x0 - x1 >= 2", "return x[0] - x[1] >= 2"),
        ("1 - max(x0 > 1, x1 > 1)", "return not (x[0] > 1 or x[1] > 1)"),
        ("x0 - x1 - x2 >= 1", "return x[0] > x[1] + x[2]"),
        ("8*x0 + 4*x1 + 2*x2 + x3",
         "return sum(w * v for w, v in zip((8, 4, 2, 1), x[:4]))"),
        ("(x0 + x1 + x2 + x3 + x4) % 2 == 0", "return not sum(x) % 2"),
        ("3*(x0 % 2) + x1 // 2", "return 3 * (x[0] % 2) + x[1] // 2"),
        ("(x0 - x1) // 4 % 3", "return (x[0] - x[1]) // 4 % 3"),
        ("min(x0 % 2, x1 > 1)", "return x[0] % 2 and x[1] > 1"),
        ("min(1 - (x0 > 2), max(x1 > 1, x2 > 1))",
         "return not x[0] > 2 and (x[1] > 1 or x[2] > 1)"),
    ],
)  # fmt: skip
def test_idioms(text, body):
    expression = Expression.parse(text, num_inputs=5)
    source = to_program(expression)
    assert source.splitlines()[-1].strip() == body
    predict = predict_of(source)
    rows = np.random.default_rng(0).integers(-2, 7, (300, 5))
    assert [predict(row) for row in rows.tolist()] == expression(rows)[:, 0].tolist()


def test_a_root_of_choices_becomes_elif():
    text = "2 if x0 > 2 else (1 if x1 > 2 else 0)"
    assert to_program(Expression.parse(text)).splitlines()[2:] == [
        "    if x[0] > 2:",
        "        return 2",
        "    elif x[1] > 2:",
        "        return 1",
        "    return 0",
    ]


def test_tokens_are_those_below_the_signature():
    unpacked = to_program(Expression.parse("max(a, b)", names=["a", "b"]), binary=(0, 1))
    assert "    a, b = x\n" in unpacked and body_tokens(unpacked) == 4  # return a or b
    assert body_tokens(to_program(Expression.parse("x0 > 2"))) == 7  # return x [ 0 ] > 2


def test_a_comment_cannot_leave_its_docstring():
    source = to_program(Expression.parse("x0"), comment='a"""\nimport os\n"""\\')
    assert predict_of(source)([5]) == 5


def test_what_has_no_whole_numbers_is_refused():
    with pytest.raises(ValueError, match=r"no 'sin'.*Expression.python"):
        to_program(Expression.parse("sin(x0)"))
    for text in ("x0 % 0", "x0 // x1"):  # Python has no value by zero, a formula has
        with pytest.raises(ValueError, match="of these arguments"):
            to_program(Expression.parse(text))


def test_a_distilled_program_is_an_expression_like_any_other():
    """torch, plain Python, JSON and the text give the classes of Life as the program does."""
    spec = FeatureSpec.window()
    rows = spec.rows()
    program, _ = distill(life, spec)
    wanted = life(rows)
    np.testing.assert_array_equal(program.torch()(rows_tensor(rows))[:, 0].numpy(), wanted)
    namespace: dict = {}
    exec(program.python(), namespace)
    assert [namespace["scores"](row)[0] for row in rows[::7].tolist()] == wanted[::7].tolist()
    assert Expression.from_json(program.to_json()) == program
    assert Expression.parse(program.text(), names=spec.names) == program


def rows_tensor(rows: np.ndarray):
    import torch

    return torch.tensor(rows, dtype=torch.float32)


def test_a_sum_of_many_terms_of_which_few_are_inputs():
    text = "x0 + 2*(x1 > 0) + 3*(x2 > 0) + 4*(x3 > 0)"
    expression = Expression.parse(text, 4)
    predict = predict_of(to_program(expression))
    assert predict([7, 1, 0, 1]) == 13
