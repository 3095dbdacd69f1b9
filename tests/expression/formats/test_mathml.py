"""Formulas as MathML: well formed, brackets where they are needed, escaped, never doubled."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from occamhead import Expression
from occamhead.expression import ExpressionBuilder
from occamhead.expression.formats.mathml import mathml_lines, mathml_rules
from tests.expression.random_formulas import expressions


def read(text: str, **options) -> str:
    """The formula as its characters, with fractions, indices and powers spelt out."""
    (line,) = mathml_lines(Expression.parse(text, **options))
    return " ".join(spelt(ElementTree.fromstring(piece)) for piece in line.pieces)


def spelt(element: ElementTree.Element) -> str:
    parts = [spelt(child) for child in element]
    match element.tag:
        case "mfrac":
            return f"[{parts[0]}]/[{parts[1]}]"
        case "msub":
            return f"{parts[0]}_{parts[1]}"
        case "msup":
            return f"{parts[0]}^[{parts[1]}]"
        case "mtr":
            return " ".join(parts) + ";"
    text = (element.text or "") + "".join(parts)
    return text.replace("\u2061", "").replace("\u2062", "")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2*x0 - x12 + 3", "2x_0 −x_12 +3"),
        ("-x0 - 0.5", "−x_0 −0.5"),
        ("(x0 + 1)/(x1 - 2)", "[x_0+1]/[x_1−2]"),
        ("(x0 + 1)*x1", "(x_0+1)⋅x_1"),
        ("2*(x0 + 1)", "2(x_0+1)"),
        ("(x0 + x1)**2", "(x_0+x_1)^[2]"),
        ("(x0/x1)**2", "([x_0]/[x_1])^[2]"),
        ("x0**(x1 + 1)", "x_0^[x_1+1]"),
        ("sin(x0 + 1)", "sin(x_0+1)"),
        ("max(x0, x1, 2)", "max(x_0,x_1,2)"),
        ("sigmoid(x0)*x1", "σ(x_0)⋅x_1"),
        ("abs(x0 - 1)", "|x_0−1|"),
        ("3*x0 if x0 > 0 else -x1", "{3x_0 if\u00a0x_0>0;−x_1 otherwise;"),
        ("x0 if x1 else 2", "{x_0 if\u00a0x_1≠0;2 otherwise;"),
        ("x0 if x1 <= 2 else 2", "{x_0 if\u00a0x_1≤2;2 otherwise;"),
        ("1e-12*x0", "1⋅10^[−12]x_0"),
        ("x0*(-2)", "−2x_0"),
    ],
)
def test_formulas_read_as_they_should(text, wanted):
    assert read(text) == wanted


def test_names_are_escaped():
    names = ["petal <b>", "a & b", "y"]
    text = "`petal <b>` + `a & b` + y"
    (line,) = mathml_lines(Expression.parse(text, names=names), ["</math><script>"])
    assert "<b>" not in "".join(line.pieces) and "<script>" not in line.name
    assert read(text, names=names) == "petal <b> +a & b +y"


def test_parts_that_are_used_again_are_named():
    builder = ExpressionBuilder()
    node = builder.apply("sin", builder.input(0))
    for _ in range(60):
        node = builder.apply("mul", node, node)
    lines = mathml_lines(builder.build([node], 1))
    assert len(lines) == 61
    assert sum(len("".join(line.pieces)) for line in lines) < 20_000
    names = [re.sub("<[^>]+>", "", line.name) for line in lines]
    assert names[:3] == ["t1", "t2", "t3"] and names[-1] == "y0"


def test_names_of_parts_leave_those_of_inputs_alone():
    formula = Expression.parse(["sin(t1)*sin(t1)"], names=["t1"])
    first, second = mathml_lines(formula)
    assert re.sub("<[^>]+>", "", first.name) == "t2"
    assert re.sub("<[^>]+>", "", "".join(second.pieces)) == "t2⋅t2"


def test_a_whole_output_that_is_used_again():
    builder = ExpressionBuilder()
    shared = builder.affine(1.0, [(2.0, builder.input(0))])
    formula = builder.build([shared, builder.apply("sin", shared), builder.apply("cos", shared)], 1)
    texts = [
        "".join(re.sub("<[^>]+>", "", p) for p in line.pieces) for line in mathml_lines(formula)
    ]
    assert [text.replace("\u2061", "").replace("\u2062", "") for text in texts] == [
        "2x0+1", "t1", "sin(t1)", "cos(t1)",
    ]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(formula=expressions(odd_names=True))
def test_every_formula_is_well_formed(formula):
    lines = mathml_lines(formula)
    assert len(lines) >= len(formula)
    allowed = {"math", "mrow", "mi", "mn", "mo", "mtext", "msub", "msup", "mfrac", "mtable",
               "mtr", "mtd"}  # fmt: skip
    for line in lines:
        for piece in (f"<math>{line.name}</math>", *line.pieces):
            assert {element.tag for element in ElementTree.fromstring(piece).iter()} <= allowed


def test_titles_must_fit():
    with pytest.raises(ValueError, match="1 outputs need as many class names, got 2"):
        mathml_lines(Expression.parse("x0"), ["a", "b"])


def test_rules_break_between_the_terms_of_both_sides():
    text = ["0", "2*x0 - 3*x1 + x2 - 0.25"]
    (paragraph,) = mathml_rules(Expression.parse(text), ["<ants>", "bees & co"])
    found = ElementTree.fromstring(paragraph)
    assert [spelt(math) for math in found.iter("math")] == ["2x_0", "+x_2", ">3x_1", "+0.25"]
    assert [strong.text for strong in found.iter("strong")] == ["bees & co", "<ants>"]


def test_rules_of_other_formulas():
    assert len(mathml_rules(Expression.parse(["x0", "x1", "2"]), ["a", "b", "c"])) == 3
    (paragraph,) = mathml_rules(Expression.parse(["0", "-1"], num_inputs=1))
    assert re.sub("<[^>]+>", "", paragraph) == "always class 0"
    shared = "max(x0, x1)*max(x0, x1) + sin(max(x0, x1))"
    assert len(mathml_rules(Expression.parse(["0", shared]))) == 2
    with pytest.raises(ValueError, match="2 outputs need as many class names, got 3"):
        mathml_rules(Expression.parse(["0", "x0"]), ["a", "b", "c"])
