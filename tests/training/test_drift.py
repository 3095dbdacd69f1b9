"""How far features drift, and a formula that is fitted to them anew."""

from __future__ import annotations

import copy

import pytest
import torch

from occamhead import OccamHead
from occamhead.training.renewal import agreement, feature_drift, renew

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


def test_drift_by_hand():
    before = torch.tensor([[0.0, 1.0], [2.0, 3.0]])  # means 1 and 2, deviations 1 and 1
    after = torch.tensor([[1.0, 3.0], [7.0, 1.0]])  # means 4 and 2, deviations 3 and 1
    both = feature_drift(before, after, [0, 1])
    assert (both.shift, both.spread, both.correlation) == (1.5, 2.0, 0.0)
    one = feature_drift(before, after, [1])
    assert (one.shift, one.spread, one.correlation) == (0.0, 1.0, -1.0)
    assert agreement(before, after) == 0.5
    with pytest.raises(ValueError, match="0 columns"):
        feature_drift(before, after, [])


def cold_head(features: torch.Tensor, labels: torch.Tensor, temperature: float = 0.01) -> OccamHead:
    head = OccamHead(features.shape[1], 2, ["affine3"], noise=1.0)
    head.initialise(features, labels, generator=torch.Generator().manual_seed(0))
    head.network.set_temperature(temperature)
    return head


def test_a_renewed_formula_follows_its_features(planted):
    """Features that only change their units: the new formula gives the old classes to them."""
    data = planted(rows=200, features=8, informative=3)
    x, y = (torch.from_numpy(array) for array in data.train)
    head = cold_head(x, y)
    renew(head, (x, y), 1e-2)
    old = head.formula()
    factors, shifts = torch.linspace(0.5, 4, 8), torch.linspace(-5, 9, 8)
    moved = x * factors + shifts
    stale = agreement(old(x), old(moved))
    assert renew(head, (moved, y), 1e-2) == old
    torch.testing.assert_close(head.formula()(moved), old(x), rtol=0, atol=0.02)
    assert agreement(head.formula()(moved), old(x)) > 0.99 > stale + 0.1


def test_numbers_of_a_soft_network_are_left_alone(planted):
    data = planted(rows=100, features=8, informative=3)
    x, y = (torch.from_numpy(array) for array in data.train)
    head = cold_head(x, y, temperature=5.0)
    numbers = copy.deepcopy(list(head.network.free_constants))
    renew(head, (2 * x, y), 1e-2)
    assert all(map(torch.equal, numbers, head.network.free_constants))
    torch.testing.assert_close(head.feature_mean, 2 * x.mean(dim=0))
