"""The recipe of essence heads on real features."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recipes import essence_heads
from recipes.features.essence_methods import SHAPE_TESTS
from recipes.features.parts import shape, table
from tests.distill.printed import predict_of

FIELDS = {"task", "seed", "samples", "method", "accuracy", "seconds"}
OF_PROGRAMS = {"program", "tokens", "features", "certificate"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("essence_heads")
    command = ["--tasks", "iris", "product", "--seeds", "0", "--out", str(out)]
    found = essence_heads.main(command)
    assert json.loads((out / "results.json").read_text()) == found
    return {(row["task"], row["method"]): row for row in found["rows"]}


@pytest.mark.slow
def test_every_method_has_its_row(results):
    tables = ("essence", "essence_soft", "essence_short", "occamhead", "dense", "rbf", "mlp")
    shapes = ("linear", "quadratic", "occam")
    assert set(results) == {("iris", m) for m in tables} | {("product", m) for m in shapes}
    for (_, method), row in results.items():
        assert set(row) >= FIELDS
        assert (set(row) >= OF_PROGRAMS) == (
            method in (*shapes, "essence", "essence_short", "occamhead")
        )
        assert row["accuracy"] > 0.85


@pytest.mark.slow
def test_the_accuracy_is_that_of_the_printed_program(results):
    _, _, (x, y) = table("iris", 0)
    for method in ("essence", "essence_short", "occamhead"):
        row = results["iris", method]
        predict = predict_of(row["program"])
        assert np.mean([predict(r) for r in x.tolist()] == y) == row["accuracy"]
        assert "lossless" not in row["program"].lower() and row["certificate"].startswith("none")


@pytest.mark.slow
def test_one_formula_replaces_many_lines(results):
    linear, quadratic, occam = (results["product", m] for m in ("linear", "quadratic", "occam"))
    assert linear["differentiae"] >= 4 and occam["differentiae"] == 1
    assert occam["accuracy"] > max(0.99, quadratic["accuracy"]) > linear["accuracy"]
    x, y = shape("product", SHAPE_TESTS, 0)
    predict = predict_of(occam["program"])
    assert np.mean([predict(r) for r in x.tolist()] == y) == occam["accuracy"]


def test_rows_are_split_once():
    parts = table("digits", 3)
    rows = np.concatenate([x for x, _ in parts])
    assert [len(y) for _, y in parts] == [1005, 252, 540]
    assert len(np.unique(rows, axis=0)) == len(rows)  # no digit is in two parts
