"""The dense head and the refit of a formula's numbers, against independent solvers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

from occamhead import OccamHead
from occamhead.rows.dense import PENALTIES, choose_dense_head, fit_dense_head, teach
from occamhead.rows.objective import minimise, standardisation
from occamhead.training.numbers import (
    PENALTIES as REFIT_PENALTIES,
)
from occamhead.training.numbers import (
    choose_penalty,
    formula_loss,
    has_constants,
    refit_constants,
)
from tests.heads.occam_heads import apart

pytestmark = pytest.mark.usefixtures("one_thread")


def rows(count: int, width: int, classes: int, seed: int, noise: float = 1.0):
    """Rows of very different scales whose classes overlap."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(1000 + width).normal(size=(width, classes))
    z = generator.normal(size=(count, width))
    scores = z @ directions + noise * generator.gumbel(size=(count, classes))
    x = z * np.linspace(0.1, 20, width) + np.linspace(-30, 30, width)
    return torch.from_numpy(x).float(), torch.from_numpy(scores.argmax(axis=1))


# --- dense --------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("penalty", [1.0, 0.1, 0.01, 1e-3])
def test_the_dense_head_is_scikit_learn_s(classes, penalty):
    """The same optimum; scikit-learn minimises ||w||^2 / 2 + C * summed loss.

    With two classes it has one weight vector w where softmax has two. Of all pairs with the
    difference w, the penalty likes +w/2 and -w/2 best, at ||w||^2 / 2 in all: half as much.
    """
    x, y = rows(200, 7, classes, seed=classes)
    z = (x.numpy() - x.numpy().mean(0)) / x.numpy().std(0)
    strength = penalty / 2 if classes == 2 else penalty
    reference = LogisticRegression(C=1 / (2 * len(x) * strength), tol=1e-10, max_iter=10_000)
    wanted = reference.fit(z.astype(np.float64), y.numpy()).predict_proba(z.astype(np.float64))
    head = fit_dense_head((x, y), classes, penalty)
    found = torch.softmax(head(x), dim=-1).numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    # Softmax does not see a vector added to all weights, but the penalty does: they sum to 0.
    weight = head.weight * torch.from_numpy(x.numpy().std(0))
    assert weight.sum(dim=0).abs().max() < 1e-3 * weight.abs().max()
    if classes == 2:
        np.testing.assert_allclose(
            weight[1].numpy(), reference.coef_[0] / 2, atol=5e-3 * np.abs(reference.coef_).max()
        )


def test_the_start_does_not_change_the_optimum():
    data = rows(150, 6, 3, seed=0)
    cold = fit_dense_head(data, 3, 0.01)
    start = nn.Linear(6, 3)
    with torch.no_grad():
        start.weight.copy_(cold.weight * 3 + 0.01)
    warm = fit_dense_head(data, 3, 0.01, start=start)
    found, wanted = (torch.softmax(head(data[0]), -1) for head in (warm, cold))
    torch.testing.assert_close(found, wanted, atol=3e-3, rtol=0)


def test_a_start_near_the_optimum_is_kept():
    """The standardisation is taken out of the start and put back in."""
    data = rows(150, 6, 3, seed=0)
    head = fit_dense_head(data, 3, 0.01)
    again = fit_dense_head(data, 3, 0.01, start=head)
    torch.testing.assert_close(again(data[0]), head(data[0]), atol=0.02, rtol=0)


def test_constant_features_are_harmless():
    x, y = rows(100, 5, 2, seed=0)
    more = torch.cat([x, torch.full((100, 1), 7.0), torch.zeros(100, 1)], dim=1)
    head, plain = fit_dense_head((more, y), 2, 0.01), fit_dense_head((x, y), 2, 0.01)
    assert head.weight.isfinite().all()
    assert not head.weight[:, 5:].any()
    torch.testing.assert_close(head(more), plain(x), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(standardisation(more)[1][5:], torch.ones(2))


def test_more_features_than_rows():
    data = rows(30, 200, 2, seed=0)
    head = fit_dense_head(data, 2, 1e-3)
    assert (head(data[0]).argmax(1) == data[1]).all()
    assert head.weight.isfinite().all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("width", [4, 60])
@pytest.mark.parametrize("many", [80, 81])
def test_the_penalty_is_chosen_by_one_standard_error(seed, width, many, monkeypatch):
    # Of many rows, which 80 are here or not, the strong ones come last.
    monkeypatch.setattr("occamhead.rows.dense.MANY_ROWS", many)
    train = rows(80, width, 3, seed=seed, noise=2.0)
    validation = rows(60, width, 3, seed=100 + seed, noise=2.0)
    head, chosen = choose_dense_head(train, validation, 3)

    losses, start = {}, None
    for penalty in sorted(PENALTIES, reverse=True):
        start = fit_dense_head(train, 3, penalty, start=start)
        log_p = log_softmax(start(validation[0]).numpy().astype(np.float64), axis=1)
        losses[penalty] = -log_p[np.arange(60), validation[1].numpy()]
    means = {penalty: values.mean() for penalty, values in losses.items()}
    best = min(means, key=means.__getitem__)
    limit = means[best] + losses[best].std() / np.sqrt(60)
    assert chosen == max(penalty for penalty in PENALTIES if means[penalty] <= limit)
    assert chosen >= best
    again = fit_dense_head(train, 3, chosen)
    found, wanted = (torch.softmax(h(validation[0]), -1) for h in (head, again))
    torch.testing.assert_close(found, wanted, atol=5e-3, rtol=0)


def test_no_penalties_is_an_error():
    data = rows(20, 3, 2, seed=0)
    with pytest.raises(ValueError, match="penalty"):
        choose_dense_head(data, data, 2, penalties=())


def test_teach_gives_labels_or_probabilities():
    x, y = rows(10, 3, 2, seed=0)
    assert teach(None, x, y) is y
    teacher = nn.Linear(3, 2)
    torch.testing.assert_close(teach(teacher, x, y), torch.softmax(teacher(x), -1).detach())
    assert not teach(teacher, x, y).requires_grad


def test_minimise_finds_the_bottom_of_a_bowl():
    at = torch.zeros(3, requires_grad=True)
    target = torch.tensor([1.0, -2.0, 3.0])
    scales = torch.tensor([1.0, 10.0, 100.0])
    least = minimise([at], lambda: (scales * (at - target).square()).sum() + 5)
    assert least == pytest.approx(5, abs=1e-4)
    torch.testing.assert_close(at.detach(), target, atol=1e-2, rtol=0)


# --- refit --------------------------------------------------------------------------------------


def made(data, classes: int, bases=("affine4",), seed: int = 0, **options) -> OccamHead:
    torch.manual_seed(seed)
    head = OccamHead(data[0].shape[1], classes, bases=bases, noise=2.0, **options)
    head.initialise(*data, prior=1.0)
    return head.eval()


def reference_refit(head, data, penalty, targets) -> tuple[np.ndarray, float]:
    """The optimum by scipy, in numpy, from nothing but the P-nodes' chosen features.

    A class's score is a constant and a weighted sum of the standardised features that its
    P-nodes chose: constants in the order that the basis has them, as the formula shows.
    """
    x, _ = data
    z = ((x - head.feature_mean) / head.feature_scale).numpy().astype(np.float64)
    edges = head.network.logits[0].argmax(dim=-1).numpy()  # [classes, P-nodes]
    classes, terms = edges.shape
    designs = [np.column_stack([np.ones(len(z)), z[:, edges[k]]]) for k in range(classes)]

    def objective(flat: np.ndarray) -> float:
        constants = flat.reshape(classes, terms + 1)
        scores = np.column_stack([d @ c for d, c in zip(designs, constants, strict=True)])
        cross_entropy = -(targets * log_softmax(scores, axis=1)).sum(axis=1).mean()
        return cross_entropy + penalty * (flat**2).sum()

    found = minimize(objective, np.zeros(classes * (terms + 1)), method="BFGS", tol=1e-9)
    constants = found.x.reshape(classes, terms + 1)
    scores = np.column_stack([d @ c for d, c in zip(designs, constants, strict=True)])
    return scores, found.fun


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("penalty", [0.1, 1e-3])
@pytest.mark.parametrize("soft", [False, True])
def test_the_refit_reaches_the_optimum(classes, penalty, soft):
    x, y = rows(120, 8, classes, seed=classes)
    data = 2 + (x - x.mean(dim=0)) / x.std(dim=0) * torch.linspace(0.5, 9, 8), y
    head = made(data, classes)
    edges = [logits.clone() for logits in head.network.logits]
    temperatures = head.network.temperatures.clone()
    features = head.formula().features
    targets = F.one_hot(data[1], classes).numpy().astype(np.float64)
    given = None
    if soft:
        given = torch.softmax(torch.randn(120, classes) + 2 * torch.from_numpy(targets), -1).float()
        targets = given.numpy().astype(np.float64)
    wanted, least = reference_refit(head, data, penalty, targets)
    refit_constants(head, data, penalty, given)
    soft_scores = (
        head.network.double()
        .evaluate(
            head.network.most_probable()[0],
            ((data[0] - head.feature_mean) / head.feature_scale).double(),
        )[0]
        .detach()
    )
    np.testing.assert_allclose(soft_scores.numpy(), wanted, atol=5e-3)
    squares = sum(c.square().sum().item() for c in head.network.free_constants)
    loss = F.cross_entropy(soft_scores, torch.from_numpy(targets)).item() + penalty * squares
    assert loss == pytest.approx(least, abs=1e-5)
    head.float()
    assert all(torch.equal(a, b) for a, b in zip(edges, head.network.logits, strict=True))
    assert torch.equal(temperatures, head.network.temperatures)
    assert set(head.formula().features) <= set(features)
    # And the printed formula computes it.
    printed = head.formula()(data[0].double())
    np.testing.assert_allclose(apart(printed.numpy()), apart(wanted), atol=2e-2)


def test_the_eval_head_runs_the_new_numbers():
    data = rows(120, 8, 2, seed=0)
    head = made(data, 2)
    before = head(data[0])
    refit_constants(head, data, 1e-3)
    assert not torch.equal(head(data[0]), before)
    assert torch.equal(head(data[0]), head.formula()(data[0]))


def test_a_deep_head_gets_better_and_keeps_its_structure():
    """Not convex, so only no worse than it was, at the same edges."""
    data = rows(150, 6, 2, seed=0)
    head = made(data, 2, bases=[["tanh_affine3"] * 3, ["affine3"]])
    edges = [logits.clone() for logits in head.network.logits]
    before = formula_loss(head, *data)
    refit_constants(head, data, 1e-4)
    assert formula_loss(head, *data) < before
    assert all(torch.equal(a, b) for a, b in zip(edges, head.network.logits, strict=True))


def test_a_head_without_constants_is_left_alone():
    data = rows(60, 6, 2, seed=0)
    head = made(data, 2, bases=["add", "mul", "sin"], depth=2, skip=True)
    assert not has_constants(head)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    refit_constants(head, data, 0.1)
    assert all(torch.equal(before[name], value) for name, value in head.state_dict().items())
    penalty, loss = choose_penalty(head, data, data)
    assert penalty in REFIT_PENALTIES
    assert loss == pytest.approx(formula_loss(head, *data))


def test_the_formula_s_loss_is_its_cross_entropy():
    data = rows(60, 6, 3, seed=0)
    head = made(data, 3)
    log_p = log_softmax(head.formula()(data[0].double().numpy()), axis=1)
    assert formula_loss(head, *data) == pytest.approx(
        -log_p[np.arange(60), data[1].numpy()].mean(), rel=1e-4
    )
    targets = torch.softmax(torch.randn(60, 3), -1)
    assert formula_loss(head, data[0], targets) == pytest.approx(
        -(targets.numpy() * log_p).sum(1).mean(), rel=1e-4
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_best_penalty_and_its_constants_stay(seed):
    train, validation = rows(40, 8, 2, seed, noise=3.0), rows(80, 8, 2, seed + 50, noise=3.0)
    head, losses, constants = made(train, 2, seed=seed), {}, {}
    for penalty in sorted(REFIT_PENALTIES, reverse=True):
        refit_constants(head, train, penalty)
        losses[penalty] = formula_loss(head, *validation)
        constants[penalty] = [c.clone() for c in head.network.free_constants]
    head = made(train, 2, seed=seed)
    penalty, loss = choose_penalty(head, train, validation)
    best = min(losses, key=losses.__getitem__)
    assert (penalty, loss) == (best, pytest.approx(losses[best]))
    for found, wanted in zip(head.network.free_constants, constants[best], strict=True):
        assert torch.equal(found, wanted)
    assert formula_loss(head, *validation) == pytest.approx(loss)


def test_the_best_penalty_may_be_any_of_them():
    """Few noisy rows want the strongest, many clear ones the weakest; not whichever came last."""
    found = set()
    for count, noise in itertools.product((12, 400), (0.0, 8.0)):
        train, validation = rows(count, 8, 2, 1, noise), rows(200, 8, 2, 2, noise)
        head = made(train, 2)
        found.add(choose_penalty(head, train, validation)[0])
    assert len(found) > 1


def test_impossible_requests_are_refused():
    x, y = rows(30, 5, 2, seed=0)
    head = made((x, y), 2)
    before = [c.clone() for c in head.network.free_constants]
    for data, penalty, words in (
        ((x, y), -1.0, "penalty.*-1"),
        ((x[:, :4], y), 0.1, "5"),
        ((x, y + 1), 0.1, "label 2"),
        ((x * torch.tensor([1, 1, float("nan"), 1, 1]), y), 0.1, "feature 2 of row 0 is nan"),
    ):
        with pytest.raises(ValueError, match=words):
            refit_constants(head, data, penalty)
    with pytest.raises(ValueError, match="penalty"):
        choose_penalty(head, (x, y), (x, y), penalties=())
    assert all(torch.equal(a, b) for a, b in zip(before, head.network.free_constants, strict=True))
