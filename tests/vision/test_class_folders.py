"""Photographs of a user's own: every layout, copies, and folders that cannot be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occamhead.vision.class_folders import class_folder_splits
from occamhead.vision.pictures import Splits, hold_out, read_folder


@pytest.fixture
def folder(tmp_path):
    """Ten noisy pictures of each of two classes."""
    generator = np.random.default_rng(0)
    for name in ("red", "blue"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(10):
            noise = generator.integers(0, 255, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "own" / name / f"{i}.png")
    return tmp_path / "own"


def parts(splits: Splits) -> list[set[bytes]]:
    pictures = (splits.train, splits.validation, splits.test)
    return [{Path(name).read_bytes() for name in part.names} for part in pictures]


def test_plain_class_folders_are_split_in_three(folder):
    splits, (said,) = class_folder_splits(folder)
    assert splits.train.classes == ("blue", "red")
    counts = [
        np.bincount(p.labels).tolist() for p in (splits.train, splits.validation, splits.test)
    ]
    assert counts == [[6, 6], [2, 2], [2, 2]]
    assert said.startswith("12 photographs to learn from, 4 to choose by, 4 to test on (split by")
    assert sum(map(len, parts(splits))) == len(set.union(*parts(splits))) == 20
    again, other = (class_folder_splits(folder, seed=seed)[0] for seed in (0, 1))
    assert parts(again) == parts(splits) != parts(other)
    # One file of cached features serves all parts, whatever the seed.
    assert splits.train.whole.fingerprint() == other.test.whole.fingerprint()


def test_train_and_val_are_parted_as_the_recipe_does(colours):
    root = colours(8)
    splits, (said,) = class_folder_splits(root, seed=3)
    train, validation = hold_out(read_folder(root / "train"), 0.2, 3)
    assert splits.train.names == train.names and splits.validation.names == validation.names
    assert splits.test.names == read_folder(root / "val").names
    assert "these in val/; train/ is split by seed 3" in said


def test_all_three_folders_are_taken_as_they_are(folder, tmp_path):
    root = tmp_path / "three"
    for part in ("train", "val", "test"):
        for name in ("blue", "red"):
            (root / part / name).mkdir(parents=True)
    for place, part in enumerate(["train"] * 4 + ["val"] * 3 + ["test"] * 3):
        for name in ("blue", "red"):
            shutil.copy(folder / name / f"{place}.png", root / part / name)
    splits, (said,) = class_folder_splits(root)
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [8, 6, 6]
    assert "as train/, val/ and test/ have them" in said


def test_copies_stay_in_one_part(folder):
    for i in range(10):
        for copy in ("a", "b"):
            shutil.copy(folder / "red" / f"{i}.png", folder / "red" / f"{i}{copy}.png")
    for seed in range(5):
        splits, said = class_folder_splits(folder, seed=seed)
        assert sum(map(len, parts(splits))) == 20
        assert len(splits.train) + len(splits.validation) + len(splits.test) == 40
        assert said[1] == "20 files are copies of others; copies are kept in one part"


def test_what_is_held_out_is_not_learnt_from(colours):
    root = colours(10)
    shutil.copy(root / "val" / "red" / "0.png", root / "train" / "red" / "leak.png")
    splits, said = class_folder_splits(root)
    assert not any(name.endswith("leak.png") for name in splits.train.names)
    assert not any(name.endswith("leak.png") for name in splits.validation.names)
    assert "left out, for they are held out as well: 1 files" in said[1]


def test_what_is_in_two_classes_is_left_out(folder):
    shutil.copy(folder / "red" / "0.png", folder / "blue" / "x.png")
    splits, said = class_folder_splits(folder)
    assert sum(map(len, parts(splits))) == 19
    assert "left out, for they are in two classes: 2 files" in said[1]


def test_folders_that_cannot_be_used_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing: no such folder; name one that"):
        class_folder_splits(tmp_path / "nothing")
    with pytest.raises(NotADirectoryError, match=r"0.png is a file; name the folder"):
        class_folder_splits(folder / "red" / "0.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: no folders in it; put the photographs"):
        class_folder_splits(tmp_path / "empty")
    with pytest.raises(ValueError, match=f"one folder in it, own; did you mean {folder}"):
        shutil.rmtree(tmp_path / "empty")
        class_folder_splits(tmp_path)
    with pytest.raises(ValueError, match=r"green: no such class folder"):
        class_folder_splits(folder, ["red", "green"])
    with pytest.raises(ValueError, match="wanted different ones, got red, red"):
        class_folder_splits(folder, ["red", "red"])
    for i in range(4, 10):
        (folder / "red" / f"{i}.png").unlink()
    with pytest.raises(ValueError, match=r"red: 4 different photographs; a class needs 5 or more"):
        class_folder_splits(folder)
    for i in range(4):
        (folder / "red" / f"{i}.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"red: no readable picture \(4 unreadable\)"):
        class_folder_splits(folder)
    shutil.rmtree(folder / "red")
    with pytest.raises(ValueError, match="one class, blue; wanted a folder of photographs for"):
        class_folder_splits(folder)
