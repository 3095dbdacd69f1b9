"""Formulas as SQL: NULL, names, and many classes."""

from __future__ import annotations

import math
import sqlite3

import numpy as np
import pytest

from occamhead.expression import (
    Expression,
)
from occamhead.expression.formats.files import export
from occamhead.expression.formats.sql import to_sql
from tests.expression.formats.machines import highest, run_sql
from tests.expression.random_formulas import ODD_NAMES

pytestmark = pytest.mark.usefixtures("one_thread")


def query(source: str, create: str, rows: list[tuple]) -> list[tuple]:
    connection = sqlite3.connect(":memory:")
    connection.execute(create)
    connection.executemany(f"INSERT INTO t VALUES ({','.join('?' * len(rows[0]))})", rows)
    return connection.execute(source).fetchall()


def test_null_is_nan_and_whole_numbers_are_floats():
    formula = Expression.parse(["x0/x1", "x1 - 1"])
    source = to_sql(formula, "t", ["id"], classes=["it's", "b + c"])
    rows = [("a", 7, 2), ("b", None, 2), ("c", 1, 0), ("d", 1, 3), ("e", 3, 2)]
    found = query(source, "CREATE TABLE t (id TEXT, x0 INTEGER, x1 INTEGER)", rows)
    assert found == [
        ("a", 3.5, 1.0, 0, "it's"),
        ("b", None, 1.0, 0, "it's"),  # NaN counts as highest
        ("c", math.inf, -1.0, 0, "it's"),
        ("d", 1 / 3, 2.0, 1, "b + c"),
        ("e", 1.5, 1.0, 0, "it's"),
    ]


def test_a_column_that_is_not_there_is_an_error():
    """SQLite would read a quoted name on its own as a text, and compute with it."""
    source = to_sql(Expression.parse("x0 + x1"), "t")
    with pytest.raises(sqlite3.OperationalError, match="x1"):
        query(source, "CREATE TABLE t (x0)", [(1.0,)])


def test_only_the_features_used_are_asked_for():
    source = to_sql(Expression.parse("2*x7 + x3", num_inputs=4000), "t")
    assert query(source, "CREATE TABLE t (x3, x7)", [(1.0, 2.0)]) == [(5.0, 0)]


def test_odd_names_in_sql(tmp_path):
    names = [name for name in ODD_NAMES if name]
    formula = Expression.parse([f"x{i}" for i in range(len(names))]).renamed(names)
    path = export(formula, tmp_path / "f.sql", keep=["number"], classes=names)
    rows = np.arange(2.0 * len(names)).reshape(2, -1)
    scores, _ = run_sql(path, len(names), rows, dict(enumerate(names)), "features")
    np.testing.assert_array_equal(scores, rows)
    with pytest.raises(ValueError, match="zero byte"):
        to_sql(formula, "a\0b")


def test_many_classes_in_sql(tmp_path):
    """SQLite's max takes 127 arguments."""
    generator = np.random.default_rng(0)
    texts = [f"{a:.3f}*x0 + {b:.3f}*x1" for a, b in generator.normal(size=(300, 2))]
    formula = Expression.parse(texts)
    path = export(formula, tmp_path / "f.sql", keep=["number"])
    rows = generator.normal(size=(50, 2))
    _, classes = run_sql(path, 300, rows, {0: "x0", 1: "x1"}, "features")
    np.testing.assert_array_equal(classes, highest(formula(rows)))
    assert len(set(classes.tolist())) > 5
