"""The comparison of heads: each reads no more than it may, and chooses without the test rows."""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from occamhead.expression import ExpressionBuilder
from occamhead.rows.objective import standardisation
from recipes import compare_heads
from recipes.features import comparison, comparison_plot
from recipes.others import heads as peer_heads
from recipes.others import linear_heads as sparse_heads
from recipes.others import ours as formula_heads
from recipes.others.l1_path import sparse_path

pytestmark = pytest.mark.usefixtures("one_thread")

SPARSE = ("l1", "elastic_net", "tree", "ebm", "kan", "gplearn")


def call(name: str) -> Callable[..., sparse_heads.Heads]:
    """A method, or a skip where its package is missing."""
    module, package = comparison.NEEDS.get(name, (None, None))
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"{package} is not installed")
    return comparison.METHODS[name]


def standardised(rows: tuple[np.ndarray, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = torch.as_tensor(rows[0]), torch.as_tensor(rows[1])
    mean, scale = standardisation(x)
    return (x - mean) / scale, y


# --- the path -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mixing", [1.0, 0.7])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_point_of_the_path_is_the_optimum(planted, mixing, classes):
    """The conditions of a least value (KKT), computed here in float64."""
    z, y = standardised(planted(rows=150, features=40, informative=3, classes=classes).train)
    path = sparse_path(z, y, classes, mixing=mixing, ratio=0.8, tolerance=1e-4, steps=5000)
    for point in itertools.islice(path, 12):
        weight = point.weight.double().numpy()
        scores = z.double().numpy() @ weight + point.bias.double().numpy()
        if classes == 2:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        residual = chances - np.eye(classes)[y.numpy()]
        residual = residual[:, 1:] if classes == 2 else residual
        l1, l2 = point.penalty * mixing, point.penalty * (1 - mixing)
        slope = z.double().numpy().T @ residual / len(z) + l2 * weight
        used = weight != 0
        np.testing.assert_allclose(slope[used], -l1 * np.sign(weight[used]), atol=3e-3 * l1)
        assert np.abs(slope[~used]).max() <= l1 * 1.003
        np.testing.assert_allclose(residual.mean(axis=0), 0, atol=3e-3 * l1)
    assert used.any()


def test_the_path_starts_at_no_feature_and_agrees_with_saga(planted):
    """At one penalty, the weights that scikit-learn's SAGA finds."""
    from sklearn.linear_model import LogisticRegression

    z, y = standardised(planted(rows=120, features=20, informative=3).train)
    points = list(itertools.islice(sparse_path(z, y, 2, ratio=0.7, tolerance=1e-4), 6))
    assert not points[0].support.any()
    found = points[-1]
    saga = LogisticRegression(
        C=1 / (found.penalty * len(z)), l1_ratio=1.0, solver="saga", tol=1e-6, max_iter=20_000
    ).fit(z.double().numpy(), y.numpy())
    np.testing.assert_allclose(found.weight[:, 0], saga.coef_[0], atol=3e-3)
    np.testing.assert_allclose(found.bias, saga.intercept_, atol=3e-3)


def test_the_path_refuses_what_makes_no_path():
    z, y = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match="mixing must be above 0 and at most 1, got 0"):
        next(sparse_path(z, y, 2, mixing=0))
    with pytest.raises(ValueError, match=r"ratio must be between 0 and 1, got 1\.0"):
        next(sparse_path(z, y, 2, ratio=1.0))


def test_a_path_that_jumps_over_a_count_is_filled_up():
    """Two equal columns come in one step; a budget of one feature still gets one."""
    z = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    y = (z[:, 0] > 0).long()
    rows = torch.cat([z, z, torch.ones(200, 1)], dim=1), y
    points = sparse_heads.sparse_points(rows, 2, [1, 2])
    assert [int(points[count].support.sum()) for count in (1, 2)] == [1, 2]


@pytest.mark.parametrize("per_class", [False, True])
def test_counts_of_many_classes(planted, per_class):
    z, y = standardised(planted(rows=300, features=30, informative=6, classes=3).train)
    for count, point in sparse_heads.sparse_points((z, y), 3, [1, 3], 1.0, per_class).items():
        support = point.support
        if per_class:
            assert support.sum(dim=0).tolist() == [count] * 3
        else:
            assert int(support.any(dim=1).sum()) == count


# --- the methods ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", SPARSE)
def test_a_head_reads_what_it_says_and_finds_what_tells(name, planted):
    rows = planted(rows=240, features=40, informative=2, strength=3.0)
    counts = (1, 2)
    heads = call(name)(rows.train, rows.validation, counts, 2.0, 0)
    assert set(heads.by_count) == set(counts)
    x, y = rows.test
    for count, head in heads.by_count.items():
        assert 1 <= len(head.features) <= count
        others = np.setdiff1d(np.arange(x.shape[1]), head.features)
        shuffled = x.copy()
        shuffled[:, others] = np.random.default_rng(0).permuted(shuffled[:, others], axis=0)
        assert (head.predict(shuffled) == head.predict(x)).all()
        for feature in head.features if count == 1 else ():
            shuffled = x.copy()
            shuffled[:, feature] = shuffled[:, feature].mean()
            assert (head.predict(shuffled) != head.predict(x)).any()
        assert 0.5 < head.validation_accuracy <= 1
    assert set(heads.by_count[1].features) <= set(rows.informative.tolist())
    accuracy = np.mean(heads.by_count[2].predict(x) == y)
    # A tree cuts the plane along its axes, and how far gplearn comes is a matter of time.
    assert accuracy > rows.bayes - {"tree": 0.12, "gplearn": 0.25}.get(name, 0.03)


@pytest.mark.parametrize("name", ["l1", "elastic_net", "tree", "ebm", "kan"])
def test_three_classes(name, planted):
    rows = planted(rows=240, features=20, informative=3, classes=3, strength=2.0)
    heads = call(name)(rows.train, rows.validation, (3,), 1.5, 0)
    head = heads.by_count[3]
    assert len(head.features) <= 3
    assert set(np.unique(head.predict(rows.test[0]))) == {0, 1, 2}
    assert np.mean(head.predict(rows.test[0]) == rows.test[1]) > 0.6


def test_gplearn_refuses_three_classes(planted):
    rows = planted(rows=60, features=6, informative=3, classes=3)
    with pytest.raises(ValueError, match="tells two classes apart, got 3"):
        call("gplearn")(rows.train, rows.validation, (1,), 1.0, 0)


def test_dense_reads_everything(planted):
    rows = planted(rows=200, features=10, informative=3)
    heads = sparse_heads.dense(rows.train, rows.validation, (1, 2), 10.0, 0)
    assert [len(head.features) for head in heads.by_count.values()] == [10]
    assert list(heads.by_count) == [10] and not heads.cut


def test_time_that_is_over_cuts(planted):
    rows = planted(rows=200, features=200, informative=3)
    heads = sparse_heads.elastic_net(rows.train, rows.validation, (1, 64), 1e-6, 0)
    assert heads.cut


def test_many_rows_are_followed_on_some(planted, monkeypatch):
    """The support comes from some rows, the weights from all."""
    rows = planted(rows=400, features=30, informative=2, strength=3.0)
    monkeypatch.setattr(sparse_heads, "MANY_ROWS", 150)
    head = sparse_heads.l1(rows.train, rows.validation, (2,), 10.0, 0).by_count[2]
    assert head.features == tuple(rows.informative.tolist())
    assert np.mean(head.predict(rows.test[0]) == rows.test[1]) > rows.bayes - 0.03


# --- ours ---------------------------------------------------------------------------------------


def test_a_formula_predicts_as_its_source_does():
    builder = ExpressionBuilder()
    leaf = builder.input(3)
    outputs = [builder.constant(0.0), builder.affine(-1.0, [(2.0, leaf)])]
    head = formula_heads.formula_head(builder.build(outputs, 5), 0.9)
    assert head.features == (3,)
    x = np.zeros((3, 5), dtype=np.float32)
    x[:, 3] = [0.4, 0.6, -2]
    assert head.predict(x).tolist() == [0, 1, 0]


@pytest.mark.slow
def test_ours_by_backprop_keeps_to_the_count(planted, monkeypatch):
    rows = planted(rows=200, features=30, informative=2, strength=3.0)
    quick = formula_heads.fit_head
    monkeypatch.setattr(
        formula_heads, "fit_head", lambda *a, **k: quick(*a, **k, restarts=2, steps=60)
    )
    # The name in the module is the stub now, which takes the options of the real one.
    heads = formula_heads.occamhead_backprop(rows.train, rows.validation, (2,), 60.0, 0)
    head = heads.by_count[2]
    assert set(head.features) == set(rows.informative.tolist())
    assert np.mean(head.predict(rows.test[0]) == rows.test[1]) > rows.bayes - 0.05


# --- table, files and plot ----------------------------------------------------------------------


def test_cells_are_won_against_the_best_other_sparse_method():
    means = {
        "occamhead": {1: 0.8, 2: 0.9, 4: 0.95},
        "occamhead_evolution": {1: 0.99, 2: 0.99, 4: 0.99},
        "dense": {100: 1.0},
        "l1": {1: 0.8, 2: 0.85, 4: 0.96},
        "tree": {1: 0.7, 2: 0.89, 4: 0.9},
    }
    assert comparison.cells_won(means, "occamhead") == [1, 2]


def test_means_are_over_the_seeds():
    rows = [
        {"method": "l1", "budget": count, "seed": seed, "accuracy": accuracy}
        for count, seed, accuracy in ((1, 0, 0.5), (1, 1, 0.7), (2, 0, 0.9))
    ]
    means = comparison.mean_accuracies(rows)
    assert means == {"l1": {1: pytest.approx(0.6), 2: pytest.approx(0.9)}}


def test_a_method_without_its_package_is_left_out(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "kan" else name if name == "gplearn" else find(name),
    )
    names, missing = comparison.installed(["l1", "kan", "gplearn"], 3)
    assert names == ["l1"]
    assert missing == {
        "kan": "needs pykan: pip install 'occamhead[benchmark]'",
        "gplearn": "tells two classes apart, not 3",
    }


def test_the_plot_has_a_line_for_each_method(tmp_path):
    file = tmp_path / "compare.png"
    means = {"occamhead": {1: 0.8, 2: 0.9}, "l1": {1: 0.7, 2: 0.85}}
    comparison_plot.draw(means, 0.95, file, "made up")
    with Image.open(file) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {(178, 24, 43), (33, 102, 172)} <= colours


@pytest.mark.usefixtures("offline")
def test_the_whole_comparison_of_few_digits(few_digits, tmp_path, capsys):
    """Zeros and sevens by three methods and two seeds."""
    out = tmp_path / "out"
    flags = ["--data", str(few_digits), "--pixels", "--classes", "0", "7", "--features", "1", "4"]
    flags += ["--methods", "dense", "tree", "l1", "--seeds", "0", "1", "--out", str(out)]
    results = compare_heads.main(flags)
    assert json.loads((out / "results.json").read_text()) == results
    keys = {"method", "features", "budget", "seed", "accuracy", "validation_accuracy", "seconds"}
    rows = results["rows"]
    assert all(set(row) == keys for row in rows)
    found = {(row["method"], row["budget"], row["seed"]) for row in rows}
    sparse = itertools.product(("tree", "l1"), (1, 4), (0, 1))
    assert found == {*sparse, ("dense", 784, 0), ("dense", 784, 1)}
    assert len(rows) == len(found)
    for row in rows:
        assert row["features"] <= row["budget"]
        assert 0.7 < row["accuracy"] <= 1 and 0.7 < row["validation_accuracy"] <= 1
        assert row["seconds"] > 0
    assert results["backbone"] == "pixels" and results["counts"] == [1, 4]
    assert results["cells_won"] == {} and results["missing"] == {}
    with Image.open(out / "compare.png") as picture:
        assert min(picture.size) > 300
    printed = capsys.readouterr().out
    table = printed[printed.index("test accuracy") :].splitlines()
    assert table[1].split() == ["1", "4"]
    means = comparison.mean_accuracies(rows)
    assert table[2].split() == ["tree", *(f"{means['tree'][count]:.3f}" for count in (1, 4))]
    assert "with all 784 features" in printed
    with pytest.raises(FileExistsError, match="--overwrite"):
        compare_heads.main(flags)


@pytest.mark.usefixtures("offline")
def test_the_whole_comparison_per_class(few_digits, tmp_path):
    flags = ["--data", str(few_digits), "--pixels", "--classes", "0", "1", "7", "--per-class", "4"]
    flags += ["--methods", "l1", "--seeds", "0", "--out", str(tmp_path / "out")]
    results = compare_heads.main(flags)
    (row,) = results["rows"]
    assert results["per_class"] and row["budget"] == 4
    assert 4 < row["features"] <= 12 and row["accuracy"] > 0.85


def test_flags_that_do_not_go_together(capsys):
    for flags, words in (
        (["--pixels", "--data", "mnist", "--backbone", "resnet50"], "take no --backbone"),
        (["--per-class", "4", "--methods", "tree"], "not tree"),
        (["--seconds", "0"], "must be positive"),
    ):
        with pytest.raises(SystemExit):
            compare_heads.main(flags)
        assert words in capsys.readouterr().err


def test_the_small_tree_is_small(planted):
    rows = planted(rows=300, features=20, informative=6)
    heads = peer_heads.tree(rows.train, rows.validation, (2, 32), 20.0, 0)
    assert len(heads.by_count[32].features) <= 15  # the inner nodes of a tree of depth 4
