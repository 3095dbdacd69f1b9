"""A seeded share of ``python -m benchmarks.mutations``: every reader, a few hundred inputs each."""

from __future__ import annotations

import warnings

import pytest

from benchmarks.mutations.readers import readers
from benchmarks.mutations.running import run

pytestmark = pytest.mark.usefixtures("one_thread")
# Those that build a backbone for each input, or a module, take milliseconds.
FEW = {"artefact": 5, "checkpoint": 40, "checkpoint without a seal": 20, "words of a command": 60}


@pytest.mark.slow
def test_nothing_undocumented_comes_of_mutated_inputs(tmp_path, caplog):
    caplog.set_level("CRITICAL", "occamhead")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for reader in readers(tmp_path):
            result = run(reader, seed=1, seconds=1.0, most=FEW.get(reader.name, 150))
            assert not result.findings
            assert result.inputs > 2
