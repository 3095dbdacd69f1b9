"""``occamhead law``: the law, its files, and tables that cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from occamhead.commands.entry import main
from occamhead.expression import Expression


@pytest.fixture
def pendulum(tmp_path):
    """Forty pendulums."""
    generator = np.random.default_rng(0)
    length, gravity = generator.uniform(0.1, 2, 40), generator.uniform(9, 10, 40)
    rows = np.c_[length, gravity, 2 * np.pi * np.sqrt(length / gravity)]
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="length,gravity,period", comments="")
    return tmp_path / "t.csv"


def test_the_law_of_the_pendulum(pendulum, tmp_path, capsys):
    units, out = tmp_path / "units.yaml", tmp_path / "out"
    units.write_text("length: m\nperiod: s\n")
    flags = ["--target", "period", "--units", str(units), "--out", str(out)]
    assert main(["law", str(pendulum), *flags]) == 0
    said = capsys.readouterr().out
    assert "period = 6.283185307179586*(length/gravity)**0.5\n  length in m, period in s\n" in said
    assert "chosen" in said and "explained" in said
    assert "  6.28318530718    maybe 2*pi\n" in said
    assert {file.name for file in out.iterdir()} == {
        "results.json", "formula.py", "formula.json", "formula.tex"}  # fmt: skip
    results = json.loads((out / "results.json").read_text())
    (number,) = results["numbers"]
    assert number["error"] == 0 and number["reads_as"] == "2*pi"
    assert results["r2"] == pytest.approx(1) and results["inputs"] == ["length", "gravity"]
    formula = Expression.from_json((out / "formula.json").read_text())
    assert float(formula(np.array([[1.0, 9.81]]))[0, 0]) == pytest.approx(2.00607, rel=1e-4)


def test_guesses_and_limits_by_flags(pendulum, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ["--guess", "5*root(length/gravity)", "--out", str(out)]
    assert main(["law", str(pendulum), "--target", "period", *flags]) == 1
    assert "guesses: unknown operator 'root'" in capsys.readouterr().err
    flags = ["--guess", "5*sqrt(length/gravity)", "--bounds", "0", "inf", "--out", str(out)]
    flags += ["--monotone", "length=increasing", "gravity=decreasing"]
    assert main(["law", str(pendulum), "--target", "period", *flags]) == 0
    said = capsys.readouterr().out
    assert "period = 6.283185307179586*(length/gravity)**0.5" in said and "a guess" in said
    flags = ["--monotone", "length=upwards", "--out", str(out)]
    with pytest.raises(SystemExit):
        main(["law", str(pendulum), "--target", "period", *flags])
    assert "must be COLUMN=increasing or COLUMN=decreasing" in capsys.readouterr().err


@pytest.mark.slow
def test_a_template_by_its_flag(pendulum, tmp_path, capsys):
    flags = ["--template", "6.28*f(length)/g(gravity)", "--out", str(tmp_path / "out")]
    assert main(["law", str(pendulum), "--target", "period", *flags]) == 0
    said = capsys.readouterr().out
    assert "  f(length) = " in said and "  g(gravity) = " in said and "a template" in said
    assert json.loads((tmp_path / "out" / "results.json").read_text())["r2"] > 1 - 1e-9


@pytest.mark.parametrize("words", [True, False])
def test_the_rule_of_a_column_of_classes(words, tmp_path, capsys):
    random = np.random.default_rng(0)
    x = random.normal(size=(150, 4))
    is_bee = 2 * x[:, 0] > x[:, 2] + 0.5 + 0.2 * random.normal(size=150)
    names = np.where(is_bee, *(("bee", "ant") if words else ("1", "0")))
    lines = [",".join([*map(str, row), name]) for row, name in zip(x, names, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,d,kind", *lines]))
    out = tmp_path / "out"
    flags = ["--target", "kind", "--out", str(out), "--seconds", "4"]
    assert main(["law", str(tmp_path / "t.csv"), *flags, *([] if words else ["--classes"])]) == 0
    said = capsys.readouterr().out
    assert f"  {'bee' if words else '1'} if " in said and "of rows held out" in said
    assert "a logistic regression on all columns, of size 17: " in said
    assert f"seen with a from {x[:, 0].min():g} to {x[:, 0].max():g}" in said
    results = json.loads((out / "results.json").read_text())
    chosen = next(size for size in results["sizes"] if size["chosen"])
    assert chosen["complexity"] <= 25 and chosen["held_out_accuracy"] > 0.9
    assert set(results["ranges"]) == {"a", "c"}
    code: dict = {}
    exec((out / "formula.py").read_text(), code)
    told = np.unique(names)[[code["predict"](row.tolist()) for row in x]]
    assert np.mean(told == names) == pytest.approx(results["accuracy"])


def test_flags_that_are_for_numbers_are_not_for_classes(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,kind\n1,bee\n2,ant\n3,bee\n")
    (tmp_path / "units.yaml").write_text("a: m\n")
    flags = ["--target", "kind", "--units", str(tmp_path / "units.yaml")]
    assert main(["law", str(tmp_path / "t.csv"), *flags, "--out", str(tmp_path / "out")]) == 1
    assert "--units is for numbers, but kind holds classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--target", "perod"], "unknown column 'perod'; did you mean period?"),
        (
            ["--target", "period", "--inputs", "lenght"],
            "unknown column 'lenght'; did you mean",
        ),
        (["--target", "period", "--units", "no.yaml"], "no.yaml: no such file or directory"),
    ],
)
def test_bad_flags_end_in_one_line(pendulum, flags, said, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["law", str(pendulum), *flags, "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occamhead law: ") and said in line
    assert not out.exists()


@pytest.mark.parametrize(
    "text, said",
    [
        ("a,day,y\n1,2020-01-31,2\n", "line 2: day is '2020-01-31', not a number; leave the col"),
        ("a,y\n1,2\n,3\n", "line 3: a is missing"),
        ("a,a,y\n1,2,3\n", "'a' is there twice"),
        ("a,y\n1,2\n", "1"),
    ],
    ids=["date", "missing", "twice", "one row"],
)
def test_bad_tables_end_in_one_line(text, said, tmp_path, capsys):
    (tmp_path / "t.csv").write_text(text)
    out = tmp_path / "out"
    assert main(["law", str(tmp_path / "t.csv"), "--target", "y", "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occamhead law: ") and said in line
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["direct-fits*", "search/search.pt", "fold-1*"])
def test_a_killed_law_goes_on_and_ends_as_if_it_had_not_been(kept, tmp_path):
    random = np.random.default_rng(0)
    x = random.uniform(1, 3, (200, 2))
    y = np.sin(x[:, 0] * x[:, 1]) + x[:, 0] / x[:, 1] + 0.3 * random.normal(size=200)
    np.savetxt(tmp_path / "t.csv", np.c_[x, y], delimiter=",", header="a,b,y", comments="")

    def law(out, *words):
        command = [sys.executable, "-m", "occamhead", "law", str(tmp_path / "t.csv"), "--target"]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*command, "y", "--out", str(out), *words], **options)

    def found(out):
        results = json.loads((out / "results.json").read_text())
        left = {"command", "seconds", "versions", "processor"}
        return {name: value for name, value in results.items() if name not in left}

    whole, out = law(tmp_path / "whole"), tmp_path / "cut"
    killed = law(out)
    while not list((tmp_path / "cut.part" / ".done" / "fit").glob(kept)):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -9 and not out.exists()
    again = law(out, "--resume")
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    _, errors = whole.communicate()
    assert whole.returncode == 0, errors
    assert found(out) == found(tmp_path / "whole")
