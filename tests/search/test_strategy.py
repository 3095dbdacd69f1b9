"""Settings out of range are refused in words."""

from __future__ import annotations

import math

import pytest

from occamhead.search import Strategy


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "genetic"}, "engine must be one of occamhead, literal.*got 'genetic'"),
        ({"fitness": "mse"}, "fitness must be one of gaussian, error.*got 'mse'"),
        ({"backend": "numba"}, "backend must be one of compiled, torch, got 'numba'"),
        ({"dtype": "float16"}, "dtype must be one of float64, float32, got 'float16'"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
        ({"num_kept": 0}, "num_kept must be at least 1, got 0"),
        ({"num_samples": 5, "num_kept": 6}, "R = 5.*lambda = 6"),
        ({"recurrence": 0}, "recurrence must be at least 1, got 0"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"fit_iterations": 0}, "fit_iterations must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and finite, got 0"),
        ({"sigma": -1.0}, "sigma must be positive and finite, got -1"),
        ({"sigma": math.nan}, "sigma must be positive and finite, got nan"),
        ({"store_mb": math.inf}, "store_mb must be positive and finite, got inf"),
        ({"exact": 0.0}, "exact must be positive and finite, got 0"),
        ({"scaled": True, "fitness": "gaussian"}, 'scaled needs fitness "error", got'),
        ({"descend": 1.5}, "descend must be between 0 and 1, got 1.5"),
        ({"restarts": -1}, "restarts must not be negative, got -1"),
        ({"max_functions": None}, "set at least one limit: max_functions, max_steps, time_budget"),
        ({"max_steps": 0}, "max_steps must be positive, got 0; None means no limit"),
        ({"time_budget": math.nan}, "time_budget must be positive, got nan"),
        ({"max_functions": 50}, "max_functions.*50.*num_samples.*100"),
        ({"end_temperature": 0.1}, "end_temperature needs max_steps"),
        ({"end_temperature": 0.0, "max_steps": 5}, "end_temperature must be positive.*got 0"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        Strategy(**settings)


def test_names_of_settings():
    names = Strategy.names()
    assert names[:2] == ("engine", "num_samples") and len(set(names)) == len(names)
    assert Strategy(**{name: getattr(Strategy(), name) for name in names}) == Strategy()
