"""Sound between the rows: true laws with poles at the border are, a pole between rows is not."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.expression import Expression
from occamhead.tables.between_rows import BetweenRows
from tests.tables.small import clean, regressor


def sound(text: str, x: np.ndarray) -> bool:
    formula = Expression.parse(text, num_inputs=x.shape[1])
    return BetweenRows(x, formula(x)).is_sound(formula)


def uniform(low, high, rows: int = 100, inputs: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (rows, inputs))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "text",
    ["1/x0", "x1/x0**2", "log(x0)", "1/(x0 - 1)", "x0**0.5", "exp(x0)", "x0/(x0 + x1)**3",
     "sin(20*x0)", "1/(1 - x0*x1/30)"],
)  # fmt: skip
def test_laws_with_poles_at_the_border_are(text, seed):
    assert sound(text, uniform(1.05 if "- 1)" in text else 0.05, 5, seed=seed))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("sign", [1, -1])
def test_inputs_of_many_decades_are_followed_in_their_logarithms(sign, seed):
    random = np.random.default_rng(seed)
    x = np.stack([10 ** random.uniform(20, 30, 30), sign * 10 ** random.uniform(7, 12, 30)], 1)
    assert sound("6.7e-11*x0/x1**2", x)
    x[:2, 1] = sign * 1e9, sign * 3e9
    assert not sound(f"1/(x1 - {sign * 1.7e9})**2 - 1/(x0 - 1)", x)


@pytest.mark.parametrize("seed", range(10))
def test_a_pole_where_inputs_never_meet_is_no_fault(seed):
    x = uniform(0.1, 5, seed=seed)
    x[:, 1] += x[:, 0]
    assert sound("1/(x1 - x0)", x)


@pytest.mark.parametrize("seed", range(10))
def test_a_pole_or_a_hole_between_two_rows_is_a_fault(seed):
    x = np.sort(uniform(-1, 1, inputs=1, seed=seed), axis=0)
    gap = np.argsort(np.diff(x[:, 0]))[-10]
    place, half = float(x[gap : gap + 2].mean()), float(x[gap + 1, 0] - x[gap, 0]) / 2
    between = BetweenRows(x, x)
    spike = Expression.parse(f"x0 + {0.02 * half**2}/(x0 - {place})**2", num_inputs=1)
    assert np.abs(spike(x) - x).max() < 0.03 and not between.is_sound(spike)
    # Undefined in the middle half of the gap.
    hole = Expression.parse(f"x0 + 1e-9*((x0 - {place})**2 - {half**2 / 4})**0.5", num_inputs=1)
    assert np.isfinite(hole(x)).all() and not between.is_sound(hole)
    assert between.is_sound(Expression.parse("x0 + 0.001*sin(50*x0)", num_inputs=1))


@pytest.mark.parametrize("seed", range(5))
def test_a_pole_at_a_value_of_one_of_several_inputs_is_a_fault(seed):
    x = uniform(-1, 1, inputs=3, seed=seed)
    order = np.sort(x[:, 1])
    place, half = float(order[49:51].mean()), float(order[50] - order[49]) / 2
    spike = Expression.parse(f"x0 + {0.5 * half}/(x1 - {place})", num_inputs=3)
    assert not BetweenRows(x, x[:, :1]).is_sound(spike)


def test_an_exact_law_with_a_pole_between_rows_is_found():
    x = uniform(-1, 1)
    model = regressor(max_functions=10_000).fit(x, x[:, 1] / x[:, 0])
    assert str(model.best_) == "x1/x0"


@pytest.mark.slow
def test_nothing_listed_explodes_on_fresh_rows():
    x, y = clean(lambda a, b, c: a / b, inputs=3)
    y = y + 0.3 * np.random.default_rng(0).normal(size=len(y))
    model = regressor(depth=4, max_functions=20_000, max_complexity=30).fit(x, y)
    fresh = uniform(1, 5, 2000, 3, seed=1)
    for formula in model.equations_.expression:
        assert np.median(np.abs(formula(fresh))) < 10 and np.isfinite(formula(fresh)).mean() > 0.99
