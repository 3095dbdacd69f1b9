import copy
import dataclasses
import os

import numpy as np
import pytest
import torch

from occamhead.saving.sealed import seal
from occamhead.vision import (
    PictureArrays,
    PictureTensors,
    cached_features,
    extract,
    pixels,
    read_folder,
)
from occamhead.vision.features import _pooling_by_channels, cached_arrays
from tests.vision.conftest import replace_unnoticed

QUIET = {"workers": 0, "progress": False}


@pytest.mark.parametrize("training", [False, True])
def test_extract_leaves_the_backbone_as_it_was(make_backbone, grey_pictures, training):
    backbone = make_backbone()
    backbone.module.train(training)
    backbone.module[2].train(not training)  # even a mixture comes back
    before = copy.deepcopy(backbone.module.state_dict())
    modes = [part.training for part in backbone.module.modules()]
    features = extract(backbone, grey_pictures, batch_size=3, **QUIET)
    after = backbone.module.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert before.keys() == after.keys() and "1.num_batches_tracked" in before
    assert [part.training for part in backbone.module.modules()] == modes

    backbone.module.eval()
    tensors = PictureTensors(grey_pictures, backbone.transform)
    wanted = backbone.module(torch.stack([x for x, _ in tensors])).detach().numpy()
    np.testing.assert_allclose(features, wanted, rtol=1e-5, atol=1e-6)
    assert features.dtype == np.float32


def test_a_real_network_s_features_are_those_of_a_plain_pass_to_the_bit(make_backbone):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    module = models.resnet18(weights=None).eval()
    module.fc = torch.nn.Identity()
    backbone = dataclasses.replace(make_backbone(size=64), module=module, num_features=512)
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    pictures = PictureArrays(images, list("abcde"), [0] * 5, ["x"])
    features = extract(backbone, pictures, **QUIET)
    tensors = torch.stack([x for x, _ in PictureTensors(pictures, backbone.transform)])
    with torch.inference_mode():
        assert np.array_equal(features, module(tensors).numpy())
    assert not module.maxpool._forward_hooks and not module.maxpool._forward_pre_hooks


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_pooling_by_channels_is_exact_where_there_is_nan_too(
    ceil_mode,
):
    pool = torch.nn.MaxPool2d(3, 2, 1, ceil_mode=ceil_mode)
    x = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    x[0, 1, 2, 3] = torch.nan
    with _pooling_by_channels(torch.nn.Sequential(pool)):
        quick, single = pool(x), pool(x[1])
    assert torch.equal(quick.isnan(), pool(x).isnan()) and quick.isnan().any()
    assert torch.equal(quick.nan_to_num(), pool(x).nan_to_num())
    assert quick.is_contiguous() and torch.equal(single, pool(x[1]))


def test_worker_processes_change_nothing(make_backbone, grey_pictures):
    backbone = make_backbone()
    alone = extract(backbone, grey_pictures, batch_size=2, **QUIET)
    assert np.array_equal(
        extract(backbone, grey_pictures, batch_size=2, workers=1, progress=False), alone
    )


def test_features_that_are_not_finite_name_their_picture(make_backbone, grey_pictures):
    backbone = make_backbone()

    def spoil(image):
        tensor = make_backbone().transform(image)
        return tensor * torch.nan if np.array_equal(np.asarray(image)[..., 0], fifth) else tensor

    fifth = grey_pictures.images[5]
    with pytest.raises(ValueError, match="noise/5: small gives it features that are not finite"):
        extract(
            dataclasses.replace(backbone, transform=spoil), grey_pictures, batch_size=2, **QUIET
        )
    assert not backbone.module.training


def test_no_pictures_is_an_error(make_backbone, grey_pictures):
    with pytest.raises(ValueError, match="at least one"):
        extract(make_backbone(), grey_pictures.subset([]), **QUIET)
    with pytest.raises(ValueError, match="at least one"):
        pixels(grey_pictures.subset([]))


def test_a_cache_hit_does_not_run_the_backbone(make_backbone, grey_pictures, tmp_path):
    backbone = make_backbone()
    first = cached_features(backbone, grey_pictures, tmp_path, **QUIET)
    assert backbone.module.passes == 1
    second = cached_features(backbone, grey_pictures, tmp_path, **QUIET)
    assert backbone.module.passes == 1
    assert np.array_equal(first, second)
    assert isinstance(second, np.memmap) and not second.flags.writeable
    assert [file.suffix for file in tmp_path.iterdir()] == [".npy"]


def test_the_default_cache_lies_in_the_user_s_cache_folder(make_backbone, grey_pictures):
    features = cached_features(make_backbone(), grey_pictures, **QUIET)
    assert os.fspath(features.filename).startswith(os.environ["XDG_CACHE_HOME"] + "/occamhead/")


def test_cache_follows_weights_transform_and_pictures(make_backbone, make_photographs, tmp_path):
    pictures = read_folder(make_photographs({"train": {"ants": 3}}) / "train")
    cases = [
        (make_backbone(), pictures),
        (make_backbone(fingerprint="f1"), pictures),
        (make_backbone(size=9), pictures),
        (make_backbone(), pictures.subset([2, 1, 0])),
    ]
    cache = tmp_path / "cache"
    for count, (backbone, some) in enumerate(cases, start=1):
        cached_features(backbone, some, cache, **QUIET)
        assert backbone.module.passes == 1 and len(list(cache.iterdir())) == count
    replace_unnoticed(pictures.names[1])
    cached_features(make_backbone(), pictures, cache, **QUIET)
    assert len(list(cache.iterdir())) == len(cases) + 1


def test_pictures_that_moved_keep_their_features(make_backbone, make_photographs, tmp_path):
    root = make_photographs({"train": {"ants": 3}}) / "train"
    first = np.array(cached_features(make_backbone(), read_folder(root), tmp_path / "c", **QUIET))
    moved = read_folder(root.rename(tmp_path / "elsewhere"))
    os.utime(moved.names[0], ns=(1, 1))
    backbone = make_backbone()
    assert np.array_equal(cached_features(backbone, moved, tmp_path / "c", **QUIET), first)
    assert backbone.module.passes == 0


DAMAGE = ["truncate", "empty", "garbage", "other shape", "other type", "unsealed", "bit", "zeros"]


@pytest.mark.parametrize("damage", [*DAMAGE, "rows", "header"])
def test_damaged_cache_files_are_reported_and_replaced(
    damage, make_backbone, grey_pictures, tmp_path, caplog
):
    wanted = np.array(cached_features(make_backbone(), grey_pictures, tmp_path, **QUIET))
    (file,) = tmp_path.iterdir()
    if damage in ("other shape", "other type", "unsealed"):
        other = {"other shape": wanted[:, 1:], "other type": wanted.astype(np.float64)}
        np.save(file, other.get(damage, wanted))
        if damage != "unsealed":
            seal(file)
    else:
        file.write_bytes(spoilt(file.read_bytes(), damage, wanted))
    backbone = make_backbone()
    damaged = file.read_bytes()
    with file.open("rb") as seen_by_another_process:
        assert np.array_equal(cached_features(backbone, grey_pictures, tmp_path, **QUIET), wanted)
        assert seen_by_another_process.read() == damaged  # replaced, not written over
    assert backbone.module.passes == 1
    assert f"{file}: damaged cache file" in caplog.text


def spoilt(whole, damage, rows):
    body = bytearray(whole[128 : 128 + rows.nbytes])
    if damage == "bit":
        body[40] ^= 4
    elif damage == "zeros":
        body[16:64] = bytes(48)
    elif damage == "rows":
        body[:] = rows[::-1].tobytes()
    content = {"truncate": whole[:-5], "empty": b"", "garbage": b"x" * 500}
    # One byte of the header, where numpy raises tokenize.TokenError.
    content["header"] = whole.replace(b"(7, 4)", b"(7, 4(")
    found = content.get(damage, whole[:128] + body + whole[128 + rows.nbytes :])
    assert found != whole
    return found


def test_damaged_arrays_are_reported_and_made_again(tmp_path, caplog):
    wanted = np.random.default_rng(0).standard_normal((3, 50))
    calls = []

    def make():
        calls.append(1)
        return {"heat": wanted}

    cached_arrays(["some", "key"], make, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for place in np.random.default_rng(1).integers(0, len(whole), 60).tolist():
        before = len(calls)
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert np.array_equal(cached_arrays(["some", "key"], make, tmp_path)["heat"], wanted)
        assert len(calls) == before + 1 and f"{file}: damaged cache file" in caplog.text
        assert np.array_equal(cached_arrays(["some", "key"], make, tmp_path)["heat"], wanted)
        assert len(calls) == before + 1


def test_a_failed_pass_leaves_no_cache_file(make_backbone, grey_pictures, tmp_path):
    backbone = make_backbone()
    torch.nn.init.constant_(backbone.module[0].bias, torch.inf)
    with pytest.raises(ValueError, match="noise/0"):
        cached_features(backbone, grey_pictures, tmp_path, **QUIET)
    assert list(tmp_path.iterdir()) == []


def test_pixels(grey_pictures):
    rows = pixels(grey_pictures)
    assert rows.shape == (7, 30) and rows.dtype == np.float32
    np.testing.assert_array_equal(rows * 255, grey_pictures.images.reshape(7, 30))
    colour = PictureArrays(np.full((2, 4, 5, 3), 255, np.uint8), ["x", "y"], [0, 0], ["a"])
    assert np.array_equal(pixels(colour), np.ones((2, 60)))


def test_pixels_of_different_sizes_name_the_picture(tmp_path, make_photographs):
    root = make_photographs({"train": {"ants": 2}}) / "train"
    with_other = read_folder(root)
    picture, _ = with_other[0]
    picture.resize((7, 7)).save(root / "ants" / "1.jpg")
    with pytest.raises(ValueError, match=r"ants/1.jpg: wanted a picture of size \[40, 48, 3\]"):
        pixels(with_other)
