"""Sparse multinomial regression: what it minimises, and which weights it takes."""

from itertools import combinations

import pytest
import torch
from torch.nn import functional as F

from occamhead.rows.allotted import Growth
from occamhead.rows.sparse_softmax import BLOCK, Solution, SparseSoftmax

CLASSES = 3


def problem(rows=300, features=4, seed=0, soft=False, counts=False, ridge=1e-3):
    """Rows whose classes follow a few weights, as the model and as `z` [rows, features]."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, features, generator=generator)
    scores = z @ torch.randn(features, CLASSES, generator=generator) * 2
    targets = scores.softmax(dim=1)
    if not soft:
        targets = torch.multinomial(targets, 1, generator=generator).flatten()
    weight = torch.rand(rows, generator=generator) * 2 if counts else None
    return SparseSoftmax(z.T.contiguous(), targets, CLASSES, ridge, weight), z


def empty(model):
    shape = CLASSES, len(model.z)
    return Solution(torch.zeros(shape), torch.zeros(CLASSES), torch.zeros(shape) > 0, 0.0)


def loss_of(model, z, weight, bias):
    """As PyTorch computes it."""
    losses = F.cross_entropy(z @ weight.T + bias, model.targets, reduction="none")
    counted = losses if model.weight is None else losses * model.weight
    return counted.mean() + model.ridge * weight.square().sum()


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("counts", [False, True])
def test_no_slope_is_left_at_the_best_weights(soft, counts):
    model, z = problem(rows=BLOCK + 100, soft=soft, counts=counts)
    mask = torch.tensor([[1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]]) > 0
    found = model.fit(empty(model), mask, 200)
    weight, bias = found.weight.requires_grad_(True), found.bias.requires_grad_(True)
    loss = loss_of(model, z, weight, bias)
    slope, of_bias = torch.autograd.grad(loss, [weight, bias])
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    assert not found.weight[~mask].any()
    assert slope[mask].abs().max() < 2e-4 and of_bias.abs().max() < 2e-4


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("counts", [False, True])
def test_slopes_are_those_of_all_weights(soft, counts):
    model, z = problem(rows=BLOCK + 100, soft=soft, counts=counts)
    at = model.fit(empty(model), empty(model).weight == 0, 3)
    weight = at.weight.clone().requires_grad_(True)
    wanted = torch.autograd.grad(loss_of(model, z, weight, at.bias), weight)[0]
    slopes, curvature = model.slopes(at)
    assert torch.allclose(slopes, wanted - 2 * model.ridge * at.weight, atol=1e-4)
    chances = (z @ at.weight.T + at.bias).softmax(dim=1)
    spread = chances * (1 - chances)
    if counts:
        spread = spread * model.weight.unsqueeze(1)
    assert torch.allclose(curvature, spread.mean(dim=0), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("budget", [1, 2])
def test_no_other_choice_of_weights_is_much_better(seed, budget):
    model, _ = problem(seed=seed)
    start, size = empty(model), budget * CLASSES
    chosen = dict(Growth(model).path(start.bias, [budget]))[budget]
    best, nothing = float("inf"), model.fit(start, start.mask, 50).loss
    for places in combinations(range(start.mask.numel()), size):
        mask = torch.zeros(start.mask.numel(), dtype=torch.bool)
        mask[list(places)] = True
        best = min(best, model.fit(start, mask.view_as(start.mask), 50).loss)
    assert int(chosen.mask.sum()) == size
    # Of what the best choice wins over none, nearly all.
    assert nothing - chosen.loss > 0.97 * (nothing - best)


def test_each_budget_is_met_and_lowers_the_loss():
    model, _ = problem(features=12)
    start = empty(model)
    path = dict(Growth(model).path(start.bias, [4, 1, 2, 100]))
    assert list(path) == [1, 2, 4, 100]
    assert [int(made.mask.sum()) for made in path.values()] == [3, 6, 12, 36]
    losses = [made.loss for made in path.values()]
    assert losses == sorted(losses, reverse=True)


def test_what_is_barred_stays_out_and_what_is_forced_comes_in():
    model, _ = problem(features=6)
    barred, forced = empty(model).mask, empty(model).mask.clone()
    barred = barred.clone()
    barred[:, 0] = True
    forced[:, 5] = True
    growth = Growth(model, barred, forced)
    for made in dict(growth.path(torch.zeros(CLASSES), [1, 2, 50])).values():
        assert not made.mask[:, 0].any() and made.mask[:, 5].all()
    assert int(made.mask.sum()) == CLASSES * 5


def test_what_was_taken_on_rows_like_these_is_begun_with():
    model, _ = problem(rows=300, features=12)
    fewer = model.z[:, :240].contiguous(), model.targets[:240]
    fewer = SparseSoftmax(*fewer, CLASSES, model.ridge)
    bias = torch.zeros(CLASSES)
    near = {budget: made.mask for budget, made in Growth(fewer).path(bias, [1, 3])}
    found = dict(Growth(model, near=near).path(bias, [1, 3]))
    for budget, made in Growth(model).path(bias, [1, 3]):
        assert int(found[budget].mask.sum()) == budget * CLASSES
        assert found[budget].loss == pytest.approx(made.loss, rel=0.02)


@pytest.mark.parametrize("budgets", [[], [1, 3], [3]])
def test_work_is_what_the_path_says_that_it_did(budgets):
    model, _ = problem(features=12)
    done = []
    near = {budget: torch.rand(CLASSES, 12) < 0.4 for budget in budgets}
    growth = Growth(model, near=near)
    list(growth.path(torch.zeros(CLASSES), [1, 3, 6], done.append))
    assert sum(done) == growth.work([1, 3, 6])
