"""Routes and their probabilities, on networks small enough to enumerate every function."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from occamhead import OccamNet
from tests.network.enumeration import (
    BASES,
    Choice,
    Node,
    arguments_of,
    as_routes,
    functions,
    log_probability,
    outputs_of,
    random_net,
    shapes,
    sources_of,
)


@shapes
@pytest.mark.parametrize("per_use", [False, True])
def test_log_prob_is_the_product_of_the_edges_of_every_function(shape, per_use):
    net = random_net(1, temperature=0.7, last_temperature=2.0, **shape)
    for column, group, output in outputs_of(net):
        every = functions(net, output)
        routes = as_routes(net, every, group, seed=column)
        found = net.log_prob(routes, per_use=per_use)[:, column]
        wanted = [log_probability(net, f, group, output, per_use) for f in every]
        torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


@shapes
def test_probabilities_of_all_functions_of_an_output_sum_to_one(shape):
    net = random_net(2, temperature=1.3, last_temperature=0.5, **shape)
    for column, group, output in outputs_of(net):
        routes = as_routes(net, functions(net, output), group, seed=3)
        total = net.log_prob(routes)[:, column].exp().sum().item()
        assert total == pytest.approx(1, abs=1e-10)


@pytest.mark.slow
@shapes
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_most_probable_is_the_maximum_by_enumeration(shape, seed):
    net = random_net(seed, scale=2.0, temperature=0.8, **shape)
    route, value = net.most_probable()
    torch.testing.assert_close(value, net.log_prob(route, per_use=True)[0])
    for column, group, output in outputs_of(net):
        best = max(
            log_probability(net, f, group, output, per_use=True) for f in functions(net, output)
        )
        assert value[column].item() == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("skip", [True, False])
def test_most_probable_is_not_the_greedy_choice(skip):
    # The output prefers an image whose own arguments are undecided; the tree's product does not.
    net = OccamNet(2, 1, ("add", "sin"), depth=1, skip=skip)
    with torch.no_grad():
        net.logits[0].copy_(torch.tensor([[[0.0, 0.0], [0.0, 0.0], [9.0, 0.0]]]))
        net.logits[1].zero_()
        net.logits[1][..., -2] = 0.5  # add
    assert net.expression().text() == ["x0" if skip else "sin(x0)"]


def test_ties_go_to_the_simpler_source():
    assert OccamNet(3, 2, BASES, depth=2).expression().text() == ["x0", "x0"]


@pytest.mark.slow
@shapes
def test_sampled_frequencies_are_the_probabilities(shape):
    """Chi-square at 1e-4; with 16 shapes of two outputs a fresh seed fails about once in 300."""
    net = random_net(4, **shape)
    count = 8000
    routes = net.sample(count, torch.Generator().manual_seed(5))
    for _, group, output in outputs_of(net):
        every = functions(net, output)
        keys = {frozenset(f.items()): math.exp(log_probability(net, f, group, output, False))
                for f in every}  # fmt: skip
        edges = [edge[:, group].tolist() for edge in routes.edges]
        seen: Counter[frozenset[tuple[Node, int]]] = Counter()
        for r in range(count):
            chosen: Choice = {}
            pending = [(net.layout.depth, output)]
            while pending:
                layer, node = pending.pop()
                chosen[layer, node] = edges[layer][r][node]
                if source := sources_of(net, layer)[chosen[layer, node]]:
                    pending += arguments_of(net, *source)
            seen[frozenset(chosen.items())] += 1
        assert set(seen) <= set(keys)
        big = [key for key, p in keys.items() if p * count >= 5]
        expected = [keys[key] * count for key in big]
        observed = [seen[key] for key in big]
        if count - sum(expected) >= 5:
            expected.append(count - sum(expected))
            observed.append(count - sum(observed))
        else:
            expected[0] += count - sum(expected)
            observed[0] += count - sum(observed)
        assert chisquare(observed, expected).pvalue > 1e-4


def test_sampling_draws_from_the_given_generator_only():
    net = random_net(0, depth=2)
    first = net.sample(20, torch.Generator().manual_seed(1))
    second = net.sample(20, torch.Generator().manual_seed(1))
    other = net.sample(20, torch.Generator().manual_seed(2))
    same = [torch.equal(a, b) for a, b in zip(first.edges, second.edges, strict=True)]
    assert all(same) and len(first) == 20
    assert not all(torch.equal(a, b) for a, b in zip(first.edges, other.edges, strict=True))
    assert all(torch.equal(a[3:4], b) for a, b in zip(first.edges, first[3].edges, strict=True))


def test_log_prob_is_differentiable_in_the_logits():
    net = random_net(0, depth=2)
    routes = net.sample(4, torch.Generator().manual_seed(0))

    def run(*logits: Tensor) -> Tensor:
        values = {f"logits.{i}": value for i, value in enumerate(logits)}
        with torch.nn.utils.stateless._reparametrize_module(net, values):
            return net.log_prob(routes)

    start = tuple(p.detach().clone().requires_grad_() for p in net.logits)
    assert torch.autograd.gradcheck(run, start)
