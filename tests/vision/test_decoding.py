"""Pictures of unusual kinds: read as people see them, or named and left out."""

import struct

import numpy as np
import pytest
from PIL import Image, features
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION

from occamhead.heads.model_file import _picture
from occamhead.vision import read_folder
from occamhead.vision.decoding import as_rgb

RAMP = np.linspace(0, 255, 12 * 9).round().astype(np.uint8).reshape(9, 12)


def read_one(folder, name, image, **options):
    """Save a picture as a class folder's only one, and read it."""
    (folder / "a").mkdir(exist_ok=True)
    image.save(folder / "a" / name, **options)
    pictures = read_folder(folder)
    picture = pictures.picture(0)
    assert picture.mode == "RGB" and len(pictures) == 1
    assert np.array_equal(np.asarray(_picture(folder / "a" / name)), np.asarray(picture))
    return np.asarray(picture)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_sixteen_bits_become_eight(tmp_path, name):
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    if name == "deep.pgm":
        deep = deep.convert("I")
    assert np.array_equal(read_one(tmp_path, name, deep)[..., 1], RAMP)


@pytest.mark.parametrize("depth", [8, 16])
def test_greys_that_count_from_white_to_black(tmp_path, depth):
    values = 255 - RAMP if depth == 8 else (255 - RAMP.astype(np.uint16)) * 257
    tags = {PHOTOMETRIC_INTERPRETATION: 0}
    if depth == 8:  # which Pillow turns round itself, when it writes too
        values = RAMP
    shown = read_one(tmp_path, "white.tif", Image.fromarray(values), tiffinfo=tags)
    assert np.array_equal(shown[..., 0], RAMP)


def test_sixteen_bits_in_the_other_order_of_bytes():
    values = RAMP.astype(">u2") * 257
    other = Image.frombytes("I;16B", (12, 9), values.tobytes())
    assert np.array_equal(np.asarray(as_rgb(other))[..., 0], RAMP)


def test_floating_point_greys_reach_from_black_to_white(tmp_path):
    grey = Image.fromarray(RAMP.astype(np.float32) / 255)
    assert np.array_equal(read_one(tmp_path, "float.tiff", grey)[..., 2], RAMP)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("float.tif", RAMP.astype(np.float32), r"from 0\.0 to 255\.0, wanted 0 \(black\) to 1"),
        ("nan.tif", RAMP * np.float32("nan"), "greys from nan to nan"),
        ("whole.tif", RAMP.astype(np.int32) * 70000, "32 bits, of which none is known as white"),
    ],
)
def test_numbers_without_a_white_are_named(tmp_path, caplog, name, values, words):
    (tmp_path / "a").mkdir()
    image = Image.fromarray(values)
    image.save(tmp_path / "a" / name)
    RAMP_IMAGE.save(tmp_path / "a" / "good.png")
    pictures = read_folder(tmp_path)
    assert pictures.skipped == (str(tmp_path / "a" / name),) and len(pictures) == 1
    assert "1 unreadable" in caplog.text and name in caplog.text
    with pytest.raises(ValueError, match=words):
        as_rgb(image)


RAMP_IMAGE = Image.fromarray(RAMP)


@pytest.mark.parametrize(
    ("name", "needed"),
    [("a.jpe", "jpg"), ("a.jfif", "jpg"), ("a.jp2", "jpg_2000"), ("a.avif", "avif"),
     ("a.pgm", None), ("a.tga", None), ("a.AVIF", "avif")],
)  # fmt: skip
def test_rarer_suffixes_are_read(tmp_path, name, needed):
    if needed and not features.check(needed):
        pytest.skip(f"this Pillow is built without {needed}")
    flat = Image.new("RGB", (16, 16), (200, 100, 50))
    found = read_one(tmp_path, name, flat).astype(int)
    assert abs(found - [200, 100, 50]).max() <= 4


def test_kinds_that_are_not_read_are_named_and_counted(tmp_path, caplog):
    (tmp_path / "a").mkdir()
    RAMP_IMAGE.save(tmp_path / "a" / "good.png")
    for name in ("photo.heic", "drawing.svg", "raw.CR2"):
        (tmp_path / "a" / name).write_bytes(struct.pack(">I4s", 20, b"ftyp") + b"heic")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    pictures = read_folder(tmp_path)
    assert [name.rpartition("/")[2] for name in pictures.skipped] == [
        "drawing.svg", "photo.heic", "raw.CR2"
    ]  # fmt: skip
    assert "3 unreadable" in caplog.text and "photo.heic" in caplog.text


# --- colours and layers ------------------------------------------------------------------------


def half_transparent(mode):
    """Left half opaque and dark, right half transparent over black."""
    image = Image.new("RGBA", (8, 4), (40, 40, 40, 255))
    image.paste((0, 0, 0, 0), (4, 0, 8, 4))
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "name"),
    [("RGBA", "x.png"), ("LA", "x.png"), ("RGBA", "x.webp"), ("P", "x.gif"), ("P", "x.png")],
)
def test_what_is_transparent_shows_white(tmp_path, mode, name):
    if mode == "P":
        image = Image.new("P", (8, 4), 0)
        image.putpalette([40, 40, 40, 0, 0, 0])
        image.paste(1, (4, 0, 8, 4))
        options = {"transparency": 1 if name == "x.gif" else bytes([255, 0])}
    else:
        image, options = half_transparent(mode), {"lossless": True} if "webp" in name else {}
    found = read_one(tmp_path, name, image, **options)
    assert (found[:, :4] == 40).all() and (found[:, 4:] == 255).all()


def test_opaque_pictures_are_what_torchvision_reads(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    colour = Image.fromarray(noise)
    (tmp_path / "a").mkdir()
    for name, image in {
        "bits.png": colour.convert("1"),
        "cmyk.jpg": colour.convert("CMYK"),
        "cmyk.tif": colour.convert("CMYK"),
        "grey.jpg": colour.convert("L"),
        "opaque.png": colour.convert("RGBA"),
        "palette.png": colour.quantize(16),
        "rgb.jpg": colour,
    }.items():
        image.save(tmp_path / "a" / name)
    ours, theirs = read_folder(tmp_path), torchvision.datasets.ImageFolder(str(tmp_path))
    assert len(ours) == len(theirs) == 7
    for (mine, _), (other, _) in zip(ours, theirs, strict=True):
        assert np.array_equal(np.asarray(mine), np.asarray(other))


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "pages.tif", "moving.png"])
def test_of_several_pictures_the_first_counts(tmp_path, name):
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if name == "moving.webp" else {}
    found = read_one(tmp_path, name, first, save_all=True, append_images=[second], **options)
    assert (found == [255, 0, 0]).all()
