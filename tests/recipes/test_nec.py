"""Sparse heads of many classes at equal NEC, on scikit-learn's digits."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from occamhead import nec_of
from occamhead.rows.arrays import as_rows
from occamhead.rows.metrics import accuracy
from occamhead.rows.objective import standardisation
from recipes import nec
from recipes.features.splits import small_digits
from recipes.nec_tasks.choice import Task
from recipes.nec_tasks.fits import Standardised, largest
from recipes.nec_tasks.judge import figures
from recipes.nec_tasks.methods import METHODS
from recipes.others.linear_heads import Clock
from recipes.others.saga import saga_path

COLUMNS = {"method", "budget", "nec", "nec_max", "seed", "accuracy", "validation_accuracy", "top5",
           "ece", "brier", "seconds", "peak_mb", "cut"}  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    return small_digits(0)


@pytest.mark.parametrize(
    "methods",
    [["pruned", "random", "dense"], pytest.param(list(METHODS), marks=pytest.mark.slow)],
)
def test_methods_are_compared_at_equal_nec(methods, tmp_path, capsys):
    flags = ["--budgets", "2", "5", "--seeds", "0", "--seconds", "20", "--methods", *methods]
    out = tmp_path / "run"
    nec.main([*flags, "--out", str(out)])
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert all(set(row) == COLUMNS for row in rows)
    found = {(row["method"], row["budget"]): row for row in rows}
    sparse = [name for name in methods if name != "dense"]
    assert set(found) == {("dense", 64), *((name, b) for name in sparse for b in (2, 5))}
    for name in sparse:
        for budget in (2, 5):
            row = found[name, budget]
            assert row["nec"] <= budget <= row["nec_max"] and row["peak_mb"] > 10
            assert row["validation_accuracy"] > 0 and row["accuracy"] <= row["top5"] <= 1
    # Chance would be .1; what is drawn at random stays far below what is chosen.
    for name in {"ours", "pruned", "l1"} & set(methods):
        assert found[name, 5]["accuracy"] > found["random", 5]["accuracy"] + 0.1
    assert found["dense", 64]["accuracy"] > 0.94
    said = capsys.readouterr().out
    assert "no --data: scikit-learn's digits" in said and "73.15 of 76.13" in said
    assert (out / "nec.png").stat().st_size > 10_000


def test_heads_have_as_many_weights_as_the_budget_says(digits):
    task = Task(digits.train, digits.validation, 10, (1, 3), 0, Clock(60))
    for name in ("pruned", "glm_saga", "l1", "random"):
        heads = METHODS[name](task)
        assert {budget: nec_of(made.head).mean for budget, made in heads.items()} == {1: 1, 3: 3}
    # Drawn are as many features for each class.
    assert nec_of(heads[3].head).most == 3


def test_the_seed_draws_the_features(digits):
    def drawn(seed):
        task = Task(digits.train, digits.validation, 10, (2, 3), seed, Clock(60))
        return {budget: made.head.weight != 0 for budget, made in METHODS["random"](task).items()}

    first, same, other = drawn(0), drawn(0), drawn(1)
    assert torch.equal(first[2], same[2]) and not torch.equal(first[2], other[2])
    assert not (first[2] & ~first[3]).any()


def test_a_path_that_is_out_of_time_gives_what_it_has(digits):
    clock = Clock(1e-6)
    heads = METHODS["l1"](Task(digits.train, digits.validation, 10, (1, 30), 0, clock))
    assert set(heads) == {1, 30} and clock.cut
    assert nec_of(heads[30].head).mean < 30


def test_saga_finds_the_weights_that_scikit_learn_finds(digits, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr("recipes.others.saga.BATCH", 32)
    x, y = (each[::3] for each in as_rows(digits.train))
    mean, scale = standardisation(x)
    z = (x - mean) / scale
    for point in saga_path(z, y, 10, 0, ratio=0.5, passes=100, patience=100):
        if int((point.weight != 0).sum()) >= 50:
            break
    theirs = LogisticRegression(
        solver="saga", C=1 / (point.penalty * len(z)), l1_ratio=0.99, max_iter=1000, tol=1e-4
    ).fit(z.numpy(), y.numpy())
    weight, bias = (torch.tensor(each).float() for each in (theirs.coef_.T, theirs.intercept_))

    def objective(weight, bias):
        size = 0.99 * weight.abs().sum() + 0.01 / 2 * weight.square().sum()
        return float(cross_entropy(z @ weight + bias, y) + point.penalty * size)

    assert objective(point.weight, point.bias) == pytest.approx(objective(weight, bias), abs=1e-4)
    assert (point.weight - weight).abs().max() < 0.05
    assert int((weight != 0).sum()) == pytest.approx(int((point.weight != 0).sum()), abs=4)


def test_a_fit_of_few_weights_is_that_of_whole_matrices(digits, monkeypatch):
    rows = Standardised(as_rows(digits.train), 10)
    mask = torch.rand(10, 64, generator=torch.Generator().manual_seed(0)) < 0.2
    sparse = rows.fit(rows.start(), mask, 1e-2, 100)
    monkeypatch.setattr("recipes.nec_tasks.fits.DENSE", 0)
    whole = rows.fit(rows.start(), mask, 1e-2, 100)
    assert torch.allclose(sparse.weight, whole.weight, atol=5e-3)
    held = as_rows(digits.validation)
    layers = [rows.layer(each.weight, each.bias) for each in (sparse, whole)]
    assert accuracy(layers[0], held) == pytest.approx(accuracy(layers[1], held), abs=0.01)


def test_the_largest_weights_are_kept():
    weight = torch.tensor([[3.0, -4.0, 0.0], [0.5, 0.0, 0.0]])
    assert largest(weight, 1).tolist() == [[True, True, False], [False] * 3]
    assert int(largest(weight, 3).sum()) == 3  # a weight that is zero is none


def test_figures_of_a_head_that_is_known():
    head = torch.nn.Linear(3, 3)
    with torch.no_grad():
        head.weight.copy_(torch.eye(3) * 100)
        head.bias.zero_()
    x = np.eye(3, dtype=np.float32)
    found = figures(head, (x, np.array([0, 1, 0])))
    assert found["accuracy"] == pytest.approx(2 / 3) and found["top5"] == 1
    # Sure and wrong in one row of three: 1 + 1 for the two chances that are wrong.
    assert found["brier"] == pytest.approx(2 / 3) and found["ece"] == pytest.approx(1 / 3)


def test_features_that_are_computed_already_are_compared(tmp_path, capsys, digits):
    names = {"train": digits.train, "val": digits.test}
    for name, (x, y) in names.items():
        files = [f"{row}.png" for row in range(len(y))]
        np.savez(tmp_path / f"d_{name}.npz", x=x.astype(np.float16), y=y, files=files,
                 classes=list(digits.classes))  # fmt: skip
    flags = ["--features", str(tmp_path / "d_train.npz"), "--budgets", "3", "--seeds", "1"]
    results = nec.main([*flags, "--methods", "random", "--out", str(tmp_path / "run")])
    assert [row["nec"] for row in results["rows"]] == [3.0]
    assert f"features in {tmp_path / 'd_train.npz'}, 10 classes" in capsys.readouterr().out


BAD = [
    (["--data", "digits", "--budgets", "5", "65"], "at most 64 features of a class.* got 65"),
    (["--features", "none_train.npz"], "found neither .*none_train.npz"),
]


@pytest.mark.parametrize("flags, words", BAD)
def test_what_cannot_be_compared_is_said(flags, words, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        nec.main([*flags, "--out", str(tmp_path / "run")])


def test_two_classes_are_compared_elsewhere(tmp_path):
    rows = {"y": np.arange(20) % 2, "files": ["a"] * 20, "classes": ["ant", "bee"]}
    for name in ("train", "val"):
        np.savez(tmp_path / f"two_{name}.npz", x=np.random.default_rng(0).random((20, 4)), **rows)
    flags = ["--features", str(tmp_path / "two_train.npz"), "--budgets", "2"]
    with pytest.raises(ValueError, match=r"three classes or more, got 2; .*compare_heads"):
        nec.main([*flags, "--out", str(tmp_path / "run")])


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--features", "f_train.npz", "--data", "mnist"], "leave --data out"),
        (["--data", "tiny200", "--backbone", "resnet18"], "take no --backbone"),
        (["--pixels"], "--pixels goes with --data mnist"),
        (["--budgets", "0"], "must be at least 1, got 0"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, words, capsys):
    with pytest.raises(SystemExit):
        nec.main(flags)
    assert words in capsys.readouterr().err
