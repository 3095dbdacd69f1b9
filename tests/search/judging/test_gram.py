"""Weighted sums of leaves from moments: the same fit as through all rows."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead import OccamNet, get_basis, register_basis
from occamhead.search.judging import constant_fitter as fitting_module
from occamhead.search.judging.constant_fitter import ConstantFitter
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.gram import fit_sums, moments_of, place_table, sum_places
from occamhead.search.judging.judging import Judging
from occamhead.search.logits import space_of

# The constants stand in another order than the arguments.
register_basis("backwards2", "c + b*x + y*a", "x y", {"a": 1.0, "b": 1.0, "c": 0.0})
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)) * [1, 10, 0.1, 1, 1] + [0, 100, 0, 0, 3]
X[:, 3] = X[:, 0]  # one feature twice
Y = np.stack([X[:, 0] - 0.02 * X[:, 1] + RNG.normal(size=200), RNG.normal(size=200)], 1)


def evaluator(bases, weights=None, x=X, y=Y, **settings) -> Evaluator:
    network = OccamNet(x.shape[1], y.shape[1], bases, constants=[2.0], skip=True)
    return Evaluator(space_of(network), x, y, Judging(**settings), weights)


def routes(search: Evaluator, count: int = 60) -> np.ndarray:
    sizes = search.wiring.num_sources
    return np.random.default_rng(1).integers(0, sizes, (count, len(sizes)), np.int32)


def judged(search: Evaluator):
    ((_, result),) = search.judge(routes(search), 1)
    return result


@pytest.mark.parametrize(
    "name, places",
    [
        ("affine3", [0, 1, 2, 3]),
        ("affine1", [0, 1]),
        ("backwards2", [2, 1, 0]),
        ("tanh_affine2", None),
        ("add_constant", None),
        ("mul_constant", None),
        ("add4", None),
        ("add", None),
    ],
)
def test_the_places_of_constants_are_read_from_the_formula(name, places):
    assert sum_places(get_basis(name)) == places


def test_a_twice_used_constant_is_no_weight():
    register_basis("tied2", "a*x + a*y + c", "x y", {"a": 1.0, "b": 1.0, "c": 0.0})
    assert sum_places(get_basis("tied2")) is None


@pytest.mark.slow
@pytest.mark.parametrize("fitness", ["error", "gaussian", "accuracy", "cross_entropy"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_the_general_fit(monkeypatch, fitness, dtype, weighted):
    weights = RNG.uniform(0, 3, len(X)) if weighted else None
    bases = ["affine3", "backwards2", "tanh_affine2", "mul"]
    fast = judged(evaluator(bases, weights, fitness=fitness, dtype=dtype, sigma=2.0))
    monkeypatch.setattr(ConstantFitter, "_has_moments", lambda *_: False)
    slow = judged(evaluator(bases, weights, fitness=fitness, dtype=dtype, sigma=2.0))
    tolerance = 1e-9 if dtype == "float64" else 1e-6
    for name in ("error", "fitness", "shape"):
        np.testing.assert_allclose(
            getattr(fast, name), getattr(slow, name), rtol=tolerance, atol=tolerance
        )


def test_the_general_fit_is_not_asked(monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("went through the rows")

    monkeypatch.setattr(fitting_module, "fit_constants", refuse)
    search = evaluator(["affine3"])
    assert np.isfinite(judged(search).error).all()


@pytest.mark.parametrize("settings", [{"scaled": True}, {"shadow": True}])
def test_scaling_and_shadow_rows_are_left_to_the_general_fit(settings):
    search = evaluator(["affine3"], **settings)
    judged(search)
    assert search.fitter is not None and search.fitter.moments is None


def test_a_nearly_exact_fit_is_left_to_the_general_fit():
    """Differences of moments would have it at 1e-8 or so."""
    x = RNG.normal(size=(100, 3)) + 50
    y = x @ [[1.0], [2.0], [-3.0]] + 5
    search = evaluator(["affine3"], x=x, y=y)
    # The output leads to the image, which is behind three inputs and a constant.
    route = np.array([[0, 1, 2, 4]], np.int32)
    ((_, result),) = search.judge(route, 1)
    assert result.error[0, 0] < 1e-12


def test_least_squares_of_numpy():
    """Constants and error by another solver, weights and all; a repeated leaf counts once."""
    weights = RNG.uniform(0, 1, len(X))
    weights /= weights.sum()
    moments = moments_of(np.ascontiguousarray(X.T), np.ascontiguousarray(Y.T), weights)
    bases = [get_basis("affine3"), get_basis("backwards2")]
    children = np.array([[0] * 3] * 5 + [[1, 2, 4], [4, 1, -1], [0, 1, 3]], np.int32)
    basis = np.array([-1] * 5 + [0, 1, 0], np.int32)
    roots, outputs = np.array([5, 6, 7, 5], np.int32), np.array([0, 0, 0, 1], np.int32)
    arity = np.array([3, 2], np.int32)
    constants, errors = fit_sums(
        moments, place_table(bases), arity, roots, outputs, basis, children
    )
    for f, (columns, order) in enumerate(
        [([1, 2, 4], [0, 1, 2, 3]), ([4, 1], [2, 1, 0]), ([0, 1], [0, 1, 2]), ([1, 2, 4], range(4))]
    ):
        design = np.c_[np.ones(len(X)), X[:, columns]]
        root = np.sqrt(weights)
        target = Y[:, outputs[f]]
        wanted, *_ = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)
        np.testing.assert_allclose(constants[f, list(order)], wanted, rtol=1e-8)
        assert errors[f] == pytest.approx(weights @ (design @ wanted - target) ** 2, rel=1e-9)
    assert constants[2, 3] == 0  # column 3 is column 0 again
    assert np.isnan(constants[1, 3])


def test_a_constant_target_is_its_mean():
    search = evaluator(["affine2"], y=np.full((len(X), 1), 3.0))
    route = np.array([[0, 1, 6]], np.int32)
    ((_, result),) = search.judge(route, 1)
    assert result.error[0, 0] < 1e-12
