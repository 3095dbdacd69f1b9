"""A head, rows and pictures small enough to check by hand, and a browser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from occamhead import OccamHead
from occamhead.rows.arrays import ArrayData
from occamhead.vision import Backbone, PictureArrays, extract
from tests.explain.browser import CHROMIUM, Browser


class ToTensor:
    """Crops 2 pixels at each side and scales to -1 to 1, as a backbone's transform may."""

    def __call__(self, image):
        array = np.asarray(image, dtype=np.float32)[2:-2, 2:-2]
        return torch.from_numpy(array / 127.5 - 1).permute(2, 0, 1)


@pytest.fixture(scope="session")
def backbone():
    """Eight features: the spatial means of a small convolution's output."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Backbone("small", layers.eval(), 8, ToTensor(), "random", "f0", "Say <this>.")


@dataclass
class Case:
    """What a report is made of."""

    head: OccamHead
    data: ArrayData
    pictures: PictureArrays
    backbone: Backbone | None


def make_case(backbone, classes=("dark", "bright"), seed=0, count=90):
    """Noise whose brightness tells of the class; the first third is the test split."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(classes), count)
    labels[: len(classes)] = np.arange(len(classes))
    noise = generator.integers(0, 120, (count, 16, 16, 3))
    light = 40 * labels // (len(classes) - 1) + generator.integers(0, 60, count)
    images = (noise + light[:, None, None, None]).astype(np.uint8)
    names = [f"folder/picture {i}.jpg" for i in range(count)]
    pictures = PictureArrays(images, names, labels, classes)
    if backbone is None:
        x = images.reshape(count, -1).astype(np.float32) / 255
    else:
        x = extract(backbone, pictures, progress=False)
    third = count // 3
    parts = [(x[i : i + third], pictures.labels[i : i + third]) for i in (third, 2 * third, 0)]
    data = ArrayData(*parts, classes=classes)
    head = OccamHead(x.shape[1], len(classes), bases=["affine4"])
    head.initialise(
        torch.from_numpy(parts[0][0]),
        torch.from_numpy(parts[0][1]),
        generator=torch.Generator().manual_seed(seed),
    )
    with torch.no_grad():
        for constants in head.network.free_constants:
            constants.normal_(generator=torch.Generator().manual_seed(seed + 1))
    return Case(head.eval(), data, pictures.subset(range(third)), backbone)


@pytest.fixture(scope="session")
def case(backbone):
    return make_case(backbone)


@pytest.fixture
def browser(tmp_path):
    if CHROMIUM is None:
        pytest.skip("there is no chromium to open the page with")
    opened = Browser(tmp_path / "browser")
    yield opened
    opened.close()
