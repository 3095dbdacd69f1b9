"""The file of names: written, edited by hand, read back."""

from __future__ import annotations

import json

import pytest

from occamhead import OccamHead
from occamhead.commands.entry import main
from occamhead.commands.names import read_names, write_names
from occamhead.expression import Expression
from occamhead.heads.naming import as_names

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


def test_names_come_back_as_they_were_written(tmp_path):
    head, file = OccamHead(6, 2, names={0: "yes", 1: "a: b # c", 2: "12"}), tmp_path / "n.yaml"
    head.hints = tuple(f"{word}, x, y" for word in "abcdef")
    write_names(file, head, (0, 1, 2, 4))
    assert read_names(file) == {"x0": "yes", "x1": "a: b # c", "x2": "12", "x4": "e, x, y"}
    assert as_names(read_names(file), 6)[:3] == head.names[:3]
    file.write_text(file.read_text().replace("e, x, y", "größer"), encoding="utf-8")
    assert read_names(file)["x4"] == "größer"
    head.hints = None
    write_names(file, head, (5,))
    assert as_names(read_names(file), 6) is None
    write_names(file, head, ())
    assert read_names(file) == {}


@pytest.mark.parametrize(
    "text", ["just words", "- a\n- b", "538: [a, b]", "538: {a: b}", "a: b: c"]
)
def test_other_files_are_refused(text, tmp_path):
    file = tmp_path / "names.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"names\.yaml: (wanted lines such as 538|not a file of)"):
        read_names(file)


@pytest.mark.slow
def test_a_run_writes_names_and_the_next_one_reads_them(colours, tmp_path, capsys):
    own, flags = (
        str(colours(10) / "train"),
        ["--backbone", "efficientnet_lite0", "--max-features", "2"],
    )
    out, again = tmp_path / "out", tmp_path / "again"
    assert main(["photos", own, *flags, "--out", str(out)]) == 0
    said, names = capsys.readouterr().out, read_names(out / "names.yaml")
    results = json.loads((out / "results.json").read_text())
    assert names == results["hints"] and results["names"] is None
    assert all(words.count(",") >= 2 and words in said for words in names.values())
    page = (out / "report.html").read_text()
    assert all(words.replace("'", "&#x27;") in page for words in names.values())
    first = next(iter(names))
    (out / "names.yaml").write_text(f"{first[1:]}: redness of things\n")
    named = [*flags, "--names", str(out / "names.yaml")]
    assert main(["photos", own, *named, "--out", str(again)]) == 0
    results = json.loads((again / "results.json").read_text())
    assert results["names"] == {first: "redness of things"}
    assert read_names(again / "names.yaml") == {**names, first: "redness of things"}
    assert "redness of things" in capsys.readouterr().out
    assert "redness of things" in (again / "formula.py").read_text()
    formula = Expression.from_json((again / "formula.json").read_text())
    (text,) = results["formulas"]
    assert Expression.parse(text, names=formula.names).features == formula.features
    (out / "names.yaml").write_text("5000: too far\n")
    capsys.readouterr()
    assert main(["photos", own, *named, "--out", str(tmp_path / "bad")]) == 1
    assert "wanted a feature from 0 to 1279, got 'x5000'" in capsys.readouterr().err
