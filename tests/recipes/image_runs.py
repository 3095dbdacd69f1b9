"""Runs of the image recipes, and all that holds for every run, from the files alone."""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from occamhead import OccamModule
from occamhead.commands.results import FILES, MODEL
from occamhead.expression import Expression

LITE = ["--backbone", "efficientnet_lite0"]
QUICK = ["--restarts", "2", "--steps", "40", "--accelerator", "cpu"]
KEYS = {
    "task", "backbone", "weights", "data", "seed", "device", "versions", "n_train", "n_val",
    "n_test", "rule_accuracy", "soft_accuracy", "dense_accuracy", "majority_accuracy", "agreement",
    "formulas", "rule", "features_used", "operations", "probability", "train_seconds",
    "feature_seconds", "peak_rss_mb", "command", "balanced_accuracy", "recalls", "recall_intervals",
    "accuracy_interval",
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
    own = [[row["prediction"] == name for row in predictions if row["label"] == name]
           for name in classes]  # fmt: skip
    assert list(results["recalls"].values()) == [np.mean(right) for right in own]
    assert results["balanced_accuracy"] == pytest.approx(np.mean([np.mean(right) for right in own]))
    intervals = [*results["recall_intervals"].values(), results["accuracy_interval"]]
    shares = [*results["recalls"].values(), results["rule_accuracy"]]
    for (low, high), share in zip(intervals, shares, strict=True):
        assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1 and low < high
    assert results["majority_accuracy"] in [count / len(predictions) for count in counts]

    expression = Expression.from_json(run.read("formula.json"))
    sums = expression[1] if len(classes) == 2 else expression
    assert sums.text() == results["formulas"] and len(sums) == (len(classes) if classes[2:] else 1)
    assert expression.rule(classes) == results["rule"]
    assert len(expression.features) == results["features_used"]
    assert expression.operations == results["operations"]
    loaded = OccamModule.load_from_checkpoint(run.out / "checkpoint.ckpt", weights_only=True)
    assert loaded.eval().head.formula() == expression
    assert loaded.head.log_prob().sum().exp().item() == pytest.approx(results["probability"])

    tex = run.read("formula.tex")
    assert tex.startswith("\\begin{align}") and tex.count("&=") == len(sums)
    with Image.open(run.out / "formula.png") as drawing:
        assert min(drawing.size) > 100
        assert len(set(drawing.convert("L").resize((64, 64)).tobytes())) > 1
    assert run.stdout.splitlines()[0] == f"data: {results['data']}"
    assert all(line in run.stdout.splitlines() for line in results["rule"])


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
