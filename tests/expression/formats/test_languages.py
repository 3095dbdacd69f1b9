"""Formulas in other languages: each file is run by what runs that language, never by us."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from occamhead.expression import (
    OPERATORS,
    Expression,
    ExpressionBuilder,
    Operator,
    register_operator,
)
from occamhead.expression.formats.c_source import to_c
from occamhead.expression.formats.files import export
from occamhead.expression.formats.sql import to_sql
from tests.expression.formats.machines import SPECIAL, all_operators, highest, run_all, run_c
from tests.expression.random_formulas import ALL, EXACT, dyadic, expressions, small

pytestmark = pytest.mark.usefixtures("one_thread")
few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("language", ["py", "json", "c", "sql"])
def test_every_operator_at_every_singular_point(tmp_path, language):
    """Division by zero, overflow, NaN and inf in every place; zero has one sign, as in SQL."""
    formula, names = all_operators()
    rows = np.array(list(itertools.product(SPECIAL, repeat=3)))
    wanted = formula(rows)
    found, classes = run_all(formula, tmp_path, rows)[language]
    for k, name in enumerate(names):
        np.testing.assert_allclose(
            found[:, k], wanted[:, k], rtol=1e-12, atol=1e-300, err_msg=f"{language}: {name}"
        )
    np.testing.assert_array_equal(classes, highest(found))
    assert np.isnan(wanted).any() and np.isinf(wanted).any()


def test_residues_round_down_in_every_language(tmp_path):
    """C and SQL of their own truncate towards zero."""
    formula = Expression.parse(["x0 // x1", "x0 % x1"])
    rows = np.array(list(itertools.product(range(-9, 10), (-3, -2, 2, 5))), dtype=float)
    for language, (scores, _) in run_all(formula, tmp_path, rows).items():
        wanted = [list(divmod(int(a), int(b))) for a, b in rows]
        np.testing.assert_array_equal(scores, wanted, err_msg=language)


@pytest.mark.slow
@few
@given(expressions(EXACT, dyadic, max_steps=12, odd_names=True), st.integers(0, 2**32 - 1))
def test_exact_formulas_agree_to_the_bit(tmp_path, formula, seed):
    rows = np.random.default_rng(seed).choice(SPECIAL, size=(12, formula.num_inputs))
    results = run_all(formula, tmp_path, rows)
    wanted = formula(rows)
    for language, (scores, classes) in results.items():
        np.testing.assert_array_equal(scores, wanted, err_msg=language)
        np.testing.assert_array_equal(classes, highest(wanted), err_msg=language)


@pytest.mark.slow
@few
@given(expressions(ALL, small, all_nodes=True), st.integers(0, 2**32 - 1))
def test_random_formulas_agree(tmp_path, formula, seed):
    rows = np.random.default_rng(seed).normal(size=(12, formula.num_inputs))
    results = run_all(formula, tmp_path, rows)
    wanted, _ = results.pop("py")
    # C and Python call the same functions in the same order.
    np.testing.assert_allclose(results["c"][0], wanted, rtol=1e-15, atol=0)
    tame = (np.nan_to_num(np.abs(wanted)) < 100).all(axis=1)
    for language, (scores, classes) in results.items():
        np.testing.assert_array_equal(classes, highest(scores), err_msg=language)
        np.testing.assert_allclose(
            scores[tame], wanted[tame], rtol=1e-6, atol=1e-9, err_msg=language
        )


def test_equal_arguments_do_not_cancel(tmp_path):
    """sympy on the formula itself would write 1 for x/x and pow(x, 2) for x*x."""
    formula = Expression.parse(["x0/x0", "x0*x0", "x0 - x0", "max(x0, x0)"])
    source = to_c(formula)
    assert "x[0]/x[0]" in source and "x[0]*x[0]" in source and "pow" not in source
    rows = np.array([[0.0], [math.inf], [math.nan], [1.1]])
    for scores, _ in run_all(formula, tmp_path, rows).values():
        np.testing.assert_array_equal(scores, formula(rows))


def test_names_and_classes_cannot_leave_their_comments(tmp_path):
    names = ["*/ int", "a /* b", "line\nbreak", "end \\", "??/", "größe", "x\u202e", '"']
    formula = Expression.parse([f"x{i}" for i in range(8)]).renamed(names)
    path = export(formula, tmp_path / "f.c", classes=names, comment="a */ b\n# define")
    rows = np.arange(16.0).reshape(2, 8)
    np.testing.assert_array_equal(run_c(path, 8, rows)[0], rows)
    assert "größe" in path.read_text() and "* / int" in path.read_text()


@pytest.mark.parametrize("text", ["2.5", "x1 - x0/3 + 1e300", "x0 + 123456789012345678"])
def test_small_formulas_compile(tmp_path, text):
    """No unused argument, no whole numbers that a C integer cannot hold."""
    formula = Expression.parse(text, num_inputs=2)
    rows = np.array([[1.0, 2.0], [3.0, math.nan]])
    for scores, classes in run_all(formula, tmp_path, rows).values():
        np.testing.assert_array_equal(scores, formula(rows))
        assert classes.tolist() == [0, 0]


@pytest.mark.parametrize("operator", ["mul", "xor", "sigmoid", "div", "where"])
def test_the_text_grows_with_the_formula_not_its_paths(operator):
    """A chain in which every link names the one before it twice has 2**60 paths."""
    builder = ExpressionBuilder()
    node = builder.input(0)
    arity = OPERATORS[operator].arity
    assert arity is not None
    for _ in range(60):
        node = builder.affine(1.0, [(1.0, builder.apply(operator, *[node] * arity))])
    formula = builder.build([node], 1)
    for source in (to_c(formula), to_sql(formula)):
        assert len(source) < 40_000


@pytest.fixture
def own_operator():
    """An operator that neither C nor SQL knows, but sympy can print; and one that it cannot."""
    common = {"python": "({0} * {0} * {0})", "arity": 1}
    cube = Operator(
        name="cube", torch=lambda a: a**3, numpy=lambda a: a**3,
        sympy=lambda sp, a: sp.exp(a) / (1 + a), **common,
    )  # fmt: skip
    riddle = Operator(
        name="riddle", torch=lambda a: a**3, numpy=lambda a: a**3,
        sympy=lambda sp, a: sp.Function("riddle")(a), **common,
    )  # fmt: skip
    register_operator(cube)
    register_operator(riddle)
    yield
    del OPERATORS["cube"], OPERATORS["riddle"]


def test_operators_of_ones_own(tmp_path, own_operator):
    builder = ExpressionBuilder()
    node = builder.apply("cube", builder.input(0))
    formula = builder.build([builder.affine(0.0, [(2.0, node)])], 1)
    path = export(formula, tmp_path / "f.c")
    # sympy's form, not numpy's: what runs is what sympy printed, with brackets where needed.
    scores, _ = run_c(path, 1, np.array([[0.5]]))
    assert scores[0, 0] == pytest.approx(2 * math.exp(0.5) / 1.5, rel=1e-15)
    with pytest.raises(ValueError, match="'cube' has no SQL form"):
        export(formula, tmp_path / "f.sql")
    riddle = builder.build([builder.apply("riddle", builder.input(0))], 1)
    with pytest.raises(ValueError, match="'riddle' has no C form"):
        export(riddle, tmp_path / "g.c")
    assert not (tmp_path / "f.sql").exists() and not (tmp_path / "g.c").exists()
