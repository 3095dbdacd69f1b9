"""The machines that run files of formulas, and what is given to them."""

from __future__ import annotations

import ctypes
import itertools
import math
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from occamhead import OccamHead
from occamhead.expression import (
    OPERATORS,
    Expression,
    ExpressionBuilder,
)
from occamhead.expression.formats.files import export
from tests.expression.random_formulas import ALL

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-ffp-contract=off"]
SPECIAL = (0.0, 1.0, -1.0, 0.25, -2.5, 3.0, 40.0, -800.0, math.inf, -math.inf, math.nan)


def run_c(source: Path, outputs: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and classes of a compiled C file."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this machine")
    # A fresh name: what is loaded once under a name is never read again.
    library = source.with_name(f"{source.stem}{next(_numbers)}.so")
    command = ["gcc", *FLAGS, "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(library))
    double = ctypes.POINTER(ctypes.c_double)
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    scores, classes = np.empty((len(rows), outputs)), np.empty(len(rows), dtype=int)
    for i in range(len(rows)):
        x = rows[i].ctypes.data_as(double)
        loaded.scores(x, scores[i].ctypes.data_as(double))
        classes[i] = loaded.predict(x)
    return scores, classes


_numbers = itertools.count()


def run_sql(source: Path, outputs: int, rows: np.ndarray, columns: dict[int, str], table: str):
    """Scores and classes of a query, over a table that has the named columns alone."""
    connection = sqlite3.connect(":memory:")
    quoted = ['"' + name.replace('"', '""') + '"' for name in columns.values()]
    name = '"' + table.replace('"', '""') + '"'
    connection.execute(f"CREATE TABLE {name} ({', '.join([*quoted, 'number'])})")
    marks = ", ".join("?" * (len(columns) + 1))
    connection.executemany(
        f"INSERT INTO {name} VALUES ({marks})",
        [(*(float(row[i]) for i in columns), k) for k, row in enumerate(rows)],
    )
    found = connection.execute(source.read_text()).fetchall()
    numbers, *rest = zip(*found, strict=True)
    assert list(numbers) == list(range(len(rows)))
    scores = np.array(rest[:outputs], dtype=float).T  # None becomes NaN
    return scores, np.array(rest[outputs], dtype=int)


def run_onnx(model: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    runtime = pytest.importorskip("onnxruntime")
    scores = runtime.InferenceSession(model).run(None, {"x": rows})[0]
    return scores, highest(scores)


def run_python(source: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    namespace: dict[str, Callable] = {}
    exec(compile(source.read_text(), "formula.py", "exec"), namespace)
    lists = rows.astype(np.float64).tolist()
    return (
        np.array([namespace["scores"](row) for row in lists]),
        np.array([namespace["predict"](row) for row in lists]),
    )


def highest(scores: np.ndarray) -> np.ndarray:
    """The first of the highest, NaN above all: what numpy's argmax does."""
    return scores.argmax(axis=1)


def run_all(
    source: OccamHead | Expression, folder: Path, rows: np.ndarray, classes: Sequence[str] = ()
) -> dict:
    """Scores and classes by every language, over the same rows."""
    formula = source if isinstance(source, Expression) else source.formula()
    columns = {i: formula.input_name(i) for i in formula.features}
    files = {
        suffix: export(
            source, folder / f"formula{suffix}", overwrite=True, classes=classes, **options
        )
        for suffix, options in ((".py", {}), (".json", {}), (".c", {}),
                                (".sql", {"table": 'my "rows"', "keep": ["number"]}))
    }  # fmt: skip
    read = Expression.from_json(files[".json"].read_text())
    assert read == formula
    return {
        "py": run_python(files[".py"], rows),
        "json": (read(rows), highest(read(rows))),
        "c": run_c(files[".c"], len(formula), rows),
        "sql": run_sql(files[".sql"], len(formula), rows, columns, 'my "rows"'),
    }


def all_operators() -> tuple[Expression, list[str]]:
    """One output per built-in operator, of three inputs where it takes any number."""
    builder = ExpressionBuilder()
    inputs = [builder.input(i) for i in range(3)]
    outputs = [builder.apply(name, *inputs[: OPERATORS[name].arity or 3]) for name in ALL]
    return builder.build(outputs, 3), list(ALL)


def make_head(in_features: int = 12, classes: int = 3, seed: int = 0) -> OccamHead:
    """A head of tanh blocks: sums of sums, and an operator."""
    torch.manual_seed(seed)
    head = OccamHead(in_features, classes, [["tanh_affine3"] * 4, ["affine4"]], noise=3.0)
    for constants in head.network.free_constants:
        nn.init.normal_(constants)
    return head.eval()
