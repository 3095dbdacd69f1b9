"""The recipe of cellular automata: what it prints and writes, on few rules and a small board."""

from __future__ import annotations

import json

import numpy as np
import pytest

from occamhead.expression import Expression
from recipes import cellular_automata

FEW = ["--rules", "0", "30", "110", "--samples", "512", "100", "--seeds", "0", "--board", "40",
       "--steps", "3"]  # fmt: skip


def test_rows_and_tables(tmp_path, capsys):
    results = cellular_automata.main([*FEW, "--out", str(tmp_path / "run")])
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == results
    assert len(results["rows"]) == 3 * 5 + 2 * 4
    wanted = {"task", "method", "seed", "samples", "exact", "certificate", "program", "tokens",
              "seconds"}  # fmt: skip
    assert all(wanted <= set(row) for row in results["rows"])
    ours = [row for row in results["rows"] if row["method"] == "essence"]
    assert all(row["exact"] and row["lossless"] for row in ours if row["samples"] != 100)
    assert results["boards"][0]["wrong_cells"] == 0
    printed = capsys.readouterr().out
    assert "neighbours = sum(x)" in printed and "equals Life for 3 steps" in printed
    two_level = {row["task"]: row["tokens"] for row in results["rows"]
                 if row["method"] == "two_level"}  # fmt: skip
    assert all(row["tokens"] <= two_level[row["task"]] for row in ours if row["task"] != "life")


def test_a_wrong_program_is_wrong_on_the_board():
    text = "x0 + x1 + x2 + x3 + x5 + x6 + x7 + x8 == 3"
    found = cellular_automata.on_board(Expression.parse(text), side=16, steps=2, seed=0)
    assert found["wrong_cells"] > 0


def test_life_of_a_blinker():
    board = np.array([[0, 1, 0]] * 3)
    neighbours = np.array([[2, 1, 2], [3, 2, 3], [2, 1, 2]])
    turned = cellular_automata.life(board, neighbours)
    assert turned.tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("flags", "message"), [(["--rules", "256"], "0 to 255"), (["--samples", "600"], "512 windows")]
)
def test_flags_that_make_no_sense_are_refused(flags, message, capsys):
    with pytest.raises(SystemExit):
        cellular_automata.main(flags)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_all_of_it(tmp_path):
    """The figures of the table: every rule, ten seconds in all, and a large board."""
    results = cellular_automata.main(["--samples", "512", "--out", str(tmp_path / "run")])
    ours = [row for row in results["rows"] if row["method"] == "essence"]
    assert len(ours) == 257 and all(row["exact"] and row["lossless"] for row in ours)
    assert np.mean([row["tokens"] for row in ours[:256]]) <= 9
    assert sum(row["seconds"] for row in ours) <= 10
    assert results["boards"][0]["wrong_cells"] == 0
