"""The recipe of Table 1: what it prints and writes, and which flags it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import pytest

from occamhead import Expression
from recipes import table1
from recipes.table1_lines import search
from recipes.table1_lines.flags import lines
from recipes.table1_lines.judge import succeeds
from recipes.table1_lines.task import Task

pytestmark = pytest.mark.usefixtures("one_thread")

TASK = Task.load(1)


@dataclass
class Found:
    """What a search returns, as far as the recipe reads it."""

    best: Expression
    mode: Expression
    functions: int
    first_exact: int | None
    seconds: float
    steps: int = 1
    reason: str = "planted"
    recurrence: int = 1


def test_rows_tell_best_from_mode_and_take_medians(monkeypatch, tmp_path, capsys):
    """Seeds 0 and 1 of three find the law, the mode of seed 0 only."""
    law, short = TASK.formula, Expression.parse("x0")
    strategies = []

    def planted(network, x, y, strategy):
        strategies.append(strategy)
        seed = strategy.seed
        assert np.array_equal(x, TASK.data(seed)[0])
        return Found(law if seed < 2 else short, short if seed else law, 100 * (seed + 1),
                     7 if seed == 0 else None, 0.5 * seed)  # fmt: skip

    monkeypatch.setattr(search, "evolve", planted)
    results = table1.main(["--tasks", "1", "--seeds", "3", "--engine", "literal", "occamhead",
                           "--out", str(tmp_path)])  # fmt: skip
    ours, literal = results["rows"]
    assert (ours["engine"], literal["engine"]) == ("occamhead", "literal")
    assert ours["success_best"] == pytest.approx(2 / 3)
    assert ours["success_mode"] == pytest.approx(1 / 3)
    assert (ours["functions_median"], ours["cpu_seconds_median"]) == (200, 0.5)
    assert ours["first_exact_median"] is None and ours["first_exact"] == [7, None, None]
    assert ours["formulas"] == [["2*x0**2 + 3*x0"]] * 2 + [["x0"]]
    assert [s.seed for s in strategies] == [0, 1, 2] * 2
    assert [s.engine for s in strategies] == ["occamhead"] * 3 + ["literal"] * 3
    assert {s.fitness for s in strategies[:3]} == {"error"}
    assert {(s.fitness, s.sigma, s.num_samples) for s in strategies[3:]} == {("gaussian", 0.01, 50)}
    (row,) = [text for text in capsys.readouterr().out.splitlines() if text.startswith("   1 ")]
    assert re.split(" {2,}", row.strip()) == [
        "1", "0.33", "0.67", "0.5", "200", "0.33 / 0.67", "-", "1.0, 5, 1.0",
        "operon (integer constants) 2/2, .05 s", "2*x0**2 + 3*x0",
    ]  # fmt: skip


def test_the_easiest_line_end_to_end(tmp_path, capsys):
    results = table1.main(["--tasks", "1", "--seeds", "2", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "results.json").read_text())
    assert written == results
    assert [(row["task"], row["engine"]) for row in written["rows"]] == [
        (1, "occamhead"), (1, "literal"), (1, "no-learning")
    ]  # fmt: skip
    ours, _, sampler = written["rows"]
    assert ours["success_best"] == sampler["success_best"] == 1.0
    assert 0 < ours["first_exact_median"] <= ours["functions_median"]
    for row in written["rows"]:
        for texts, success in zip(row["formulas"], [row["success_best"]] * 2, strict=True):
            if success == 1:
                assert succeeds(TASK, Expression.parse(texts))
    assert "torch" in written["versions"] and written["noise"] == 0
    assert "\n   1 " in capsys.readouterr().out
    with pytest.raises(FileExistsError, match="--overwrite"):
        table1.main(["--tasks", "1", "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("1", [1]), ("1-3", [1, 2, 3]), ("20,1-2,2", [20, 1, 2]), ("1-21", list(range(1, 22)))],
)
def test_lines_are_read(text, chosen):
    assert lines(text) == chosen


@pytest.mark.parametrize(
    "flags",
    [["--tasks", "0"], ["--tasks", "22"], ["--tasks", "5-3"], ["--tasks", "a"], ["--seeds", "0"],
     ["--noise", "-1"], ["--engine", "eureqa"], ["--noise", "0.01", "--tasks", "8-9"]],
)  # fmt: skip
def test_impossible_flags_are_refused_before_anything_runs(flags, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        table1.main(flags)
    assert flags[0] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
