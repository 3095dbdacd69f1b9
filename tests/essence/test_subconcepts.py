"""Splitting classes until all pairs separate."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence.planes import separates
from occamhead.essence.subconcepts import errors_left, partition
from tests.essence.rules import bits, next_cell


@pytest.mark.parametrize("cuts", ["one_sided", "joint"])
@pytest.mark.parametrize("seed", range(6))
def test_every_two_subconcepts_of_different_classes_separate(cuts, seed):
    generator = np.random.default_rng(seed)
    points = np.unique(generator.integers(-2, 3, (60, 3)), axis=0) / 2
    labels = generator.integers(0, 3, len(points))
    parts = partition(points, labels, cuts, 60)
    everything = np.concatenate(parts.members)
    assert sorted(everything) == list(range(len(points)))
    for rows, concept in zip(parts.members, parts.classes, strict=True):
        assert (labels[rows] == concept).all()
    pairs = {
        (s, t)
        for t in range(len(parts.classes))
        for s in range(t)
        if parts.classes[s] != parts.classes[t]
    }
    assert set(parts.planes) == pairs
    for (s, t), plane in parts.planes.items():
        above, below = points[parts.members[s]], points[parts.members[t]]
        assert separates(plane, above, below) or separates(plane, below, above)


@pytest.mark.parametrize("cuts", ["one_sided", "joint"])
def test_life_needs_three_subconcepts(cuts):
    windows = bits(9)
    parts = partition(windows - 0.5, next_cell(windows), cuts, 10)
    assert parts.classes.count(0) == 2 and parts.classes.count(1) == 1


def test_a_partition_that_takes_too_many_subconcepts_is_none():
    points = bits(4)
    parity = points.sum(axis=1) % 2
    assert len(partition(points - 0.5, parity, "one_sided", 5).members) == 5
    assert partition(points - 0.5, parity, "one_sided", 4) is None


def test_errors_left_of_a_cut():
    a, b = np.array([[-1.0], [1.0]]), np.array([[0.0]])
    whole = np.ones((1, 2), bool), np.ones((1, 1), bool)
    assert errors_left(a, b, *whole).tolist() == [1]  # the middle point cannot be told
    masks = np.array([[True, False], [False, True], [False, False]])
    assert errors_left(a, b, masks, np.ones((3, 1), bool)).tolist() == [0, 0, 0]
