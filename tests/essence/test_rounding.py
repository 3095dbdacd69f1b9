"""Symbolic rounding and the choice among roundings."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence.covers import choose_planes, planes_price
from occamhead.essence.rounding import finely_rounded, primitive, rounded
from occamhead.essence.subconcepts import Partition, partition
from tests.essence.rules import bits


def test_primitive_directions():
    assert primitive(np.array([-4, 6, 0])).tolist() == [2, -3, 0]
    assert primitive(np.array([0, 0])).tolist() == [0, 0]
    assert primitive(np.array([0, 5])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("weights", "meant"),
    [
        ([0.98, 1.03, -1.0, 0.004], [1, 1, -1, 0]),
        ([2.02, 1.01, 0.99], [2, 1, 1]),
        ([0.1 * 2**k for k in range(7)], [2**k for k in range(7)]),
        ([7.0, 0.26, 0.25], [28, 1, 1]),
        ([11.9, 5.1, -2.9], [12, 5, -3]),
    ],
)
def test_roundings_hold_what_was_meant(weights, meant):
    assert meant in [row.tolist() for row in rounded(np.array(weights))]


def test_the_coarsest_grid_that_separates():
    plane = np.array([1.0, 0.3])
    a, b = np.array([[0, 100]]), np.array([[29, 0]])
    weights = finely_rounded(plane, a, b)
    assert (a @ weights).item() > (b @ weights).item()
    assert np.abs(weights).max() <= 64
    with pytest.raises(ValueError, match="bin the inputs more coarsely"):
        finely_rounded(plane, a, a)


def test_price_by_hand():
    """Columns (1, 1), (1, 0): 2 x 4; two directions of price 2 and 1; biases of 0 and 3."""
    weights = np.array([[1, 1, 1], [1, 1, 0]])
    assert planes_price(weights, np.array([0.0, -3.0])) == 8 + 2 + 1 + 2
    # A parallel plane costs its bias only, be it turned round or scaled.
    longer = np.array([[1, 1, 1], [1, 1, 0], [-2, -2, 0]])
    assert planes_price(longer, np.array([0.0, -3.0, 1.0])) == 8 + 2 + 1 + 2 + 1


def test_equal_weights_are_preferred_to_nearer_ones():
    """A plane of unequal weights is given, yet equal ones separate as well and cost less."""
    points = bits(5)[[0, 1, 2, 4, 8, 16, 15, 23, 27, 29, 30, 31]]
    rows = [np.flatnonzero(points.sum(axis=1) < 2), np.flatnonzero(points.sum(axis=1) > 3)]
    lone = {(0, 1): np.array([0.9, 1.3, 1.7, 1.1, 1.5])}
    planes = choose_planes(points, Partition(rows, [0, 1], lone, []))
    assert planes.weights.tolist() == [[1, 1, 1, 1, 1]] and planes.bias.tolist() == [-2.5]


def test_chosen_planes_separate_all_pairs():
    generator = np.random.default_rng(3)
    points = np.unique(generator.integers(0, 9, (80, 3)), axis=0)
    labels = generator.integers(0, 3, len(points))
    centred = points - points.mean(axis=0)
    parts = partition(centred / np.abs(centred).max(), labels, "joint", 80)
    planes = choose_planes(points, parts)
    truth = points @ planes.weights.T + planes.bias > 0
    for s, t in parts.planes:
        a, b = truth[parts.members[s]], truth[parts.members[t]]
        assert ((a.all(axis=0) & ~b.any(axis=0)) | (b.all(axis=0) & ~a.any(axis=0))).any()
    assert (planes.bias * 2 == np.round(planes.bias * 2)).all()
