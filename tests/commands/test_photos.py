"""``occamhead photos`` on small pictures: what is said, what is written, and bad folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from occamhead.commands.entry import main
from occamhead.commands.results import FILES, PAGE
from tests.recipes.image_runs import KEYS

pytestmark = pytest.mark.usefixtures("offline", "one_thread")
LITE = ["--backbone", "efficientnet_lite0"]


@pytest.fixture
def own(colours, tmp_path):
    """Class folders without train/ and val/."""
    return colours(10).rename(tmp_path / "parted") / "train"


def test_a_folder_of_class_folders(own, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["photos", str(own), *LITE, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert {file.name for file in out.iterdir()} == {*FILES, PAGE}
    results = json.loads((out / "results.json").read_text())
    assert set(results) >= KEYS | {"path"}
    assert results["n_test"] == 4 and results["rule_accuracy"] == 1
    lines = said.out.splitlines()
    assert lines[0].startswith("12 photographs to learn from, 4 to choose by, 4 to test on (split")
    (headline,) = (line for line in lines if line.startswith("blue or red: "))
    assert "4 of 4 test photographs right (100.0 %, 51 to 100)" in headline
    rule = lines[lines.index(headline) + 1]
    assert rule.startswith("  red if ") and rule.endswith(", otherwise blue")
    assert "without it" in lines[lines.index(headline) + 2]
    assert lines[-1].startswith("report: ") and str(out / PAGE) in lines[-1]


@pytest.mark.slow
def test_three_classes_and_a_given_size(own, tmp_path, capsys):
    (own / "green").mkdir()
    for file in (own / "red").iterdir():
        red, green, blue = Image.open(file).split()
        Image.merge("RGB", (green, red, blue)).save(own / "green" / file.name)
    out = tmp_path / "out"
    assert main(["photos", str(own), *LITE, "--max-features", "4", "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["classes"] == ["blue", "green", "red"] and results["features_used"] <= 4
    assert "blue or green or red: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda own: None, "nothing: no such folder; name one that holds"),
        (lambda own: own.mkdir(), "nothing: no folders in it; put the photographs"),
        (lambda own: (own / "red").mkdir(parents=True), "one class, red; wanted a folder of"),
        (lambda own: own.write_text(""), "nothing is a file; name the folder that holds"),
    ],
    ids=["missing", "empty", "one class", "file"],
)
def test_bad_folders_end_in_one_line(make, said, tmp_path, capsys):
    folder, out = tmp_path / "nothing", tmp_path / "out"
    make(folder)
    assert main(["photos", str(folder), "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occamhead photos: ") and said in line
    assert not out.exists()


def bad_pictures(own: Path) -> None:
    for file in (own / "red").iterdir():
        file.write_text("no picture")


def few(own: Path) -> None:
    for file in sorted((own / "red").iterdir())[3:]:
        file.unlink()


@pytest.mark.parametrize(
    "spoil, said",
    [(bad_pictures, "red: no readable picture (10 unreadable)"), (few, "red: 3 different photog")],
)
def test_bad_pictures_end_in_one_line(spoil, said, own, tmp_path, capsys):
    spoil(own)
    assert main(["photos", str(own), *LITE, "--out", str(tmp_path / "out")]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("occamhead photos: ") and said in line
    assert not (tmp_path / "out").exists()


def test_places_that_cannot_be_written_are_named(own, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["photos", str(own), *LITE, "--out", str(tmp_path / "file" / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"occamhead photos: {tmp_path / 'file' / 'out'}: not a directory"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "results.json").write_text("{}")
    assert main(["photos", str(own), *LITE, "--out", str(tmp_path / "full")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds results.json already; choose another --out, or --overwrite" in line
    assert (tmp_path / "full" / "results.json").read_text() == "{}"
