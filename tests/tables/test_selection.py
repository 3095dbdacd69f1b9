"""The choice of a complexity, against what the rule says, and the fronts that it chooses from."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from occamhead.expression import Expression, linear_formula
from occamhead.search.result import Found
from occamhead.tables.selection import (
    LARGEST_LOSS,
    STANDARD_ERRORS,
    Candidate,
    at_complexity,
    candidates,
    choose,
    linear_complexity,
    shortest_description,
)
from occamhead.tables.sorted_rows import MOST_COPIES, sort_rows

ROWS = 400


def spread(mean: float, deviation: float, seed: int) -> np.ndarray:
    """Losses of exactly this mean and standard deviation."""
    values = np.random.default_rng(seed).normal(size=ROWS)
    values = (values - values.mean()) / values.std()
    return mean + deviation * values


EVEN = np.full(ROWS, 1 / ROWS)
# One standard error of a mean of ROWS values that spread by 1.
ERROR = 1 / np.sqrt(ROWS)


def test_the_simplest_within_one_standard_error_of_the_best_is_taken():
    best = spread(1.0, 0.0, 0)
    for distance, wanted in ((0.99, 1), (1.01, 2)):
        simpler = best + spread(distance * ERROR, 1.0, 1)
        losses = np.stack([simpler, best, best + 0.1], axis=1)
        choice = choose(losses, best + 10, EVEN)
        assert choice.complexity == wanted
        assert choice.losses == pytest.approx(losses.mean(axis=0))


def test_a_formula_must_beat_the_linear_model_by_its_standard_errors():
    formula = spread(1.0, 0.0, 0)
    for distance, wanted in ((0.99, None), (1.01, 1)):
        linear = formula + spread(distance * STANDARD_ERRORS * ERROR, 1.0, 1)
        choice = choose(formula[:, None], linear, EVEN)
        assert choice.complexity == wanted
        assert choice.linear_loss == pytest.approx(linear.mean())


def test_differences_are_paired():
    # Both spread by 100, but one is better by a little on every row.
    linear = spread(150.0, 20.0, 0).clip(0, LARGEST_LOSS - 1)
    assert choose(linear[:, None] - 0.01, linear, EVEN).complexity == 1


def test_weights_count_as_repeated_rows_do_in_the_means_and_none_is_no_row():
    random = np.random.default_rng(0)
    losses, linear = random.exponential(size=(ROWS, 5)), random.exponential(size=ROWS) + 0.05
    weights = (np.arange(ROWS) < 300) / 300
    part = choose(losses[:300], linear[:300], np.full(300, 1 / 300))
    whole = choose(losses, linear, weights)
    assert whole.complexity == part.complexity
    np.testing.assert_allclose(whole.losses, part.losses)


def test_what_explodes_counts_as_the_largest_loss():
    losses = np.ones((ROWS, 4))
    losses[0] = [np.inf, np.nan, 1e300, 1.0]
    choice = choose(losses, np.full(ROWS, np.inf), EVEN)
    expected = (ROWS - 1 + LARGEST_LOSS) / ROWS
    np.testing.assert_allclose(choice.losses, [expected, expected, expected, 1.0])
    # A mean that one row makes is one standard error, less what the mean itself takes off.
    assert choice.complexity == 4 and choice.linear_loss == LARGEST_LOSS


# --- fronts ----------------------------------------------------------------------------------


def found(text: str, complexity: int, error: float = 0.0) -> Found:
    return Found(Expression.parse(text, num_inputs=2), error, 0.0, complexity, 0.0)


def result(*fronts, chosen=None) -> SimpleNamespace:
    return SimpleNamespace(fronts=fronts, chosen=chosen)


LOSSES = {"x0": 3.0, "x1": 2.0, "x0*x1": 2.5, "x0 + x1": 1.0, "x0/x1": float("nan")}


def test_candidates_are_a_pareto_front_in_the_loss_that_counts():
    front = [found(text, 2 * i + 1) for i, text in enumerate(LOSSES)]
    made = candidates(result(front), lambda formula: formula, lambda f: LOSSES[str(f)])
    assert [(c.complexity, str(c.formula), c.loss) for c in made] == [
        (1, "x0", 3.0), (3, "x1", 2.0), (7, "x0 + x1", 1.0)
    ]  # fmt: skip
    picked = [at_complexity(made, c) for c in (0, 1, 2, 6, 7, 99)]
    assert [one and one.complexity for one in picked] == [
        None, 1, 1, 3, 7, 7
    ]  # fmt: skip


def test_outputs_are_joined_at_every_complexity_from_the_first_that_all_have():
    one, other = [found("x0", 1), found("x0*x1", 3)], [found("x1 + 1", 3), found("x1*x1", 5)]
    values = iter([3.0, 2.0, 1.0])
    made = candidates(result(one, other), lambda formula: formula, lambda _: next(values))
    assert [(c.complexity, c.formula.text()) for c in made] == [
        (3, ["x0*x1", "x1 + 1"]), (5, ["x0*x1", "x1*x1"])
    ]  # fmt: skip
    assert candidates(result(one, []), lambda formula: formula, lambda _: 0.0) == []


def test_formulas_are_finished_before_they_are_judged():
    twice = Expression.parse("2*x0", num_inputs=2)
    made = candidates(result([found("x0", 1)]), lambda _: twice, lambda f: float(f == twice))
    assert made == [Candidate(1, twice, 1.0)]


def test_at_complexity_and_shortest_description():
    front = [found("x0", 1), found("x0*x1", 3)]
    assert [at_complexity(front, c) for c in (0, 1, 2, 3, 9)] == [
        None, front[0], front[0], front[1], front[1]
    ]  # fmt: skip
    assert shortest_description(result(front, front, chosen=(0, 1))) == 3
    assert shortest_description(result(front, [], chosen=(0, None))) is None


def test_the_linear_formula_is_its_coefficients():
    coefficients, intercepts = np.array([[1.5, 0.0, -2.0], [0.0, 0.0, 0.0]]), np.array([0.25, 7.0])
    formula = linear_formula(coefficients, intercepts)
    x = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(formula(x), x @ coefficients.T + intercepts, rtol=1e-12)
    assert formula.features == (0, 2) and formula.num_inputs == 3
    # The sum, two inputs, two coefficients, the intercept.
    assert linear_complexity(formula) == 6


# --- rows ------------------------------------------------------------------------------------


def arrays(table):
    return table.x, table.targets, table.labels, table.weights


def tables_of(x, y, weights):
    return arrays(sort_rows(x, y[:, None], y, np.asarray(weights, float)))


def test_equal_tables_give_equal_arrays():
    random = np.random.default_rng(0)
    x, y = random.integers(0, 3, (40, 2)).astype(float), random.integers(0, 2, 40).astype(float)
    counts = random.integers(0, 4, 40)
    order = random.permutation(40)
    wanted = tables_of(np.repeat(x, counts, axis=0), np.repeat(y, counts), np.ones(counts.sum()))
    for got in (tables_of(x, y, counts), tables_of(x[order], y[order], counts[order])):
        for one, other in zip(got, wanted, strict=True):
            assert np.array_equal(one, other)
    assert len(wanted[0]) == counts.sum() and wanted[3].sum() == pytest.approx(1)


def test_fractions_and_large_weights_repeat_no_row():
    x, y = np.arange(6.0)[:, None], np.arange(6.0)
    for weights in ([0.5, 1, 2, 0, 1, 1], [0, 1, 2, 3, 4, 6 * MOST_COPIES]):
        got = tables_of(x, y, weights)
        kept = np.asarray(weights) > 0
        assert np.array_equal(got[0], x[kept])
        np.testing.assert_allclose(got[3], np.asarray(weights)[kept] / np.sum(weights))
