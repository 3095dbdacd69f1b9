"""One input explained: the parts add up, and the change that flips it is the smallest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.explain import Spread, explain_example
from tests.expression.random_formulas import SMOOTH, dyadic, expressions, small

rows = st.lists(st.floats(-5, 5), min_size=4, max_size=4)


def predicted(formula: Expression, row) -> int:
    return int(formula(np.asarray(row, dtype=np.float64)).argmax())


def moved(row, flip, factor: float):
    row = np.array(row, dtype=np.float64)
    row[flip.feature] = flip.new if factor == 1 else flip.old + factor * (flip.new - flip.old)
    return row


@settings(max_examples=60, deadline=None)
@given(formula=expressions(), row=rows)
def test_terms_add_up_to_the_score_bit_for_bit(formula, row):
    assume(len(formula) > 1)
    row = row[: formula.num_inputs]
    example = explain_example(formula, row)
    values = formula(np.array(row))
    for score, value in zip(example.scores, values, strict=True):
        np.testing.assert_equal(score.value, value)
        if score.terms:
            total = score.terms[0].contribution
            for term in score.terms[1:]:
                total += term.contribution
            total = total + score.constant if score.constant else total
        else:
            total = score.constant
        with np.errstate(all="ignore"):
            np.testing.assert_equal(total, value)
    assert example.predicted == values.argmax()
    # Every part of the formulas, with the value that it has as a formula of its own.
    for text, value in example.nodes:
        alone = Expression.parse(text, num_inputs=formula.num_inputs)
        np.testing.assert_allclose(alone(np.array(row))[0], value, rtol=1e-12)


@st.composite
def sums(draw):
    """Sums whose slopes differ by a quarter or not at all, so that no flip is lost in rounding."""
    width, classes = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    texts = []
    for _ in range(classes):
        terms = [f"{draw(dyadic)}*x{i}" for i in range(width)]
        texts.append(" + ".join([*terms, str(draw(dyadic))]).replace("+ -", "- "))
    return Expression.parse(texts, num_inputs=4)


@settings(max_examples=150, deadline=None)
@given(formula=sums(), row=rows, scales=st.lists(st.floats(0.1, 10), min_size=4, max_size=4))
def test_flips_of_sums_flip_and_nothing_smaller_does(formula, row, scales):
    spread = Spread(np.zeros(4), np.array(scales), np.full(4, -1e9), np.full(4, 1e9))
    example = explain_example(formula, row, spread, most_flips=9)
    assume(example.margin > 1e-6)
    flipping = {flip.feature for flip in example.flips}
    for flip in example.flips:
        assert predicted(formula, moved(row, flip, 1.0)) == flip.becomes != example.predicted
        assert predicted(formula, moved(row, flip, 1 - 1e-6)) == example.predicted
        assert predicted(formula, moved(row, flip, -1 + 1e-6)) == example.predicted
        assert flip.deviations == pytest.approx(flip.change / scales[flip.feature])
    sizes = [abs(flip.deviations) for flip in example.flips]
    assert sizes == pytest.approx(sorted(sizes))
    # By brute force: no feature flips at less, and those left out flip nowhere.
    for feature in formula.features:
        limit = next((abs(f.change) for f in example.flips if f.feature == feature), 1e4)
        tried = np.tile(np.array(row), (401, 1))
        tried[:, feature] += np.linspace(-1, 1, 401) * limit * (1 - 1e-6)
        assert (formula(tried).argmax(axis=1) == example.predicted).all()
        assert feature in flipping or limit == 1e4


def test_flip_of_a_sum_by_hand():
    formula = Expression.parse(["2*x0 + x1 - 1", "x0 + 3*x1"])
    # Scores 5 and 4.5: x0 must fall by .5 (half a deviation), x1 rise by .25 (half a deviation).
    spread = Spread(np.zeros(2), np.array([1.0, 0.2]), np.array([0.0, 0.0]), np.array([4.0, 0.6]))
    example = explain_example(formula, [2.75, 0.5], spread, classes=("a", "b"))
    assert [score.name for score in example.scores] == ["a", "b"]
    assert (example.scores[0].value, example.scores[1].value) == (5.0, 4.25)
    assert (example.predicted, example.runner_up, example.margin) == (0, 1, 0.75)
    assert [(t.text, t.coefficient, t.value) for t in example.scores[0].terms] == [
        ("x0", 2.0, 2.75), ("x1", 1.0, 0.5),
    ]  # fmt: skip
    first, second = example.flips
    assert (first.name, first.becomes, first.seen) == ("x0", 1, True)
    assert first.change == pytest.approx(-0.75) and first.deviations == pytest.approx(-0.75)
    assert (second.name, second.seen) == ("x1", False)
    assert second.change == pytest.approx(0.375) and second.deviations == pytest.approx(1.875)
    assert example.likely_flip is first


def test_the_smallest_change_within_training_is_given_beyond_the_limit():
    formula = Expression.parse(["x0 + x1 + x2", "0"])
    low, high = np.array([0.0, 0.0, -9.0]), np.array([9.0, 9.0, 9.0])
    spread = Spread(np.zeros(3), np.array([4.0, 2.0, 1.0]), low, high)
    example = explain_example(formula, [1.0, 1.0, 1.0], spread, most_flips=1)
    assert [(flip.name, flip.seen) for flip in example.flips] == [("x0", False), ("x2", True)]
    assert example.likely_flip is example.flips[1]
    assert [f.seen for f in explain_example(formula, [1.0, 1.0, 1.0]).flips] == [None] * 3


def test_a_tie_goes_to_the_first_class_so_only_one_way_needs_more():
    formula = Expression.parse(["x0", "1"])
    up = explain_example(formula, [0.0]).flips[0]
    assert (up.new, up.becomes) == (1.0, 0)  # at the tie already
    down = explain_example(formula, [2.0]).flips[0]
    assert down.becomes == 1 and down.new < 1.0 and down.new == pytest.approx(1.0, abs=1e-15)
    tied = explain_example(formula, [1.0])
    assert tied.margin == 0 and tied.predicted == 0
    assert 0 < 1.0 - tied.flips[0].new < 1e-12


@pytest.mark.parametrize(
    ("texts", "row", "feature", "new"),
    [
        (["x0*x0", "4"], [1.0], 0, 2.0),
        (["exp(x0)", "x1"], [0.0, 5.0], 0, np.log(5.0)),
        (["1 if x0 > 3 else 0", "0.5"], [-2.0], 0, 3.0),
        (["sin(x0)", "0.5"], [0.0], 0, np.pi / 6),  # and not one of the later ones
        (["max(x0, x1)", "2"], [0.0, 1.0], 1, 2.0),
    ],
)
def test_flips_of_other_formulas(texts, row, feature, new):
    formula = Expression.parse(texts)
    flips = {flip.feature: flip for flip in explain_example(formula, row).flips}
    assert flips[feature].new == pytest.approx(new, rel=1e-12)
    assert predicted(formula, moved(row, flips[feature], 1.0)) == flips[feature].becomes
    assert predicted(formula, moved(row, flips[feature], 1 - 1e-9)) != flips[feature].becomes


@settings(max_examples=40, deadline=None)
@given(formula=expressions(operators=SMOOTH, numbers=small), row=rows)
def test_flips_of_random_formulas_flip(formula, row):
    assume(len(formula) > 1)
    row = row[: formula.num_inputs]
    example = explain_example(formula, row, most_flips=9)
    for flip in example.flips:
        assert predicted(formula, moved(row, flip, 1.0)) == flip.becomes != example.predicted
        before = np.nextafter(flip.new, flip.old)
        row_before = np.array(row, dtype=float)
        row_before[flip.feature] = before
        if not all(type(node).__name__ != "Apply" for node in formula.nodes):
            assert predicted(formula, row_before) == example.predicted


def test_what_cannot_flip_has_no_flip():
    formula = Expression.parse(["x0 + 1", "x0"])
    assert explain_example(formula, [3.0]).flips == ()
    constants = Expression.parse(["1", "2"], num_inputs=1)
    example = explain_example(constants, [0.0])
    assert example.flips == () and example.likely_flip is None
    assert [(s.value, s.constant, s.terms) for s in example.scores] == [(1, 1, ()), (2, 2, ())]


@pytest.mark.parametrize(
    ("texts", "row", "classes", "message"),
    [
        (["x0"], [1.0], (), "two or more"),
        (["x0", "x1"], [1.0], (), r"wanted the 2 features of one input, got \[1\]"),
        (["x0", "x1"], [1.0, np.nan], (), "must be finite"),
        (["x0", "x1"], [1.0, 2.0], ("a",), "2 formulas need as many class names, got 1"),
    ],
)
def test_bad_input_is_refused(texts, row, classes, message):
    with pytest.raises(ValueError, match=message):
        explain_example(Expression.parse(texts), row, classes=classes)


def test_spread_of_no_rows_is_refused():
    with pytest.raises(ValueError, match=r"at least one, got \[0, 3\]"):
        Spread.of(np.zeros((0, 3)))


def test_spread_measures_each_feature():
    x = np.random.default_rng(0).normal(3, 2, (50, 150)).astype(np.float32)
    x[:, 7] = 5.0
    spread, rows = Spread.of(x), x.astype(np.float64)
    np.testing.assert_allclose(spread.mean, rows.mean(axis=0))
    np.testing.assert_allclose(spread.deviation, np.where(np.arange(150) == 7, 1, rows.std(axis=0)))
    assert (spread.low == x.min(axis=0)).all() and (spread.high == x.max(axis=0)).all()


def test_an_example_prints_what_each_term_gave_and_what_would_turn_it():
    formula = Expression.parse(["0", "2*x0 - 3*x2 + 0.5"], num_inputs=3)
    spread = Spread.of([[0, 0, 0], [2, 2, 4]])
    example = explain_example(formula, [1.0, 0.0, 0.5], spread, ("ants", "bees"))
    assert str(example).splitlines() == [
        "bees, 1 above ants",
        "bees 1: x0 +2, x2 -1.5, constant +0.5",
        "ants if x2 were 0.833 and not 0.5 (+0.17 standard deviations)",
    ]
