"""Formulas of a size: what is fitted meets its bounds, and reads as what it computes."""

from __future__ import annotations

import itertools

import pytest

from occamhead.distill.sizes.size_formulas import Bound, Polynomial, Power, fit, number, tokens

SIZES = range(3, 11)


def exactly(function, name="n", sizes=SIZES) -> list[Bound]:
    return [Bound({name: v}, function(v), function(v)) for v in sizes]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda n: 0, "0"),
        (lambda n: -7, "-7"),
        (lambda n: n, "n"),
        (lambda n: n - 1, "n - 1"),
        (lambda n: 3 - n, "-n + 3"),
        (lambda n: n // 2, "n // 2"),
        (lambda n: n // 2 + 4, "n // 2 + 4"),
        (lambda n: (n + 1) // 2 - 3, "(n - 5) // 2"),
        (lambda n: (2 * n + 1) // 3, "(2 * n + 1) // 3"),
        (lambda n: n**2, "n**2"),
        (lambda n: n * (n + 1) // 2, "(n**2 + n) // 2"),
        (lambda n: n * (n - 1) - 30, "n**2 - n - 30"),
        (lambda n: 2**n - 1, "2**n - 1"),
        (lambda n: 3 * 2**n, "3 * 2**n"),
    ],
)
def test_the_formula_that_values_have(function, text):
    found = fit(exactly(function))
    assert str(found) == text
    assert all(found.value({"n": n}) == function(n) for n in range(3, 12))


def test_no_formula_for_values_that_have_none():
    assert fit(exactly(lambda n: (1, 5, 2, 90)[n % 4])) is None


def test_of_several_sizes_the_one_that_tells():
    bounds = [Bound({"m": m, "k": k}, 2**k, 2**k) for m in (2, 3) for k in range(m)]
    assert str(fit(bounds)) == "2**k"


def test_within_bounds_the_shortest():
    assert str(fit([Bound({"n": n}, n - 2, n + 3) for n in SIZES])) == "n"
    assert str(fit([Bound({"n": n}, 4, 9) for n in SIZES])) == "4"
    assert str(fit([Bound({"n": n}, -9, -4) for n in SIZES])) == "-4"


def test_text_value_and_shift_agree():
    polynomials = itertools.product((-1, 0, 2), (-3, -1, 0, 1, 2), (-5, 0, 1, 4), (1, 2, 3))
    formulas = [Polynomial("n", *numbers) for numbers in polynomials]
    formulas += [Power("n", f, c) for f in (-1, 1, 3) for c in (-2, 0, 5)]
    assert len(formulas) == 3 * 5 * 4 * 3 + 9
    for formula in formulas:
        for n in (3, 8):
            assert eval(str(formula), {"n": n}) == formula.value({"n": n}), str(formula)
            assert formula.shifted(3).value({"n": n}) == formula.value({"n": n}) + 3


def test_tokens_are_those_of_python():
    assert [tokens(t) for t in ("n", "n // 2", "(n**2 - n) // 2", "2**k - 1")] == [1, 3, 9, 5]
    assert str(number(-2)) == "-2"
