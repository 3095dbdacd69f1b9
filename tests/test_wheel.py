"""What is installed: the package and nothing beside it, and it runs from any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = """
import torch, occamhead
head = occamhead.OccamHead(4, 2).eval()
x = torch.randn(5, 4)
assert torch.allclose(head(x), head.formula()(x), atol=1e-4)
print(occamhead.__file__)
"""


@pytest.mark.slow
def test_the_wheel_holds_occamhead_and_runs_without_the_clone(tmp_path):
    # A copy: pip builds beside the sources, and would take over what an older build left there.
    clone = shutil.copytree(ROOT, tmp_path / "clone", ignore=shutil.ignore_patterns(
        ".*", "build", "*.egg-info", "__pycache__", "runs", "shared"))  # fmt: skip
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(tmp_path)]
    subprocess.run([*command, str(clone)], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("occamhead-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"occamhead"}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "occamhead").rglob("*.py")}
    others = {"occamhead/py.typed", "occamhead/problems/data/fastsrb.json"}
    assert ours | others <= set(names)
    found = subprocess.run(
        [sys.executable, "-c", RUN],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
    )
    assert Path(found.stdout.strip()).is_relative_to(tmp_path / "installed")
