"""The package without its extras: what is missing is named with the extra that brings it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Runs lines of code as if packages were not installed, and prints what each ends in.
BARE = """
import contextlib, io, sys
# Lightning goes by what pip knows: it takes what is there before that is hidden.
import pytorch_lightning
absent = {"PIL", "sklearn", "pandas", "jsonargparse", "safetensors"}
sys.modules |= dict.fromkeys(absent | {m for m in sys.modules if m.partition(".")[0] in absent})
from occamhead.commands.entry import main
for line in sys.argv[1:]:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            exec(line)
        except ImportError as error:
            print(error, file=said)
    print((said.getvalue().strip().splitlines() or ["nothing is missing"])[-1])
"""
LINES = {
    "from occamhead import OccamHead, evolve, fit_head, fit_path, lift": ("", ""),
    "from occamhead import OccamRegressor": ("scikit-learn", "tabular"),
    "from occamhead import FeatureData": ("Pillow", "recipes"),
    "from occamhead import load_model": ("Pillow", "recipes"),
    "main(['photos', '.'])": ("Pillow", "recipes"),
    "main(['law', 't.csv', '--target', 'y'])": ("scikit-learn and pandas", "tabular"),
    "main(['train', 'fit'])": ("jsonargparse", "cli"),
    "from recipes.imagenet_binary import main as m; m(['--out', 'out'])": ("Pillow", "recipes"),
    "from recipes.others.classifiers import fitted; fitted('mlp', [[0]], [0], 0)": (
        "scikit-learn",
        "recipes",
    ),
}


@pytest.mark.slow
def test_what_is_missing_is_named_with_its_extra(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n3,4\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BARE, *LINES],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    for said, (line, (package, extra)) in zip(done.stdout.splitlines(), LINES.items(), strict=True):
        wanted = f"needs {package}: pip install 'occamhead[{extra}]'"
        assert (wanted if extra else "nothing is missing") in said, line
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]
