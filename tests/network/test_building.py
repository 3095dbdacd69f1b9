"""A network is built in the memory of its parameters, from the same random numbers as ever."""

import numpy as np
import pytest
import torch

from occamhead import OccamHead
from occamhead.network import occamnet
from occamhead.network.occamnet import NOISE_PART, _add_noise


@pytest.mark.parametrize(
    "size", [1, 5, 15, 16, 17, NOISE_PART - 1, NOISE_PART + 3, NOISE_PART + 17, 3 * NOISE_PART + 40]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_what_it_is_when_drawn_at_once(size, dtype):
    parameter = torch.ones(size, dtype=dtype)
    _add_noise(parameter, 0.3, torch.Generator().manual_seed(7))
    noise = torch.empty(size).normal_(generator=torch.Generator().manual_seed(7))
    assert torch.equal(parameter, torch.ones(size, dtype=dtype) + 0.3 * noise.to(dtype))


@pytest.mark.parametrize("equalisation", [0.0, 1.0])
def test_building_takes_little_more_memory_than_the_parameters(monkeypatch, equalisation):
    """Every tensor that torch makes meanwhile is counted."""
    monkeypatch.setattr(occamnet, "NOISE_PART", 1 << 14)
    size = {"in_features": 500, "out_features": 400, "equalisation": equalisation}
    with torch.profiler.profile(profile_memory=True) as profile:
        head = OccamHead(**size)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = np.cumsum([event.nbytes() for event in sorted(events, key=lambda e: e.start_ns())])
    peak = int(held.max())
    parameters = sum(each.numel() * each.element_size() for each in head.parameters())
    assert parameters > 10e6 and parameters <= peak < 1.2 * parameters
