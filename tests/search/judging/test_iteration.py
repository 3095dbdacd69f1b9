"""Applying a function n times is composing its formula n times; the depth of a law is found."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead import OccamNet
from occamhead.search import Evolution, Strategy, evolve
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.iteration import below
from occamhead.search.judging.sampling import draw_routes, softmax_tables
from occamhead.search.judging.values import score_on_host
from occamhead.search.judging.wiring import wire
from occamhead.search.logits import read_logits, space_of


def draw(network: OccamNet, count: int) -> np.ndarray:
    wiring, _ = wire(network.layout, network.groups)
    logits, temperatures = read_logits(network)
    log_probs, cumulative = np.zeros((2, *logits.shape))
    softmax_tables(logits, temperatures, wiring.num_sources, log_probs, cumulative)
    choices = np.empty((count, len(wiring.num_sources)), np.int32)
    draw_routes(wiring, cumulative, np.uint64(5), np.zeros(count, np.bool_), choices)
    return choices


def judged_on(network, x, y, count=80, **settings):
    """An evaluator, and the scores of some random functions."""
    evaluator = Evaluator(space_of(network), x, y, Strategy(store_mb=32, **settings))
    ((_, judged),) = evaluator.judge(draw(network, count), 1)
    return evaluator, judged


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["compiled", "torch"])
@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_applications_are_compositions_of_the_formula(inputs, backend):
    """On whole numbers and bases that do not round, so that a formula may reorder its terms."""
    bases = ["add", "sub", "if_le", "max", "neg", "identity"]
    network = OccamNet(inputs, inputs, bases, 2, constants=[1.0, 2.0])
    x = np.random.default_rng(0).integers(-5, 6, (40, inputs)).astype(float)
    evaluator, judged = judged_on(network, x, x, recurrence=5, backend=backend)
    for roots in judged.root:
        once = evaluator.function(roots, range(inputs)).expression()
        power, values = once, x
        found = evaluator.recurrence.applications(roots)
        assert len(found) == 5
        for number, application in enumerate(found):
            values = once(values)
            assert np.array_equal(application.T, values)
            if number < 3:  # the formula of more applications can be very long
                assert np.array_equal(application.T, power(x))
                power = once.compose(power)


def test_the_number_of_applications_is_the_best_of_all_outputs_together():
    network = OccamNet(2, 2, ["add", "sub", "sin", "mul"], 2)
    x = np.random.default_rng(0).normal(size=(30, 2))
    y = np.random.default_rng(1).normal(size=(30, 2))
    evaluator, judged = judged_on(network, x, y, recurrence=4)
    outputs, depths = np.arange(2, dtype=np.int32), set()
    for r, roots in enumerate(judged.root):
        expression = evaluator.function(roots, range(2)).expression()
        values, best, depth = x, -1.0, 0
        for n in range(1, 5):
            with np.errstate(all="ignore"):
                values = expression(values)
            scores = score_on_host(np.ascontiguousarray(values.T), outputs, outputs,
                                   evaluator.scoring)  # fmt: skip
            if (mean := np.nan_to_num(scores.fitness, nan=-1).mean()) > best * (1 + 1e-9):
                best, depth, wanted = mean, n, scores
        np.testing.assert_allclose(judged.fitness[r], wanted.fitness, rtol=1e-6)
        np.testing.assert_allclose(judged.error[r], wanted.error, rtol=1e-6)
        depths.add(depth)
        assert evaluator.recurrence.scores(roots)[1] == depth
    assert len(depths) > 1


def test_functions_that_agree_after_one_application_only_are_two():
    """On inputs that are never negative x and abs(x) agree, and -x and -abs(x) do once."""
    network = OccamNet(1, 1, ["neg", "abs"], 2)
    x = np.random.default_rng(0).uniform(1, 2, (30, 1))
    evaluator, judged = judged_on(network, x, x, count=200, recurrence=2)
    texts = [str(evaluator.function(root, [0]).expression()) for root in judged.root]
    key = dict(zip(texts, judged.key[:, 0].tolist(), strict=True))
    assert key["x0"] == key["abs(x0)"]
    assert key["-x0"] != key["-abs(x0)"]  # twice: x and -x


def test_what_lies_below_a_root():
    children = np.array([[-1, -1], [-1, -1], [0, 1], [2, -1], [2, 0], [3, 4]], np.int32)
    assert below(np.array([5], np.int32), children, 2).tolist() == [2, 3, 4, 5]
    assert below(np.array([3, 2], np.int32), children, 2).tolist() == [2, 3]
    assert below(np.array([1, 0], np.int32), children, 2).tolist() == []


def test_outputs_that_do_not_fit_the_inputs_are_refused():
    x = np.ones((5, 2))
    with pytest.raises(ValueError, match=r"as many, got 1 outputs of 2 inputs"):
        Evolution(OccamNet(2, 1, ["add"], 1), x, x[:, 0], Strategy(recurrence=2))
    with pytest.raises(ValueError, match="bases without free constants"):
        Evolution(OccamNet(2, 2, ["add_constant"], 1), x, x, Strategy(recurrence=2))


def programs(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of the paper's g: (x0 + x0, x1) if x0 <= x1, else (x1, x0 - x1)."""
    a, b = x.T
    return np.where(a <= b, a + a, b), np.where(a <= b, b, a - b)


@pytest.mark.parametrize("backend", ["compiled", "torch"])
@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_a_law_that_is_a_power_is_found_with_its_depth(times, backend):
    """Fibonacci's step (a, b) -> (a + b, a): its powers are beyond a network of one layer."""
    step = np.array([[1.0, 1.0], [1.0, 0.0]])
    power = np.linalg.matrix_power(step, times)
    x = np.random.default_rng(0).uniform(-5, 5, (60, 2))
    network = OccamNet(2, 2, ["add", "add", "mul"], 1)
    strategy = Strategy(recurrence=5, max_functions=40_000, backend=backend)
    result = evolve(network, x, x @ power, strategy)
    assert result.recurrence == times and result.reason == "exact"
    assert max(result.error) <= 1e-9 and result.chosen[0] == result.chosen[1]
    assert result.fronts[0][-1].fitness == pytest.approx(1)
    fresh = np.random.default_rng(7).uniform(-5, 5, (50, 2))
    for found in (result.best, result.mode, network.expression()):
        np.testing.assert_allclose(found(fresh), fresh @ step, rtol=1e-9)


@pytest.mark.parametrize("engine", ["occamhead", "no-learning"])
def test_what_is_reported_has_the_error_that_is_reported(engine):
    """All outputs of one sample, applied as often as is said: also while nothing is exact."""
    x = np.random.default_rng(0).uniform(-5, 5, (60, 2))
    y = np.stack(programs(x), 1) + np.random.default_rng(1).normal(size=(60, 2))
    for seed in range(3):
        network = OccamNet(2, 2, "table1/21", 2, constants=(1.0, 2.0))
        strategy = Strategy(engine=engine, recurrence=3, max_steps=10, seed=seed)
        result = evolve(network, x, y, strategy)
        values = x
        for _ in range(result.recurrence):
            values = result.best(values)
        error = np.sqrt(((values - y) ** 2).mean(axis=0)) / y.std(axis=0)
        assert result.error == pytest.approx([error.max()] * 2, rel=1e-9)
        front = result.fronts[0][result.chosen[0]]
        assert front.fitness == pytest.approx(1 / (1 + error[0]), rel=1e-9)


def test_eviction_leaves_scores_as_they_are():
    x = np.random.default_rng(0).uniform(-5, 5, (50, 2))
    y = np.stack(programs(np.stack(programs(x), 1)), 1)
    results = []
    for store_mb in (64.0, 0.4):
        network = OccamNet(2, 2, "table1/21", 2, constants=(1.0, 2.0))
        search = Evolution(network, x, y, Strategy(recurrence=2, max_steps=25, store_mb=store_mb))
        result = search.run()
        results.append((str(result.best), result.error, search.learner.logits, result.evaluated))
    (best, error, logits, evaluated), (again, same, table, more) = results
    assert best == again and error == same and np.array_equal(logits, table)
    assert more > evaluated
