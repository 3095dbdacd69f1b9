"""--class-weight balanced, in every mode that fits heads on frozen features."""

from __future__ import annotations

from argparse import ArgumentParser

import numpy as np
import pytest
import torch

from occamhead.commands.image_flags import add_image_flags
from occamhead.commands.run import fit_features
from occamhead.rows.arrays import ArrayData
from occamhead.rows.metrics import rates_of

pytestmark = pytest.mark.usefixtures("one_thread")


def few_of_the_second(rows, generator):
    """Of the second class one row in eight is kept."""
    x, y = rows
    kept = (y == 0) | (generator.random(len(y)) < 1 / 8)
    return x[kept], y[kept]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["backprop", "evolution", "path"])
def test_a_rare_class_is_found_more_often(mode, planted):
    rows = planted(rows=600, features=12, informative=2, strength=1.0)
    generator = np.random.default_rng(0)
    parts = [few_of_the_second(part, generator) for part in (rows.train, rows.validation)]
    data = ArrayData(*parts, rows.test)
    found = []
    parser = ArgumentParser()
    add_image_flags(parser)
    for more in ([], ["--class-weight", "balanced"]):
        flags = ["--mode", mode, "--terms", "2", "--max-features", "4", "--budgets", "2", "4"]
        steps = ["--restarts", "2", "--steps", "60"]
        args = parser.parse_args([*flags, *steps, *more])
        trainer = {"accelerator": "cpu", "enable_progress_bar": False}
        head = fit_features(data, args, trainer).head
        x, y = (torch.as_tensor(part) for part in rows.test)
        found.append(rates_of(head.formula()(x), y))
    plain, weighed = found
    assert weighed.recalls[1] > plain.recalls[1] + 0.1
    assert weighed.balanced_accuracy > plain.balanced_accuracy
