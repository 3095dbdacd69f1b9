"""Gradients are autograd's, and steps are Adam's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from occamhead.search.learner import adam, learn_from
from occamhead.search.logits import to_routes
from tests.search.prepared import NETS, prepare


@pytest.mark.parametrize("name", NETS)
def test_the_gradient_is_that_of_the_weighted_log_probabilities(name):
    """Of -sum K/i log q, each edge once: what the network's own log_prob and autograd say."""
    network, wiring, temperatures, log_probs, choices = prepare(name)
    outputs, kept = network.out_features, 4
    generator = np.random.default_rng(0)
    chosen = generator.integers(0, len(choices), (outputs, kept))
    chosen[0, 1] = chosen[0, 0]  # copies pull twice
    fitness = generator.uniform(-0.2, 1, (outputs, kept))
    fitness[0, 3] = math.nan
    fitness[-1, 2] = -math.inf
    gradient, pull = np.full_like(log_probs, 7.0), np.full(len(log_probs), 7.0)
    learn_from(wiring, log_probs, temperatures, choices[chosen], fitness, gradient, pull)

    log_q = network.log_prob(to_routes(network, choices))
    loss = torch.zeros((), dtype=torch.float64)
    for j in range(outputs):
        for i in range(kept):
            if math.isfinite(fitness[j, i]):
                loss = loss - fitness[j, i] / (i + 1) * log_q[chosen[j, i], j]
    loss.backward()
    row = 0
    for logits in network.logits:
        for wanted in logits.grad.flatten(0, 1).numpy():
            np.testing.assert_allclose(gradient[row, : len(wanted)], wanted, atol=1e-6)
            assert (gradient[row, len(wanted) :] == 0).all()
            row += 1
    assert np.abs(gradient).max() > 0.01
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-12)


def test_nothing_finite_gives_no_gradient():
    _, wiring, temperatures, log_probs, choices = prepare("plain")
    gradient, pull = np.full_like(log_probs, 7.0), np.full(len(log_probs), 7.0)
    nothing = np.full((1, 3), math.nan)
    learn_from(wiring, log_probs, temperatures, choices[None, :3], nothing, gradient, pull)
    assert not gradient.any()


def test_adam_is_that_of_torch():
    generator = np.random.default_rng(0)
    start = generator.normal(size=(5, 7))
    logits, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = torch.optim.Adam([parameter], lr=0.03)
    for step in range(1, 200):
        gradient = generator.normal(size=(5, 7)) * 10.0 ** generator.integers(-9, 3, (5, 7))
        gradient[step % 5] = 0
        parameter.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        adam(logits, gradient, mean, square, step, 0.03)
        np.testing.assert_allclose(logits, parameter.detach().numpy(), rtol=1e-9, atol=1e-11)


def test_places_beyond_the_edges_stay_empty():
    logits = np.array([[1.0, -np.inf]])
    adam(logits, np.array([[1.0, 0.0]]), np.zeros((1, 2)), np.zeros((1, 2)), 1, 0.1)
    assert logits.tolist() == [[pytest.approx(0.9), -np.inf]]
