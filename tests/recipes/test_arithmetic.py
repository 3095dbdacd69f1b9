"""The recipe of arithmetic: what it prints and writes, on few and on all tasks."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from recipes import arithmetic
from recipes.lists import methods, sorting, tasks
from tests.distill.printed import predict_of

WANTED = {"task", "method", "seed", "samples", "exact", "certificate", "program", "tokens",
          "seconds"}  # fmt: skip


@pytest.mark.slow
def test_rows_and_table(tmp_path, capsys):
    flags = ["--tasks", "majority", "adder step", "argmax", "--seeds", "0", "--lists", "10"]
    results = arithmetic.main([*flags, "--out", str(tmp_path / "run")])
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == results
    rows = {(row["task"], row["method"]): row for row in results["rows"]}
    assert len(rows) == 3 * 4 and all(set(row) >= WANTED for row in rows.values())
    for task in ("majority", "adder step", "argmax"):
        ours = rows[task, "essence"]
        assert ours["exact"] and ours["error"] is None and "lifted" in ours["certificate"].lower()
    assert rows["argmax", "essence"]["samples"] == 25 + 50 + 200
    # Others have no answer at other sizes, but for a step that runs in the loop.
    assert rows["argmax", "decision_tree"]["long"] is None
    assert not rows["argmax", "decision_tree"]["exact"]
    assert rows["adder step", "decision_tree"]["exact"]
    assert not rows["adder step", "logistic_regression"]["exact"]
    printed = capsys.readouterr().out
    assert "return s > n // 2" in printed and "1.000 at 1001" in printed


def test_the_reason_is_kept_where_nothing_is_lifted(monkeypatch):
    task = tasks.Task(lambda x: x[0] ^ x[-1], {3: None, 4: None, 5: None}, 6, 9,
                           tasks.of_bits)  # fmt: skip
    monkeypatch.setitem(tasks.TASKS, "ends", task)
    ours = methods.rows_of("ends", seed=0, lists=5)[0]
    assert not ours["exact"] and ours["program"] is None and "no program" in ours["error"]
    assert ours["accuracy"] == 1.0


def test_long_lists_are_hard():
    """Among them are sums next to half, equal numbers, long carries and doubled largest entries."""
    rng = np.random.default_rng(0)
    sums = [sum(tasks.of_bits(rng, 101)) for _ in range(100)]
    assert {50, 51} < set(sums)
    pairs = [tasks.of_pairs(rng, 100) for _ in range(100)]
    assert any(x[:50] == x[50:] for x in pairs)
    assert any(sum(a != b for a, b in zip(x[:50], x[50:], strict=True)) == 1 for x in pairs)
    assert any(sum(a == b for a, b in zip(x[:50], x[50:], strict=True)) == 1 for x in pairs)
    lists = [tasks.of_numbers(rng, 100) for _ in range(100)]
    assert sum(x.count(max(x)) > 1 for x in lists) > 20


def test_the_sum_of_halves():
    assert tasks.sum_of_halves([1, 1, 0, 1, 0, 1]) == [0, 0, 0, 1]  # 3 + 5
    assert tasks.sum_of_halves([0, 0]) == [0, 0]


@pytest.mark.slow
def test_all_of_it(tmp_path):
    """The figures of the table: every task, lifted by machine, exact with every seed."""
    results = arithmetic.main(["--out", str(tmp_path / "run")])
    ours = [row for row in results["rows"] if row["method"] == "essence"]
    assert len(ours) == 7 * 5 and all(row["exact"] for row in ours)
    assert all(row["exact"] for row in results["rows"] if row["method"] == "occamnet")


def test_an_occamnet_sorts_three_numbers():
    rows = sorting.rows_of("sort 3", seed=0)
    by_method = {row["method"]: row for row in rows}
    assert set(by_method) == {"occamnet", *sorting.BASELINES}
    own = by_method["occamnet"]
    assert own["exact"] and own["accuracy"] == own["long"] == 1.0
    predict = predict_of(own["program"])
    for x in itertools.permutations([-7, 0, 10**9]):
        assert predict(list(x)) == [-7, 0, 10**9]
    # Classes are the values that were seen, so that other numbers are out of a classifier's reach.
    tree = by_method["decision_tree"]
    assert tree["accuracy"] == 1.0 and tree["long"] < 0.01
