"""Laws of a known form with unknown functions in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from occamhead import OccamRegressor
from occamhead.expression import Expression
from occamhead.tables.inverse import inverse
from occamhead.tables.template import read_template

FAST = {"max_functions": 1000, "folds": 2, "random_state": 0}
NAMES = ["x0", "x1", "x2"]


def rows(count=150):
    return np.random.default_rng(0).uniform(1, 3, (count, 3))


def test_a_template_is_put_together():
    template = read_template("sin(f(x1, x0*x2)) + 2*g(x2)", NAMES)
    assert [(each.name, each.labels) for each in template.unknowns] == [
        ("f", ("x1", "x0*x2")), ("g", ("x2",))]  # fmt: skip
    parts = Expression.parse("x0 - x1", 2), Expression.parse("exp(x0)", 1)
    assert str(template.composed(parts)) == "sin(x1 - x0*x2) + 2*exp(x2)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sin(x0) + x1", "has no unknown function"),
        ("f(x0", "a bracket is not closed"),
        ("f(x9)", "out of range"),
        ("f(x0) + f(x1)", "f is called with x0 and with x1; give each its own name"),
        ("f(x0) + nonsense", "unknown input 'nonsense'"),
        ("f()", "unexpected 'end'"),
        ("0*f(x0) + x1", "does not depend on f"),
    ],
)
def test_templates_that_cannot_be_read(text, said):
    with pytest.raises(ValueError, match=r"^template: ") as error:
        OccamRegressor(**FAST, template=text).fit(rows(), rows()[:, 0])
    assert said in str(error.value).replace("unknown input 'x9'", "out of range")


@pytest.mark.parametrize(
    "text",
    ["2*x2 - 1.5", "x2*x0", "x0/x2", "exp(x2)/x1 + x0", "log(x2 + x0)", "x2**3", "x0**x2",
     "tanh(0.1*x2)", "sigmoid(x2 - x1)", "x0*sin(0.3*x2)"],
)  # fmt: skip
def test_what_an_input_must_have_been(text):
    x, formula = rows(), Expression.parse(text, 3)
    values, several = inverse(formula, 2, x, formula(x)[:, 0])
    assert np.allclose(values, x[:, 2]) and several == ("sin" in text)


def test_what_cannot_be_undone():
    x = rows()
    assert inverse(Expression.parse("x2 + exp(x2)", 3), 2, x, x[:, 0]) is None
    assert inverse(Expression.parse("max(x0, x2)", 3), 2, x, x[:, 0]) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "law", "noise"),
    [
        ("sin(f(x1, x2)) + g(x0)", "sin(x1*x2) + x0**2", 0.0),
        ("exp(f(x0, x1))*x2", "exp(x0/x1 - 0.5*x0)*x2", 0.001),
        ("f(x0)*g(x1)", "x0**2*exp(-x1)", 0.0),
    ],
)
def test_the_functions_of_a_template_are_found(text, law, noise):
    x = rows()
    y = Expression.parse(law, 3)(x)[:, 0] + noise * np.random.default_rng(1).normal(size=len(x))
    model = OccamRegressor(**FAST, template=text).fit(x, y)
    assert model.best_.agrees_with(Expression.parse(law, 3), x)
    template = read_template(text, NAMES)
    parts = [part.renamed(None) for part in model.parts_.values()]
    assert template.composed(parts).agrees_with(model.best_, x, 1e-5)
    assert set(model.equations_.kind) <= {"template", "constant"}


def test_functions_have_the_names_of_what_they_are_of():
    x = pd.DataFrame(rows(), columns=["dose", "age", "weight"])
    y = np.log(x.dose / x.weight) * 2 + 1
    model = OccamRegressor(**FAST, template="log(f(dose/weight))*2").fit(x, y)
    (part,) = model.parts_.values()
    assert part.input_name(0) == "dose/weight" and part.features == (0,)
    assert model.score(x, y) > 1 - 1e-9


def test_a_template_that_is_never_defined():
    with pytest.raises(ValueError, match="undefined on most rows, whatever its functions are"):
        OccamRegressor(**FAST, template="log(-1 - f(x0)**2)").fit(rows(), rows()[:, 0])


@pytest.mark.slow
def test_a_template_that_does_not_fit():
    x = rows()
    y = np.random.default_rng(2).normal(size=len(x))
    with pytest.warns(ConvergenceWarning, match="fits no better than a constant"):
        model = OccamRegressor(**FAST, template="f(x0) + 1").fit(x, y)
    assert model.best_.features == () and model.parts_ is None


def test_a_template_is_not_for_groups():
    x = rows()
    with pytest.raises(ValueError, match="leave groups or the template out"):
        OccamRegressor(**FAST, template="f(x0)").fit(x, x[:, 0], groups=np.arange(150) % 3)
