"""Two scores of which one is 0 as a rule: what it says, in every language, and that it is true."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression.contrast import difference
from occamhead.expression.formats.files import export
from occamhead.expression.formats.rule import rule_of
from tests.expression.formats.machines import SPECIAL, highest, run_all, run_onnx
from tests.expression.random_formulas import EXACT, ODD_NAMES, dyadic, expressions

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES = ("ants", "bees")
few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def pair(text: str) -> Expression:
    return Expression.parse(["0", text])


@pytest.mark.parametrize(
    "text, rule",
    [
        ("4.4*x5 + 2*x8 - 3.3*x2 - 5.8*x7 - 0.25",
         "bees if 4.4*x5 + 2*x8 > 3.3*x2 + 5.8*x7 + 0.25, otherwise ants"),
        ("4*x5 - 3*x2 + 0.5", "bees if 4*x5 + 0.5 > 3*x2, otherwise ants"),
        ("3*x1", "bees if 3*x1 > 0, otherwise ants"),
        ("x1", "bees if x1 > 0, otherwise ants"),
        ("-2*x0 + 1", "bees if 2*x0 < 1, otherwise ants"),
        ("-2*x0 - x1 - 1", "bees if 2*x0 + x1 + 1 < 0, otherwise ants"),
        ("max(x0, 2)*x1 - 3", "bees if max(x0, 2)*x1 > 3, otherwise ants"),
        ("sin(x0)", "bees if sin(x0) > 0, otherwise ants"),
        ("x0 > 1", "bees if x0 > 1, otherwise ants"),
        ("1 - 2*(x0 > 1)", "ants if x0 > 1, otherwise bees"),
        ("5 - 2*(x0 > 1)", "bees if 2*(x0 > 1) < 5, otherwise ants"),
        ("0.5", "always bees"), ("0", "always ants"), ("-1", "always ants"),
    ],
)  # fmt: skip
def test_what_it_says(text, rule):
    assert pair(text).rule(CLASSES) == [rule]
    wanted = rule.replace("ants", "class 0").replace("bees", "class 1")
    assert pair(text).rule() == [wanted]


def test_what_is_no_rule():
    for texts in (["x0", "0"], ["0"], ["0", "1", "x0"], ["1", "x0"]):
        formula = Expression.parse(texts)
        names = [f"y{k}" for k in range(len(texts))]
        assert rule_of(formula) is None
        assert formula.rule() == [f"{n} = {t}" for n, t in zip(names, texts, strict=True)]
    with pytest.raises(ValueError, match="2 outputs need as many class names, got 3"):
        pair("x0").rule(["a", "b", "c"])


def test_names_are_those_of_the_formula():
    formula = pair("2*x0 - x1 + 3").renamed(["fuzzy body", "wings"])
    assert formula.rule(CLASSES) == ["bees if 2*`fuzzy body` + 3 > wings, otherwise ants"]
    rule = rule_of(formula)
    assert (rule.score.text(), rule.threshold) == (["2*`fuzzy body` - wings"], -3.0)


@few
@given(expressions(EXACT, dyadic, max_steps=12), st.integers(0, 2**32 - 1))
def test_it_is_true(formula, seed):
    """On numbers whose sums are exact: the condition holds just where the second score is above."""
    scores = difference(formula.select([0, len(formula) - 1]))
    rows = np.random.default_rng(seed).integers(-8, 9, (60, formula.num_inputs)) / 4
    values = scores(rows)[:, 1]
    condition, is_second = rule_of(scores).condition
    holds = condition(rows)[:, 0]
    assert set(holds) <= {0.0, 1.0}
    known = np.isfinite(values) & (np.abs(values) < 1e9)
    np.testing.assert_array_equal((holds == is_second)[known], (values > 0)[known])
    rule = rule_of(scores)
    np.testing.assert_array_equal(
        (rule.score(rows)[:, 0] > rule.threshold)[known], (values > 0)[known]
    )
    words = scores.rule()[0]
    if not words.startswith("always"):
        said = words.split(" if ", 1)[1].rsplit(", otherwise", 1)[0]
        read = Expression.parse(said, num_inputs=scores.num_inputs)
        np.testing.assert_array_equal(read(rows)[known, 0], holds[known])


@pytest.mark.parametrize("text", ["2*x0 - 3*x1 - 0.5", "x0/x1", "x0 - x1 if x2 > 0 else 0", "-1"])
def test_every_language_gives_the_class_of_its_scores(tmp_path, text):
    """With NaN, inf and ties in every place."""
    formula = Expression.parse(["0", text], num_inputs=3)
    rows = np.array(list(itertools.product(SPECIAL, repeat=3)))
    wanted = formula(rows)
    for language, (scores, classes) in run_all(formula, tmp_path, rows).items():
        np.testing.assert_allclose(scores, wanted, rtol=1e-12, err_msg=language)
        np.testing.assert_array_equal(classes, highest(scores), err_msg=language)
    if text != "-1":
        above = wanted[:, 1]
        assert np.isnan(above).any() and (above == 0).any() and np.isinf(above).any()


@pytest.mark.slow
@few
@given(expressions(EXACT, dyadic, max_steps=12, odd_names=True), st.integers(0, 2**32 - 1))
def test_every_language_gives_the_same_bits(tmp_path, formula, seed):
    scores = difference(formula.select([0, len(formula) - 1]))
    rows = np.random.default_rng(seed).integers(-8, 9, (20, formula.num_inputs)) / 4
    wanted = scores(rows)
    for language, (found, classes) in run_all(scores, tmp_path, rows).items():
        np.testing.assert_array_equal(found, wanted, err_msg=language)
        np.testing.assert_array_equal(classes, highest(wanted), err_msg=language)


def test_each_file_says_it(tmp_path):
    formula = pair("2*x0 - 3*x1 - 0.5")
    said = "bees if 2*x0 > 3*x1 + 0.5, otherwise ants"
    for suffix in ("py", "c", "sql", "json"):
        assert said in export(formula, tmp_path / f"f.{suffix}", classes=CLASSES).read_text()
    assert json.loads(formula.to_json())["rule"] == formula.rule()
    assert r"\text{bees} & \text{if } 2 \, x_{0} > 3 \, x_{1} + 0.5" in rule_of(formula).latex(
        CLASSES
    )
    assert rule_of(pair("1")).latex(("a_b", "c^d")) == r"\text{c$\wedge{}$d}"


ODD = [*ODD_NAMES, '"""', "\\", "*/", "--\n;", "/*", "a'b"]


@pytest.mark.parametrize("classes", list(itertools.pairwise(ODD)))
def test_odd_names_break_no_file(tmp_path, classes):
    """Names of classes and of inputs, in comments that go on over lines."""
    inputs = [f"{name.replace('`', '')} {i}" for i in range(10) for name in classes]
    text = " + ".join(f"{i + 0.5}*x{i}" for i in range(20))
    formula = Expression.parse(["0", f"{text} - 3"]).renamed(inputs)
    rows = np.random.default_rng(0).normal(size=(5, 20))
    for language, (scores, found) in run_all(formula, tmp_path, rows, classes).items():
        np.testing.assert_allclose(scores, formula(rows), rtol=1e-12, err_msg=language)
        np.testing.assert_array_equal(found, highest(scores), err_msg=language)


@pytest.mark.slow
def test_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    for text in ("2*x0 - 3*x1 - 0.5", "sin(x0)*x1", "x0", "2"):
        formula = Expression.parse(["0", text], num_inputs=2)
        path = export(formula, tmp_path / "f.onnx", classes=CLASSES, overwrite=True)
        rows = np.array([[1, 0.5], [-1, 0], [math.nan, 1], [0, -0.25]], dtype=np.float32)
        scores, _ = run_onnx(path, rows)
        np.testing.assert_allclose(scores, formula(rows), rtol=1e-6)
        told = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert told["rule"].splitlines() == formula.rule(CLASSES)
