import numpy as np
import pytest

from occamhead.vision import find, photograph_splits


def test_find_looks_at_the_path_and_then_below_the_variable(tmp_path, monkeypatch):
    (tmp_path / "root" / "set").mkdir(parents=True)
    monkeypatch.setenv("OCCAMHEAD_DATA", str(tmp_path / "root"))
    monkeypatch.chdir(tmp_path)
    assert find("set", "photographs") == tmp_path / "root" / "set"
    (tmp_path / "set").mkdir()
    assert find("set", "photographs").resolve() == tmp_path / "set"
    with pytest.raises(FileNotFoundError) as error:
        find("nowhere", "photographs")
    for words in (str(tmp_path / "nowhere"), str(tmp_path / "root" / "nowhere"), "--data"):
        assert words in str(error.value)
    monkeypatch.delenv("OCCAMHEAD_DATA")
    with pytest.raises(FileNotFoundError, match="OCCAMHEAD_DATA, which is not set"):
        find("nowhere", "photographs")


def test_val_is_the_test_split_and_validation_is_cut_from_train(make_photographs, no_data):
    root = make_photographs({"train": {"ants": 10, "bees": 5}, "val": {"ants": 2, "bees": 3}})
    splits, description = photograph_splits(root)
    assert description == f"photographs in {root} (ants, bees)"
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [12, 3, 5]
    assert all("/val/" in name for name in splits.test.names)
    assert not any("/val/" in name for name in splits.train.names + splits.validation.names)
    other = photograph_splits(root, seed=1)[0]
    assert other.validation.names != splits.validation.names
    assert other.test.names == splits.test.names


def test_two_of_many_classes(make_photographs, no_data):
    some = {"dogs": 3, "n02346627": 3, "n03770679": 3}
    root = make_photographs({"train": some, "val": some})
    splits, description = photograph_splits(root)
    assert splits.test.classes == ("minivan", "porcupine")
    assert "n03770679 minivan, n02346627 porcupine" in description
    assert photograph_splits(root, ("n02346627", "dogs"))[0].train.classes == ("porcupine", "dogs")
    with pytest.raises(ValueError, match="two or more different"):
        photograph_splits(root, ("dogs", "dogs"))


def test_many_classes_without_the_paper_s_two_need_a_choice(make_photographs, no_data):
    some = {"cats": 2, "dogs": 2, "hens": 2}
    root = make_photographs({"train": some, "val": some})
    with pytest.raises(ValueError, match=r"say which to use with --classes, such as \['cats'"):
        photograph_splits(root)


def test_missing_val_is_an_error_that_names_it(make_photographs, no_data):
    root = make_photographs({"train": {"ants": 3, "bees": 3}})
    with pytest.raises(ValueError, match=r"photographs/val: no such folder"):
        photograph_splits(root)


def test_the_variable_offers_imagenet_before_other_sets(make_photographs, tmp_path, monkeypatch):
    pair = {"n02346627": 2, "n03770679": 2}
    ants = {"ants": 2, "bees": 2}
    monkeypatch.setenv("OCCAMHEAD_DATA", str(tmp_path))
    make_photographs({"train": ants, "val": ants}, tmp_path / "hymenoptera")
    assert photograph_splits()[0].train.classes == ("ants", "bees")
    make_photographs({"train": pair, "val": pair}, tmp_path / "imagenet")
    assert photograph_splits()[0].train.classes == ("minivan", "porcupine")
    assert photograph_splits(classes=("bees", "ants"))[0].train.classes == ("bees", "ants")


def test_faces_serve_where_there_is_nothing_else(no_data, caplog):
    pytest.importorskip("skimage")
    splits, description = photograph_splits()
    assert description.startswith("FALL-BACK") and "OCCAMHEAD_DATA is not set" in description
    assert description in caplog.text
    assert splits.train.classes == ("face", "other")
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [96, 24, 80]
    assert np.bincount(splits.test.labels).tolist() == [40, 40]
    assert splits.test[0][0].size == (25, 25)
    other = photograph_splits(seed=1)[0]
    assert other.test.names == splits.test.names
    assert other.train.names != splits.train.names
    faces = {name for name in splits.test.names if int(name[-3:]) < 100}
    assert {
        n for n, y in zip(splits.test.names, splits.test.labels, strict=True) if y == 0
    } == faces


def test_faces_never_serve_for_other_classes(no_data, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="found no photographs of"):
        photograph_splits(classes=("ants", "bees"))
    monkeypatch.setenv("OCCAMHEAD_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="none of the known sets is in"):
        photograph_splits(classes=("ants", "bees"))


def test_real_photographs(data_folder):
    splits, description = photograph_splits("hymenoptera")
    assert "(ants, bees)" in description
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [195, 49, 153]
    assert splits.train.skipped == splits.test.skipped == ()
