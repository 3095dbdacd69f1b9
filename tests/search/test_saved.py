"""A search that was stopped goes on as if it had not been."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from occamhead import OccamNet, Strategy, evolve
from occamhead.network.bases import BASES
from occamhead.saving import Kept, Stopped, WrongRun
from occamhead.search import evolution
from occamhead.search.engines import OwnEngine
from occamhead.search.evolution import Evolution
from occamhead.search.saved import restore, state_of


def rows(case):
    x = np.random.default_rng(5).uniform(-2, 2, (60, 2))
    if case == "two outputs":
        return x, np.stack([x[:, 0] ** 2 + np.sin(x[:, 1]), x.prod(1) - x[:, 0]], 1)
    return x, 2.31 * np.sin(1.7 * x[:, 0]) + x[:, 1] ** 2 / (1.3 + x[:, 0] ** 2)


CASES = {
    "one output": ({"bases": ["add", "mul", "sin", "div"], "depth": 3}, {}),
    "numbers": ({"bases": ["add", "mul", "tanh_affine2", "affine2"], "depth": 2}, {}),
    "two outputs": ({"bases": ["add", "mul", "sin", "sub"], "depth": 2}, {"patience": 30}),
    "restarts": (
        {"bases": ["add", "mul", "sin"], "depth": 2}, {"patience": 15, "max_complexity": 9},
    ),
    "little memory": ({"bases": ["add", "mul", "sin", "div"], "depth": 3}, {"store_mb": 1.0}),
    "literal": ({"bases": ["add", "mul", "sin", "div"], "depth": 3}, {"engine": "literal"}),
    "scaled": ({"bases": ["add", "mul", "sin", "div"], "depth": 2}, {"scaled": True}),
}  # fmt: skip


def search_of(case, steps=120):
    shape, settings = CASES[case]
    x, y = rows(case)
    torch.manual_seed(0)
    network = OccamNet(2, y.ndim, shape["bases"], depth=shape["depth"])
    return network, x, y, Strategy(seed=3, max_steps=steps, **settings)


def same(one, other):
    keys = set(one) - {"evaluated"}
    assert keys == set(other) - {"evaluated"}
    for key in keys:
        a, b = one[key], other[key]
        if isinstance(a, dict):
            same(a, b)
        elif isinstance(a, torch.Tensor):
            assert torch.equal(a, b) or (a.isnan() == b.isnan()).all(), key
        elif key != "seconds":
            assert a == b, key


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("stop", [1, 47])
def test_a_restored_search_is_the_same_to_the_bit(case, stop):
    def until(search, steps):
        while search.counts.steps < steps:
            search.step()
            search.converged()

    whole, first, second = (Evolution(*search_of(case)) for _ in range(3))
    until(whole, 120)
    until(first, stop)
    restore(second, state_of(first))
    until(second, 120)
    same(state_of(whole), state_of(second))
    assert whole.result("x").best.text() == second.result("x").best.text()


def test_a_stopped_search_goes_on_from_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(evolution, "KEEP_EVERY", 0.0)
    network, *rest = search_of("numbers")
    whole = evolve(network, *rest)

    def stop(progress):
        if progress.step == 50:
            raise Stopped(15)

    other, *rest = search_of("numbers")
    with pytest.raises(Stopped):
        evolve(other, *rest, callback=stop, checkpoint=tmp_path)
    seen = []
    other, *rest = search_of("numbers")
    found = evolve(other, *rest, callback=lambda p: seen.append(p.step), checkpoint=tmp_path)
    assert seen[0] == 51
    assert found.best.text() == whole.best.text() and found.reason == whole.reason
    assert (found.functions, found.steps) == (whole.functions, whole.steps)
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_folder_of_another_search_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(evolution, "KEEP_EVERY", 0.0)
    evolve(*search_of("one output", 5), checkpoint=tmp_path)
    network, x, y, strategy = search_of("one output", 5)
    with pytest.raises(WrongRun, match="rows"):
        evolve(network, x, y + 1, strategy, checkpoint=tmp_path)
    with pytest.raises(WrongRun, match="max_steps"):
        evolve(*search_of("one output", 6), checkpoint=tmp_path)


def test_a_budget_goes_on_being_spent(tmp_path, monkeypatch):
    monkeypatch.setattr(evolution, "KEEP_EVERY", 0.0)
    network, x, y, _ = search_of("one output")
    spent = Strategy(seed=3, time_budget=0.3, patience=10_000)
    first = evolve(network, x, y, spent, checkpoint=tmp_path)
    again = evolve(search_of("one output")[0], x, y, spent, checkpoint=tmp_path)
    assert "time_budget" in first.reason and again.steps - first.steps <= first.steps // 2
    assert Kept(tmp_path).read("search")["counts"]["seconds"] > 0.1


def test_what_a_search_is_of_is_the_same_in_every_process():
    """No address of a function is in it, which the next process has elsewhere."""
    assert not [basis for basis in BASES.values() if " at 0x" in repr(basis)]
    layout = repr(Evolution(*search_of("numbers")).evaluator.layout)
    assert "tanh_affine2" in layout and " at 0x" not in layout


def test_a_search_that_had_ended_takes_no_further_step(tmp_path, monkeypatch):
    *rest, strategy = search_of("restarts", 400)
    strategy = replace(strategy, restarts=1)
    first = evolve(*rest, strategy, checkpoint=tmp_path)
    assert "no better function" in first.reason
    monkeypatch.setattr(Evolution, "step", lambda self: 1 / 0)
    *rest, _ = search_of("restarts", 400)
    again = evolve(*rest, strategy, checkpoint=tmp_path)
    assert again.best == first.best and again.reason == first.reason
    assert np.array_equal(again.routes, first.routes) and again.steps == first.steps


def test_a_restart_is_not_lost_where_the_stop_comes_before_it(tmp_path, monkeypatch):
    """What is kept is of the end of a step, after which a search that is stuck starts anew."""
    monkeypatch.setattr(evolution, "KEEP_EVERY", 0.0)
    whole = evolve(*search_of("restarts"))
    assert whole.restarts

    def stop(engine):
        raise Stopped(15)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(OwnEngine, "restart", stop)
        evolve(*search_of("restarts"), checkpoint=tmp_path)
    again = evolve(*search_of("restarts"), checkpoint=tmp_path)
    assert again.restarts == whole.restarts and again.best == whole.best
    assert np.array_equal(again.routes, whole.routes) and again.steps == whole.steps
