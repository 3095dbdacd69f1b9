"""Scores by hand, keys that equal functions share, and two back ends that agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from occamhead import OccamNet
from occamhead.network.bases import BASES
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.judging import Judging
from occamhead.search.judging.sampling import draw_routes, softmax_tables
from occamhead.search.judging.scoring import (
    FITNESS,
    SHADOW_LIMIT,
    linear_scaling,
    rounded_bits,
    score,
)
from occamhead.search.judging.wiring import wire
from occamhead.search.logits import read_logits, space_of

DROP = {"float64": 22, "float32": 36}


def judge(
    predicted, target, fitness="gaussian", sigma=1.0, scaled=False, weights=None, deviation=1.0,
    shadow_target=0.0, dtype="float64",
):  # fmt: skip
    """Fitness, error, shape and key of one row of predictions."""
    target = np.array(target, np.float64)
    weights = np.ones(len(target)) if weights is None else np.array(weights, np.float64)
    with np.errstate(over="ignore"):
        predicted = np.array(predicted).astype(dtype)
    return score(
        predicted, target, weights / weights.sum(), FITNESS[fitness], sigma, scaled, deviation,
        shadow_target, DROP[dtype],
    )  # fmt: skip


# --- by hand ---------------------------------------------------------------------------------


def test_gaussian_is_the_mean_likelihood_over_its_maximum():
    fitness, error, _, _ = judge([1.0, 2.0, 5.0], [1.0, 3.0, 1.0], sigma=2.0, deviation=3.0)
    assert fitness == pytest.approx((1 + math.exp(-1 / 8) + math.exp(-16 / 8)) / 3, rel=1e-14)
    assert error == pytest.approx(math.sqrt((0 + 1 + 16) / 3) / 3, rel=1e-14)
    weighted, error, _, _ = judge([1.0, 2.0], [1.0, 3.0], weights=[1, 3])
    assert weighted == pytest.approx(0.25 + 0.75 * math.exp(-0.5), rel=1e-14)
    assert error == pytest.approx(math.sqrt(0.75), rel=1e-14)
    far, _, _, _ = judge([1e200, 0.0], [0.0, 0.0])
    assert far == 0.5


def test_error_fitness_is_one_over_one_plus_the_error():
    fitness, error, _, _ = judge([1.0, 2.0, 5.0], [1.0, 3.0, 1.0], "error", deviation=2.0)
    assert error == pytest.approx(math.sqrt(17 / 3) / 2, rel=1e-14)
    assert fitness == pytest.approx(1 / (1 + error), rel=1e-14)
    assert judge([1.0, 3.0], [1.0, 3.0], "error")[:2] == (1.0, 0.0)


def test_accuracy_counts_rows_on_the_side_of_one_half():
    fitness = judge([0.4, 0.6, 7.0, -3.0, 0.5], [0, 1, 1, 1, 0], "accuracy")[0]
    assert fitness == pytest.approx(4 / 5, rel=1e-14)
    assert judge([0.4, 0.6], [1, 1], "accuracy", weights=[3, 1])[0] == 0.25


def test_cross_entropy_takes_the_output_as_log_odds():
    scores, target = np.array([2.0, -1.0, 0.0, 800.0]), np.array([1.0, 0.0, 0.5, 1.0])
    probability = 1 / (1 + np.exp(-scores[:3]))
    losses = target[:3] * np.log(probability) + (1 - target[:3]) * np.log(1 - probability)
    fitness = judge(scores, target, "cross_entropy")[0]
    assert fitness == pytest.approx(math.exp(losses.sum() / 4), rel=1e-14)


@pytest.mark.parametrize("fitness", FITNESS)
def test_undefined_functions(fitness):
    value, error, shape, _ = judge([1.0, math.nan, 2.0], [1.0, 0.0, 1.0], fitness)
    assert math.isnan(value) and error == math.inf and math.isnan(shape)


def test_an_infinite_prediction_is_a_bad_one_and_not_undefined():
    value, error, _, _ = judge([1.0, math.inf], [1.0, 0.0])
    assert value == 0.5 and error == math.inf
    assert judge([1.0, -math.inf], [1.0, 0.0], "error")[0] == 0.0
    assert judge([1.0, -math.inf], [1.0, 0.0], "accuracy")[0] == 1.0
    # After a linear scaling it is nothing.
    assert math.isnan(judge([1.0, math.inf], [1.0, 0.0], "error", scaled=True)[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_linear_scaling_is_weighted_least_squares(weighted):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 40))
    weights = generator.uniform(0, 1, 40) if weighted else np.ones(40)
    weights /= weights.sum()
    root = np.sqrt(weights)
    wanted = np.linalg.lstsq(np.stack([x, np.ones(40)], 1) * root[:, None], y * root, rcond=None)[0]
    np.testing.assert_allclose(linear_scaling(x, y, weights), wanted, rtol=1e-12)
    _, error, shape, _ = judge(x, y, "error", scaled=True, weights=weights, deviation=2.0)
    residual = wanted[0] * x + wanted[1] - y
    assert error == pytest.approx(math.sqrt(weights @ residual**2) / 2, rel=1e-12)
    assert shape == pytest.approx(1 / (1 + error), rel=1e-12)
    assert linear_scaling(np.full(40, 3.0), y, weights) == pytest.approx((0, weights @ y))


def test_shape_is_what_a_linear_scaling_would_make_of_it():
    x = np.linspace(1, 2, 30)
    _, error, shape, _ = judge(3 * x**2 + 1, x**2, "error")
    assert error > 1 and shape == pytest.approx(1, abs=1e-12)
    assert judge(np.full(30, 0.1), x**2, "error")[2] <= 0.5 + 1e-12  # a constant has none


def test_what_fits_shuffled_rows_as_well_is_worth_nothing():
    real, wanted = np.zeros(10), np.zeros(10)
    trivial = judge([*real, *np.zeros(10)], wanted, sigma=0.1)
    assert trivial[:3] == (0.0, math.inf, 0.0)
    telling = judge([*real, *np.full(10, 9.0)], wanted, sigma=0.1)
    assert telling[:2] == pytest.approx((1, 0))
    for near in range(11):
        fitness = judge([*real, *np.zeros(near), *np.full(10 - near, 9.0)], wanted, sigma=0.1)[0]
        assert fitness == pytest.approx(0 if near >= 10 * SHADOW_LIMIT else 1)


# --- keys ------------------------------------------------------------------------------------


EQUAL = [
    (lambda x: x + x + x, lambda x: 3 * x),
    (lambda x: (x + x * x) / x, lambda x: 1 + x),
    (lambda x: np.sin(x) / np.cos(x), np.tan),
    (lambda x: np.exp(x) * np.exp(x), lambda x: np.exp(2 * x)),
    (lambda x: (x * x) * (x * x), lambda x: x * (x * x) * x),
    (lambda x: np.log(x * x), lambda x: 2 * np.log(np.abs(x))),
]


@pytest.mark.parametrize("dtype", DROP)
@pytest.mark.parametrize("pair", EQUAL)
def test_equal_functions_share_their_key_however_they_are_spelled(pair, dtype):
    """A value on the edge of a bucket may still part them: rare, and so a few targets are tried."""
    generator = np.random.default_rng(0)
    shared = 0
    for _ in range(20):
        x = generator.uniform(0.5, 2, 1000).astype(dtype)
        target = generator.normal(size=1000)
        first, second = (judge(f(x), target, "error", dtype=dtype)[3] for f in pair)
        shared += first == second
    assert shared >= 18


def test_what_is_zero_but_for_rounding_has_the_key_of_zero():
    x = np.random.default_rng(0).uniform(0.5, 2, 1000)
    exact = (x + 0.1 * x) / 1.1
    assert judge(exact, x, "error")[3] == judge(x, x, "error")[3]
    noise = 1.0 + 1e-13 * np.sin(x)  # on a target of one: the error is nothing but rounding
    assert judge(noise, np.ones(1000), "error")[3] == judge(np.ones(1000), np.ones(1000))[3]


@pytest.mark.parametrize("dtype", DROP)
def test_functions_that_differ_on_one_row_of_a_thousand_have_different_keys(dtype):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 1000))
    own, keys = judge(x, y, "error", dtype=dtype)[3], []
    for row in range(1000):
        other = x.copy()
        other[row] += 0.5
        keys.append(judge(other, y, "error", dtype=dtype)[3])
    if dtype == "float64":
        assert own not in keys and len(set(keys)) == 1000
    # In float32 a row off the sample can change the error by less than is compared.
    assert keys.count(own) <= 20


def test_scaled_functions_are_one_up_to_slope_and_intercept():
    generator = np.random.default_rng(0)
    x, y = generator.uniform(0.5, 2, (2, 500))
    first = judge(x**2, y, "error", scaled=True)[3]
    assert judge(3 * x**2 - 1, y, "error", scaled=True)[3] == first
    assert judge(x**3, y, "error", scaled=True)[3] != first


def test_rounded_bits():
    for drop in DROP.values():
        share = 2.0 ** (drop - 53)  # half a bucket, at worst, for a number just above a power
        assert rounded_bits(1.5, 0.0, drop) == rounded_bits(1.5 * (1 + share / 4), 0.0, drop)
        assert rounded_bits(1.5, 0.0, drop) != rounded_bits(1.5 * (1 + 4 * share), 0.0, drop)
        assert rounded_bits(1.5, 0.0, drop) != rounded_bits(-1.5, 0.0, drop)
        assert rounded_bits(-0.0, 0.0, drop) == rounded_bits(0.0, 0.0, drop)
        assert rounded_bits(1e-20, 1e-12, drop) == rounded_bits(0.0, 1e-12, drop)
        assert rounded_bits(math.nan, 0.0, drop) == rounded_bits(-math.nan, 0.0, drop)
        assert rounded_bits(math.inf, 0.0, drop) != rounded_bits(1e308, 0.0, drop)


# --- two back ends ---------------------------------------------------------------------------


def judged_by(backend, network, x, y, choices, weights, **settings):
    evaluator = Evaluator(
        space_of(network), x, y, Judging(backend=backend, store_mb=32, **settings), weights
    )
    ((_, judged),) = evaluator.judge(choices, 1)
    return judged


@pytest.mark.parametrize("dtype", DROP)
@pytest.mark.parametrize("shadow", [False, True])
@pytest.mark.parametrize(
    "fitness, scaled", [*((fitness, False) for fitness in FITNESS), ("error", True)]
)
def test_both_back_ends_give_the_same_scores(fitness, scaled, shadow, dtype):
    """Every basis, rows at which many are undefined, two outputs, weights."""
    # Those of the library: what other tests have registered comes after them.
    library = list(BASES)[: list(BASES).index("pow_constant")]
    bases = [name for name in library if not BASES[name].start]
    network = OccamNet(2, 2, bases, 2, constants=[1.0])
    wiring, _ = wire(network.layout, network.groups)
    logits, temperatures = read_logits(network)
    log_probs, cumulative = np.zeros((2, *logits.shape))
    softmax_tables(logits, temperatures, wiring.num_sources, log_probs, cumulative)
    choices = np.empty((1500, len(wiring.num_sources)), np.int32)
    draw_routes(wiring, cumulative, np.uint64(3), np.zeros(1500, np.bool_), choices)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(130, 2))
    x[:2] = [[0.0, 1.0], [1.0, 0.0]] if shadow else [[0.7, 1.3], [1.3, 0.7]]
    y = generator.uniform(0, 1, (130, 2))
    weights = generator.uniform(0, 2, 130)
    found, wanted = (
        judged_by(backend, network, x, y, choices, weights, fitness=fitness, scaled=scaled,
                  shadow=shadow, dtype=dtype)
        for backend in ("torch", "compiled")
    )  # fmt: skip
    rtol = 1e-9 if dtype == "float64" else 1e-3
    assert np.array_equal(found.root, wanted.root) and np.array_equal(found.size, wanted.size)
    assert np.array_equal(np.isnan(found.fitness), np.isnan(wanted.fitness))
    defined = ~np.isnan(wanted.fitness)
    assert 0.2 < defined.mean() < 1
    np.testing.assert_allclose(found.fitness, wanted.fitness, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.error, wanted.error, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.shape, wanted.shape, rtol=rtol, atol=rtol)
    assert (found.key == wanted.key).mean() > 0.998  # in a few a value is on the edge of a bucket
