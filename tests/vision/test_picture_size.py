"""Smaller pictures for a backbone: the whole picture, scaled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from occamhead.vision import load_backbone, load_transform


def half_and_half() -> Image.Image:
    """Black above, white below; what is cropped would show."""
    picture = np.zeros((28, 28, 3), np.uint8)
    picture[14:] = 255
    picture[0], picture[-1] = 255, 0
    return Image.fromarray(picture)


def test_the_size_that_the_digits_of_the_cache_were_computed_at():
    torchvision = pytest.importorskip("torchvision")
    weights = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
    wanted = weights.transforms(crop_size=96, resize_size=96)
    found = load_transform("resnet50", picture_size=96)
    assert repr(found) == repr(wanted)
    assert repr(load_transform("resnet50")) == repr(weights.transforms())


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0", "timm/resnet18.a1_in1k"])
@pytest.mark.parametrize("size", [32, 96])
def test_nothing_is_cropped(name, size):
    if name.startswith("timm"):
        pytest.importorskip("timm")
    found = load_transform(name, picture_size=size)(half_and_half())
    assert found.shape == (3, size, size)
    rows = found[0].mean(dim=-1)
    assert rows[0] > rows[size // 4] and rows[-1] < rows[-1 - size // 4]


def test_the_features_are_those_of_the_scaled_picture():
    backbone = load_backbone("efficientnet_lite0", picture_size=64)
    tensor = backbone.transform(half_and_half())
    with torch.inference_mode():
        assert backbone.module(tensor[None]).shape == (1, backbone.num_features)
    assert tensor.shape == (3, 64, 64)


@pytest.mark.slow
def test_a_network_of_one_size_only_is_a_value_error(tmp_path):
    models = pytest.importorskip("torchvision").models
    file = tmp_path / "vit.pth"
    torch.save(models.vit_b_32(weights=None).state_dict(), file)
    with pytest.raises(ValueError, match="vit_b_32 does not take pictures of 96 pixels"):
        load_backbone("vit_b_32", file, picture_size=96)


@pytest.mark.parametrize("size", [0, -3])
def test_sizes_below_one_are_value_errors(size):
    with pytest.raises(ValueError, match="picture_size must be at least 1"):
        load_backbone("efficientnet_lite0", picture_size=size)
