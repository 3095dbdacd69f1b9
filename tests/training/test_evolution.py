"""Heads by evolution: the head says what was found, and finds what was planted."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from occamhead import OccamHead, OccamModule, OccamNet
from occamhead.rows.metrics import accuracy
from occamhead.search import Evolution, Strategy
from occamhead.training.evolution import (
    evolve_head,
    evolve_pair,
    fit_head_by_evolution,
    is_pair_of_sums,
    route_among,
)
from occamhead.training.results import Fit

pytestmark = pytest.mark.usefixtures("one_thread")
NO_TIME = Strategy(time_budget=1e-9)
QUIET = {"accelerator": "cpu", "enable_progress_bar": False}


@pytest.fixture(autouse=True)
def no_notices(caplog):
    caplog.set_level(logging.ERROR, "pytorch_lightning")


def rows(count: int = 300, features: int = 12, seed: int = 0) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, features)) * generator.uniform(0.1, 9, features)
    return torch.tensor(x + generator.normal(scale=5, size=features), dtype=torch.float32)


def head_of(x: torch.Tensor, outputs: int, bases, **settings) -> OccamHead:
    torch.manual_seed(0)
    head = OccamHead(x.shape[1], outputs, bases, digits=9, **settings)
    head.initialise(x)
    return head


# --- what is written into the network -------------------------------------------------------------


@pytest.mark.parametrize(
    "bases, settings",
    [
        (["affine2"], {}),
        (["add", "mul", "sin", "tanh"], {"per_class": False, "depth": 2, "constants": [1.0, 2.0]}),
        (["affine1", "tanh_affine2", "mul"], {"depth": 2, "skip": True}),
        ([["add_constant", "square"], ["affine2", "mul"]], {"skip": True}),
        ([["add", "mul_constant"], ["add_constant"], ["affine2"]], {}),
    ],
    ids=str,
)
def test_the_formula_is_what_was_found(bases, settings):
    """On raw features it computes what the search's best does on standardised ones."""
    x = rows()
    z = (x - x.mean(0)) / x.std(0, correction=0)
    targets = torch.stack([2 * z[:, 1] - z[:, 3] + 1, z[:, 2] * 0.5 + z[:, 5] - 2], 1)
    targets += 0.05 * torch.randn(targets.shape, generator=torch.Generator().manual_seed(1))
    head = head_of(x, 2, bases, loss="squared_error", **settings)
    strategy = Strategy(max_steps=150, max_functions=None, restarts=0)
    search = evolve_head(head, x, targets, strategy)
    roots = [int(search.archive.root[j, c]) for j, c in enumerate(search.answer())]
    found = search.evaluator.function(roots, range(2)).expression()
    np.testing.assert_allclose(
        head.formula()(x.double().numpy()), found(z.double().numpy()), rtol=1e-4, atol=1e-3
    )
    result = search.result("")
    # Apart from the numbers that a result makes simple.
    np.testing.assert_allclose(head.eval()(x).numpy(), result.best(z.double().numpy()), atol=0.1)


def test_constants_go_to_the_images_that_the_route_uses():
    """By hand: three images with constants in two layers and two groups; the others keep theirs."""
    network = OccamNet(2, 2, [["add_constant", "affine1"], ["mul_constant"]], groups=2, skip=False)
    before = [constants.detach().clone() for constants in network.free_constants]
    x = np.random.default_rng(0).uniform(1, 2, (50, 2))
    y = np.stack([3 * (x[:, 0] + 0.25) - 1, 4 * x[:, 1] + 7], 1)
    search = Evolution(network, x, y, Strategy(max_steps=20, max_functions=None))
    # Rows: per group add_constant and affine1 each one argument, then mul_constant; two outputs.
    search.propose(np.array([[0, 0, 0, 1, 1, 1, 0, 0]], np.int32))
    search.finish()
    first, second = (constants.detach() for constants in network.free_constants)
    assert network.expression()(x) == pytest.approx(y, rel=1e-5)
    assert not torch.equal(first, before[0]) and not torch.equal(second, before[1])
    # The second class leads through affine1, so its add_constant keeps its start.
    assert first[1, 0] == before[0][1, 0]


def test_labels_become_one_hot():
    x = rows()
    labels = (x[:, 4] > x[:, 4].median()).long()
    head = head_of(x, 2, ["affine1"])
    search = evolve_head(head, x, labels, Strategy(max_steps=40, max_functions=None))
    assert set(head.formula().features) == {4}
    assert np.array_equal(
        search.evaluator.scoring.targets.T, torch.nn.functional.one_hot(labels).numpy()
    )
    assert accuracy(head.eval(), (x, labels)) > 0.95


def test_numbers_that_have_no_place_are_refused():
    x = rows()
    with pytest.raises(ValueError, match="per_class=True"):
        evolve_head(head_of(x, 2, ["affine2"], per_class=False), x, x[:, :2])
    with pytest.raises(ValueError, match="scaled"):
        evolve_head(head_of(x, 1, ["add"]), x, x[:, :1], Strategy(scaled=True))


# --- two classes share their terms ----------------------------------------------------------------


@pytest.mark.parametrize(
    "outputs, bases, settings, wanted",
    [
        (2, ["affine3"], {}, True),
        (3, ["affine3"], {}, False),
        (2, ["affine3"], {"per_class": False}, False),
        (2, ["affine3", "affine3"], {}, False),
        (2, ["affine3"], {"depth": 2}, False),
        (2, ["affine3"], {"skip": True}, False),
        (2, ["tanh_affine3"], {}, False),
        (2, ["add_constant"], {}, False),
    ],
)
def test_which_heads_are_pairs(outputs, bases, settings, wanted):
    assert is_pair_of_sums(OccamHead(5, outputs, bases, **settings)) is wanted


def test_a_pair_uses_the_terms_of_both():
    """Six features tell; each formula holds three, and their difference is the fitted sum."""
    x = rows(600)
    z = (x - x.mean(0)) / x.std(0, correction=0)
    weights = torch.tensor([1.0, -1, 1, 1, -1, 1, 0, 0, 0, 0, 0, 0]) / 10
    chance = 0.5 + z @ weights
    head = head_of(x, 2, ["affine3"])
    strategy = Strategy(max_steps=200, max_functions=None)
    evolve_pair(head, x, torch.stack([1 - chance, chance], 1), strategy)
    first, second = head.network.expression()[0], head.network.expression()[1]
    assert len(first.features) == len(second.features) == 3
    assert head.formula().features == tuple(range(6)) and head.formula()[0].features == ()
    scores = head.eval()(x)
    torch.testing.assert_close(scores[:, 1] - scores[:, 0], chance - 0.5, atol=1e-3, rtol=0)
    assert torch.equal(scores.argmax(1), (chance > 0.5).long())


# --- the whole fit --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(planted):
    return planted(rows=500, features=60)


def fitted(data, **settings) -> Fit:
    options = {"head": {"bases": ["affine4"]}, "restarts": 2, "steps": 60, "trainer": QUIET}
    return fit_head_by_evolution(data, **{**options, **settings})


@pytest.fixture(scope="module")
def fit(two):
    return fitted(two.data(), max_features=6)


def test_it_finds_what_was_planted(two, fit):
    test = torch.from_numpy(two.test[0]), torch.from_numpy(two.test[1])
    assert accuracy(fit.head, test) > two.bayes - 0.03
    assert set(two.informative) <= set(fit.head.formula().features)
    assert len(fit.head.formula().features) <= 6
    assert accuracy(fit.head.soft, test) == pytest.approx(accuracy(fit.head, test), abs=0.01)
    assert accuracy(fit.dense, test) > two.bayes - 0.1
    assert 0.7 < fit.validation_accuracy <= 1
    assert len(fit.losses) == 1 and 0 < fit.losses[0] < 0.69


def test_the_checkpoint_is_of_the_head(fit, tmp_path):
    assert fit.module.head is fit.head and fit.module.trainer.global_step == 0
    fit.module.trainer.save_checkpoint(tmp_path / "head.ckpt", weights_only=True)
    loaded = OccamModule.load_from_checkpoint(tmp_path / "head.ckpt", weights_only=True)
    assert loaded.head.formula() == fit.head.formula()


def test_the_seed_decides(two, fit):
    again = fitted(two.data(), max_features=6)
    other = fitted(two.data(), max_features=6, seed=1)
    assert again.head.formula() == fit.head.formula()
    assert again.losses == fit.losses
    assert other.head.formula() != fit.head.formula()


def test_three_classes_labels_and_no_vote(planted):
    three = planted(rows=500, features=40, informative=6, classes=3)
    found = fitted(three.data(), max_features=None, distil=False)
    test = torch.from_numpy(three.test[0]), torch.from_numpy(three.test[1])
    assert accuracy(found.head, test) > three.bayes - 0.06
    assert len(found.losses) == 2 and found.head.out_features == 3


@pytest.mark.parametrize("fitness", ["gaussian", "accuracy", "cross_entropy"])
def test_other_fitnesses_find_it_too(two, fitness):
    found = fitted(two.data(), fitness=fitness, max_features=None, strategy={"sigma": 0.3})
    test = torch.from_numpy(two.test[0]), torch.from_numpy(two.test[1])
    assert accuracy(found.head, test) > two.bayes - 0.05


def test_a_search_starts_from_another_head(two):
    """No step is taken that could find it: the formula is there from the start."""
    x = torch.from_numpy(two.train[0])
    start = OccamHead(60, 2, ["affine4"])
    start.initialise(x)
    wanted = [*two.informative.tolist(), 50, 51, 52, 53]
    with torch.no_grad():
        for place, feature in enumerate(wanted):
            start.network.logits[0][place // 4, place % 4, feature] = 50.0
    columns = sorted({*wanted, *range(10, 30)})
    route = route_among(start, columns)
    assert [columns[edge] for edge in route[0, :8]] == wanted
    assert route[0, 8:].tolist() == [0, 0]
    head = OccamHead(len(columns), 2, ["affine4"])
    head.initialise(x[:, columns])
    labels = torch.from_numpy(two.train[1])
    search = evolve_pair(head, x[:, columns], labels, NO_TIME, route)
    assert search.counts.steps == 0
    assert {columns[f] for f in head.formula().features} == set(wanted)


def test_a_feature_that_is_not_shown_is_left_open():
    start = OccamHead(4, 1, [["affine2"], ["add"]], skip=True, constants=[1.0])
    with torch.no_grad():
        for logits, edges in zip(
            start.network.logits, ([3, 4], [0, 5], [6]), strict=True
        ):  # inputs 0 to 3, the constant, affine2, add
            for place, edge in enumerate(edges):
                logits[0, place, edge] = 50.0
    # Over features 1 and 3: they are edges 0 and 1, the constant is 2, the images 3 and 4.
    assert route_among(start, [1, 3]).tolist() == [[1, 2, -1, 3, 4]]


def test_a_start_is_never_made_worse(two, fit):
    found = fitted(two.data(), start=fit.head, steps=5, max_features=6)
    assert len(found.losses) == 2
    assert min(found.losses) <= fit.losses[0] * (1 + 1e-3)
    assert found.head.config() == fit.head.config()


@pytest.mark.parametrize("name", ["max_features", "screen", "restarts", "steps"])
def test_numbers_below_one_are_refused(two, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        fit_head_by_evolution(two.data(), **{name: 0})


@pytest.mark.slow
def test_a_fitness_that_is_not_known_is_named(two):
    with pytest.raises(ValueError, match=r"fitness must be one of .*gaussian.*'best'"):
        fitted(two.data(), fitness="best")
