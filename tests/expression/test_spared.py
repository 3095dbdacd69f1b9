"""What noisy rows can spare: numbers found simple while the others are fitted again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from occamhead.expression import Expression
from occamhead.expression.fitting import fit_numbers, standard_errors
from occamhead.expression.linearised import Linearised, loss_of, nats
from occamhead.expression.numbers import free_numbers, numbers, with_values
from occamhead.expression.spared import spared
from occamhead.expression.tidy import tidy


def noisy(law: str, seed: int, low: float = 0.2, rows: int = 200, noise: float = 0.01):
    """Rows of a law whose target has noise, relative to its root mean square."""
    random = np.random.default_rng(seed)
    x = random.uniform(low, 5, (rows, 2))
    y = Expression.parse(law, num_inputs=2)(x)[:, 0]
    y = y + noise * np.sqrt(np.mean(y**2)) * random.normal(size=rows)
    return x, y, np.full(rows, 1 / rows)


def fit(text: str, rows) -> Expression:
    return fit_numbers(Expression.parse(text, num_inputs=2), *rows, iterations=100)


@pytest.mark.parametrize(
    ("found", "law"),
    [
        # Held at what the fit of all gave them, the other numbers speak against each of these.
        ("x0*(-2.01*x1 - x0**0.99 + 2.97)", "x0*(-2*x1 - x0 + 3)"),
        (
            "-0.997*x0 - 0.002*x1 - 1.98*x0*x1/(x0**1.99 + 2.01) + 19.96",
            "-x0 - 2*x0*x1/(x0**2 + 2) + 20",
        ),
        (
            "-0.0732*x1**2 + 1.001*x1 - 0.99*x1/(x0 + 0.99) + 0.0013*x0 - 0.011",
            "-0.073*x1**2 + x1 - x1/(x0 + 1)",
        ),
        ("0.51*sin(x0 - 1.01*x1) - 1.01*sin(0.99*x0) + 0.01", "0.5*sin(x0 - x1) - sin(x0)"),
        ("2.97*exp(-0.51*x0) + 0.03*x1 + 0.98", "3*exp(-0.5*x0) + 1"),
    ],
)
def test_a_law_comes_out_of_noise(found, law):
    """One number in twenty is two standard errors off: of ten samples eight shall be right."""
    wanted, right = Expression.parse(law, num_inputs=2).simplified(), 0
    for seed in range(10):
        rows = noisy(law, seed)
        simpler = tidy(fit(found, rows), *rows, float(np.std(rows[1])), refitted=True)
        assert simpler.agrees_with(wanted, rows[0], 0.03)
        # The same but for the digits of decimals.
        right += str(simpler.rounded(1)) == str(wanted.rounded(1))
    assert right >= 8


def test_an_exponent_and_a_coefficient_that_lean_on_each_other_are_both_found():
    """Each alone, the other held, costs more than it may."""
    rows = noisy("x0*(-2*x1 - x0 + 3)", seed=0)
    fitted = fit("x0*(-2.01*x1 - x0**0.99 + 2.97)", rows)
    free = free_numbers(fitted)
    held = [
        with_values(fitted, [round(v) if p == q else v for q, v in enumerate(numbers(fitted))])
        for p in free
    ]
    costs = [nats(loss_of(each, rows), loss_of(fitted, rows), 200) for each in held]
    assert sum(cost > 4.5 for cost in costs) >= 1
    assert str(spared(fitted, rows)) == "x0*(-2*x1 - x0 + 3)"


@pytest.mark.parametrize(
    "text", ["x0**1.5 + 2*x1", "x0**2.4", "2*x0 + 0.1*x1", "sin(1.7*x0) + 3.2*x1"]
)
def test_what_the_rows_tell_is_kept(text):
    rows = noisy(text, seed=1)
    simpler = spared(fit(text, rows), rows)
    wanted = numbers(Expression.parse(text))
    assert numbers(simpler) == pytest.approx(wanted, abs=0.05)
    assert simpler.features == Expression.parse(text).features


def test_numbers_have_the_digits_of_their_standard_errors():
    rows = noisy("3.14159*x0 + 0.0271828*exp(x1) + 112.2345", seed=2, noise=0.001)
    fitted = fit("3.1*x0 + 0.027*exp(x1) + 110.3", rows)
    simpler = spared(fitted, rows)
    errors = standard_errors(fitted, *rows)
    assert len(errors) == 3
    for place, error in errors.items():
        value = numbers(simpler)[place]
        assert abs(value - numbers(fitted)[place]) < 0.3 * error
        last = 10 ** math.floor(math.log10(error / 3.55))
        assert math.isclose(value / last, round(value / last), rel_tol=1e-9, abs_tol=1e-6) or (
            # The last ones may need one more digit, for nothing is left to follow them.
            math.isclose(value / last * 10, round(value / last * 10), rel_tol=1e-9)
        )


@pytest.mark.parametrize("text", ["2.5*x0", "x0/x1 + 0.03", "-1.7*sin(x0)"])
def test_something_is_left_of_a_formula_that_noise_explains(text):
    random = np.random.default_rng(3)
    rows = random.uniform(1, 3, (50, 2)), random.normal(size=50), np.full(50, 0.02)
    simpler = spared(fit(text, rows), rows)
    assert simpler.features and np.isfinite(simpler(rows[0])).all()


def test_numbers_that_rows_do_not_tell_apart_do_no_harm():
    rows = noisy("2*x0/(x1 + 3)", seed=4)
    simpler = spared(Expression.parse("3.1*x0/(1.55*x1 + 4.65)"), rows)
    assert simpler.agrees_with(Expression.parse("2*x0/(x1 + 3)"), rows[0], 0.02)


# --- linearised ------------------------------------------------------------------------------


def test_the_cost_of_a_change_is_that_of_fitting_the_others_again():
    rows = noisy("2.3*x0 - 0.7*x1 + 1.3", seed=5, noise=0.1)
    state = Linearised(fit("2.3*x0 - 0.7*x1 + 1.3", rows), rows)
    for place in state.free:
        rise, values = state.change(place, state.values[place] + 0.03)
        places = [p for p in state.free if p != place]
        again = fit_numbers(with_values(state.expression, values), *rows, places=places)
        assert rise == pytest.approx(nats(loss_of(again, rows), state.loss, 200), rel=1e-6)
        assert values == pytest.approx(numbers(again), rel=1e-6)


def test_errors_are_the_standard_errors_of_least_squares():
    rows = noisy("2.3*x0/(x1 + 1.3)", seed=6)
    fitted = fit("2.3*x0/(x1 + 1.3)", rows)
    assert Linearised(fitted, rows).errors() == pytest.approx(
        standard_errors(fitted, *rows), rel=1e-5
    )


def test_held_and_simple_numbers_are_not_free():
    formula = Expression.parse("2.5*x0**2 + 1.7*x1 + 0.3")
    free = {numbers(formula)[place] for place in free_numbers(formula)}
    assert free == {1.7, 0.3}
    assert {numbers(formula)[place] for place in free_numbers(formula, {0.3})} == {1.7}
