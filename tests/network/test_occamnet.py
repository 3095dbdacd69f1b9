"""Laws of OccamNet: what it computes, hard and soft, and what it keeps."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from occamhead import OccamNet
from occamhead.network.basis_sets import BASIS_SETS
from tests.network.enumeration import BASES, Node, random_net, shapes, sources_of


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_soft_network_becomes_the_formula_as_the_temperature_falls(skip, groups, seed):
    net = random_net(seed, depth=2, skip=skip, groups=groups)
    x = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    net.set_temperature(1e-4)
    route, _ = net.most_probable()
    hard = net.evaluate(route, x)[0]
    errors = []
    for temperature in (1.0, 0.03, 0.01, 1e-3, 1e-4):
        net.set_temperature(temperature)
        errors.append((net(x) - hard).abs().max().item())
    # Not a law while the softmaxes are wide, where mixtures can cross the formula by chance.
    assert errors[1:] == sorted(errors[1:], reverse=True)
    assert errors[-1] < 1e-9 < 1e-3 < errors[0]


@shapes
def test_soft_network_is_the_nested_mean_of_its_sources(shape):
    """Against a plain loop over P-nodes, written from equations 4 to 6 of the supplement."""
    net = random_net(6, temperature=0.6, last_temperature=1.7, **shape)
    x = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    leaves = [*x.unbind(1), *(torch.full((5,), c) for c in net.leaf_constants.tolist())]
    columns = []
    for group in range(net.groups):
        images: dict[Node, Tensor] = {}

        def mean(layer: int, node: int, images: dict[Node, Tensor], group: int) -> Tensor:
            at = sources_of(net, layer)
            weights = (net.logits[layer][group, node] / net.temperatures[layer]).softmax(0)
            values = [images[s] if s else leaves[i] for i, s in enumerate(at)]
            return sum(w * v for w, v in zip(weights, values, strict=True))  # type: ignore

        for layer in range(net.layout.depth):
            h = [mean(layer, node, images, group) for node in range(5)]
            images[layer, 0], images[layer, 1] = h[0] + h[1], h[2] * h[3]
            images[layer, 2] = h[4].sin()
        each = net.layout.num_outputs
        columns += [mean(net.layout.depth, node, images, group) for node in range(each)]
    torch.testing.assert_close(net(x), torch.stack(columns, dim=1))


SETS = sorted(BASIS_SETS)


@pytest.mark.slow
@pytest.mark.parametrize("bases", SETS)
@pytest.mark.parametrize("skip", [True, False])
def test_hard_forward_is_the_expression(bases, skip):
    torch.manual_seed(0)
    net = OccamNet(
        3, 2, bases, depth=2, constants=BASIS_SETS[bases].constants, skip=skip, noise=1.0
    ).double()
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    routes = net.sample(12, torch.Generator().manual_seed(2))
    values = net.evaluate(routes, x).detach().numpy()
    assert values.shape == (12, 12, 2)
    for r in range(12):
        formula = net.expression(routes, r)
        # The numbers of a route are folded, so 0 * inf can read 0: compare where both are finite.
        found = formula(x.numpy())
        both = np.isfinite(found) & np.isfinite(values[r])
        np.testing.assert_allclose(found[both], values[r][both], rtol=1e-9, atol=1e-12)
        assert (np.isnan(found) == np.isnan(values[r])).all()


def test_groups_share_inputs_and_nothing_else():
    """A net of two groups is two nets side by side."""
    both = random_net(0, depth=2, groups=2, out_features=4)
    parts = [random_net(0, depth=2, out_features=2) for _ in range(2)]
    x = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for g, part in enumerate(parts):
        with torch.no_grad():
            for mine, theirs in zip(part.logits, both.logits, strict=True):
                mine.copy_(theirs[g : g + 1])
        torch.testing.assert_close(both(x)[:, 2 * g : 2 * g + 2], part(x))
        assert both.expression().text()[2 * g : 2 * g + 2] == part.expression().text()


@pytest.mark.parametrize("skip", [True, False])
def test_gradients_of_the_soft_network(skip):
    torch.manual_seed(0)
    net = OccamNet(
        2, 2, ("mul", "tanh", "add_constant", "mul_constant", "affine2"), depth=2, noise=0.5,
        constants=(0.5,), skip=skip, groups=2, temperature=0.7, last_temperature=1.5,
    ).double()  # fmt: skip
    names = [name for name, _ in net.named_parameters()]
    x = torch.randn(2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        values = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(net, values, (x,))

    inputs = (x.requires_grad_(), *(p.detach().clone().requires_grad_() for p in net.parameters()))
    assert torch.autograd.gradcheck(run, inputs)


def test_gradients_of_the_hard_forward_reach_inputs_and_free_constants():
    net = OccamNet(1, 1, ("mul_constant",), depth=1, skip=False).double()
    x = torch.tensor([[3.0]], dtype=torch.float64, requires_grad=True)
    net.evaluate(net.most_probable()[0], x).sum().backward()
    assert x.grad is not None and x.grad.item() == 1  # the constant starts at 1
    assert net.free_constants[0].grad is not None and net.free_constants[0].grad.item() == 3


def test_temperatures_and_annealing():
    net = OccamNet(2, 1, BASES, depth=2, temperature=2.0, last_temperature=8.0)
    assert net.temperatures.tolist() == [2, 2, 8]
    net.anneal(0.0, end=0.02)
    torch.testing.assert_close(net.temperatures, torch.tensor([2.0, 2.0, 8.0]))
    net.anneal(0.5, end=0.02)
    torch.testing.assert_close(net.temperatures, torch.tensor([0.2, 0.2, 0.4]))
    for progress in (1.0, 7.0):
        net.anneal(progress, end=0.02)
        torch.testing.assert_close(net.temperatures, torch.full((3,), 0.02))
    net.anneal(-1.0, end=0.02)
    torch.testing.assert_close(net.temperatures, net.start_temperatures)
    net.set_temperature(0.5)
    assert net.temperatures.tolist() == [0.5, 0.5, 0.5]
    net.set_temperature(0.5, 0.25)
    assert net.temperatures.tolist() == [0.5, 0.5, 0.25]
    net.reset_parameters()
    assert net.temperatures.tolist() == [2, 2, 8]


def test_temperature_divides_the_logits():
    net = random_net(0, depth=1)
    net.set_temperature(0.5, 4.0)
    for logits, t, found in zip(net.logits, (0.5, 4.0), net.log_probs(), strict=True):
        torch.testing.assert_close(found.exp(), (logits / t).softmax(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(dtype):
    net = random_net(0, depth=2, constants=(0.5,)).to(dtype)
    x = torch.randn(3, 2, dtype=dtype, generator=torch.Generator().manual_seed(0))
    assert net(x).dtype == dtype
    assert net.evaluate(net.most_probable()[0], x).dtype == dtype


def test_state_dict_round_trip_holds_temperatures_and_constants():
    torch.manual_seed(0)
    options = {"depth": 2, "constants": (0.5,), "groups": 2, "noise": 1.0}
    first = OccamNet(2, 2, (*BASES, "add_constant"), temperature=3.0, **options)
    first.anneal(0.3, end=0.1)
    second = OccamNet(2, 2, (*BASES, "add_constant"), **options)
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))
    assert torch.equal(first.temperatures, second.temperatures)
    assert torch.equal(first.start_temperatures, second.start_temperatures)
    assert first.expression() == second.expression()


def test_deepcopy_is_equal_and_independent():
    net = random_net(0, depth=2)
    other = copy.deepcopy(net)
    x = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(net(x), other(x))
    with torch.no_grad():
        other.logits[0].add_(torch.arange(2.0))
    assert not torch.equal(net(x), other(x))


def test_compiled_equals_eager():
    net = random_net(0, depth=2, constants=(0.5,), groups=2)
    x = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x))
    torch._dynamo.reset()


def test_autocast_stays_near_full_precision():
    net = random_net(0, depth=2, constants=(0.5,), groups=2).float()
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        half = net(x)
    half.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.logits)
    torch.testing.assert_close(half.float(), net(x), atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 1, BASES), {}, "in_features"),
        ((1, 0, BASES), {}, "out_features"),
        ((-3, 1, BASES), {}, "in_features"),
        ((2, 1, BASES), {"depth": 0}, "depth must be at least 1"),
        ((2, 1, [BASES, BASES]), {"depth": 3}, "depth is 3"),
        ((2, 1, BASES), {"groups": 0}, "groups"),
        ((2, 3, BASES), {"groups": 2}, "groups must divide"),
        ((2, 1, BASES), {"temperature": 0.0}, "temperature must be positive"),
        ((2, 1, BASES), {"temperature": -1.0}, "temperature must be positive"),
        ((2, 1, BASES), {"temperature": math.nan}, "temperature must be positive"),
        ((2, 1, BASES), {"temperature": math.inf}, "temperature must be positive"),
        ((2, 1, BASES), {"last_temperature": 0.0}, "last_temperature"),
        ((2, 1, BASES), {"last_temperature": math.nan}, "last_temperature"),
        ((2, 1, BASES), {"equalisation": -1.0}, "equalisation"),
        ((2, 1, BASES), {"equalisation": math.nan}, "equalisation"),
        ((2, 1, BASES), {"equalisation": math.inf}, "equalisation"),
        ((2, 1, BASES), {"noise": -1.0}, "noise"),
        ((2, 1, BASES), {"noise": math.nan}, "noise"),
        ((2, 1, BASES), {"constants": (math.nan,)}, "constants"),
        ((2, 1, BASES), {"constants": (math.inf,)}, "constants"),
        ((2, 1, []), {}, "at least one basis"),
        ((2, 1, [[], []]), {}, "at least one basis"),
        ((2, 1, ["sine"]), {}, "did you mean sin"),
        ((2, 1, "phi_c"), {}, "phi_a"),
    ],
)  # fmt: skip
def test_what_makes_no_network_is_a_value_error(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        OccamNet(*arguments, **options)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_temperature_errors_leave_the_network_alone(value):
    net = OccamNet(2, 1, BASES)
    with pytest.raises(ValueError, match="positive and finite"):
        net.set_temperature(value)
    with pytest.raises(ValueError, match="positive and finite"):
        net.set_temperature(1.0, value)
    with pytest.raises(ValueError, match="positive and finite"):
        net.anneal(0.5, end=value)
    assert net.temperatures.tolist() == [1, 1]


@pytest.mark.parametrize("shape", [(2,), (3, 3), (3, 1), (1, 3, 2)])
def test_wrong_input_shapes_are_value_errors(shape):
    net = OccamNet(2, 1, BASES)
    routes = net.most_probable()[0]
    with pytest.raises(ValueError, match=r"\[batch, 2\]"):
        net(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"\[batch, 2\]"):
        net.evaluate(routes, torch.zeros(shape))


def test_empty_batch():
    net = random_net(0, depth=2, constants=(0.5,), groups=2)
    x = torch.zeros(0, 2, dtype=torch.float64)
    assert net(x).shape == (0, 2)
    routes = net.sample(3, torch.Generator().manual_seed(0))
    assert net.evaluate(routes, x).shape == (3, 0, 2)
