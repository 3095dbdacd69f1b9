"""Names that a terminal, a page, LaTeX, a spreadsheet or a drawing would obey, or cannot hold."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest

from occamhead import Expression
from occamhead.commands.csv_table import safe_cell
from occamhead.commands.entry import main
from occamhead.commands.output import visible
from occamhead.expression.formats.latex import name_latex, words_latex
from occamhead.expression.formats.markup import escape

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

LATIN = os.fsdecode(b"caf\xe9")
OBEYED, SUM = f"{LATIN}\x1b[31m\u202e", "=cmd|$$"


@pytest.mark.slow
def test_a_whole_run_over_such_names(colours, tmp_path, capsys):
    """Class folders and a file: a byte that is no UTF-8, ESC, a turn of direction, =cmd, $$."""
    root = colours(10).rename(tmp_path / "parted") / "train"
    (root / "red").rename(root / OBEYED)
    (root / "blue").rename(root / SUM)
    first = next(iter((root / OBEYED).iterdir()))
    first.rename(first.with_name(f"@{LATIN}\x1b.png"))
    out = tmp_path / "out"
    words = ["photos", str(root), "--backbone", "efficientnet_lite0", "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert r"caf\udce9\x1b[31m\u202e" in said.out
    for text in (said.out, said.err):
        assert "\x1b" not in text and "\u202e" not in text
    assert json.loads((out / "results.json").read_text())["classes"] == sorted([OBEYED, SUM])
    for file in out.iterdir():
        if file.suffix in (".html", ".tex", ".py", ".csv", ".yaml"):
            text = file.read_text(encoding="utf-8")
            assert not re.search("[\x1b\u202e\ud800-\udfff]", text), file
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as table:
        cells = [cell for row in csv.reader(table) for cell in row]
    assert f"'{SUM}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]
    assert (out / "formula.png").stat().st_size > 1000


def test_what_a_terminal_gets():
    assert visible("bees if 2*x0 > 0.5 − ±\n\tüber") == "bees if 2*x0 > 0.5 − ±\n\tüber"
    assert visible(f"{OBEYED}\0") == r"caf\udce9\x1b[31m\u202e\x00"


def test_what_a_mistaken_command_says(capsys):
    assert main(["law", f"/nowhere/{OBEYED}.csv", "--target", "y"]) == 1
    with pytest.raises(SystemExit):
        main(["law", "a.csv", "--target", "y", "--seed", OBEYED])
    said = capsys.readouterr().err
    assert said.count(r"\x1b") == 2 and "\x1b" not in said


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", "\tx", "\n=1"])
def test_what_a_spreadsheet_gets(text):
    assert safe_cell(text) == f"'{text}"
    assert safe_cell(f"a{text}") == f"a{text}"


def test_what_a_page_and_latex_get():
    assert not re.search("[\x1b\u202e\u2066]", escape(f"{OBEYED}\u2066"))
    for text in (name_latex(OBEYED), words_latex(OBEYED)):
        assert text.isprintable()


@pytest.mark.parametrize("name", ["$$", "$", r"$\frac", OBEYED, "a\nb", "\0", "{}^_%#&~"])
def test_what_is_drawn(tmp_path: Path, name):
    formula = Expression.parse("2*x0 + x1", names=["x0", "x1"]).renamed([name, "other"])
    for suffix in ("png", "svg"):
        formula.draw(tmp_path / f"formula.{suffix}", [name])
