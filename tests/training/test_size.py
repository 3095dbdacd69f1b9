"""The size that a fit takes where none is asked for is the one that a path chooses."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pytest
import torch

from occamhead.rows.arrays import ArrayData
from occamhead.training.course import prepare
from occamhead.training.evolution import fit_head_by_evolution
from occamhead.training.fit import fit_head
from occamhead.training.path import fit_path, size_for

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

QUIET = {"accelerator": "cpu", "enable_progress_bar": False}
QUICK = {"restarts": 2, "steps": 60, "trainer": QUIET, "head": {"bases": ["affine20"]}}
FITS = pytest.mark.parametrize("fit", [fit_head, fit_head_by_evolution])


@pytest.fixture(scope="module")
def digits() -> ArrayData:
    """Scikit-learn's ones and eights, of 64 pixels."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    kept = np.isin(y, (1, 8))
    return ArrayData((x[kept] / 16, [str(label) for label in y[kept]]), seed=0)


@pytest.fixture(scope="module")
def evolved(digits):
    return fit_head_by_evolution(digits, **QUICK).head


def asked(data, size, *, loss="cross_entropy", seed=0, select="loss", weight=None, **more):
    ground = prepare(data, loss, weight, None, seed)
    return size_for(size, ground, distil=True, seed=seed, select=select, **more)


@pytest.mark.slow
@FITS
def test_auto_is_the_size_of_the_path(digits, fit):
    """To the bit what is fitted where that number is asked for."""
    size = fit_path(digits, seed=1).select().budget
    assert 8 <= size < 32
    by_itself = fit(digits, max_features="auto", seed=1, **QUICK).head.formula()
    assert by_itself == fit(digits, max_features=size, seed=1, **QUICK).head.formula()
    assert 0 < len(by_itself.features) <= size


@pytest.mark.slow
def test_evolution_goes_by_the_path_where_nothing_is_asked_for(digits, evolved):
    size = fit_path(digits).select().budget
    free = fit_head_by_evolution(digits, max_features=40, **QUICK).head.formula()
    assert len(evolved.formula().features) <= size < len(free.features)
    assert signature(fit_head).parameters["max_features"].default == 40


@pytest.mark.slow
@FITS
def test_a_number_asked_for_is_kept(digits, fit):
    assert asked(digits, 3) == 3 and asked(digits, None) is None
    assert len(fit(digits, max_features=3, **QUICK).head.formula().features) == 3


@pytest.mark.slow
def test_a_start_is_not_made_shorter(digits, evolved):
    size = fit_path(digits).select().budget
    long = fit_head_by_evolution(digits, max_features=None, **QUICK).head
    reads = len(long.formula().features)
    assert len(evolved.formula().features) <= size < reads
    assert asked(digits, "auto", start=evolved) == size
    assert asked(digits, "auto", start=long) == reads


@pytest.mark.slow
def test_the_path_is_that_of_these_classes_and_weights(digits):
    """Rare ones: what is chosen for the mean recall is another path than that for all rows."""
    x, y = digits.arrays.train
    rows = (y == 1) | (torch.arange(len(y)) % 5 == 0).numpy()
    rare, chosen = (x[rows], y[rows]), []
    for select, weight in (("accuracy", None), ("balanced_accuracy", "balanced")):
        path = fit_path(rare, select=select, class_weight=weight)
        assert asked(rare, "auto", select=select, weight=weight) == path.select().budget
        chosen.append(path)
    assert chosen[0].by != chosen[1].by


def test_what_has_no_path_takes_forty(digits):
    x, _ = digits.arrays.train
    numbers = (x, x[:, 20:22] / x[:, 20:22].std(0))
    assert asked(numbers, "auto", loss="squared_error") == 40
    with pytest.raises(ValueError, match="a path is fitted to one label per row"):
        fit_path(numbers)


@FITS
def test_other_words_are_refused(digits, fit):
    with pytest.raises(ValueError, match=r"max_features must be .*'auto' or None, got 'all'"):
        fit(digits, max_features="all", **QUICK)
