"""The choice of a complexity, against what the rule says, and the fronts that it chooses from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm, wilcoxon

from occamhead.expression import Expression
from occamhead.search.result import Found
from occamhead.tables.candidates import Candidate, charges, joined, onto, pareto
from occamhead.tables.losses import get_loss
from occamhead.tables.regression import Regression
from occamhead.tables.selection import (
    LARGEST_LOSS,
    choose,
    cut,
    telling_rows,
    worse_in_mean,
    worse_in_ranks,
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


def picked(*losses: np.ndarray, complexities=None, weights=EVEN, **settings) -> int:
    table = np.stack(losses, axis=1)
    order = np.arange(1.0, 1 + table.shape[1]) if complexities is None else complexities
    return choose(table, np.asarray(order), weights, **settings)


def test_the_simplest_within_one_standard_error_of_the_best_is_taken():
    best = spread(1.0, 0.0, 0)
    for distance, wanted in ((0.9, 0), (1.1, 1)):
        simpler = best + spread(distance * ERROR, 1.0, 1)
        assert picked(simpler, best, best + 0.1) == wanted
        # Places say nothing, complexities do.
        assert picked(best + 0.1, best, simpler, complexities=[5.0, 2.0, 1.0]) == 2 - wanted


def test_the_constant_stands_until_two_standard_errors_speak_against_it():
    best = spread(1.0, 0.0, 0)
    for distance, wanted in ((1.1, 0), (1.9, 0), (2.1, 1)):
        constant = best + spread(distance * ERROR, 1.0, 1)
        assert picked(constant, best, nothing=0) == wanted
    # Of two formulas neither is the constant.
    assert picked(best + spread(1.1 * ERROR, 1.0, 1), best, nothing=None) == 1


def test_what_the_constant_is_as_good_as_is_not_taken_where_something_is_better():
    constant = spread(1.0, 0.0, 0)
    better = constant - spread(3 * ERROR, 1.0, 1)
    # Within one standard error of the best, and of the constant too.
    between = (constant + better) / 2 + spread(0.0, 2.0, 2)
    assert picked(constant, between, better) == 1
    assert picked(constant, between, better, nothing=0) == 2


def test_ranks_do_not_speak_for_what_is_worse_than_the_constant_in_the_mean():
    constant, line = np.full(ROWS, 0.02), np.full(ROWS, 0.01)
    constant[:20], line[:20] = 19.0, 20.0
    assert worse_in_ranks(constant, line, EVEN, 2.0)
    assert picked(line, constant, complexities=[5.0, 1.0], nothing=1) == 1


def test_differences_are_paired():
    # Both spread by 20, but one is better by a little on every row.
    simpler = spread(50.0, 10.0, 0)
    assert picked(simpler, simpler - 0.01) == 1


def test_ranks_see_what_the_mean_does_not_where_one_row_has_most_of_the_loss():
    law = np.full(ROWS, 1e-6)
    line = np.full(ROWS, 1e-3)
    line[0], law[1] = 50.0, 40.0
    assert not worse_in_mean(line, law, EVEN) and worse_in_ranks(line, law, EVEN)
    assert picked(line, law) == 1 and picked(line, law, heavy_tails=False) == 0


def test_the_mean_sees_what_ranks_do_not_where_few_rows_are_what_a_formula_is_about():
    random = np.random.default_rng(0)
    law = random.normal(size=ROWS) ** 2
    constant = random.permutation(law)
    constant[:20] += 50
    law[:20] = 0.01
    constant[20:] -= 0.1
    constant = np.maximum(constant, 0)
    assert worse_in_mean(constant, law, EVEN) and picked(constant, law) == 1


def test_ranks_of_a_wilcoxon_test_by_scipy():
    random = np.random.default_rng(1)
    one, other = random.exponential(size=(2, ROWS))
    for shift in np.linspace(0.0, 0.2, 9):
        z = -float(norm.ppf(wilcoxon(one + shift, other, "wilcox", alternative="greater",
                                     method="approx").pvalue))  # fmt: skip
        assert worse_in_ranks(one + shift, other, EVEN) == (z > 1)


def test_weights_count_as_repeated_rows_do_in_the_means_and_none_is_no_row():
    random = np.random.default_rng(0)
    losses = random.exponential(size=(ROWS, 6))
    weights = (np.arange(ROWS) < 300) / 300
    complexities = np.arange(6.0)
    part = choose(losses[:300], complexities, np.full(300, 1 / 300))
    whole = choose(losses, complexities, weights)
    assert whole == part


def test_what_explodes_counts_as_the_largest_loss():
    losses = np.ones((ROWS, 4))
    losses[0] = [np.inf, np.nan, 1e300, 1.0]
    losses[1:, 3] = 0.5
    expected = (ROWS - 1 + LARGEST_LOSS) / ROWS
    np.testing.assert_allclose(EVEN @ cut(losses[:, :3]), expected)
    assert choose(losses, np.arange(4.0), EVEN) == 3


def test_what_was_searched_must_gain_what_chance_gives():
    random = np.random.default_rng(0)
    noise = random.normal(size=ROWS) ** 2
    penalised = Regression(get_loss("squared", noise, 0.5)).penalised
    nats = np.log(200_000)
    for gain, wanted in ((0.9 * nats, 0), (1.6 * nats, 1)):
        better = noise * np.exp(-2 * gain / ROWS)
        charges = np.array([[0.0, 0.0], [nats, nats]])
        assert picked(noise, better) == 1
        assert picked(noise, better, charges=charges, penalised=penalised) == wanted
    assert telling_rows(noise[:, None], EVEN)[0] == pytest.approx(ROWS, rel=0.3)
    noise[0] = 1e6
    assert telling_rows(noise[:, None], EVEN)[0] < 4


# --- candidates --------------------------------------------------------------------------------


def found(text: str, complexity: int, error: float = 0.0) -> Found:
    return Found(Expression.parse(text, num_inputs=2), error, 0.0, complexity, 0.0)


def result(*fronts, functions: int = 1000) -> SimpleNamespace:
    return SimpleNamespace(fronts=fronts, functions=functions, best=fronts[0][0].expression)


def candidate(text: str, loss: float, **settings) -> Candidate:
    formula = Expression.parse(text, num_inputs=2)
    return Candidate(formula, "search", loss, lambda _: formula, **settings)


def test_a_pareto_front_in_complexity_as_written_and_loss():
    made = [candidate(*each) for each in (
        ("x0 + x1", 1.0), ("x0", 3.0), ("x0*x1 + 1", 0.995), ("x0*x1", 2.5),
        ("x0/x1 + 2*x0", float("nan")),
    )]  # fmt: skip
    assert [str(each.formula) for each in pareto(made)] == ["x0", "x0 + x1", "x0*x1 + 1"]
    assert [str(each.formula) for each in pareto(made, 0.01)] == ["x0", "x0 + x1"]
    assert [each.complexity for each in pareto(made)] == [1, 3, 5]


def test_the_longer_of_two_searched_formulas_is_charged_and_of_a_linear_model_neither():
    short, long = (candidate(text, 1.0, nats=6.0, node=2.0) for text in ("x0", "x0 + x1"))
    longest = candidate("sin(x0 + x1) + x0*x1", 1.0, nats=7.0, node=2.0)
    linear = candidate("x0 - x1", 1.0)
    assert charges([short, long, longest, linear]).tolist() == [
        [6.0, 0.0, 0.0, 6.0], [4.0, 6.0, 0.0, 6.0], [7.0, 7.0, 7.0, 7.0], [0.0, 0.0, 0.0, 0.0]
    ]  # fmt: skip


def test_beside_the_constant_what_was_searched_is_charged_for_its_length():
    nothing = replace(candidate("2", 1.0), kind="constant")
    law = candidate("sin(x0*x1) + x0", 0.1, nats=4.0, node=3.0)
    linear = replace(candidate("x0 + 1", 0.5), kind="linear model")
    table = charges([nothing, law, linear])
    assert table[1].tolist() == [law.complexity * 3.0, 4.0, 4.0]
    assert not table[[0, 2]].any()


def test_of_several_outputs_that_one_grows_which_gains_most_for_its_length():
    one = [found("x0", 1), found("x0*x1 + 1", 5)]
    other = [found("x1 + 1", 3)]
    losses = {("x0", "0"): 3.0, ("0", "x1 + 1"): 1.0, ("x0", "x1 + 1"): 0.9,
              ("x0*x1 + 1", "x1 + 1"): 0.1}  # fmt: skip
    made = joined(result(one, other), 1.0, lambda f: losses[tuple(f.text())], 30)
    assert [formula.text() for formula, _ in made] == [
        ["0", "x1 + 1"], ["x0", "x1 + 1"], ["x0*x1 + 1", "x1 + 1"]
    ]  # fmt: skip
    assert [nats for _, nats in made] == [3.0, 4.0, pytest.approx(8.0)]
    assert len(joined(result(one, other), 1.0, lambda f: losses[tuple(f.text())], 5)) == 2
    assert joined(result([found("x0", 9)], functions=100), 1.0, lambda _: 0.0, 30)[0][1] == (
        pytest.approx(np.log(100))
    )


def test_a_formula_of_some_inputs_as_one_of_all():
    narrow = Expression.parse("x0 - 2*x1", num_inputs=2)
    assert str(onto(narrow, [3, 7], 9)) == "x3 - 2*x7" and onto(narrow, [3, 7], 9).num_inputs == 9


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
