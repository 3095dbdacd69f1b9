"""The numbers of a formula, fitted together."""

import numpy as np
import pytest

from occamhead import Expression
from occamhead.expression.fitting import fit_numbers, free_places, standard_errors
from occamhead.expression.numbers import numbers, with_number
from occamhead.expression.slopes import Tape

X = np.random.default_rng(0).uniform(1, 5, (200, 2))


@pytest.mark.parametrize(
    "text",
    [
        "2.5*x0 - 3.1*x1 + 0.7",
        "1.5*x0/(x1 + 2.5) + exp(-0.3*x0)",
        "(x0 + 0.5)**1.7 - 2.2*abs(x0 - 1.3*x1)",
        "sin(2.1*x0 + 0.4)*cos(0.6*x1)*log(x0 + 1.1)",
        "tanh(0.3*x0)*sigmoid(0.7*x1 - 1.2)",
        "max(1.3*x0, 0.9*x1) + min(2.1*x0, 3.4)",
        "x0 if 1.2*x0 > x1 else 2.3*x1",
    ],
)
def test_slopes_are_those_of_differences(text):
    formula = Expression.parse(text, num_inputs=2)
    tape = Tape(formula, X)
    assert tape.numbers == numbers(formula)
    values, slopes = tape.slopes(tape.numbers, range(len(tape.numbers)))
    assert np.allclose(values, formula(X)[:, 0], rtol=1e-14)
    for place, number in enumerate(numbers(formula)):
        if abs(number) in (0, 1):  # a sign or nothing there: moving it changes the shape
            continue
        step = 1e-6 * abs(number)
        up, down = (with_number(formula, place, number + s)(X)[:, 0] for s in (step, -step))
        # A kink between the two points is no slope.
        differences, near = (up - down) / (2 * step), np.median(np.abs(slopes[place])) + 1
        assert np.mean(np.abs(differences - slopes[place]) < 1e-4 * near) > 0.98


@pytest.mark.parametrize(
    ("start", "law"),
    [
        ("2*x0/(x1 + 1.1) + 0.3", "3.7*x0/(x1 + 2) + 5"),
        ("2.5*exp(-1.1*(x0 - 0.7)**2) + 0.1*x1", "0.3*exp(-0.5*(x0 - 2)**2) + 7*x1"),
        ("1.5*x0**1.2", "0.02*x0**3.25"),
        ("x0*exp(-0.5*x1) + 0.1", "41*x0*exp(-0.125*x1) - 3"),
    ],
)
def test_numbers_are_found_from_a_rough_start(start, law):
    start, law = (Expression.parse(text, num_inputs=2) for text in (start, law))
    places = None if "41" not in str(law) else [0, 1, 2, 3]
    fitted = fit_numbers(start, X, law(X)[:, 0], places=places)
    assert np.allclose(fitted(X), law(X), rtol=1e-7)


def test_whole_exponents_and_signs_are_held():
    formula = Expression.parse("2.5*x0**2 - x1", num_inputs=2)
    assert [numbers(formula)[place] for place in free_places(formula)] == [2.5]


def test_a_formula_that_is_undefined_stays_as_it_is():
    formula = Expression.parse("log(x0 - 3.0) + 0.5", num_inputs=2)
    assert fit_numbers(formula, X, X[:, 1]) == formula


def test_standard_errors_are_the_spread_of_repeated_fits():
    law = Expression.parse("3.7*x0/(x1 + 2.2) + 5.1", num_inputs=2)
    generator = np.random.default_rng(1)
    found, claimed = [], []
    for _ in range(200):
        y = law(X)[:, 0] + 0.05 * generator.normal(size=len(X))
        fitted = fit_numbers(law, X, y)
        found.append([numbers(fitted)[place] for place in free_places(law)])
        claimed.append(list(standard_errors(fitted, X, y).values()))
    # The spread of 200 fits is known to a twentieth.
    assert np.allclose(np.mean(claimed, axis=0), np.std(found, axis=0), rtol=0.15)


def test_too_few_rows_tell_no_errors():
    law = Expression.parse("3.7*x0 + 5.1", num_inputs=2)
    assert set(standard_errors(law, X[:2], X[:2, 1]).values()) == {np.inf}


@pytest.mark.parametrize(
    ("text", "size"),
    [("x0", 1), ("-x0", 1), ("3.5*x0", 3), ("x0 + x1 - 1.5", 5), ("x0*x0", 3), ("sin(x0)**2", 4)],
)
def test_complexity_counts_what_is_written(text, size):
    assert Expression.parse(text).complexity == size
