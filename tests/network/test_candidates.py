"""Groups that see some features each are small networks of their own over these features."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from occamhead import OccamHead, OccamNet, Routes, evolve
from occamhead.network.candidates import Candidates

SEEN = [[5, 0, 3], [1, 5, 6]]
SHAPES = [
    {"bases": bases, "skip": skip, "constants": constants}
    for bases, skip, constants in product(
        (
            [["add", "mul", "sin"]],
            [["affine3", "tanh_affine2", "tanh_affine2", "mul", "add4"], ["hinge_affine3", "sin"]],
            [["affine2"]],
        ),
        (True, False),
        ((), (0.5, -2.0)),
    )
]
shapes = pytest.mark.parametrize("shape", SHAPES)


def network(shape: dict[str, object], seed: int = 0, **options: object) -> OccamNet:
    torch.manual_seed(seed)
    given = {"candidates": SEEN, "groups": 2, "temperature": 0.7, "noise": 1.0, **shape, **options}
    return OccamNet(7, given.pop("out_features", 4), **given).double()  # type: ignore


def alone(net: OccamNet, group: int) -> OccamNet:
    """One group of a network, as a network over the features that it sees."""
    assert net.candidates is not None
    small = OccamNet(
        len(net.candidates),
        net.layout.num_outputs,
        net.layout.layers,
        skip=net.layout.skip,
        constants=net.leaf_constants.tolist(),
        temperature=0.7,
    ).double()
    with torch.no_grad():
        for mine, theirs in zip(small.parameters(), net.parameters(), strict=True):
            mine.copy_(theirs[group : group + 1])
    return small


def of_group(routes: Routes, group: int) -> Routes:
    return Routes(tuple(edge[:, group : group + 1] for edge in routes.edges))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@shapes
def test_each_group_is_a_network_of_its_own(shape, x):
    net = network(shape)
    routes = net.sample(6, torch.Generator().manual_seed(2))
    best, value = net.most_probable()
    for group, features in enumerate(SEEN):
        small, outputs = alone(net, group), slice(2 * group, 2 * group + 2)
        own = x[:, features]
        torch.testing.assert_close(net(x)[:, outputs], small(own))
        torch.testing.assert_close(
            net.evaluate(routes, x)[..., outputs], small.evaluate(of_group(routes, group), own)
        )
        torch.testing.assert_close(
            net.log_prob(routes)[:, outputs], small.log_prob(of_group(routes, group))
        )
        theirs, their_value = small.most_probable()
        torch.testing.assert_close(value[outputs], their_value)
        for mine, other in zip(of_group(best, group).edges, theirs.edges, strict=True):
            assert torch.equal(mine, other)


@shapes
def test_expression_names_the_features_themselves(shape, x):
    net = network(shape)
    routes = net.sample(5, torch.Generator().manual_seed(3))
    for index in range(5):
        expression = net.expression(routes, index)
        assert expression.num_inputs == 7
        torch.testing.assert_close(expression(x), net.evaluate(routes, x)[index], equal_nan=True)
    own = x.clone()
    own[:, [2, 4]] = torch.nan  # seen by no group
    torch.testing.assert_close(net.evaluate(routes, own), net.evaluate(routes, x))
    torch.testing.assert_close(net(own), net(x))


@shapes
def test_soft_values_and_gradients_are_those_of_the_arguments_one_by_one(shape, x):
    """Against a network whose bases forget that they are functions of one sum."""
    net = network(shape)
    slow = copy.deepcopy(net)
    for runs in slow.layout.runs:
        for run in runs:
            object.__setattr__(run, "basis", replace(run.basis, of_sum=None))
    u, v = x.clone().requires_grad_(), x.clone().requires_grad_()
    fast_value, slow_value = net(u), slow(v)
    torch.testing.assert_close(fast_value, slow_value)
    for value in (fast_value, slow_value):
        value.square().sum().backward()
    torch.testing.assert_close(u.grad, v.grad)
    for (name, mine), theirs in zip(net.named_parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, msg=name)


@shapes
def test_all_features_as_candidates_change_nothing(shape, x):
    plain = network({**shape, "candidates": None})
    seen = network({**shape, "candidates": [list(range(7))] * 2})
    seen.load_state_dict({**seen.state_dict(), **plain.state_dict()})
    torch.testing.assert_close(seen(x), plain(x))
    assert seen.expression().text() == plain.expression().text()


def head(**options: object) -> OccamHead:
    torch.manual_seed(0)
    return OccamHead(7, 2, ["affine3"], candidates=SEEN, noise=2.0, **options)  # type: ignore


def test_head_saves_and_loads_its_candidates(tmp_path):
    one, x = head(), torch.randn(20, 7)
    one.initialise(x, torch.arange(20) % 2)
    one.eval()
    one.save(tmp_path / "head.pt")
    two = OccamHead.load(tmp_path / "head.pt")
    assert two.config() == one.config() and one.config()["candidates"] == SEEN
    assert two.formula().text() == one.formula().text()
    assert torch.equal(two(x), one(x))
    assert set(two.formula().features) <= {0, 1, 3, 5, 6}
    third = OccamHead(7, 2, ["affine3"], candidates=[[0, 1, 2], [2, 3, 4]])
    third.load_state_dict(one.state_dict())  # candidates are part of the state
    assert torch.equal(third.eval()(x), one(x))
    torch.testing.assert_close(third.soft(x), one.soft(x))
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert torch.equal(copied(x), one(x))


def test_state_with_candidates_that_are_not_there_is_refused():
    one = head()
    state = one.state_dict()
    state["network.candidates.features"] = torch.tensor([[0, 1, 7], [0, 1, 2]])
    with pytest.raises(ValueError, match="candidate 7 is not one of the 7 features"):
        head().load_state_dict(state)


def test_initialising_prefers_the_telling_candidate():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 2
    x = torch.randn(400, 7, generator=generator)
    x[:, 3] += 4.0 * y
    x[:, 6] -= 4.0 * y
    one = head()
    one.initialise(x, y, prior=50.0, generator=generator)
    routes, _ = one.network.most_probable()
    assert (routes.edges[0][0, 0] == 2).all() and (routes.edges[0][0, 1] == 2).all()
    assert one.formula().features == (3, 6)
    one.initialise(x, spread=50.0, generator=generator)
    assert sorted(one.network.most_probable()[0].edges[0][0, 0].tolist()) == [0, 1, 2]


def test_widened_head_sees_the_same_features_under_their_new_numbers():
    one, x = head().eval(), torch.randn(20, 30)
    columns = [3, 1, 20, 7, 9, 29, 11]
    wide = one.widened(30, columns).eval()
    assert wide.config()["candidates"] == [[29, 3, 7], [1, 29, 11]]
    torch.testing.assert_close(wide(x), one(x[:, columns]))
    torch.testing.assert_close(wide.soft(x), one.soft(x[:, columns]))


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ([[0, 1]], "for 2 groups"),
        ([[0, 1], [2]], "equally long"),
        ([[0, 1], [2, 7]], "candidate 7 is not one of the 7"),
        ([[0, 1], [2, -1]], "candidate -1 is not one of the 7"),
        ([[0, 1], [2, 2]], "group 1 has candidate 2 twice"),
        ([[], []], "at least one"),
        ([[0.0, 1.0], [0.0, 1.0]], "indices"),
    ],
)
def test_bad_candidates_are_named(candidates, message):
    with pytest.raises(ValueError, match=message):
        OccamHead(7, 2, candidates=candidates)


def test_a_search_refuses_candidates():
    with pytest.raises(ValueError, match="without candidates"):
        evolve(network(SHAPES[0]), np.zeros((4, 7)), np.zeros((4, 2)))


def test_repr_counts_the_features():
    assert "3 of 7 features per group, 5 in all" in repr(Candidates(SEEN, 7, 2))
