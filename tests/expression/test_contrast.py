"""Scores without what all of them contain: their differences stay, and no number is redundant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamhead import Expression
from occamhead.expression import linear_formula
from occamhead.expression.contrast import contrasted, difference
from tests.expression.random_formulas import SMOOTH, expressions, small

few = settings(max_examples=60, deadline=None, derandomize=True)


def apart(scores: np.ndarray) -> np.ndarray:
    return scores - scores[:, :1]


def softmax(scores: np.ndarray) -> np.ndarray:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def sums(seed: int, classes: int, inputs: int = 6, silent: bool = False) -> Expression:
    """Weighted sums; where some are silent, each class leaves out some inputs."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(classes, inputs))
    if silent:
        weights[generator.random(weights.shape) < 0.5] = 0
    return linear_formula(weights, generator.normal(size=classes))


@few
@given(expressions(SMOOTH, small), st.integers(0, 2**32 - 1))
def test_of_two_scores_only_the_difference_is_left(formula, seed):
    """Of random graphs with shared parts, such as deep heads have."""
    pair = formula.select([0, len(formula) - 1])
    x = np.random.default_rng(seed).uniform(-2, 2, (40, pair.num_inputs))
    wanted = apart(pair(x))
    for folded in (contrasted(pair), difference(pair)):
        found = folded(x)
        assert folded.text()[0] == "0" and (found[:, 0] == 0).all()
        size = 1 + np.abs(pair(x)).max()
        np.testing.assert_allclose(found, wanted, atol=1e-9 * size)
        clear = np.abs(wanted[:, 1]) > 1e-9 * size
        np.testing.assert_array_equal(found.argmax(axis=1)[clear], pair(x).argmax(axis=1)[clear])
    assert contrasted(contrasted(pair)) == contrasted(pair)


def test_what_two_scores_share_cancels():
    def folded(*texts: str) -> list[str]:
        return contrasted(Expression.parse(texts)).text()

    assert folded("2*x0 + x1 - 1", "5*x0 + x1 + 2") == ["0", "3*x0 + 3"]
    assert folded("sin(x0) + x1", "sin(x0) - 2*x2") == ["0", "-2*x2 - x1"]
    assert folded("max(x0, x1)", "max(x0, x1)") == ["0", "0"]
    assert folded("3", "1") == ["0", "-2"] and folded("x0", "0") == ["0", "-x0"]


@pytest.mark.parametrize("classes", [3, 4])
@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_no_number_of_sums_is_redundant(classes, silent, seed):
    formula = sums(seed, classes, silent=silent)
    folded = contrasted(formula)
    x = np.random.default_rng(seed).normal(size=(200, formula.num_inputs))
    np.testing.assert_allclose(softmax(folded(x)), softmax(formula(x)), atol=1e-12)
    np.testing.assert_array_equal(folded(x).argmax(axis=1), formula(x).argmax(axis=1))

    def readers(scores: Expression, i: int) -> set[int]:
        return {k for k in range(classes) if i in scores[k].features}

    for i in formula.features:
        before, after = readers(formula, i), readers(folded, i)
        # One of all falls silent, and what is not read by all is left as it is.
        assert after < before if len(before) == classes else after == before
        assert len(after) == min(len(before), classes - 1)
    constants = folded(np.zeros((1, formula.num_inputs)))[0]
    assert (constants == 0).sum() == 1
    assert contrasted(folded) == folded


def test_the_class_nearest_the_mean_falls_silent():
    formula = Expression.parse(["x0 + 4", "2*x0 + 5", "9*x0 + 9"])
    assert contrasted(formula).text() == ["-x0 - 1", "0", "7*x0 + 4"]


@pytest.mark.parametrize("texts", [["sin(x0) + x1", "x1", "x1 - 1"], ["2*x0 + 1"]])
def test_other_formulas_are_left_as_they_are(texts):
    formula = Expression.parse(texts)
    assert contrasted(formula) == formula.simplified()
