"""The Pareto path: best subsets against brute force, pruning, writing, and the whole fit."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch

from occamhead import OccamHead
from occamhead.heads.sums import SumPath, folds
from occamhead.heads.writing import Blocks, Sums, write_head
from occamhead.rows.arrays import ArrayData, as_rows
from occamhead.rows.best_subsets import best_subsets, fit_weights
from occamhead.rows.objective import standardisation
from occamhead.training.blocks import SMOOTHING, PrunedBlocks, Pruning, prune_path
from occamhead.training.path import bootstrap_returns, fit_path
from tests.heads.occam_heads import apart

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


# --- best subsets -------------------------------------------------------------------------------


def quadratic(gram, moments, subset) -> float:
    """The least value over weights on the subset."""
    chosen = moments[list(subset)]
    weights = torch.linalg.solve(gram[list(subset)][:, list(subset)], chosen)
    return float(-(chosen * weights).sum())


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("seed", range(6))
def test_swaps_find_the_best_subset_that_brute_force_finds(seed, outputs):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(30, 9, generator=generator, dtype=torch.float64)
    rows[:, 5] = rows[:, 1] + 0.3 * rows[:, 5]
    gram = rows.T @ rows / 30 + 0.1 * torch.eye(9)
    moments = gram @ torch.randn(9, outputs, generator=generator, dtype=torch.float64)
    found = best_subsets(gram, moments, range(1, 10))
    exact = 0
    for size, subset in found.items():
        assert len(set(subset)) == size
        least = min(quadratic(gram, moments, s) for s in itertools.combinations(range(9), size))
        reached = quadratic(gram, moments, subset)
        # One swap at a time stops at a near best now and then.
        assert reached <= least + 0.06 * abs(least)
        exact += reached == pytest.approx(least)
    assert exact >= 7


def test_a_subset_is_what_forward_selection_alone_would_miss():
    """Two features that only together say what a third says alone but for noise."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 500, generator=generator, dtype=torch.float64)
    rows = torch.stack([a + b + 0.5 * torch.randn(500, generator=generator), a, b], dim=1).double()
    gram = rows.T @ rows / 500 + 1e-6 * torch.eye(3)
    moments = (rows.T @ (a + b) / 500).unsqueeze(1)
    assert best_subsets(gram, moments, [1])[1] == [0]
    assert sorted(best_subsets(gram, moments, [2])[2]) == [1, 2]


def test_copies_of_a_feature_are_no_trouble():
    rows = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows = rows.repeat(1, 2)
    gram = rows.T @ rows / 40 + 1e-9 * torch.eye(6)
    chosen = best_subsets(gram, gram[:, :1] + 0.5 * gram[:, 1:2], [2, 9])
    assert {place % 3 for place in chosen[2]} == {0, 1}
    assert sorted(chosen[9]) == list(range(6))


def test_forced_features_stay_and_barred_ones_stay_out():
    generator = torch.Generator().manual_seed(5)
    rows = torch.randn(30, 9, generator=generator, dtype=torch.float64)
    gram = rows.T @ rows / 30 + 0.1 * torch.eye(9)
    moments = gram @ torch.randn(9, 2, generator=generator, dtype=torch.float64)
    found = best_subsets(gram, moments, range(1, 8), forced=[6, 3], barred=[0, 8])
    for size, subset in found.items():
        free = [s for s in itertools.combinations(range(9), max(size, 2))
                if {3, 6} <= set(s) and not {0, 8} & set(s)]  # fmt: skip
        assert tuple(sorted(subset)) in free
        least = min(quadratic(gram, moments, s) for s in free)
        assert quadratic(gram, moments, subset) == pytest.approx(least, rel=0.06)


def test_a_refit_is_that_of_scikit_learn(planted):
    """The same ridge, and weights that were zero stay so."""
    from sklearn.linear_model import LogisticRegression

    x, y = as_rows(planted(rows=150, features=5, informative=2).train)
    mean, scale = standardisation(x)
    z = (x - mean) / scale
    start = torch.tensor([[-0.5, 0.5], [0, 0], [0.1, -0.1], [-1.0, 1.0], [0.2, -0.2]])
    weight, bias = fit_weights((z, y), start, torch.zeros(2), 0.02)
    assert (weight[1] == 0).all()
    # Two weights of half the size each are penalised half as much as their difference.
    model = LogisticRegression(C=1 / (0.02 * len(z)), tol=1e-8)
    columns = [0, 2, 3, 4]
    model.fit(z[:, columns].double().numpy(), y.numpy())
    np.testing.assert_allclose((weight[:, 1] - weight[:, 0])[columns], model.coef_[0], atol=2e-3)
    np.testing.assert_allclose(bias[1] - bias[0], model.intercept_[0], atol=2e-3)


# --- writing ------------------------------------------------------------------------------------


def some_weights(classes=3, nodes=4, features=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, nodes, features, generator=generator)
    weight *= torch.rand(classes, nodes, features, generator=generator) < 0.3
    weight[0, 1] = 0.0  # a node that reads nothing
    offset, outer = torch.randn(2, classes, nodes, generator=generator)
    bias = torch.randn(classes, generator=generator)
    spread = torch.randn(features, generator=generator), torch.rand(features) + 0.5
    return weight, offset, outer, bias, spread, torch.randn(20, features, generator=generator)


@pytest.mark.parametrize("family", ["hinge_affine", "tanh_affine"])
def test_written_blocks_are_the_formula(family):
    weight, offset, outer, bias, spread, x = some_weights()
    head = write_head(Blocks(weight, offset, outer, bias, family), spread, digits=9)
    function = torch.relu if family == "hinge_affine" else torch.tanh
    sums = torch.einsum("bf,chf->bch", (x - spread[0]) / spread[1], weight) + offset
    wanted = (function(sums) * outer).sum(dim=2) + bias
    torch.testing.assert_close(head(x), wanted, rtol=1e-4, atol=1e-4)
    formula = head.formula()
    for k in range(3):
        assert set(formula[k].features) == set(weight[k].any(dim=0).nonzero().flatten().tolist())
    # What is written is what the soft network is all but sure of, and what it nearly computes.
    assert (head.log_prob().exp() > 0.8).all()
    assert (head.soft(x) - head(x)).abs().max() < 0.2
    # It can be trained on, saved and loaded.
    head.train()(x).sum().backward()
    assert all(logits.grad is not None for logits in head.network.logits)


def test_written_sums_are_the_formula(tmp_path):
    weight, _, _, bias, spread, x = some_weights()
    head = write_head(Sums(weight[:, 0], bias), spread, digits=9)
    wanted = ((x - spread[0]) / spread[1]) @ weight[:, 0].T + bias
    torch.testing.assert_close(apart(head(x)), apart(wanted), rtol=1e-4, atol=1e-4)
    head.save(tmp_path / "head.pt")
    assert OccamHead.load(tmp_path / "head.pt").formula().text() == head.formula().text()


def test_scores_that_read_nothing_are_their_biases():
    head = write_head(
        Sums(torch.zeros(2, 5), torch.tensor([1.0, -2.0])), (torch.ones(5), torch.ones(5))
    )
    assert head(torch.randn(3, 5)).tolist() == [[0.0, -3.0]] * 3
    assert head.formula().features == ()


# --- pruning ------------------------------------------------------------------------------------


def test_saliency_is_the_squared_derivative_by_a_gate():
    generator = torch.Generator().manual_seed(0)
    network = PrunedBlocks(5, 3, 2, "tanh_affine", generator)
    network.alive[1, 0, 2] = 0.0
    z = torch.randn(6, 5, generator=generator)
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    of_class, of_weight = network.saliency((z, y))
    wanted_class, wanted_weight = torch.zeros(3, 5), torch.zeros(3, 2, 5)
    for row, label in zip(z, y, strict=True):
        gates = torch.ones(3, 2, 5, requires_grad=True)
        sums = (network.weight * network.alive * gates) @ row + network.offset
        scores = (torch.tanh(sums) * network.outer).sum(dim=1) + network.bias
        loss = torch.nn.functional.cross_entropy(
            scores.unsqueeze(0), label.unsqueeze(0), label_smoothing=SMOOTHING
        )
        (slope,) = torch.autograd.grad(loss, gates)
        wanted_weight += slope.square()
        wanted_class += slope.sum(dim=1).square()
    torch.testing.assert_close(of_class, wanted_class)
    torch.testing.assert_close(of_weight, wanted_weight)


@pytest.mark.slow
@pytest.mark.parametrize("per_class", [True, False])
def test_budgets_hold_and_what_is_pruned_stays_pruned(planted, per_class):
    x, y = as_rows(planted(rows=200, features=20, informative=3, classes=3).train)
    pruning = Pruning(3, 2, "hinge_affine", per_class, steps=120, seed=0)
    found = dict(prune_path((x, y), 3, [4, 2], pruning))
    assert list(found) == [4, 2]
    for budget, blocks in found.items():
        read = (blocks.weight != 0).any(dim=1)
        assert read.sum(dim=1).max() <= budget
        assert (blocks.weight != 0).sum(dim=2).max() <= 2
        if not per_class:
            assert read.any(dim=0).sum() <= budget
    again = dict(prune_path((x, y), 3, [4, 2], pruning))
    assert all(torch.equal(found[b].weight, again[b].weight) for b in found)


def test_a_node_must_be_a_function_of_a_sum():
    with pytest.raises(ValueError, match=r"family must be one of .*hinge_affine.* got 'max'"):
        PrunedBlocks(5, 2, 2, "max", torch.Generator())


# --- the whole fit ------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_planted_features_are_found(planted, classes):
    data = planted(rows=300, features=100, informative=3, strength=3.0, classes=classes)
    path = fit_path(data.data(), (1, 3, 6))
    assert [point.budget for point in path] == [1, 3, 6]
    assert all(point.features <= point.budget for point in path)
    telling = set(data.informative.tolist())
    assert set(path.points[0].formula.features) <= telling
    assert len(telling & set(path.points[2].formula.features)) >= 3
    x, y = data.test
    for point in path:
        scores = point.formula(x.astype(np.float64))
        reached = float(np.mean(scores.argmax(axis=1) == y))
        assert abs(point.validation_accuracy - reached) < 0.12
        assert all(0 < share <= 1 for share in point.returns.values() if share)
    assert reached > data.bayes - 0.06
    assert path.points[0].validation_accuracy < path.points[1].validation_accuracy


def test_two_classes_share_one_difference(planted):
    data = planted(rows=200, features=30, informative=4)
    path = fit_path(data.data(), [5])
    formula = path.points[0].formula
    first, second = set(formula[0].features), set(formula[1].features)
    assert not first & second and len(first | second) == 5


def test_each_class_has_features_of_its_own(planted):
    data = planted(rows=400, features=40, informative=6, classes=3, strength=3.0)
    point = fit_path(data.data(), [2], per_class=True).points[0]
    formula = point.formula
    assert sum(len(formula[k].features) for k in range(3)) == 3 * 2
    assert 2 < point.features <= 6


@pytest.mark.slow
def test_blocks_solve_what_no_sum_of_features_can():
    """Whether two numbers have the same sign, among eight numbers."""
    rng = np.random.default_rng(0)

    def rows(count):
        x = rng.uniform(-1, 1, (count, 8)).astype(np.float32)
        return x, (x[:, 2] * x[:, 5] > 0).astype(np.int64)

    data = ArrayData(rows(1500), rows(300), rows(500))
    flat = fit_path(data, [2]).points[0]
    bent = fit_path(data, [2], nodes=4, terms=2, steps=600).points[0]
    assert bent.formula.features == (2, 5)
    x, y = data.arrays.test
    accuracy = [float((point.head(torch.as_tensor(x)).argmax(1).numpy() == y).mean())
                for point in (flat, bent)]  # fmt: skip
    assert accuracy[0] < 0.7 and accuracy[1] > 0.93
    assert bent.validation_accuracy == pytest.approx(accuracy[1], abs=0.06)


def test_test_rows_change_nothing_and_a_seed_gives_the_same_path(planted):
    data = planted(rows=150, features=30)
    garbled = ArrayData(data.train, data.validation, (data.test[0] + 7, 1 - data.test[1]))
    plain, other = fit_path(data.data(), [1, 4], seed=3), fit_path(garbled, [1, 4], seed=3)
    for one, two in zip(plain, other, strict=True):
        assert one.formula.text() == two.formula.text()
        assert one.validation_accuracy == two.validation_accuracy


def test_select_by_budget_and_by_one_standard_error(planted):
    data = planted(rows=300, features=50, informative=2, strength=4.0)
    path = fit_path(data.data(), (1, 2, 8, 16))
    assert path.select(max_features=7).budget == 2
    assert path.select(max_features=100).budget == 16
    simplest = path.select()
    best = max(path, key=lambda point: point.validation_accuracy)
    assert simplest.validation_accuracy >= best.validation_accuracy - best.standard_error
    assert simplest.budget <= best.budget
    with pytest.raises(ValueError, match=r"at most 0 features; its budgets are 1, 2, 8, 16"):
        path.select(max_features=0)
    # A path is a plain record: a copy, as a file, knows the same formulas.
    for copied in (copy.deepcopy(path), pickle.loads(pickle.dumps(path))):
        assert copied.select(max_features=2).formula == path.points[1].formula
        assert copied.select().formula == simplest.formula


def test_a_point_is_a_fit_with_a_checkpoint(planted, tmp_path):
    data = planted(rows=150, features=30).data()
    path = fit_path(data, [2, 4])
    fit = path.fit(path.points[0], data, {"enable_progress_bar": False, "accelerator": "cpu"})
    assert fit.head.formula().text() == path.points[0].formula.text()
    assert fit.path is path
    file = tmp_path / "checkpoint.ckpt"
    fit.module.trainer.save_checkpoint(file, weights_only=True)
    from occamhead import OccamModule

    loaded = OccamModule.load_from_checkpoint(file, weights_only=True)
    assert loaded.head.eval().formula().text() == fit.head.formula().text()


def test_a_telling_feature_returns_when_rows_are_drawn_anew(planted):
    data = planted(rows=300, features=60, informative=2, strength=4.0)
    returns = bootstrap_returns(data.data(), [2], resamples=8)
    assert set(returns) == {2}
    assert {f for f, share in returns[2].items() if share > 0.8} == set(data.informative.tolist())
    assert sum(returns[2].values()) == pytest.approx(2)


def testfolds_hold_every_row_out_once_with_all_classes():
    x = torch.arange(23.0).unsqueeze(1)
    y = torch.tensor([0] * 13 + [1] * 10)
    out = []
    for (fit_x, fit_y), (held_x, held_y), _ in folds((x, y), 5, seed=0):
        assert len(fit_x) + len(held_x) == 23 and len(held_x) in (4, 5)
        assert set(fit_y.tolist()) == set(held_y.tolist()) == {0, 1}
        out += held_x.flatten().tolist()
    assert sorted(out) == list(range(23))


def test_without_a_teacher_the_labels_are_the_aim(planted):
    x, y = as_rows(planted(rows=100, features=12).train)
    path = SumPath((x, y), 2, None)
    assert path.teacher is None
    assert path.supports([2])[2].any(dim=1).sum() == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budgets": ()}, "at least one budget"),
        ({"budgets": (3, 0)}, "budget must be at least 1, got 0"),
        ({"folds": 1000}, "at most the .* rows, got 1000"),
        ({"nodes": -1}, "nodes must not be negative, got -1"),
        ({"nodes": 2, "folds": 5}, "validation rows alone are held out, got folds=5"),
        ({"nodes": 2, "family": "sine"}, "family must be one of .* got 'sine'"),
        ({"nodes": 2, "terms": 0}, "terms must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(planted, options, message):
    with pytest.raises(ValueError, match=message):
        fit_path(planted(rows=60, features=10).data(), **{"steps": 10, **options})


def test_several_labels_a_row_are_for_fit_head(planted):
    def many(rows):
        return rows[0], np.eye(2, dtype=np.float32)[rows[1]]

    data = planted(rows=60, features=10)
    with pytest.raises(ValueError, match="one label per row; for other targets take fit_head"):
        fit_path(ArrayData(many(data.train), many(data.validation), many(data.test)))


def roots(rows=600, seed=0):
    """Three classes by the sum of two roots, of six features that spread over decades."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(rows, 6, generator=generator).pow(4)
    return x, torch.bucketize(x[:, 1].sqrt() + x[:, 4].sqrt(), torch.tensor([0.6, 1.1]))


@pytest.mark.parametrize("per_class", [True, False])
def test_sums_of_roots_are_taken_where_they_are_better(per_class):
    found = {
        shape: fit_path(roots(), [2], per_class=per_class, shape=shape).points[0]
        for shape in (None, "sqrt", "auto")
    }
    assert found["sqrt"].validation_accuracy > found[None].validation_accuracy + 0.02
    assert found["auto"].formula == found["sqrt"].formula
    assert "x1**0.5" in " ".join(found["sqrt"].formula.rule())
    x, y = roots(seed=1)
    head = found["sqrt"].head
    said = head(x)
    assert (said.argmax(dim=1) == y).double().mean() > 0.95
    assert torch.allclose(said, head.formula()(x).float(), atol=1e-3)


def test_sums_of_roots_can_be_edited_and_trained_at_zero():
    x, y = roots()
    x[:50, 1] = 0.0
    head = fit_path((x, y), [2], per_class=True, shape="sqrt").points[0].head
    edited = head.edit(drop=[4]).head
    assert 4 not in edited.formula().features and "**0.5" in " ".join(edited.formula().rule())
    seen = x[:60].clone().requires_grad_(True)
    head.train()(seen).sum().backward()
    assert seen.grad.isfinite().all()


def test_auto_takes_the_features_where_one_is_negative():
    x, y = roots()
    taken = fit_path((x - 0.5, y), [2], shape="auto").points[0].formula
    assert taken == fit_path((x - 0.5, y), [2]).points[0].formula


@pytest.mark.parametrize(
    ("shape", "shift", "message"),
    [
        ("sqrt", 0.5, "sqrt has no finite value for -"),
        ("root", 0.0, "shape must be one of sqrt, 'auto' or None, got 'root'"),
    ],
)
def test_a_shape_that_does_not_suit_is_refused(shape, shift, message):
    x, y = roots()
    with pytest.raises(ValueError, match=message):
        fit_path((x - shift, y), [2], shape=shape)
