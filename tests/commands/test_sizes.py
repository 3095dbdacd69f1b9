"""Where no size is asked for, the modes of a run on pictures take that of the path, or a vote."""

from __future__ import annotations

from argparse import ArgumentParser

import numpy as np
import pytest

from occamhead.commands.image_flags import add_image_flags
from occamhead.commands.run import fit_features
from occamhead.expression import Expression
from occamhead.rows.arrays import ArrayData

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

QUIET = {"accelerator": "cpu", "enable_progress_bar": False}


@pytest.fixture(scope="module")
def digits() -> ArrayData:
    """Scikit-learn's fours and nines, of 64 pixels."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    kept = np.isin(y, (4, 9))
    return ArrayData((x[kept] / 16, [str(label) for label in y[kept]]), seed=0)


def formula(data: ArrayData, mode: str, *flags: str) -> Expression:
    """The formula of a run in this mode."""
    parser = ArgumentParser()
    add_image_flags(parser)
    args = parser.parse_args(["--mode", mode, "--restarts", "1", "--steps", "60", *flags])
    return fit_features(data, args, QUIET).head.formula()


@pytest.mark.slow
def test_modes_take_the_size_of_the_path(digits):
    size = len(formula(digits, "path").features)
    assert size == 8
    for mode in ("evolution", "backprop+evolution", "finetune"):
        assert 4 < len(formula(digits, mode).features) <= size
    assert len(formula(digits, "finetune", "--max-features", "3").features) <= 3
    assert len(formula(digits, "evolution", "--max-features", "20").features) > size


@pytest.mark.slow
def test_backprop_votes_on_forty(digits):
    voted = formula(digits, "backprop")
    assert voted == formula(digits, "backprop", "--max-features", "40")
    assert voted != formula(digits, "backprop", "--max-features", "4")
