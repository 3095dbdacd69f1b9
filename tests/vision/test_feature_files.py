"""Features kept in a file, as rows to learn from."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from occamhead import fit_path
from occamhead.vision import (
    PictureFiles,
    StoredFeatures,
    extract,
    load_backbone,
    stored_features,
)

CLASSES = ["ant", "bee", "cat"]


def arrays(rows, seed=0):
    """Rows of three classes, each class with a feature of its own."""
    y = np.arange(rows) % 3
    x = np.random.default_rng(seed).standard_normal((rows, 5))
    x[np.arange(rows), y] += 4
    names = [f"{k}.JPEG" for k in range(rows)]
    return {"x": x.astype(np.float16), "y": y.astype(np.int16), "files": names, "classes": CLASSES}


@pytest.fixture
def files(tmp_path):
    """A file to learn from, and one to test on beside it."""
    np.savez(tmp_path / "some_train.npz", **arrays(60))
    np.savez(tmp_path / "some_val.npz", **arrays(9, seed=1))
    return tmp_path / "some_train.npz"


def test_rows_are_those_of_the_files(files):
    found, stored = stored_features(files), arrays(60)
    assert found.classes == ("ant", "bee", "cat")
    assert found.train[0].dtype == np.float32 and found.train[1].dtype == np.int64
    assert np.bincount(found.validation[1]).tolist() == [4, 4, 4]
    both = np.concatenate([found.train[0], found.validation[0]])
    assert np.array_equal(np.sort(both, axis=0), np.sort(stored["x"].astype(np.float32), axis=0))
    assert np.array_equal(found.test[0], arrays(9, seed=1)["x"].astype(np.float32))
    assert found.test[1].tolist() == [0, 1, 2] * 3


def test_the_seed_says_which_rows_validate(files):
    first, same, other = (stored_features(files, seed=seed).validation[0] for seed in (0, 0, 1))
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_files_are_found_below_the_folder_of_data_and_fitted(files, monkeypatch):
    monkeypatch.setenv("OCCAMHEAD_DATA", str(files.parent))
    data = StoredFeatures("some_train.npz")
    (point,) = fit_path(data, budgets=(1,), per_class=True)
    assert [point.formula[k].features for k in range(3)] == [(0,), (1,), (2,)]


BAD = {
    "missing": ({"files": None}, "of its arrays x, y, classes none is files"),
    "flat": ({"x": np.zeros(60, np.float16)}, r"wanted x of .* got float16 \[60\]"),
    "whole": ({"x": np.zeros((60, 5), np.int8)}, r"floating-point numbers .* got int8 \[60, 5\]"),
    "labels": ({"y": np.zeros(59, np.int16)}, r"wanted y .* 60 rows of x, got shape \[59\]"),
    "fractions": ({"y": np.zeros(60)}, "whole numbers as labels y, got float64"),
    "number": ({"y": np.full(60, 3)}, "labels y of 0 to 2, as there are 3 classes, got 3 to 3"),
    "bare": ({"y": np.arange(60) % 2}, "two rows or more of each class.* got 0 of cat"),
    "twice": ({"classes": ["ant", "bee", "ant"]}, "the class ant is there twice"),
    "names": ({"classes": [1, 2, 3]}, r"list of two names or more, got int64 \[3\]"),
    "order": ({"classes": ["bee", "ant", "cat"]}, "wanted the 3 classes .* in another order"),
    "others": ({"classes": ["ant", "bee", "dog"]}, "cat is in one only"),
    "width": ({"x": np.zeros((60, 4), np.float32)}, "wanted 4 features .* got 5"),
    "objects": ({"files": np.array([None] * 60)}, "a damaged one .*[Oo]bject arrays"),
    "nan": ({"x": np.full((60, 5), np.nan)}, "rows are not finite"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_with_a_file_is_said(kind, files):
    changes, words = BAD[kind]
    kept = {name: array for name, array in (arrays(60) | changes).items() if array is not None}
    np.savez(files, **kept)
    with pytest.raises(ValueError, match=words):
        stored_features(files)


def test_a_file_that_is_none_is_refused(files):
    files.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(ValueError, match=r"wanted an \.npz file with x, y, files, classes"):
        stored_features(files)
    np.save(files.with_name("one_train.npy"), np.zeros(3))
    with pytest.raises(ValueError, match=r"wanted an \.npz file"):
        stored_features(files.with_name("one_train.npy"), test=files)


def test_test_rows_lie_beside(files):
    files.with_name("some_val.npz").rename(files.with_name("rest.npz"))
    with pytest.raises(FileNotFoundError, match=r"wanted some_val\.npz beside it"):
        stored_features(files)
    assert len(stored_features(files, test=files.with_name("rest.npz")).test[1]) == 9
    with pytest.raises(FileNotFoundError, match="wanted a name with 'train'"):
        stored_features(files.with_name("rest.npz"))


@pytest.mark.slow
def test_our_own_extraction_gives_the_numbers_of_the_file(data_folder, tmp_path):
    """A hundred photographs of Tiny ImageNet, of many classes; the file was rounded to float16."""
    folder = data_folder / "tiny200"
    weights = data_folder / "weights" / "resnet50_imagenet_fp16.pth"
    if not folder.is_dir() or not weights.is_file():
        pytest.skip("the 200 classes, or the weights, are not among the data")
    with np.load(folder / "features_resnet50_128_train.npz") as stored:
        names = stored["files"][::200].tolist()
        x, labels = stored["x"][::200].astype(np.float32), stored["y"][::200].tolist()
        classes = stored["classes"].tolist()
    with tarfile.open(folder / "tiny200.tar.xz") as tar:
        for member in tar:
            name = member.name.split("/")[-1]
            if name in names and (bytes_of := tar.extractfile(member)) is not None:
                (tmp_path / name).write_bytes(bytes_of.read())
    pictures = PictureFiles([str(tmp_path / name) for name in names], labels, classes)
    backbone = load_backbone("resnet50", str(weights), picture_size=128)
    made = extract(backbone, pictures, progress=False, workers=0)
    assert len(names) == 100 and np.abs(made - x).max() < 1e-2
