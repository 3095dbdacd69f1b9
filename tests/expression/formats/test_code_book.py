"""Sums as signs: what is read off formulas, and which are no such sums."""

import pytest

from occamhead.expression import Expression
from occamhead.expression.formats.code_book import rule_or_code


def test_signs_numbers_and_constants_are_those_of_the_formula():
    book = Expression.parse(["2*x0 - 3*x2 + 1", "-2*x0", "4", "x1 + 3*x2"]).code_book("abcd")
    assert book.lines() == [
        "f0 = 2*x0", "f1 = x1", "f2 = 3*x2", "",
        "a = f0 - f2 + 1", "b = -f0", "c = 4", "d = f1 + f2",
    ]  # fmt: skip
    assert book.factors == (1, 1, 1, 1)


def test_a_number_of_each_class_is_found_to_the_digits_of_the_formula():
    numbers, factors = (0.5, 2.0, 7.0), (0.5, 1.0, 3.0)
    read = ((0, 1), (1, 2), (0, 1, 2))
    texts = [
        " - ".join(f"{factor * numbers[k]:.3g}*x{k}" for k in own)
        for factor, own in zip(factors, read, strict=True)
    ]
    book = Expression.parse(texts).code_book()
    mean = (factors[0] * factors[1] * factors[2]) ** (1 / 3)
    assert book.factors == pytest.approx([factor / mean for factor in factors], rel=1e-3)
    assert book.units[1] == f"{numbers[1] * mean:.4g}*x1"
    assert book.lines()[-1] == f"y2 = {factors[2] / mean:.3g}*(f0 - f1 - f2)"


def test_functions_of_features_and_names_are_values():
    formula = Expression.parse(
        ["2*wing**0.5 + 1", "-2*wing**0.5 - leg**0.5"], names=["leg", "wing"]
    )
    assert formula.code_book().lines()[:2] == ["f0 = leg**0.5", "f1 = 2*wing**0.5"]


def test_weights_of_any_size_are_no_code():
    formula = Expression.parse(["2*x0 + 3*x1", "5*x0 + x1", "x0 + 4*x1"])
    with pytest.raises(ValueError, match="not signs times a number of each feature"):
        formula.code_book()
    assert rule_or_code(formula, "abc") == formula.rule("abc")


def test_what_joins_features_is_no_code():
    with pytest.raises(ValueError, match=r"sums of features, got x0\*x1 as what is added up"):
        Expression.parse(["x0*x1 + x2", "x2", "x1"]).code_book()
    with pytest.raises(ValueError, match="one value of a feature, got several of 0"):
        Expression.parse(["x0 + x1", "x0**2", "x1"]).code_book()


def test_the_code_is_said_where_it_saves_numbers():
    few = Expression.parse(["2*x0", "3*x1", "4*x2"])
    assert rule_or_code(few, "abc") == few.rule("abc")
    many = Expression.parse(["2*x0 + 3*x1", "2*x0 - 3*x1", "3*x1"])
    assert rule_or_code(many, "abc") == many.code_book("abc").lines()
    with pytest.raises(ValueError, match="as many class names"):
        many.code_book("ab")
