"""What stands at the top level, and what a plain import loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import occamhead

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "numpy", "torchvision", "timm", "matplotlib", "sklearn", "pytorch_lightning",
         "lightning_fabric", "numba", "torchmetrics", "sympy", "scipy", "pandas", "jsonargparse",
         "PIL", "skimage")  # fmt: skip


def loaded_by(code: str) -> set[str]:
    command = f"{code}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split()) & set(HEAVY)


def test_a_plain_import_loads_nothing_heavy():
    assert not loaded_by("import occamhead; occamhead.__version__; dir(occamhead)")


@pytest.mark.slow
def test_a_head_loads_nothing_heavier_than_torch():
    torch_alone = loaded_by("import numpy, torch")
    use = "from occamhead import OccamHead; print(OccamHead(3, 2).eval().formula().to_json())"
    assert loaded_by(use) <= torch_alone
    assert loaded_by("from occamhead import BASES, attach_head") <= torch_alone


@pytest.mark.slow
def test_module_of_lightning_is_found_on_demand():
    assert "pytorch_lightning" in loaded_by("import occamhead; occamhead.OccamModule")
    with pytest.raises(AttributeError, match="nothing"):
        _ = occamhead.nothing


def test_everything_in_all_is_there():
    assert all(getattr(occamhead, name) is not None for name in occamhead.__all__)
    assert len(occamhead.__all__) == len(set(occamhead.__all__))
    assert set(occamhead.__all__) <= set(dir(occamhead))
    assert occamhead.network.get_basis("add") is occamhead.BASES["add"]
    assert occamhead.__version__.count(".") == 2
