"""The planted patch: painted where a backbone sees it, found, and let go."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from occamhead.vision import (
    Backbone,
    PictureArrays,
    Splits,
    hold_out,
    load_backbone,
    photograph_splits,
)
from occamhead.vision.preparation import Preparation
from recipes.features import planting

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

SEEN = Preparation(256, (224, 224), "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def photographs(count: int, seed: int) -> PictureArrays:
    """Noise that is brighter in the middle for the second class, wider than high."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (count, 64, 80, 3)).astype(np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        image[20:50, 20:60, 1] += np.uint8(label * generator.integers(10, 60))
    return PictureArrays(images, [f"{seed}/{i}" for i in range(count)], labels, ("ants", "bees"))


@pytest.fixture(scope="module")
def backbone():
    """Red, and green, seen coarsely."""
    layers = nn.Sequential(
        nn.AvgPool2d(32), nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with torch.no_grad():
        layers[1].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]])[:, :, None, None])
        layers[1].bias.zero_()
    return Backbone("colours", layers.eval(), 2, SEEN, "by hand", "f0", None)


@pytest.fixture(scope="module")
def splits():
    return Splits(*hold_out(photographs(80, 0), 0.2, seed=0), photographs(40, 1))


@pytest.mark.parametrize("corner", planting.CORNERS)
def test_the_patch_lies_in_the_corner_that_the_backbone_sees(corner):
    plain = photographs(3, 0)
    marked = planting.Marked(plain, np.array([True, False, True]), corner, SEEN)
    down, right = planting.CORNERS[corner]
    rows, columns = (slice(-28, None) if end else slice(0, 28) for end in (down, right))
    for index in range(3):
        before, after = SEEN(plain.picture(index)), SEEN(marked.picture(index))
        changed = before != after
        assert bool(changed.any()) == (index != 1)
        inside = torch.zeros_like(changed)
        inside[:, rows, columns] = True
        assert not changed[~inside].any()
        if index != 1:
            assert set(after[:, rows, columns].unique().tolist()) == {0.0, 1.0}
            assert after[:, rows, columns].mean() == pytest.approx(4 / 7)
    assert marked.fingerprint() != planting.Marked(plain, ~marked.marks, corner, SEEN).fingerprint()
    assert (marked.subset([2, 1]).marks == [True, False]).all()


def test_the_groups_are_as_many_as_the_rate_says(splits, backbone):
    data = planting.PlantedData(splits, backbone, "upper left", 0.9, seed=1)
    assert np.bincount(data.group_of).tolist() == [36, 4, 4, 36]
    assert {group: len(x) for group, x in data.groups.items()} == dict.fromkeys(
        [(0, False), (0, True), (1, False), (1, True)], 20
    )
    x = np.concatenate([data.arrays.train[0], data.arrays.validation[0]])
    marked = data.group_of % 2 == 1
    # White stripes make red brighter.
    assert x[marked, 0].min() > x[~marked, 0].max()
    clean = planting.PlantedData(splits, backbone, None, 0.9, seed=1)
    assert set(clean.groups) == {(0, False), (1, False)}
    assert np.bincount(clean.group_of).tolist() == [40, 0, 40]


@pytest.mark.slow
def test_what_a_seed_tells(splits, backbone):
    row = planting.on_seed(splits, backbone, 0, size=2, rate=0.95, cache=None)
    assert (row["corner"], row["found"], row["dropped"]) == ("lower right", True, 1)
    assert "x0 higher for bees than for ants comes from the lower right" in row["warnings"][0]
    assert row["warnings_of_clean"] == 0
    assert row["as_fitted"] < row["edited"]
    assert row["groups_known"] > row["as_fitted"]


@pytest.mark.slow
def test_a_patch_on_real_photographs(data_folder, tmp_path):
    backbone = load_backbone("resnet50", data_folder / "weights" / "resnet50_imagenet_fp16.pth")
    splits, _ = photograph_splits(data_folder / "hymenoptera", seed=0)
    row = planting.on_seed(splits, backbone, 0, size=4, rate=0.95, cache=str(tmp_path))
    assert row["found"]
    assert row["warnings_of_clean"] <= 3
    assert row["as_fitted"] < 0.8
    assert row["edited"] >= row["clean"] - 0.02
    assert row["edited"] >= max(row["groups_known"], row["balanced_subsets"]) - 0.01
