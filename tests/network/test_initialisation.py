"""The logits that a network starts with."""

from __future__ import annotations

import math

import pytest
import torch

from occamhead import OccamNet
from tests.network.enumeration import BASES, as_routes, count_trees, functions, outputs_of, shapes


@shapes
@pytest.mark.parametrize("temperatures", [(1.0, 1.0), (0.5, 3.0)])
def test_equalised_start_makes_all_trees_equally_probable(shape, temperatures):
    first, last = temperatures
    options = {**shape, "temperature": first, "last_temperature": last}
    net = OccamNet(2, 2, BASES, equalisation=1, **options).double()
    wanted = -math.log(count_trees(net, net.layout.depth))
    for column, group, output in outputs_of(net):
        routes = as_routes(net, functions(net, output), group, seed=0)
        found = net.log_prob(routes, per_use=True)[:, column]
        # The weights are kept in float32 until .double().
        torch.testing.assert_close(found, torch.full_like(found, wanted), atol=1e-4, rtol=0)


@pytest.mark.parametrize("bases", ["phi_a", "phi_b", "table1/14"])
@pytest.mark.parametrize("skip", [True, False])
def test_equalised_start_on_sampled_trees_of_the_papers_sets(bases, skip):
    net = OccamNet(3, 1, bases, depth=2, constants=(1, 2), skip=skip, equalisation=1).double()
    routes = net.sample(50, torch.Generator().manual_seed(0))
    found = net.log_prob(routes, per_use=True)
    wanted = -math.log(count_trees(net, 2))
    torch.testing.assert_close(found, torch.full_like(found, wanted), atol=1e-3, rtol=1e-5)


@shapes
def test_equalisation_zero_starts_all_logits_at_one(shape):
    for logits in OccamNet(2, 2, BASES, **shape).logits:
        assert (logits == 1).all()


@shapes
def test_equalisation_divides_the_equalised_logits(shape):
    options = {**shape, "temperature": 2.0, "last_temperature": 10.0}
    one = OccamNet(2, 2, BASES, equalisation=1, **options)
    five = OccamNet(2, 2, BASES, equalisation=5, **options)
    assert any((logits != 0).any() for logits in one.logits) or shape["depth"] == 1
    for a, b in zip(one.logits, five.logits, strict=True):
        torch.testing.assert_close(b, a / 5)
        assert (a[..., 0] == 0).all()  # supplement B: the first weight is 0


def test_equal_seeds_give_equal_networks():
    nets = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        nets.append(OccamNet(2, 2, (*BASES, "add_constant"), depth=2, noise=0.3))
    first, second, third = (list(net.parameters()) for net in nets)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, third, strict=True) if a.numel())
    for net in nets:
        net.reset_parameters(torch.Generator().manual_seed(7))
    assert all(torch.equal(a, b) for a, b in zip(first, third, strict=True))


def test_noise_is_of_its_own_for_every_logit():
    """8,000 draws: the standard deviation is within 5 % in all but one of 10^9 seeds."""
    torch.manual_seed(0)
    plain = OccamNet(100, 20, ("add", "add_constant"), groups=20)
    noisy = OccamNet(100, 20, ("add", "add_constant"), groups=20, noise=0.5)
    added = (noisy.logits[0] - plain.logits[0]).detach()
    assert added.unique().numel() > 0.99 * added.numel()
    assert added.std().item() == pytest.approx(0.5, rel=0.05)
    assert added.mean().item() == pytest.approx(0, abs=0.04)
    constants = noisy.free_constants[0].detach()
    assert constants.unique().numel() == 20 and (constants - 0.5).abs().max() < 0.3


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_copies_of_a_basis_part_only_with_noise(noise):
    torch.manual_seed(0)
    net = OccamNet(3, 1, ("add", "add", "mul"), depth=2, noise=noise)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 3, generator=generator)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(5):
        optimiser.zero_grad()
        (net(x)[:, 0] - x[:, 0] * x[:, 1] - x[:, 2]).square().mean().backward()
        optimiser.step()
    first, second = net.logits[1][0, :2], net.logits[1][0, 2:4]
    assert not torch.equal(first, torch.ones_like(first))  # it has learnt
    assert torch.equal(first, second) == (noise == 0)
