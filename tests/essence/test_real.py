"""Circuits of real inputs: clusters, planes, the nearest subconcept, and their options."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence import (
    Circuit,
    choose_real_options,
    class_scores,
    description_length,
    fit_occam_circuit,
    fit_real_circuit,
)
from occamhead.essence.real import between_clusters, significant


def blobs(seed: int = 0, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two classes in two places each, across from each other, which no line separates."""
    generator = np.random.default_rng(seed)
    centres = np.array([[0.0, 0], [6, 6], [0, 6], [6, 0]])
    place = np.arange(rows) % 4
    return centres[place] + 0.6 * generator.normal(size=(rows, 2)), place // 2


def test_a_row_belongs_to_the_nearest_subconcept():
    """By hand: of the literals of each subconcept those that fail are counted."""
    circuit = Circuit(
        weights=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        bias=np.array([0.0, 0.0, -1.0]),
        literals=(((0, True), (1, True)), ((0, False),), ((1, False), (2, False))),
        concepts=(2, 1, 0),
        classes=4,
        default=None,
    )
    x = [[1, 1], [-1, 1], [1, -1], [-1, -1], [0.5, 0.2]]
    assert circuit.failing(x).tolist() == [[0, 1, 2], [1, 0, 1], [1, 1, 0], [2, 0, 0], [0, 1, 1]]
    assert circuit.predict(x).tolist() == [2, 1, 0, 0, 2]
    scores = class_scores(circuit)(np.array(x))
    # Two literals at most, so one that has one is credited with another; class 3 has none.
    assert scores.tolist() == [[0, 1, 2, -1], [1, 2, 1, -1], [2, 1, 1, -1], [2, 2, 0, -1],
                               [1, 1, 2, -1]]  # fmt: skip
    with pytest.raises(ValueError, match="only circuits of whole weights have a length"):
        description_length(circuit)
    with pytest.raises(ValueError, match="at least one subconcept"):
        Circuit(np.zeros((0, 2)), np.zeros(0), (), (), 2, None)


@pytest.mark.parametrize("seed", range(3))
def test_clusters_are_the_places(seed):
    x, y = blobs(seed)
    parts = between_clusters(x, y, 4)
    assert parts.concepts == (0, 0, 1, 1)
    assert sorted(len(rows) for rows in parts.members) == [15] * 4
    assert np.concatenate(parts.members).tolist() != list(range(60))
    assert sorted(np.concatenate(parts.members)) == list(range(60))
    # Every two subconcepts of different classes have a differentia, on which they differ.
    assert parts.pairs == ((0, 2), (0, 3), (1, 2), (1, 3))
    for d, (s, t) in enumerate(parts.pairs):
        assert (d, True) in parts.literals[s] and (d, False) in parts.literals[t]
    assert between_clusters(x, y, None).concepts == (0, 1)
    assert len(between_clusters(x, y, 60).members) == 60


@pytest.mark.parametrize("standardise", [True, False])
def test_separable_blobs_are_learned_and_units_do_not_matter_if_standardised(standardise):
    x, y = blobs()
    options = {"subconcepts": 4, "standardise": standardise}
    circuit = fit_real_circuit(x, y, **options)
    new_x, new_y = blobs(1, 400)
    assert (circuit.predict(x) == y).all() and (circuit.predict(new_x) == new_y).mean() > 0.99
    # One plane is not enough.
    assert (fit_real_circuit(x, y, standardise=standardise).predict(new_x) == new_y).mean() < 0.8
    scaled = fit_real_circuit(x * [1000, 0.001] + [5, -7], y, **options)
    same = scaled.predict(new_x * [1000, 0.001] + [5, -7]) == circuit.predict(new_x)
    assert same.all() == standardise or standardise


def test_margins_are_half_and_order_does_not_matter():
    x, y = np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([0, 0, 1, 1])
    circuit = fit_real_circuit(x, y, penalty=1000.0, standardise=False)
    np.testing.assert_allclose(x @ circuit.weights.T + circuit.bias, [[1.5 / 2], [0.5], [-0.5],
                               [-0.75]], rtol=0.34)  # fmt: skip
    assert float(-circuit.bias[0] / circuit.weights[0, 0]) == pytest.approx(2.0, rel=1e-3)
    order = np.random.default_rng(0).permutation(60)
    x, y = blobs()
    first = fit_real_circuit(x, y, subconcepts=4)
    again = fit_real_circuit(x[order], y[order], subconcepts=4)
    assert (first.predict(x) == again.predict(x)).all()


def test_small_weights_are_dropped_and_the_rest_fitted_again():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 12))
    y = (x[:, 3] - x[:, 7] > 0).astype(int)
    x[:, 3] += 0.5 * np.where(y, 1, -1)
    full, sparse = fit_real_circuit(x, y), fit_real_circuit(x, y, negligible=0.5)
    assert (full.weights != 0).all()
    assert set(np.flatnonzero(sparse.weights[0])) == {3, 7}
    assert (sparse.predict(x) == y).mean() >= 0.95


def test_significant_digits():
    values = np.array([[0.0, 123456.0], [-0.00123456, 9.9999]])
    assert significant(values, 3).tolist() == [[0.0, 123000.0], [-0.00123, 10.0]]
    x, y = blobs()
    circuit = fit_real_circuit(x, y, digits=2)
    assert all(float(f"{w:.2g}") == w for w in circuit.weights.flat)


@pytest.mark.slow
def test_options_are_chosen_by_cross_validation():
    x, y = blobs(0, 80)
    best, short = choose_real_options(x, y, penalties=(1.0, 10.0))
    assert best.options["subconcepts"] > 2, "one subconcept a class cannot tell these apart"
    assert best.accuracy == 1.0 and short.weights <= best.weights
    right = 0
    from sklearn.model_selection import StratifiedKFold

    for rest, own in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        circuit = fit_real_circuit(x[rest], y[rest], **short.options)
        right += (circuit.predict(x[own]) == y[own]).sum()
    assert right / 80 == short.accuracy
    with pytest.raises(ValueError, match="5 folds need as many rows of each class, but one has 2"):
        choose_real_options(x[:4].repeat(2, axis=0), [0, 0, 1, 1, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="folds must be at least 2, got 1"):
        choose_real_options(x, y, folds=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "formula"),
    [
        (lambda x: np.square(x).sum(axis=1) < 2, {"x0*x0", "x1*x1"}),
        (lambda x: x[:, 0] * x[:, 1] > 0.5, {"x0*x1"}),
    ],
)
def test_an_occamnet_finds_one_formula_for_many_planes(truth, formula):
    x = np.random.default_rng(0).uniform(-2, 2, (400, 2))
    # With the default number of functions: a quarter of them misses the disc at 1 of 4 seeds.
    terms, circuit = fit_occam_circuit(x, truth(x))
    assert len(terms) == len(circuit.weights) == 1
    new = np.random.default_rng(1).uniform(-2, 2, (4000, 2))
    assert (circuit.predict(terms(new)) == truth(new)).mean() > 0.99
    text = terms.text()[0].replace("x1*x0", "x0*x1")
    assert all(part in text for part in formula) and "sin" not in text
    again, _ = fit_occam_circuit(x, truth(x))
    assert again == terms


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [[1.0, np.nan], [0, 1]]}, "input 1 of row 0 is nan"),
        ({"x": [[1.0, 2.0], [1.0, 2.0]]}, "none of 2 inputs varies over the 2 rows"),
        ({"x": [1.0, 2.0]}, r"table \[rows, inputs\]"),
        ({"x": [["a", "b"], ["c", "d"]]}, "must be numbers"),
        ({"y": [1, 1]}, "all 2 rows are of class 1; give rows of two classes"),
        ({"y": [0.0, 1.5]}, "class numbers"),
        ({"y": [0, 1, 1]}, "2 rows need as many labels"),
        ({"subconcepts": 1}, "from 2, one per class, to 2"),
        ({"subconcepts": 9}, "got 9"),
        ({"penalty": 0.0}, "penalty must be positive"),
        ({"negligible": 1.5}, "negligible must be within 0 and 1, got 1.5"),
        ({"digits": 0}, "digits must be at least 1"),
    ],
)
def test_what_is_wrong_is_told(change, message):
    rows = {"x": [[1.0, 2.0], [0.0, 1.0]], "y": [0, 1], **change}
    with pytest.raises(ValueError, match=message):
        fit_real_circuit(**rows)
