"""Gradients are autograd's, steps are Adam's, and the best that was seen is kept."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from occamhead import OccamNet
from occamhead.search.archive import MOST, Archive
from occamhead.search.judging.sampling import NONE, draw_routes, softmax_tables
from occamhead.search.judging.wiring import read_logits, to_routes, wire
from occamhead.search.learning import (
    adam,
    learn_from,
    make_elites,
    own_route,
    select,
    update_elites,
)

NETS = {
    "plain": lambda: OccamNet(2, 1, ["add", "mul", "sin"], 3, constants=[1.0], noise=1.0),
    "T_last": lambda: OccamNet(1, 1, ["add", "mul"], 3, noise=1.0, last_temperature=10.0),
    "no skip": lambda: OccamNet(2, 2, ["mul", "neg"], 2, skip=False, noise=1.0, temperature=0.5),
    "groups": lambda: OccamNet(2, 4, ["mul", "add"], 2, groups=2, noise=1.0),
    "layers": lambda: OccamNet(2, 3, [["if_le"], ["add4", "neg"]], noise=1.0),
}


def prepare(name: str, count: int = 12):
    """A network in float64, its tables, and some routes."""
    torch.manual_seed(0)
    network = NETS[name]().double()
    wiring, _ = wire(network)
    logits, temperatures = read_logits(network)
    log_probs, cumulative = np.zeros((2, *logits.shape))
    softmax_tables(logits, temperatures, wiring.num_sources, log_probs, cumulative)
    choices = np.empty((count, len(wiring.num_sources)), np.int32)
    draw_routes(wiring, cumulative, np.uint64(5), np.zeros(count, np.bool_), choices)
    return network, wiring, temperatures, log_probs, choices


# --- the gradient ----------------------------------------------------------------------------


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


@pytest.mark.parametrize("name", NETS)
def test_an_own_route_is_what_its_output_reaches(name):
    network, wiring, _, _, choices = prepare(name)
    own, union = np.empty_like(choices[0]), np.full_like(choices, NONE)
    before = network.log_prob(to_routes(network, choices)).detach()
    for output in range(network.out_features):
        for r, choice in enumerate(choices):
            own_route(wiring, choice, output, own)
            reached = own != NONE
            assert np.array_equal(own[reached], choice[reached])
            union[r][reached] = own[reached]
            alone = network.log_prob(to_routes(network, own[None]))[0, output]
            torch.testing.assert_close(alone.detach(), before[r, output])
    assert np.array_equal(union, choices)


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


def test_the_best_samples_are_selected_with_their_copies():
    fitness = np.array([0.1, math.nan, 0.9, 0.5, 0.9, 0.0, 0.5])
    chosen = np.empty(5, np.int32)
    select(fitness, 5, chosen)
    assert chosen.tolist() == [2, 4, 3, 6, 0]  # of equals, the first
    select(np.array([math.nan, 0.2, math.nan]), 3, chosen[:3])
    assert chosen[:3].tolist() == [1, NONE, NONE]


# --- elites ----------------------------------------------------------------------------------


def samples(generator, count: int, kinds: int = 40):
    """Functions by key: some are equally fit, each has spellings of several lengths."""
    fitness_of = np.round(generator.uniform(size=kinds), 1)
    fitness_of[::9] = math.nan
    key = generator.integers(0, kinds, (count, 1))
    size = generator.integers(1, 30, (count, 1)).astype(np.int32)
    return fitness_of[key], key.astype(np.uint64) + 100, size


@pytest.mark.parametrize("seed", range(20))
def test_elites_are_the_best_distinct_functions_best_first_shortest_first(seed):
    generator = np.random.default_rng(seed)
    _, wiring, _, _, choices = prepare("plain", 300)
    fitness, key, size = samples(generator, 300)
    roots = np.arange(300, dtype=np.int32)[:, None]
    elites = make_elites(1, 6, choices.shape[1])
    for start in range(0, 300, 50):
        part = slice(start, start + 50)
        update_elites(wiring, elites, choices[part], fitness[part], key[part], size[part],
                      roots[part])  # fmt: skip
        best: dict[int, tuple[float, int]] = {}
        for k, f, s in zip(key[: part.stop, 0], fitness[: part.stop, 0], size[: part.stop, 0],
                           strict=True):  # fmt: skip
            if not math.isnan(f):
                best[k] = min(best.get(k, (math.inf, 0)), (-f, s))
        wanted = sorted(best.values())[:6]
        assert [(-f, s) for f, s in zip(elites.fitness[0], elites.size[0], strict=True)] == wanted
        assert len(set(elites.key[0].tolist())) == 6
    for place, root in enumerate(elites.root[0]):
        assert key[root, 0] == elites.key[0, place] and size[root, 0] == elites.size[0, place]
        assert np.array_equal(elites.choices[0, place], choices[root])


def test_each_output_has_its_own_elites():
    _, wiring, _, _, choices = prepare("groups", 3)
    elites = make_elites(4, 2, choices.shape[1])
    fitness = np.array([[1, 2, 3, math.nan], [3, 2, 1, math.nan], [2, 9, 2, math.nan]])
    key = np.arange(12, dtype=np.uint64).reshape(3, 4)
    update_elites(wiring, elites, choices, fitness, key, np.ones((3, 4), np.int32),
                  np.arange(12, dtype=np.int32).reshape(3, 4))  # fmt: skip
    assert elites.fitness.tolist() == [[3, 2], [9, 2], [3, 2], [-math.inf, -math.inf]]
    assert elites.root[:3].tolist() == [[4, 8], [9, 1], [2, 10]]
    assert (elites.root[3] == NONE).all()
    own = np.empty_like(choices[0])
    own_route(wiring, choices[1], 0, own)
    assert np.array_equal(elites.choices[0, 0], own)
    elites.clear()
    assert (elites.fitness == -math.inf).all() and (elites.choices == NONE).all()


def test_spellings_whose_fitness_penalties_part():
    """The better one stays, be it longer or shorter; rounding alone decides nothing."""
    _, wiring, _, _, choices = prepare("plain", 1)
    elites = make_elites(1, 3, choices.shape[1])

    def add(fitness: float, key: int, size: int) -> list[tuple[float, int, int]]:
        update_elites(
            wiring, elites, choices, np.array([[fitness]]), np.array([[key]], np.uint64),
            np.array([[size]], np.int32), np.zeros((1, 1), np.int32),
        )  # fmt: skip
        return list(zip(elites.fitness[0], elites.key[0], elites.size[0], strict=True))

    add(0.9, 1, 9)
    add(0.8, 2, 3)
    assert add(0.7, 3, 3) == [(0.9, 1, 9), (0.8, 2, 3), (0.7, 3, 3)]
    assert add(0.75, 1, 5)[0] == (0.9, 1, 9)  # shorter, but worse by more than rounding
    assert add(0.95, 1, 12)[0] == (0.95, 1, 12)  # longer, but better by more than rounding
    nearly = 0.95 * (1 - 1e-12)
    assert add(nearly, 1, 4)[0] == (nearly, 1, 4)
    assert add(0.95, 1, 5)[0] == (nearly, 1, 4)


# --- the archive -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_the_archive_holds_the_best_at_each_complexity_and_its_front_is_pareto(seed):
    generator = np.random.default_rng(seed)
    _, wiring, _, _, choices = prepare("layers", 200)
    archive = Archive(wiring, exact=1e-9)
    error = 10.0 ** generator.uniform(-3, 1, (200, 3))
    error[generator.uniform(size=error.shape) < 0.1] = math.inf
    size = generator.integers(1, 25, (200, 3)).astype(np.int32)
    root = generator.integers(0, 1000, (200, 3)).astype(np.int32)
    least = np.full(3, math.inf)
    for start in range(0, 200, 40):
        part = slice(start, start + 40)
        judged = SimpleNamespace(error=error[part], size=size[part], root=root[part])
        improved = archive.add(choices[part], judged)
        now = np.minimum(least, error[part].min(axis=0))
        assert improved == (now < least).any()
        least = now
        assert np.array_equal(archive.least, least)
    for j in range(3):
        points = [(int(s), float(e)) for s, e in zip(size[:, j], error[:, j], strict=True)]
        wanted = [
            (s, e)
            for s, e in sorted(set(points))
            if e < math.inf and not any(t <= s and f <= e and (t, f) != (s, e) for t, f in points)
        ]
        front = archive.front(j)
        assert [(c, archive.error[j, c]) for c in front] == wanted
        for c in front:
            (r,) = np.flatnonzero((size[:, j] == c) & (error[:, j] == archive.error[j, c]))
            assert archive.root[j, c] == root[r, j]
            own = np.empty_like(choices[0])
            own_route(wiring, choices[r], j, own)
            assert np.array_equal(archive.choices[j, c], own)


def archive_of(errors: dict[int, float]) -> Archive:
    _, wiring, _, _, choices = prepare("T_last", len(errors))
    archive = Archive(wiring, exact=1e-9)
    archive.add(
        choices,
        SimpleNamespace(
            error=np.array([[e] for e in errors.values()]),
            size=np.array([[c] for c in errors], np.int32),
            root=np.arange(len(errors), dtype=np.int32)[:, None],
        ),
    )
    return archive


def test_a_front_ends_where_nothing_is_left_to_explain():
    archive = archive_of({1: 1.0, 3: 0.5, 4: 0.5 * (1 - 1e-9), 5: 1e-12, 9: 1e-15})
    assert archive.front(0) == [1, 3, 5]
    assert archive.best(0, 100) == 5


def test_functions_beyond_the_table_share_its_last_place():
    archive = archive_of({MOST + 5: 0.3, MOST + 50: 0.2})
    assert archive.front(0) == [MOST - 1] and archive.least[0] == 0.2


def test_an_empty_archive_has_no_best():
    archive = archive_of({3: math.inf})
    assert archive.front(0) == [] and archive.best(0, 10) is None
    assert archive.least[0] == math.inf
    full = archive_of({3: 0.1})
    full.clear()
    assert full.best(0, 10) is None


def test_the_best_has_the_shortest_description():
    """By hand: four more nodes of three kinds cost 4 log 3 = 4.4 nats, rows log(0.5 / 0.499)."""
    archive = archive_of({1: 1.0, 5: 0.5, 9: 0.499})
    assert math.log(0.5 / 0.499) * 2000 < 4 * math.log(3) < math.log(0.5 / 0.499) * 2500
    assert archive.best(0, 2000) == 5 and archive.best(0, 2500) == 9
    assert archive.best(0, 6) == 1 and archive.best(0, 7) == 5
