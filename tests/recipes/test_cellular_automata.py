"""The recipe of cellular automata: its samples, and what it prints and writes on few of them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from occamhead.expression import Expression
from recipes import cellular_automata
from recipes.automata.methods import METHODS, by_two_level, every_method
from recipes.automata.rules import LIFE, WINDOW, LifeRule
from recipes.automata.samples import elementary, with_noise, without_repetition
from recipes.automata.tables import AIMS
from recipes.automata.tasks import on_board
from tests.distill.printed import predict_of

FEW = ["--seeds", "0", "--rules", "0", "30", "110", "--samples", "512", "100", "--board", "40",
       "--steps", "3", "--random-rules", "2", "--named-rules", "B36/S23", "--named-samples", "250",
       "120", "--draws", "400", "--noise", "0.05", "--any-samples", "512"]  # fmt: skip
FIELDS = {"task", "rule", "method", "seed", "samples", "exact", "accuracy", "certificate",
          "program", "tokens", "seconds"}  # fmt: skip


# --- the samples ----------------------------------------------------------------------------------


def test_elementary_rules_are_numbered_as_wolfram_does():
    sample = elementary(110)
    # 110 is 01101110: the classes of 111, 110, ..., 000.
    by_window = {tuple(x): y for x, y in zip(sample.x.tolist(), sample.y.tolist(), strict=True)}
    windows = [tuple(map(int, f"{number:03b}")) for number in range(7, -1, -1)]
    assert [by_window[window] for window in windows] == [0, 1, 1, 0, 1, 1, 1, 0]


def test_windows_without_repetition():
    sample = without_repetition("named", LIFE, 200, seed=3)
    assert len(np.unique(sample.x, axis=0)) == 200
    assert (sample.y == LIFE.of_windows(sample.x)).all()
    again = without_repetition("named", LIFE, 200, seed=3)
    other = without_repetition("named", LIFE, 200, seed=4)
    assert (again.x == sample.x).all() and (other.x != sample.x).any()
    assert (sample.truth == LIFE.of_windows(WINDOW.rows())).all()


def test_noise_flips_the_share_of_labels_that_was_asked_for():
    sample = with_noise("noise", LIFE, 40_000, 0.1, seed=0)
    flipped = sample.y != LIFE.of_windows(sample.x)
    assert 0.094 < flipped.mean() < 0.106  # four standard deviations
    alive = LIFE.of_windows(sample.x) == 1
    assert abs(flipped[alive].mean() - flipped[~alive].mean()) < 0.015  # whatever the label is
    counts = np.unique(sample.x, axis=0, return_counts=True)[1]
    assert len(counts) == 512 and counts.min() > 40 and counts.max() < 120
    assert (sample.truth == LIFE.of_windows(WINDOW.rows())).all()


# --- the methods ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("sample", [
    elementary(30), elementary(255), elementary(0),
    without_repetition("named", LifeRule.parse("B2/S"), 60, seed=0),
    with_noise("noise", LIFE, 300, 0.1, seed=1),
], ids=lambda sample: f"{sample.task} {sample.rule}")  # fmt: skip
def test_programs_of_rows_run_and_are_as_good_as_the_rows_say(sample):
    rows = every_method(sample)
    assert [row["method"] for row in rows] == list(METHODS)
    for row in rows:
        assert set(row) >= FIELDS and row["samples"] == len(sample.x)
        assert row["exact"] == (row["accuracy"] == 1.0)
        if row["method"] not in ("essence", "two_level"):
            assert row["program"] is row["tokens"] is row["certificate"] is None
            continue
        predict = predict_of(row["program"])
        classes = np.array([int(predict(window)) for window in sample.spec.rows().tolist()])
        assert row["accuracy"] == np.mean(classes == sample.truth)
        seen = np.array([int(predict(window)) for window in sample.x.tolist()])
        assert sample.noise or (seen == sample.y).all()
        assert row["lossless"] == row["certificate"].startswith("lossless")


def test_two_levels_take_the_majority_of_labels():
    sample = with_noise("noise", LIFE, 10_000, 0.1, seed=0)
    row = by_two_level(sample)
    predict = predict_of(row["program"])
    for window in WINDOW.rows()[::37].tolist():
        labels = sample.y[(sample.x == window).all(axis=1)]
        assert predict(window) == (labels.mean() > 0.5)


@pytest.mark.slow
def test_a_two_level_form_is_called_the_minimum_only_if_that_is_proven():
    # Here the search for covers stops before there is a proof.
    row = by_two_level(without_repetition("totalistic", LifeRule.parse("B1234568/S0367"), 512, 0))
    assert row["exact"] and row["program"].splitlines()[-1].startswith("    return ")
    bounds = [int(word) for word in re.findall(r"[0-9]+", row["certificate"])]
    if row["minimum"]:
        assert not bounds
    else:
        assert bounds[0] < bounds[1] == row["tokens"] - len(["return"])


# --- the recipe -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_rows_and_tables(tmp_path, capsys):
    results = cellular_automata.main([*FEW, "--out", str(tmp_path / "run")])
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == results
    rows = results["rows"]
    assert all(set(row) >= FIELDS for row in rows)
    ours = [row for row in rows if row["method"] == "essence"]
    keys = [(row["task"], row["rule"], row["samples"]) for row in ours]
    assert keys[:5] == [("elementary", rule, 8) for rule in ("0", "30", "110")] + [
        ("life", "B3/S23", samples) for samples in (512, 100)
    ]
    assert [task for task, _, _ in keys[5:]] == ["totalistic"] * 2 + ["named"] * 2 + [
        "noise",
        "any",
    ]
    # Of all rules at once there is no two-level minimum.
    assert len(rows) == len(METHODS) * len(ours) - 1
    whole = [row for row in ours if row["samples"] in (8, 512) and row["task"] != "any"]
    assert all(row["exact"] and row["lossless"] for row in whole) and len(whole) == 6
    by_key = {(row["rule"], row["method"]): row["tokens"] for row in rows[: 3 * len(METHODS)]}
    assert all(by_key[r, "essence"] <= by_key[r, "two_level"] for r in ("0", "30", "110"))
    assert results["boards"][0]["wrong_cells"] == 0
    printed = capsys.readouterr().out
    assert "neighbours = sum(x)" in printed and "equals Life for 3 steps" in printed
    assert all(f"\n{task}: " in printed for task in AIMS)
    program = next(row["program"] for row in ours if row["samples"] == 512)
    assert (tmp_path / "run" / "life.py").read_text() == program


def test_tasks_run_alone(tmp_path):
    flags = ["--tasks", "named", "--named-rules", "B2/S", "--named-samples", "512", "--seeds", "1"]
    results = cellular_automata.main([*flags, "--out", str(tmp_path / "run")])
    assert {row["task"] for row in results["rows"]} == {"named"} and results["boards"] == []
    assert results["rows"][0]["exact"] and not (tmp_path / "run" / "life.py").exists()


def test_a_wrong_program_is_wrong_on_the_board():
    text = "x0 + x1 + x2 + x3 + x5 + x6 + x7 + x8 == 3"
    found = on_board(Expression.parse(text), side=16, steps=2, seed=0)
    assert found["wrong_cells"] > 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rules", "256"], "0 to 255"),
        (["--samples", "600"], "512 windows"),
        (["--named-samples", "513"], "--named-samples 513"),
        (["--named-rules", "B3"], "such as B3/S23; got 'B3'"),
        (["--any-samples", "2049"], "2048 pairs"),
        (["--noise", "0.5"], "between 0 and 0.5"),
        (["--noise", "nan"], "between 0 and 0.5"),
        (["--random-rules", "300000"], "262144"),
        (["--picture", "--samples", "300"], "512 to --samples"),
        (["--picture", "--tasks", "noise"], "add life to"),
    ],
)
def test_flags_that_make_no_sense_are_refused(flags, message, capsys):
    with pytest.raises(SystemExit):
        cellular_automata.main(flags)
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_all_of_it(tmp_path):
    """The figures of the tables: every rule, the named ones, noise, and a large board."""
    results = cellular_automata.main(["--out", str(tmp_path / "run")])
    ours = [row for row in results["rows"] if row["method"] == "essence"]
    rules, life, totalistic, named, noise, any_rule = (
        [row for row in ours if row["task"] == task] for task in AIMS
    )
    assert len(rules) == 256 and len(totalistic) == 100
    assert all(row["exact"] and row["lossless"] for row in rules + totalistic)
    assert np.mean([row["tokens"] for row in rules]) <= 9
    assert sum(row["exact"] for row in life) >= 20
    for rule in ("B36/S23", "B3678/S34678", "B3/S12345"):
        assert sum(row["exact"] for row in named if row["rule"] == rule) >= 9
    for draws in (10_000, 3_000):
        assert sum(row["exact"] for row in noise if row["samples"] == draws) >= 9
    assert results["boards"][0]["wrong_cells"] == 0
    assert all(row["exact"] and row["lossless"] for row in any_rule) and len(any_rule) == 11
    assert all("return x[4 * left + 2 * centre + right]" in row["program"] for row in any_rule)
