"""Widest margins, against counts from the literature and against chance."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence.planes import _any_plane, separates, widest_margin
from tests.essence.rules import bits


@pytest.mark.parametrize(("inputs", "separable"), [(2, 14), (3, 104)])
def test_it_separates_as_many_boolean_functions_as_are_linearly_separable(inputs, separable):
    """14 of 16 and 104 of 256 (OEIS A000609); the two constant functions need no plane."""
    points = bits(inputs) - 0.5
    found = 0
    for function in range(1, 2 ** (2**inputs) - 1):
        is_above = (function >> np.arange(2**inputs)) & 1 == 1
        weights = widest_margin(points[is_above], points[~is_above])
        found += weights is not None
        assert weights is None or separates(weights, points[is_above], points[~is_above])
        # The linear program, for the doubtful cases, says the same of the clear ones.
        sides = np.where(is_above[:, None], points, -points)
        order = np.argsort(~is_above, kind="stable")
        any_weights = _any_plane(sides[order], points[is_above], points[~is_above])
        assert (any_weights is None) == (weights is None)
    assert found + 2 == separable


def test_two_points_get_their_bisector():
    a, b = np.array([[0.5, 0.0, -0.25]]), np.array([[-0.5, 0.0, 0.25]])
    weights = widest_margin(a, b)
    np.testing.assert_allclose(weights / weights[0], [1, 0, -0.5], atol=1e-9)


def test_exchangeable_inputs_get_equal_weights_and_idle_ones_none():
    points = bits(7) - 0.5
    majority = points[:, :5].sum(axis=1) > 0
    weights = widest_margin(points[majority], points[~majority])
    np.testing.assert_allclose(weights, [2, 2, 2, 2, 2, 0, 0], atol=1e-6)


def test_no_random_plane_has_a_wider_margin():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(12, 3)) * 0.3 + 1, generator.normal(size=(9, 3)) * 0.3 - 1

    def margin(weights):
        return ((a @ weights).min() - (b @ weights).max()) / np.linalg.norm(weights)

    best = margin(widest_margin(a, b))
    assert best > 0
    directions = widest_margin(a, b) + generator.normal(size=(2000, 3)) * 0.3
    assert max(margin(row) for row in directions) <= best + 1e-3
