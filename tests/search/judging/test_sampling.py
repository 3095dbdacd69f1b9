"""Functions are drawn as often as the network says, and from (seed, step, sample) alone."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from occamhead import OccamNet, get_basis
from occamhead.search.judging.sampling import (
    NONE,
    draw_routes,
    most_probable,
    sample_key,
    softmax_tables,
    uniform,
)
from occamhead.search.judging.wiring import is_symmetric, wire
from occamhead.search.logits import read_logits, to_routes, write_logits
from occamhead.search.variation import vary_elites

# Of the chi-square tests below: a sampler without fault fails one with a fresh seed in a million.
ODDS = 1e-6


def nets() -> dict[str, OccamNet]:
    """Networks small enough to write down every route."""
    torch.manual_seed(0)
    return {
        "plain": OccamNet(1, 1, ["add", "sin"], 2, constants=[2.0], noise=1.0),
        "T_last": OccamNet(
            1, 1, ["add", "sin"], 2, constants=[2.0], noise=2.0, last_temperature=10.0
        ),
        "cold": OccamNet(2, 1, [["mul"], ["sin", "neg"]], noise=1.0, temperature=0.5),
        "no skip": OccamNet(2, 1, ["mul", "neg"], 2, skip=False, noise=1.0),
        "groups": OccamNet(1, 2, ["mul"], 2, constants=[1.0], groups=2, noise=1.0),
        "two outputs": OccamNet(1, 2, ["add", "neg"], 2, noise=1.0),
        "two groups of two": OccamNet(1, 4, ["mul"], 1, constants=[1.0], groups=2, noise=1.0),
        "equalised": OccamNet(2, 1, ["mul", "neg"], 2, equalisation=1.0),
    }


NETS = nets()


def tables(network: OccamNet):
    wiring, _ = wire(network.layout, network.groups)
    logits, temperatures = read_logits(network)
    log_probs, cumulative = np.zeros_like(logits), np.zeros_like(logits)
    softmax_tables(logits, temperatures, wiring.num_sources, log_probs, cumulative)
    return wiring, log_probs, cumulative


def draw(network: OccamNet, count: int, key: int = 1) -> np.ndarray:
    wiring, _, cumulative = tables(network)
    choices = np.empty((count, len(wiring.num_sources)), np.int32)
    draw_routes(wiring, cumulative, np.uint64(key), np.zeros(count, np.bool_), choices)
    return choices


def places(network: OccamNet) -> list[tuple[int, int, int]]:
    """Softmax, group and P-node of each row of choices."""
    return [
        (layer, group, p)
        for layer, logits in enumerate(network.logits)
        for group in range(network.groups)
        for p in range(logits.shape[1])
    ]


def reached(network: OccamNet, route: dict[tuple[int, int, int], int]) -> set[tuple[int, int, int]]:
    """The P-nodes that the outputs of a whole route reach."""
    layout, found = network.layout, set()

    def visit(place: tuple[int, int, int]) -> None:
        found.add(place)
        layer, group, _ = place
        earlier, image = layout.locate(layer, route[place])
        if earlier is not None:
            arities = [basis.arity for basis in layout.layers[earlier]]
            for p in range(sum(arities[:image]), sum(arities[: image + 1])):
                visit((earlier, group, p))

    for group in range(network.groups):
        for output in range(layout.num_outputs):
            visit((layout.depth, group, output))
    return found


def distribution(network: OccamNet) -> dict[tuple[int, ...], float]:
    """Probability of each function of all outputs, summed over every route there is."""
    rows = places(network)
    log_probs = [p.detach().double() for p in network.log_probs()]
    probability = [log_probs[layer][group, p].exp().tolist() for layer, group, p in rows]
    total: dict[tuple[int, ...], float] = Counter()
    for edges in product(*(range(len(p)) for p in probability)):
        found = reached(network, dict(zip(rows, edges, strict=True)))
        name = tuple(e if row in found else NONE for row, e in zip(rows, edges, strict=True))
        total[name] += math.prod(p[e] for p, e in zip(probability, edges, strict=True))
    return total


def improbability(seen: np.ndarray, wanted: dict[tuple[int, ...], float]) -> float:
    """The p-value of the counts of functions; what is expected less than 10 times is one bin."""
    counts = Counter(map(tuple, seen.tolist()))
    assert set(counts) <= set(wanted)
    observed, expected = [0.0], [0.0]
    for name, probability in wanted.items():
        if probability * len(seen) >= 10:
            observed.append(counts[name])
            expected.append(probability * len(seen))
        else:
            observed[0] += counts[name]
            expected[0] += probability * len(seen)
    start = 0 if expected[0] >= 10 else 1
    scale = sum(observed[start:]) / sum(expected[start:])
    assert len(observed) - start > 2
    return chisquare(observed[start:], np.array(expected[start:]) * scale).pvalue


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_functions_are_as_frequent_as_they_are_probable(name):
    network = NETS[name]
    wanted = distribution(network)
    assert sum(wanted.values()) == pytest.approx(1, abs=1e-5)
    assert improbability(draw(network, 30_000), wanted) > ODDS


@pytest.mark.slow
def test_one_sample_of_each_of_many_steps_is_as_frequent():
    network = NETS["plain"]
    wiring, _, cumulative = tables(network)
    seen = np.empty((20_000, len(wiring.num_sources)), np.int32)
    for step in range(len(seen)):  # keys as consecutive steps have them
        draw_routes(
            wiring, cumulative, np.uint64(step), np.zeros(1, np.bool_), seen[step : step + 1]
        )
    assert improbability(seen, distribution(network)) > ODDS


@pytest.mark.parametrize("name", NETS)
def test_what_is_not_reached_is_minus_one(name):
    network = NETS[name]
    rows = places(network)
    for choice in draw(network, 300):
        route = dict(zip(rows, np.maximum(choice, 0).tolist(), strict=True))
        found = reached(network, route)
        assert [row in found for row in rows] == (choice != NONE).tolist()


def test_a_sample_depends_on_its_key_and_number_alone():
    network = NETS["two outputs"]
    many, few = draw(network, 500, key=7), draw(network, 20, key=7)
    assert np.array_equal(many[:20], few)
    assert np.array_equal(many, draw(network, 500, key=7))
    assert not np.array_equal(many, draw(network, 500, key=8))
    # A P-node that several samples reach under the same key still gets numbers of its own.
    key = np.uint64(7)
    own = [np.uint64(sample_key(key, r)) for r in range(100)]
    numbers = np.array([[uniform(k, p) for p in range(40)] for k in own])
    assert len(np.unique(numbers)) == numbers.size
    assert numbers.min() >= 0 and numbers.max() < 1
    assert chisquare(np.histogram(numbers, 20, (0, 1))[0]).pvalue > ODDS


# --- tables and the most probable function ---------------------------------------------------


@pytest.mark.parametrize("name", NETS)
def test_tables_are_the_softmaxes_of_the_network(name):
    network = NETS[name]
    _, log_probs, cumulative = tables(network)
    wanted = [row for p in network.log_probs() for row in p.flatten(0, 1)]
    for row, (log_prob, upto) in zip(wanted, zip(log_probs, cumulative, strict=True), strict=True):
        edges = len(row)
        np.testing.assert_allclose(log_prob[:edges], row.detach().numpy(), rtol=2e-6, atol=2e-6)
        np.testing.assert_allclose(upto[:edges], np.exp(log_prob[:edges]).cumsum(), rtol=1e-12)


def test_tables_at_logits_that_overflow_an_exponential():
    logits = np.array([[1000.0, 0.0, -np.inf], [-1e6, -1e6, -1e6]])
    log_probs, cumulative = np.zeros((2, 3)), np.zeros((2, 3))
    softmax_tables(logits, np.array([1.0, 0.01]), np.array([2, 3]), log_probs, cumulative)
    assert log_probs[0, :2].tolist() == [0.0, -1000.0]
    np.testing.assert_allclose(log_probs[1], -math.log(3))
    np.testing.assert_allclose(cumulative[1], [1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("name", NETS)
def test_most_probable_is_that_of_the_network_and_of_all_routes(name):
    network = NETS[name].double()
    wiring, log_probs, _ = tables(network)
    choices = np.full(len(wiring.num_sources), NONE, np.int32)
    found = most_probable(wiring, log_probs, choices)
    routes, wanted = network.most_probable()
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-5)
    assert to_routes(network, choices[None]).edges[-1].tolist() == routes.edges[-1].tolist()
    own = network.log_prob(to_routes(network, choices[None]), per_use=True)[0]
    np.testing.assert_allclose(own.detach().numpy(), found, rtol=1e-5)
    every = np.array(list(product(*(range(n) for n in wiring.num_sources))), np.int32)
    best = network.log_prob(to_routes(network, every), per_use=True).max(dim=0).values
    np.testing.assert_allclose(found, best.detach().numpy(), rtol=1e-5)
    network.float()


# --- wiring ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETS)
def test_logits_go_there_and_back(name):
    network = NETS[name]
    before = [logits.detach().clone() for logits in network.logits]
    table, temperatures = read_logits(network)
    assert temperatures[-1] == network.temperatures[-1]
    assert len(table) == len(temperatures) == len(places(network))
    write_logits(network, table + 0.5, 2 * temperatures)
    torch.testing.assert_close(network.temperatures, 2 * network.start_temperatures)
    for logits, old in zip(network.logits, before, strict=True):
        torch.testing.assert_close(logits.detach(), old + 0.5)
    write_logits(network, table, temperatures)
    torch.testing.assert_close(network.temperatures, network.start_temperatures)


@pytest.mark.parametrize("name", NETS)
def test_every_edge_leads_where_the_layout_says(name):
    network = NETS[name]
    wiring, bases = wire(network.layout, network.groups)
    images = [
        (layer, group, place)
        for layer, layer_bases in enumerate(network.layout.layers)
        for group in range(network.groups)
        for place in range(len(layer_bases))
    ]
    assert [bases[b] for b in wiring.basis] == [
        network.layout.layers[layer][place] for layer, _, place in images
    ]
    for row, (layer, group, _) in enumerate(places(network)):
        assert wiring.num_sources[row] == network.layout.num_sources(layer)
        for edge in range(wiring.num_sources[row]):
            earlier, place = network.layout.locate(layer, edge)
            leads = wiring.source[row, edge]
            assert leads == place if earlier is None else images[~leads] == (earlier, group, place)


@pytest.mark.parametrize(
    ("names", "symmetric"),
    [
        ("add mul max min xor add4 max9 min3", True),
        ("sub div pow if_le if_eq sin identity square affine2 tanh_affine3 add_constant", False),
    ],
)
def test_where_the_order_of_arguments_is_immaterial(names, symmetric):
    for name in names.split():
        assert is_symmetric(get_basis(name)) == symmetric, name


# --- descent from elites ---------------------------------------------------------------------


def test_given_edges_stay_and_what_they_leave_open_is_drawn():
    network = NETS["plain"]
    wiring, _, cumulative = tables(network)
    parents = draw(network, 400, key=3)
    choices = parents.copy()
    draw_routes(wiring, cumulative, np.uint64(9), np.ones(400, np.bool_), choices)
    assert np.array_equal(choices, parents)
    opened = parents.copy()
    opened[:, -1] = NONE  # the output's own edge is drawn anew, the rest is kept where reached
    draw_routes(wiring, cumulative, np.uint64(9), np.ones(400, np.bool_), opened)
    assert (opened[:, -1] != NONE).all()
    kept = (opened != NONE) & (parents != NONE)
    kept[:, -1] = False
    assert np.array_equal(opened[kept], parents[kept])
    assert np.array_equal(opened[:, -1], draw(network, 400, key=9)[:, -1])


@pytest.mark.parametrize("name", ["plain", "no skip", "groups", "two outputs"])
def test_descendants_are_routes_and_near_their_parents(name):
    network = NETS[name]
    wiring, _, cumulative = tables(network)
    elites = draw(network, 5, key=2)
    elites = elites[np.argsort([(e != NONE).sum() for e in elites])]
    choices = np.empty((2000, len(wiring.num_sources)), np.int32)
    given = np.zeros(2000, np.bool_)
    key = np.uint64(11)
    vary_elites(wiring, key, 0.75, elites, choices, given)
    assert abs(given.mean() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 2000)
    draw_routes(wiring, cumulative, key, given, choices)
    rows = places(network)
    for choice in choices[given][:300]:
        assert (choice < wiring.num_sources).all()
        found = reached(network, dict(zip(rows, np.maximum(choice, 0).tolist(), strict=True)))
        assert [row in found for row in rows] == (choice != NONE).tolist()
    assert np.array_equal(choices[~given], draw(network, 2000, key=11)[~given])
    distance = (choices[given][:, None] != elites).sum(-1).min(-1)
    afresh = (choices[~given][:, None] != elites).sum(-1).min(-1)
    assert distance.mean() < afresh.mean()
    assert len({tuple(choice) for choice in choices[given].tolist()}) > len(elites)


def test_nothing_descends_from_no_elites_or_at_share_zero():
    network = NETS["plain"]
    wiring, _, _ = tables(network)
    choices, given = draw(network, 50), np.ones(50, np.bool_)
    vary_elites(wiring, np.uint64(1), 1.0, choices[:0], choices, given)
    assert not given.any()
    given[:] = True
    vary_elites(wiring, np.uint64(1), 0.0, choices[:3].copy(), choices, given)
    assert not given.any()
