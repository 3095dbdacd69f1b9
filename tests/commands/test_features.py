"""``--features NAME_train.npz``: runs on features that were made before, and who cannot."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from occamhead.commands.entry import main
from occamhead.commands.results import FILES, PAGE
from occamhead.vision import read_folder
from recipes import compare_heads, imagenet_binary, mnist_binary

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


@pytest.fixture
def stored(colours, tmp_path):
    """Two files of features, means of the colours; the photographs of both as one archive."""
    root = colours(10)
    for split in ("train", "val"):
        pictures = read_folder(root / split)
        x = [np.asarray(pictures.picture(i)).mean(axis=(0, 1)) / 255 for i in range(len(pictures))]
        np.savez(
            tmp_path / f"f_{split}.npz", x=np.array(x, dtype=np.float16), y=pictures.labels,
            files=[name.split(f"/{split}/")[1] for name in pictures.names],
            classes=pictures.classes,
        )  # fmt: skip
    # A file of each name lies in both parts, so that the archive has those of the test alone.
    shutil.make_archive(str(tmp_path / "photographs"), "tar", root / "val")
    return tmp_path / "f_train.npz"


def test_photos_on_features_that_were_made_before(stored, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ["--features", str(stored), "--max-features", "1", "--out", str(out)]
    assert main(["photos", str(tmp_path / "photographs.tar"), *flags]) == 0
    assert {file.name for file in out.iterdir()} == {*FILES, PAGE}
    results = json.loads((out / "results.json").read_text())
    assert results["backbone"] == "made before" and results["n_test"] == 10
    assert results["rule_accuracy"] == 1 and results["features_used"] == 1
    assert "blue or red: 10 of 10 test photographs right" in capsys.readouterr().out
    page = (out / PAGE).read_text()
    assert page.count("data:image/jpeg") > 4 and "made before" in page
    assert (out / "predictions.csv").read_text().count("blue/") == 5


def test_many_features_a_class(stored, tmp_path):
    out = tmp_path / "out"
    flags = ["--features", str(stored), "--per-class", "2", "--out", str(out)]
    assert main(["photos", str(tmp_path / "photographs.tar"), *flags]) == 0
    (point,) = json.loads((out / "results.json").read_text())["path"]
    assert point["budget"] == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--backbone", "resnet50"], "--features has features of all its classes, made before:"
         " leave --backbone out"),
        (["--classes", "red", "blue"], "leave --classes out"),
        (["--save-model"], "leave --save-model out"),
        (["--features", "resnet50"], "--features: wanted a file NAME_train.npz, got resnet50"),
        (["--features", "none_train.npz"], "features: found neither"),
        (["--per-class", "2", "--max-features", "2"], "leave --max-features out"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_features_is_said(stored, flags, said, tmp_path, capsys):
    given = ["--features", str(stored), *flags, "--out", str(tmp_path / "out")]
    assert main(["photos", str(tmp_path / "photographs.tar"), *given]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occamhead photos: ") and said in line
    assert not (tmp_path / "out").exists()


def test_the_recipe_of_photographs_reads_them_with_and_without_pictures(stored, tmp_path):
    flags = ["--features", str(stored), "--max-features", "1", "--report"]
    bare = imagenet_binary.main([*flags, "--out", str(tmp_path / "bare")])
    assert bare["rule_accuracy"] == 1 and bare["n_train"] == 16
    assert "data:image" not in (tmp_path / "bare" / PAGE).read_text()
    place = ["--data", str(tmp_path / "photographs.tar"), "--out", str(tmp_path / "seen")]
    assert imagenet_binary.main([*flags, *place])["rule_accuracy"] == 1
    assert "data:image/jpeg" in (tmp_path / "seen" / PAGE).read_text()
    with pytest.raises(ValueError, match="leave --mode finetune out"):
        imagenet_binary.main([*flags, "--mode", "finetune"])


def test_compare_heads_reads_them_as_data(stored, tmp_path, capsys):
    flags = ["--methods", "dense", "--seeds", "0", "--seconds", "5", "--out", str(tmp_path / "out")]
    results = compare_heads.main(["--data", str(stored), "--features", "1", *flags])
    assert results["backbone"] == "made before" and results["rows"][0]["accuracy"] == 1
    for wrong, said in (
        (["--features", str(stored)], "counts features; name the file by --data"),
        (["--data", str(stored), "--backbone", "resnet50"], "take no --pixels, --backbone"),
    ):
        with pytest.raises(SystemExit):
            compare_heads.main([*wrong, *flags])
        assert said in capsys.readouterr().err


def test_digits_have_none(capsys):
    with pytest.raises(SystemExit):
        mnist_binary.main(["--features", "f_train.npz"])
    assert "a file of features is read by occamhead photos" in capsys.readouterr().err
