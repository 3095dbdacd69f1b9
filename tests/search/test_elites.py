"""The best distinct functions are kept, best first; each output's own route."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from occamhead.search.elites import make_elites, own_route, select, update_elites
from occamhead.search.judging.sampling import NONE
from occamhead.search.logits import to_routes
from tests.search.prepared import NETS, prepare


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


def test_the_best_samples_are_selected_with_their_copies():
    fitness = np.array([0.1, math.nan, 0.9, 0.5, 0.9, 0.0, 0.5])
    chosen = np.empty(5, np.int32)
    select(fitness, 5, chosen)
    assert chosen.tolist() == [2, 4, 3, 6, 0]  # of equals, the first
    select(np.array([math.nan, 0.2, math.nan]), 3, chosen[:3])
    assert chosen[:3].tolist() == [1, NONE, NONE]


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
