"""Numbers made simple: to what, at what cost, and when not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.numbers import decimals, free_numbers, numbers, simple, with_number
from occamhead.expression.pulled import pulled
from occamhead.expression.spared import DIGITS_NATS, NATS, NATS_EACH
from occamhead.expression.tidy import shortened, tidy


def table(rows: int = 100, inputs: int = 2, seed: int = 0):
    return np.random.default_rng(seed).uniform(0.5, 3, (rows, inputs))


def tidied(text: str, y, x=None, weights=None) -> str:
    x = table() if x is None else x
    weights = np.full(len(x), 1 / len(x)) if weights is None else weights
    y = Expression.parse(y, num_inputs=x.shape[1])(x)[:, 0] if isinstance(y, str) else y
    formula = Expression.parse(text, num_inputs=x.shape[1])
    return str(tidy(formula, x, y, weights, float(np.std(y))))


def error(formula: Expression, x, y) -> float:
    return float(np.sqrt(np.mean((formula(x)[:, 0] - y) ** 2)) / np.std(y))


# --- exact data ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fitted", "law"),
    [
        ("2.0000000001*x0", "2*x0"),
        ("0.4999999999998*x0 + 1e-13*x1", "0.5*x0"),
        ("0.33333333334*x0", f"{1 / 3}*x0"),
        ("0.78539816339*x0**2.00000000003", f"{math.pi / 4}*x0**2"),
        ("sin(6.2831853072*x0)", f"sin({2 * math.pi}*x0)"),
        ("x0*exp(-0.25000000002*x1) - 2.9999999999", "x0*exp(-0.25*x1) - 3"),
        ("(1.4142135623731*x0)**2", "2*x0**2"),
        ("(2.9999999999*x0)/x1", "3*x0/x1"),
        ("6.67429999999998e-11*x0*x1", "6.6743e-11*(x0*x1)"),
    ],
)
def test_numbers_of_a_law_are_read_exactly(fitted, law):
    # A fit is exact but for rounding: to 1e-9 of the target's deviation.
    assert Expression.parse(tidied(fitted, law)) == Expression.parse(law).simplified()


def test_an_exact_formula_stays_exact_with_numbers_that_are_not_simple():
    x = table()
    y = 0.123456789012 * x[:, 0] + math.sqrt(7) * x[:, 1]
    text = tidied(f"0.123456789012*x0 + {math.sqrt(7)}*x1", y)
    assert error(Expression.parse(text), x, y) <= 1e-11
    assert text == "2.64575131106*x1 + 0.123456789*x0" or len(text) < 45


def test_what_is_almost_simple_but_not_within_rounding_stays():
    for number in (2.0001, 0.3334, 0.7854):
        law = f"{number}*x0"
        assert tidied(law, law) == law


# --- noisy data ------------------------------------------------------------------------------


def noisy_fit(coefficients, noise: float = 0.1, rows: int = 100, seed: int = 0):
    """Rows of a noisy sum, and the text of its least squares fit."""
    random = np.random.default_rng(seed)
    x = random.uniform(0.5, 3, (rows, len(coefficients)))
    y = x @ coefficients + noise * random.normal(size=rows)
    fitted = np.linalg.lstsq(x, y, rcond=None)[0]
    return x, y, " + ".join(f"{c!r}*x{i}" for i, c in enumerate(fitted.tolist()))


def test_a_term_that_is_zero_within_the_noise_is_dropped():
    x, y, text = noisy_fit([2.0, 0.0, -1.0])
    assert "x1" in text and "x1" not in tidied(text, y, x)
    x, y, text = noisy_fit([2.0, 0.1, -1.0])
    assert "x1" in tidied(text, y, x)


def test_whole_numbers_come_out_of_noise_and_thirds_and_pi_do_not():
    whole = 0
    for seed in range(20):
        x, y, text = noisy_fit([3.0, 2.0], seed=seed, noise=0.01)
        values = [v for v in numbers(Expression.parse(tidied(text, y, x))) if v]
        assert sorted(values) == pytest.approx([2, 3], abs=0.01)
        whole += values.count(2) + values.count(3)
        x, y, text = noisy_fit([1 / 3, math.pi], seed=seed, noise=0.01)
        for value in numbers(Expression.parse(tidied(text, y, x))):
            assert value not in (1 / 3, math.pi)
    assert whole >= 30


def test_decimals_are_shortened_no_further_than_the_noise_allows():
    x, y, text = noisy_fit([1.6180339887], noise=0.1)
    (few,) = (c for c in numbers(Expression.parse(tidied(text, y, x))) if c)
    x, y, text = noisy_fit([1.6180339887], noise=1e-5)
    (many,) = (c for c in numbers(Expression.parse(tidied(text, y, x))) if c)
    assert len(str(few)) <= 5 < 6 <= len(str(many)) <= 9


@pytest.mark.parametrize("seed", range(30))
def test_the_error_rises_by_no_more_than_is_said(seed):
    random = np.random.default_rng(seed)
    coefficients = random.choice([0.0, 1.0, 0.02, 2.5, math.pi], 4)
    rows = int(random.choice([10, 40, 200]))
    x, y, text = noisy_fit(coefficients, noise=0.3, rows=rows, seed=seed)
    formula = Expression.parse(text)
    simpler = tidy(formula, x, y, np.full(rows, 1 / rows), float(np.std(y)))
    rise = rows * math.log(error(simpler, x, y) / error(formula, x, y))
    changed = 4 - len(free_numbers(simpler))
    assert rise <= NATS + NATS_EACH * changed + DIGITS_NATS + 1e-9
    assert len(str(simpler)) < len(text)


def test_rows_without_weight_do_not_count():
    x = table(60)
    y = np.where(np.arange(60) < 40, 2 * x[:, 0], -7.0)
    weights = np.where(np.arange(60) < 40, 1 / 40, 0.0)
    assert tidied("1.99999999999*x0 + 1e-12*x1", y, x, weights) == "2*x0"


def test_a_chain_of_terms_that_vanish_leaves_the_others_in_place():
    y = "x0"
    text = "1e-13*x1*(2.3*x0 + 1.7) + 1.00000000001*x0 + 1e-14"
    assert tidied(text, y) == "x0"


# --- laws ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x0", "x0*x1", "sin(x0 + x1) - x1", "(-x0)/x1", "max(x0, x1)"])
def test_formulas_without_numbers_are_unchanged(text):
    formula, x = Expression.parse(text, num_inputs=2), table()
    y = formula(x)[:, 0] + 0.01 * np.random.default_rng(0).normal(size=100)
    assert tidied(text, y) == str(formula)


def test_an_undefined_error_changes_nothing():
    text = "log(x0 - 2)*1.23456789"
    assert "1.23456789" in tidied(text, np.ones(100) + table()[:, 0])


@pytest.mark.parametrize("seed", range(30))
def test_pulling_factors_out_keeps_the_function(seed):
    random = np.random.default_rng(seed)
    builder = ExpressionBuilder()
    nodes = [builder.input(0), builder.input(1), builder.constant(float(random.integers(-2, 4)))]
    for _ in range(8):
        one, other = random.choice(nodes, 2).tolist()
        scaled = builder.affine(0.0, [(float(random.normal()), one)])
        nodes.append(builder.apply(str(random.choice(["pow", "div", "mul"])), scaled, other))
    formula = builder.build(nodes[-4:], 2)
    x = random.uniform(-1.5, 1.5, (50, 2))
    assert pulled(formula).agrees_with(formula, x, 1e-8)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(3*x0)**2", "9*x0**2"),
        ("(-2*x0)**3", "-8*x0**3"),
        ("(4*x0)**0.5", "2*x0**0.5"),
        ("(-4*x0)**0.5", "(-4*x0)**0.5"),
        ("(1e200*x0)**2", "(1e+200*x0)**2"),
        ("(2*x0)**x1", "(2*x0)**x1"),
        ("(2*x0)/(3*x1)", "2*x0/(3*x1)"),
        ("(2*x0 + 1)**2", "(2*x0 + 1)**2"),
    ],
)
def test_factors_are_pulled_out_where_that_is_the_same(text, wanted):
    formula = pulled(Expression.parse(text, num_inputs=2))
    assert str(formula) == wanted
    x = np.random.default_rng(0).normal(size=(50, 2))
    assert formula.agrees_with(Expression.parse(text, num_inputs=2), x, 1e-12)


def test_numbers_are_listed_and_replaced_by_place():
    formula = Expression.parse("2.5*x0 + sin(1.5*x1 + 0.5)")
    found = numbers(formula)
    assert sorted(value for value in found if value not in (0, 1)) == [0.5, 1.5, 2.5]
    for place, value in enumerate(found):
        if value not in (0, 1):
            other = numbers(with_number(formula, place, 9.0))
            assert other == [*found[:place], 9.0, *found[place + 1 :]]
    assert with_number(formula, found.index(2.5), 0.0).features == (1,)


def test_simple_numbers_and_decimals_by_hand():
    assert list(simple(2.03, False)) == [2.0, 2.0, 2.0]
    assert list(simple(0.49, False)) == [0.5, 0.5]
    assert list(simple(0.09, True)) == []
    assert 1 / 3 in list(simple(0.33, True)) and 1 / 3 not in list(simple(0.33, False))
    assert list(simple(1e6, True)) == []
    assert list(decimals(1.23456)) == [1.2, 1.23, 1.235, 1.2346]
    assert list(decimals(2 * math.pi / 3)) == []


# --- rounding what nobody searched -----------------------------------------------------------


def test_shortened_numbers_move_no_output_by_a_share_of_its_deviation():
    x = table()
    formula = Expression.parse([f"{math.pi}*x0", f"{math.e}", f"{math.pi}*x1 + 1"], num_inputs=2)
    assert shortened(formula, x).text() == ["3.14159*x0", "2.71828", "3.14159*x1 + 1"]
    far = Expression.parse(f"{math.pi}*x0 + {math.e}*x1", num_inputs=2)
    rows = x + 1e7
    moved = shortened(far, rows)(rows) - far(rows)
    assert 0 < np.sqrt(np.mean(moved**2)) <= 1e-4 * np.std(far(rows))
