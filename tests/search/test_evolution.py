"""The search as a whole: laws of its memory, limits, what it finds."""

from __future__ import annotations

import math
import re
import time

import numpy as np
import pytest
import torch

from occamhead import OccamNet
from occamhead.search import Evolution, Strategy, evolve
from occamhead.search.logits import to_routes
from tests.search.searches import NOISE, assert_agree, network_of, noise, rows, watched


def assert_same_result(found, wanted) -> None:
    assert str(found.best) == str(wanted.best) and str(found.mode) == str(wanted.mode)
    assert found.reason == wanted.reason and found.chosen == wanted.chosen
    for name in ("steps", "functions", "restarts", "first_exact"):
        assert getattr(found, name) == getattr(wanted, name)
    assert [[repr(each) for each in front] for front in found.fronts] == [
        [repr(each) for each in front] for front in wanted.fronts
    ]
    assert np.array_equal(found.routes, wanted.routes)


# --- memory changes nothing ------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["compiled", "torch"])
@pytest.mark.parametrize("engine", ["occamhead", "literal", "no-learning"])
def test_a_run_with_the_smallest_store_is_the_same_bit_for_bit(engine, backend):
    x, y = rows(lambda a, b: (np.sin(a * b) + a, a / (b + 4)), inputs=2)
    settings = {"engine": engine, "max_steps": 60, "patience": 25, "backend": backend, "seed": 3}
    runs = []
    for store_mb in (256, least_mb(x, y)):
        network = network_of("pmlb", 3, 2, 2)
        strategy = Strategy(store_mb=store_mb, **settings)
        runs.append((*watched(network, x, y, strategy), network))
    (large, seen, none, first, big), (small, again, evictions, second, little) = runs
    assert none == 0 and evictions > 3
    assert np.array_equal(seen, again)
    assert np.array_equal(first.learner.logits, second.learner.logits)
    for one, other in zip(big.logits, little.logits, strict=True):
        assert torch.equal(one, other)
    assert small.evaluated > large.evaluated
    assert_same_result(small, large)


def test_the_same_where_the_order_of_terms_decides_the_last_bit():
    x, y = rows(lambda a, b: np.sin(a * b) + a - b / 3, inputs=2)
    runs = []
    for store_mb in (256, None):
        network = OccamNet(2, 1, ["add4", "mul", "sin", "max3"], 3, constants=[0.1])
        store_mb = store_mb or 3 * least_mb(x, y, network)  # long sums are held, many nodes each
        runs.append(watched(network, x, y, Strategy(store_mb=store_mb, max_steps=60)))
    (large, seen, none, first), (small, again, evictions, second) = runs
    assert none == 0 and evictions > 3
    assert np.array_equal(seen, again)
    assert np.array_equal(first.learner.logits, second.learner.logits)
    assert_same_result(small, large)


def test_the_same_with_free_constants_that_are_fitted_again():
    x, y = rows(lambda a: 1.7 * a**2 + 0.3 + 0.1 * NOISE, low=0.5)
    bases = ["add", "mul", "mul_constant", "add_constant", "sin", "div"]
    strategy = {"max_steps": 80, "fit_iterations": 2, "num_samples": 80}
    runs = []
    for store_mb in (256, least_mb(x, y, OccamNet(1, 1, bases, 3))):
        network = OccamNet(1, 1, bases, 3)
        runs.append(watched(network, x, y, Strategy(store_mb=store_mb, **strategy)))
    (large, seen, none, first), (small, again, evictions, second) = runs
    assert none == 0 and evictions > 1
    assert np.array_equal(seen, again)
    assert np.array_equal(first.learner.logits, second.learner.logits)
    assert_same_result(small, large)


def least_mb(x, y, network=None) -> float:
    """The smallest store that the library says will do."""
    network = network or network_of("pmlb", 3, x.shape[1], y.shape[1])
    with pytest.raises(ValueError, match="raise store_mb") as caught:
        Evolution(network, x, y, Strategy(store_mb=1e-3))
    return float(re.search(r"it needs ([0-9.e+]+) MB", str(caught.value))[1])


@pytest.mark.parametrize("engine", ["occamhead", "literal"])
@pytest.mark.parametrize("name", ["table1/4", "table1/14", "pmlb"])
def test_both_back_ends_judge_alike(name, engine):
    """To rounding: which of two equally good functions is kept may hang on the last bit."""
    x, y = rows(lambda a: (a * a + a) / (a + 4))
    settings = {"engine": engine, "max_steps": 20, "fitness": "gaussian", "sigma": 0.5}
    searches = [
        Evolution(network_of(name), x, y, Strategy(backend=backend, **settings))
        for backend in ("compiled", "torch")
    ]
    for search in searches:
        search.run()
        assert_judged_alike(search.choices, *(each.evaluator for each in searches))


def assert_judged_alike(choices, one, other) -> None:
    """Fitness, error and shape of the same functions, to rounding."""
    ((_, first),), ((_, second),) = (judge.judge(choices, 99) for judge in (one, other))
    for mine, others in zip(first[:3], second[:3], strict=True):
        np.testing.assert_allclose(mine, others, rtol=1e-9, atol=1e-12)


def test_a_seed_gives_one_run_and_another_seed_another():
    x, y = rows(lambda a: (a * a + a) / (a + 4))
    runs = [
        watched(network_of("table1/4"), x, y, Strategy(seed=seed, max_steps=20))
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(runs[0][1], runs[1][1])
    assert_same_result(runs[0][0], runs[1][0])
    assert not np.array_equal(runs[0][1], runs[2][1])


# --- limits ----------------------------------------------------------------------------------


def test_limits_of_functions_and_steps():
    x, y = rows(noise)
    result = evolve(network_of("table1/4"), x, y, Strategy(max_functions=950))
    assert result.functions == 900 and result.steps == 9 and "max_functions" in result.reason
    result = evolve(network_of("table1/4"), x, y, Strategy(max_steps=7, num_samples=10))
    assert result.functions == 70 and result.steps == 7 and "max_steps" in result.reason


def test_a_limit_of_time():
    x, y = rows(noise)
    strategy = Strategy(time_budget=0.3, max_functions=None)
    began = time.process_time()
    result = evolve(network_of("table1/4"), x, y, strategy)
    assert "time_budget" in result.reason
    assert 0.3 <= result.seconds <= time.process_time() - began < 3


def test_control_c_returns_what_was_found():
    x, y = rows(lambda a: a * a + a)
    told = []

    def stop(progress) -> None:
        told.append(progress)
        if progress.step == 5 and len(told) == 5:
            raise KeyboardInterrupt

    network = network_of("table1/4")
    result = evolve(network, x, y + 0.1 * NOISE[:, None], Strategy(), callback=stop)
    assert result.reason == "interrupted" and result.steps == 5 and result.functions == 500
    assert math.isfinite(result.error[0])
    assert_agree(network.expression(), result.best, 1)
    assert [progress.step for progress in told[:5]] == [1, 2, 3, 4, 5]
    assert told[0].improved and (told[4].error <= told[0].error).all()


@pytest.mark.parametrize("method", ["evaluate", "score"])
@pytest.mark.parametrize("backend", ["compiled", "torch"])
def test_control_c_amid_a_step_leaves_no_half_judged_function(method, backend):
    """What was interned but not computed or scored is so afterwards, when it is asked for."""
    x, y = rows(lambda a: (a * a + a) / (a + 4) + 0.1 * NOISE)
    network = network_of("table1/4", noise=1.0)
    search = Evolution(network, x, y, Strategy(backend=backend, patience=50))
    values = search.evaluator.values
    compute = getattr(values, method)

    def interrupt(*args):
        if search.counts.steps == 3:
            setattr(values, method, compute)
            raise KeyboardInterrupt
        return compute(*args)

    setattr(values, method, interrupt)
    result = search.run()
    assert result.reason == "interrupted" and result.steps == 3
    judge = Evolution(network_of("table1/4"), x, y, Strategy(backend=backend)).evaluator
    ((_, wanted),) = judge.judge(search.choices, 1)
    ((_, found),) = search.evaluator.judge(search.choices, 4)
    for one, other in zip(found[:5], wanted[:5], strict=True):
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def test_temperatures_fall_to_their_end():
    x, y = rows(lambda a: (a * a + a) / (a + 4))
    network = network_of("table1/4", temperature=4.0, last_temperature=8.0)
    strategy = Strategy(end_temperature=0.5, max_steps=20)
    search = Evolution(network, x, y, strategy)
    search.step()
    share = (0.5 / np.array([4.0, 8.0])) ** (1 / 20)
    np.testing.assert_allclose(search.learner.temperatures[[0, -1]], [4, 8] * share, rtol=1e-6)
    result = search.run()
    np.testing.assert_allclose(search.learner.temperatures, 0.5, rtol=1e-6)
    np.testing.assert_allclose(network.temperatures.numpy(), 0.5, rtol=1e-6)
    assert_agree(network.expression(), result.mode, 1)


# --- what can go wrong with the data ---------------------------------------------------------


@pytest.mark.parametrize("engine", ["occamhead", "literal", "no-learning"])
def test_where_nothing_is_defined_the_mean_is_returned_with_a_warning(engine):
    network = OccamNet(1, 1, ["div"], 1, skip=False)
    y = np.arange(10.0)
    with pytest.warns(UserWarning, match="output 0.*mean of the target.*other bases"):
        result = evolve(network, np.zeros((10, 1)), y, Strategy(engine=engine, max_steps=20))
    assert result.best(np.zeros((3, 1)))[:, 0].tolist() == pytest.approx([4.5] * 3, rel=1e-15)
    assert result.chosen == (None,) and result.fronts == ((),) and result.error == (math.inf,)
    assert np.isnan(result.mode(np.zeros((1, 1)))).all()


@pytest.mark.parametrize("value", [0.0, 3.0, -(2.0**-27), 1e9])  # as float32 holds them
def test_a_constant_target(value):
    x, y = rows(lambda a: np.full(len(a), value), low=1)
    network = OccamNet(1, 1, ["add", "div", "mul"], 2, constants=[1.0, 3.0, -(2.0**-27), 1e9])
    result = evolve(network, x, y, Strategy(max_functions=50_000))
    assert result.error[0] <= 1e-9 and result.reason == "exact"
    np.testing.assert_allclose(result.best(x), y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("backend", ["compiled", "torch"])
def test_rows_of_weight_zero_do_not_matter(backend):
    x, y = rows(lambda a: (a * a + a) / (a + 4))
    strategy = Strategy(max_steps=25, backend=backend)
    wanted, seen, _, _ = watched(network_of("table1/4"), x, y, strategy)
    extra = np.array([[0.0], [-2.0], [-1.0], [1e300]])  # division by zero, infinite squares
    wide, high = np.concatenate([extra, x]), np.concatenate([extra * 3, y])
    weights = np.array([0.0] * 4 + [2.0] * len(x))
    found, again, _, _ = watched(network_of("table1/4"), wide, high, strategy, weights)
    assert np.array_equal(seen, again)
    assert str(found.best) == str(wanted.best) and found.error == pytest.approx(wanted.error)


def test_a_weight_of_two_is_a_row_twice():
    x, y = rows(lambda a: np.sin(a) + 0.3 * a)
    twice = np.arange(100) % 3 == 0
    strategy = Strategy(max_steps=25)
    one, seen, _, _ = watched(network_of("pmlb"), x, y, strategy, 1.0 + twice)
    double = [np.concatenate([each, each[twice]]) for each in (x, y)]
    other, again, _, _ = watched(network_of("pmlb"), *double, strategy)
    assert one.error == pytest.approx(other.error, rel=1e-9) or not np.array_equal(seen, again)
    # The sums have other roundings, which may decide between equally good functions later on.
    assert np.array_equal(seen[:1], again[:1])
    search = Evolution(network_of("pmlb"), x, y, strategy, 1.0 + twice)
    search.run()
    judges = [search.evaluator, Evolution(network_of("pmlb"), *double, strategy).evaluator]
    assert_judged_alike(search.choices, *judges)


# --- what is found ---------------------------------------------------------------------------


def column(law):
    return lambda x: np.stack(y, 1) if isinstance(y := law(*x.T), tuple) else y[:, None]


LAWS = {
    "2x^2 + 3x": ("table1/1", 1, lambda a: 2 * a**2 + 3 * a),
    "sin(3x + 2)": ("table1/2", 1, lambda a: np.sin(3 * a + 2)),
    "(x^2 + x)/(x + 2)": ("table1/4", 1, lambda a: (a * a + a) / (a + 2)),
    "a b - a/b": ("pmlb", 2, lambda a, b: a * b - a / b),
    "3x if x > 0 else x": ("table1/14", 1, lambda a: np.where(a > 0, 3 * a, a)),
    "two outputs": ("pmlb", 2, lambda a, b: (a + b, a * b)),
    "three outputs": ("table1/17", 2, lambda a, b: (np.minimum(a, b), a + b, np.maximum(a, b))),
}


@pytest.mark.parametrize("engine_seed", [0, 1])
@pytest.mark.parametrize("name", LAWS)
def test_easy_laws_are_found_and_become_the_most_probable(name, engine_seed):
    basis_set, inputs, law = LAWS[name]
    low = -3 if "if" in name else 0.5
    x, y = rows(law, inputs=inputs, low=low, high=4)
    network = network_of(basis_set, 3, inputs, y.shape[1])
    result = evolve(network, x, y, Strategy(seed=engine_seed, max_functions=400_000))
    assert result.reason == "exact" and max(result.error) <= 1e-9
    for found in (result.best, result.mode, network.expression()):
        assert found.num_inputs == inputs
        assert_agree(found, column(law), inputs, low)
    assert result.first_exact is not None and result.first_exact <= result.functions
    assert result.functions == 100 * result.steps and result.evaluated > 0
    for front, place in zip(result.fronts, result.chosen, strict=True):
        errors, sizes = [f.error for f in front], [f.complexity for f in front]
        assert errors == sorted(errors, reverse=True) and sizes == sorted(sizes)
        assert place is not None


def test_two_outputs_in_groups_of_their_own():
    x, y = rows(lambda a: (a * a, a + a), low=0.5)
    network = OccamNet(1, 2, ["add", "mul", "sin"], 2, groups=2)
    result = evolve(network, x, y, Strategy(max_functions=100_000))
    assert max(result.error) <= 1e-9
    assert_agree(network.expression(), column(lambda a: (a * a, a + a)), 1)


def test_one_output_that_is_never_defined_leaves_the_others():
    """Output 0 can only be 0/0, output 1 is found."""
    network = OccamNet(2, 2, ["div"], 1, skip=False, groups=2)
    x = np.stack([np.zeros(30), np.linspace(1, 2, 30)], 1)
    y = np.stack([np.arange(30.0), 0 / x[:, 1]], 1)
    result = evolve(network, x, y, Strategy(max_steps=60))
    assert result.error[1] == 0


@pytest.mark.parametrize("engine", ["occamhead", "literal", "no-learning"])
def test_a_front_gives_the_probability_under_the_network_at_the_end(engine):
    x, y = rows(lambda a: (a * a + a) / (a + 4))
    network = network_of("table1/4").double()
    search = Evolution(network, x, y, Strategy(engine=engine, max_steps=30))
    result = search.run()
    for place, found in zip(search.archive.front(0), result.fronts[0], strict=True):
        route = search.archive.choices[0, place]
        wanted = network.log_prob(to_routes(network, route[None]))[0, 0].item()
        assert found.log_prob == pytest.approx(wanted, rel=1e-5)
        assert found.complexity == place and found.error == search.archive.error[0, place]
        residual = found.expression(x)[:, 0] - y[:, 0]
        assert found.error == pytest.approx(np.sqrt(np.mean(residual**2)) / y.std(), abs=1e-9)
        assert found.fitness == pytest.approx(1 / (1 + found.error), rel=1e-9)
