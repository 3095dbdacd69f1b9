"""Laws that are written down without a search."""

import numpy as np
import pytest

from occamhead import Expression
from occamhead.direct import fit_direct
from occamhead.direct.scan import coefficients
from occamhead.direct.spelling import spelt
from occamhead.expression.fitting import free_places

LAWS = {
    "monomial with free exponents": "3.7*x0**1.5/x1**0.25",
    "polynomial": "x0**4 + x0**3 + x0**2 + x0",
    "rational": "(x0 + 2.5)/(x1**2 + 1.5)",
    "rational in the square": "x0/(1 - 0.03*x1**2)**0.5",
    "sum of a pair": "x0*sin(x1) + 2*x1",
    "distance": "((x0 - x1)**2 + (x2 - x3)**2)**0.5",
    "gaussian": "0.4*exp(-0.5*(x0/x1)**2)/x1",
    "decay": "5*exp(-0.3*x0) + 1.5",
    "quotient of sums under a root": "x0*x1/((x0 - x1)**2 + x2**2)**0.5",
    "logarithm": "2*x0*log(x1/x2)",
    "three terms": "x0 + x1 + 2*x0*cos(x2)",
    "saturation": "x0/(exp(0.7*x1) - 1)",
    "many periods": "x0*sin(62.83*x0)",
}


def rows(text: str, count: int = 300, seed: int = 0) -> tuple[Expression, np.ndarray, np.ndarray]:
    law = Expression.parse(text)
    x = np.random.default_rng(seed).uniform(0.5, 4, (count, law.num_inputs))
    return law, x, law(x)[:, 0]


@pytest.mark.slow
@pytest.mark.parametrize("text", LAWS.values(), ids=LAWS)
def test_a_law_is_found_and_holds_beyond_its_rows(text):
    law, x, y = rows(text)
    found = fit_direct(x, y)[-1].formula
    _, fresh, wanted = rows(text, seed=1)
    assert np.allclose(found(fresh)[:, 0], wanted, rtol=1e-6)
    assert found.complexity <= 1.5 * law.complexity + 2


@pytest.mark.slow
def test_the_front_gets_longer_and_better():
    _, x, y = rows("x0*sin(x1) + 2*x1")
    front = fit_direct(x, y + 0.05 * np.random.default_rng(2).normal(size=len(y)))
    sizes, errors = [law.complexity for law in front], [law.error for law in front]
    assert sizes == sorted(set(sizes)) and errors == sorted(errors, reverse=True)
    assert all(np.isfinite(errors)) and max(sizes) <= 30


@pytest.mark.slow
def test_noise_leaves_the_structure_and_the_error():
    _, x, y = rows("3.7*x0/(x1 + 2)")
    noise = 0.01 * y.std() * np.random.default_rng(3).normal(size=len(y))
    front = fit_direct(x, y + noise)
    best = min(front, key=lambda law: law.error)
    assert best.error < 0.0105
    shortest = next(law for law in front if law.error < 0.0105)
    _, fresh, wanted = rows("3.7*x0/(x1 + 2)", seed=1)
    assert np.sqrt(np.mean((shortest.formula(fresh)[:, 0] - wanted) ** 2)) < 0.01 * wanted.std()


def test_sizes_of_nature_do_not_matter():
    law = Expression.parse("8.98e9*x0*x1/x2**2")
    r = np.random.default_rng(4)
    x = np.exp(r.uniform(np.log([1e-9, 1e-9, 1e-3]), np.log([1e-6, 1e-6, 1]), (120, 3)))
    found = fit_direct(x, law(x)[:, 0])[-1].formula
    assert np.allclose(found(x), law(x), rtol=1e-9)
    assert found.complexity == law.complexity


@pytest.mark.slow
def test_equal_data_equal_laws():
    _, x, y = rows("3.7*x0/(x1 + 2)")
    assert [law.formula for law in fit_direct(x, y)] == [law.formula for law in fit_direct(x, y)]


def test_what_tells_nothing_gives_nothing():
    x = np.random.default_rng(0).uniform(size=(50, 2))
    assert fit_direct(x, np.full(50, 3.0)) == []
    assert fit_direct(x[:2], x[:2, 0]) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "x0**4 - 1.5*x0**3 + 0.5*x1**2 - x1",  # a polynomial of four terms
        "12 - 2*x0 - x0*x1/(0.7*x0**2 + 1)",  # a number below a term of a sum
        "cos(x0)*sin(x0**2) + 0*x1",  # a product of two functions
    ],
)
def test_in_noise_a_structure_is_on_the_front_with_no_more_terms_than_it_has(text):
    law, x, y = rows(text, count=200, seed=5)
    noise = 0.01 * y.std() * np.random.default_rng(6).normal(size=len(y))
    front = fit_direct(x, y + noise)
    found = next(each for each in front if each.error < 0.0105)
    _, fresh, wanted = rows(text, seed=1)
    assert np.sqrt(np.mean((found.formula(fresh)[:, 0] - wanted) ** 2)) < 0.005 * wanted.std()
    assert found.complexity <= law.complexity + 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_law_whose_numbers_are_far_from_one(seed):
    random = np.random.default_rng(seed)
    f, t = 10 ** random.uniform(13, 15, 30), random.uniform(3000, 8000, 30)
    y = 1.4745e-50 * f**3 / (np.exp(4.7992e-11 * f / t) - 1)
    found = fit_direct(np.stack([f, t], axis=1), y)[-1]
    assert found.error < 1e-9 and found.complexity <= 16


@pytest.mark.slow
def test_no_number_that_another_takes_over():
    _, x, y = rows("x0*(x1 + 2.5)/(x2 + 1.5)")
    found = fit_direct(x, y)[-1].formula
    assert len(free_places(found)) == 2


def test_a_scale_beyond_the_range_of_numbers_leaves_a_formula_as_it_is():
    formula = Expression.parse("(1e200*x0 + 1e200)**2*x1")
    assert spelt(formula) == formula
    assert str(spelt(Expression.parse("2*x1*(3*x0 + 3)"))) == "6*x1*(x0 + 1)"


@pytest.mark.parametrize("size", [1e-290, 1e-120, 1e120, 1e290])
def test_targets_of_any_size_are_no_error(size):
    _, x, y = rows("x0*x1", count=60)
    for law in fit_direct(x, size * y, functions=300):
        assert np.isfinite(law.error)


@pytest.mark.slow
def test_rows_far_from_the_origin_are_no_error():
    _, x, y = rows("x0*x1", count=60)
    assert all(np.isfinite(law.error) for law in fit_direct(x + 1e6, y, functions=300))


def test_an_input_of_plus_and_minus_one_has_no_size_to_take_a_power_of():
    """Its logarithms are all zero, and the fits must not break off for that."""
    generator = np.random.default_rng(0)
    x = generator.uniform(1, 3, (80, 3))
    x[:, 1] = generator.choice([-1.0, 1.0], 80)
    columns = np.stack([np.ones(80), np.log(np.abs(x[:, 1])), np.log(x[:, 0])])
    found = coefficients(columns, 2 + 3 * np.log(x[:, 0]))
    np.testing.assert_allclose(found, [2, 0, 3], atol=1e-12)
    y = np.exp(x[:, 0]) * x[:, 2] ** 1.5 + 0.1 * x[:, 1]
    assert fit_direct(x, y + generator.normal(size=80))
