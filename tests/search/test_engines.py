"""The paper's step by hand, the network that is left alone, restarts."""

from __future__ import annotations

import math

import numpy as np
import torch

from occamhead import OccamNet
from occamhead.search import Evolution, Strategy, evolve
from occamhead.search import learner as module
from occamhead.search.engines import EQUAL_STEPS
from occamhead.search.judging.sampling import NONE
from tests.search.searches import assert_agree, network_of, noise, rows, watched


def test_one_step_of_the_literal_engine_by_hand(monkeypatch):
    """Of x and x + x the target is x + x; the network has a free choice at its output alone.

    R = 4, lambda = 3. The samples are x + x, x, x + x, x: the best three are both copies of
    x + x, with K = 1 at ranks 1 and 2, and one x, with K = k at rank 3. Then
    -sum K/i log q = -(1 + 1/2) log p1 - k/3 log p0.
    """
    drawn = np.array([[0, 0, 1], [NONE, NONE, 0], [0, 0, 1], [NONE, NONE, 0]], np.int32)

    def draw(wiring, cumulative, key, given, choices, *shares) -> None:
        choices[:] = drawn

    monkeypatch.setattr(module, "draw_routes", draw)
    network = OccamNet(1, 1, ["add"], 1)
    x = np.array([[1.0], [2.0]])
    strategy = Strategy(
        engine="literal", num_samples=4, num_kept=3, fitness="gaussian", sigma=2.0,
        learning_rate=0.1, max_steps=1,
    )  # fmt: skip
    search = Evolution(network, x, 2 * x, strategy)
    assert search.learner.logits[-1].tolist() == [1, 1]  # p0 = p1 = 1/2
    assert search.step()  # the first function is better than none
    k = (math.exp(-1 / 8) + math.exp(-4 / 8)) / 2
    by_hand = 1.5 * 0.5 - k / 3 * 0.5
    np.testing.assert_allclose(search.learner.gradient[-1], [by_hand, -by_hand], rtol=1e-12)
    assert not search.learner.gradient[:-1].any()  # a P-node with one edge has nothing to learn
    # The first step of Adam is the rate, whatever the size of the gradient.
    np.testing.assert_allclose(search.learner.logits[-1], [1 - 0.1, 1 + 0.1], rtol=1e-6)
    assert search.learner.logits[:-1, 0].tolist() == [1, 1]
    assert search.counts.equal_steps == 0
    # The second, by its formula.
    p = np.exp(search.learner.logits[-1]) / np.exp(search.learner.logits[-1]).sum()
    second = np.array([1.5 * p[0] - k / 3 * p[1], -(1.5 * p[0] - k / 3 * p[1])])
    first = np.array([by_hand, -by_hand])
    before = search.learner.logits[-1].copy()
    assert not search.step()
    mean = (0.9 * 0.1 * first + 0.1 * second) / (1 - 0.9**2)
    square = (0.999 * 0.001 * first**2 + 0.001 * second**2) / (1 - 0.999**2)
    np.testing.assert_allclose(
        search.learner.logits[-1], before - 0.1 * mean / (np.sqrt(square) + 1e-8), rtol=1e-9
    )


def test_copies_are_all_kept_and_ranked(monkeypatch):
    """Four copies of the best at lambda = 3: weights 1 + 1/2 + 1/3, and an equal step."""
    drawn = np.array([[0, 0, 1]] * 4, np.int32)
    monkeypatch.setattr(module, "draw_routes", lambda *args: np.copyto(args[4], drawn))
    x = np.array([[1.0], [2.0]])
    strategy = Strategy(engine="literal", num_samples=4, num_kept=3, fitness="gaussian")
    search = Evolution(OccamNet(1, 1, ["add"], 1), x, 2 * x, strategy)
    search.step()
    np.testing.assert_allclose(search.learner.gradient[-1], [11 / 12, -11 / 12], rtol=1e-12)
    assert search.counts.equal_steps == 1


def test_the_paper_stops_after_thirty_equal_steps():
    x, y = rows(lambda a: np.sin(a))
    result = evolve(OccamNet(1, 1, ["identity"], 2), x, y, Strategy(engine="literal"))
    assert result.steps == EQUAL_STEPS == 30 and "equally fit for 30 steps" in result.reason
    assert str(result.mode) == "x0"


def test_the_paper_goes_on_while_the_kept_functions_differ():
    x, y = rows(lambda a: np.sin(a))
    strategy = Strategy(
        engine="literal", num_samples=20, num_kept=20, learning_rate=1e-9, max_steps=80
    )
    result = evolve(OccamNet(1, 1, ["sin", "neg"], 2), x, y, strategy)
    assert result.steps == 80 and "max_steps" in result.reason


def test_the_literal_engine_learns_what_fits():
    x, y = rows(lambda a: 2 * a**2 + 3 * a, low=-10, high=10, count=200)
    strategy = Strategy(
        engine="literal", fitness="gaussian", sigma=0.5, learning_rate=0.05, max_steps=500
    )
    network = network_of("table1/1", last_temperature=10.0)
    before = network.log_probs()[-1].exp().max()
    result = evolve(network, x, y, strategy)
    assert network.log_probs()[-1].exp().max() > before
    assert_agree(network.expression(), result.mode, 1)


def test_no_learning_leaves_the_network_as_it_was():
    x, y = rows(lambda a: a**3 * 0.7 + np.cos(3 * a))
    network = network_of("table1/4", noise=1.0)
    before = [logits.detach().clone() for logits in network.logits]
    result = evolve(network, x, y, Strategy(engine="no-learning", max_steps=30))
    assert result.steps == 30 and result.functions == 3000
    for logits, old in zip(network.logits, before, strict=True):
        assert torch.equal(logits, old)


def test_a_search_that_is_stuck_restarts_and_then_gives_up():
    x, y = rows(noise)
    strategy = Strategy(patience=10, restarts=2, max_functions=10**6)
    network = network_of("table1/1")
    result, _, _, search = watched(network, x, y, strategy)
    assert result.restarts == 2 and "no better function" in result.reason
    assert result.steps < 3 * 4 * 10 + 300
    assert search.counts.since_improvement >= 10


def test_a_restart_keeps_what_was_found_and_forgets_what_was_learnt():
    x, y = rows(noise)
    search = Evolution(network_of("table1/4"), x, y, Strategy(max_steps=40))
    for _ in range(40):
        search.step()
    least, start = search.archive.least.copy(), search.learner.start.copy()
    assert not np.array_equal(search.learner.logits, start)
    search.engine.restart()
    assert np.array_equal(search.learner.logits, start)
    assert np.array_equal(search.archive.least, least)
    assert (search.engine.elites.fitness == -np.inf).all() and not len(search.engine.parents())
    assert not search.learner.mean.any() and not search.learner.square.any()
    search.step()  # samples are drawn from the initial network again
    assert (search.archive.least <= least).all()
