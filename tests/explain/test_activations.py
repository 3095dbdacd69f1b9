"""Where a feature is high: the map's mean is the feature, in real networks too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from occamhead.explain import find_maps
from occamhead.vision import Backbone, build_backbone, extract, load_backbone, photograph_splits
from tests.explain.conftest import ToTensor


def test_maps_are_found_and_their_means_are_the_features(case):
    x = case.data.arrays.test[0]
    maps = find_maps(case.backbone, case.pictures, x)
    assert (maps.layer, maps.activation) == ("1", "")
    found = maps(case.pictures, [4, 0, 17], [7, 2])
    assert found.shape == (3, 2, 10, 10)
    np.testing.assert_allclose(found.mean(axis=(2, 3)), x[[4, 0, 17]][:, [7, 2]], atol=1e-6)


def test_a_map_is_high_where_the_picture_is(case):
    """A channel that is brightness is high in the corner that is white, and there only."""
    layers = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.constant_(layers[0].weight, 1 / 3)
    nn.init.zeros_(layers[0].bias)
    backbone = Backbone("brightness", layers.eval(), 2, ToTensor(), "ones", "f1", None)
    images = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    images[0, 2:6, 10:14] = 255
    pictures = type(case.pictures)(images, ["corner"], [0], ("a",))
    maps = find_maps(backbone, pictures, extract(backbone, pictures, progress=False))
    heat = maps(pictures, [0], [1])[0, 0]
    wanted = np.zeros((12, 12))
    wanted[:4, 8:] = 1
    np.testing.assert_allclose(heat, wanted, atol=1e-6)


class Functional(nn.Module):
    """Applies its activation and pools by functions, as some networks do."""

    def __init__(self, activation, inplace=False, channels_last=False, deeper=False):
        super().__init__()
        self.last = nn.Conv2d(3, 6, 3)
        self.swap = nn.Identity()
        self.deeper = nn.Linear(6, 6) if deeper else None
        self.activation, self.inplace, self.channels_last = activation, inplace, channels_last

    def forward(self, x):
        x = self.last(x)
        x = self.activation(x, inplace=True) if self.inplace else self.activation(x)
        if self.channels_last:
            x = self.swap(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = x.mean(dim=(2, 3))
        return x if self.deeper is None else self.deeper(x)


@pytest.mark.parametrize(
    ("module", "layer", "activation", "channels_last"),
    [
        (Functional(F.silu), "last", "silu", False),
        (Functional(F.gelu), "last", "gelu", False),
        (Functional(F.relu, inplace=True), "last", "", False),
        (Functional(F.relu, channels_last=True), "swap", "", True),
    ],
)
def test_activations_between_layers_are_found(case, module, layer, activation, channels_last):
    torch.manual_seed(0)
    backbone = Backbone("functional", module.eval(), 6, ToTensor(), "random", "f2", None)
    x = extract(backbone, case.pictures, progress=False)
    maps = find_maps(backbone, case.pictures, x)
    assert (maps.layer, maps.activation, maps.channels_last) == (layer, activation, channels_last)
    found = maps(case.pictures, [1, 2], [0, 5])
    np.testing.assert_allclose(found.mean(axis=(2, 3)), x[[1, 2]][:, [0, 5]], atol=1e-5)


def test_none_are_found_where_there_are_none(case):
    module = Functional(F.relu, deeper=True).eval()
    backbone = Backbone("deeper", module, 6, ToTensor(), "random", "f3", None)
    x = extract(backbone, case.pictures, progress=False)
    assert find_maps(backbone, case.pictures, x) is None
    # Nor are those of a backbone that did not make the features, as one before fine-tuning.
    assert find_maps(case.backbone, case.pictures, case.data.arrays.test[0] + 0.1) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer"),
    [("resnet50", "layer4"), ("densenet121", "features"), ("efficientnet_lite0", "_swish")],
)
def test_maps_of_real_networks(data_folder, one_thread, name, layer):
    backbone = load_backbone(name)
    splits, _ = photograph_splits(data_folder / "hymenoptera")
    pictures = splits.test.subset([0, 80, 150])
    x = extract(backbone, pictures, progress=False)
    maps = find_maps(backbone, pictures, x)
    assert maps.layer == layer
    every = maps(pictures, range(3), range(x.shape[1]))
    assert every.shape == (3, x.shape[1], 7, 7)
    np.testing.assert_allclose(every.mean(axis=(2, 3)), x, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b_16", "convnext_tiny"])
def test_networks_with_layers_after_the_last_map_have_none(case, one_thread, name):
    """A class token is no spatial mean; ConvNeXt normalises after the mean."""
    torch.manual_seed(0)
    module = build_backbone(name)

    def transform(image):
        return F.interpolate(ToTensor()(image)[None], size=(224, 224))[0]

    backbone = Backbone(name, module, 768, transform, "random", "f4", None)
    pictures = case.pictures.subset([0, 1])
    assert find_maps(backbone, pictures, extract(backbone, pictures, progress=False)) is None
