"""Ctrl-C in every stage of a fit keeps the best so far: a real signal, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CHILD = """
import json, os, signal, sys, warnings
import numpy as np
from occamhead import OccamRegressor

where, grouped, sent = sys.argv[1], sys.argv[2] == "grouped", []

def stop_there(frame, event, _):
    code = frame.f_code
    if f"{os.path.basename(code.co_filename)}:{code.co_name}" == where:
        sys.setprofile(None)
        sent.append(where)
        os.kill(os.getpid(), signal.SIGINT)

random = np.random.default_rng(0)
x = random.uniform(1, 5, (200, 2))
y = np.sin(x[:, 0] * x[:, 1]) + x[:, 0] / x[:, 1] + 0.3 * random.normal(size=200)
groups = np.repeat([0, 1, 2, 3], 50) if grouped else None
with warnings.catch_warnings(record=True) as notes:
    warnings.simplefilter("always")
    sys.setprofile(stop_there)
    model = OccamRegressor(
        max_functions=5000, depth=2, random_state=0, guesses=["sin(x0*x1) + x0"]
    ).fit(x, y, groups=groups)
print(json.dumps({
    "sent": sent, "reason": model.result_.reason, "kinds": sorted({*model.equations_.kind}),
    "notes": [str(note.message) for note in notes],
    "error": float(np.mean((model.predict(x, groups) - y) ** 2) / y.var()),
}))
"""


def interrupted(where: str, grouped: str = "") -> dict:
    """What a fit says that got the signal as soon as it was in this function."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, where, grouped], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sent"] == [where]
    assert any("interrupted; the best" in note for note in found["notes"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "kinds"),
    [
        ("guesses.py:_best_start", {"constant"}),  # the guesses
        (
            "enumeration.py:enumerate_functions",
            {"constant", "guess"},
        ),  # direct fits, at their beginning
        ("front.py:offer", {"constant", "guess"}),
        ("evolution.py:step", {"constant", "guess", "direct fit"}),  # the search
        ("held_out.py:judge", {"constant", "guess", "direct fit"}),  # the folds
    ],
)
def test_the_best_so_far_of_every_stage_is_kept(where, kinds):
    found = interrupted(where)
    assert kinds <= set(found["kinds"])
    assert (found["reason"] == "interrupted") == (where != "held_out.py:judge")
    if "direct fit" in kinds:
        assert found["error"] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", ["grouped.py:_directly", "evolution.py:step", "group_choice.py:choose_form"]
)
def test_the_best_form_so_far_is_kept(where):
    assert "constant" in interrupted(where, "grouped")["kinds"]
