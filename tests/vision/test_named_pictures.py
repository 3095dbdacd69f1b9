"""Pictures of stored features, found by their names in a folder or an archive."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
from PIL import Image

from occamhead.vision import StoredFeatures
from occamhead.vision.named_pictures import named_pictures

FOLDERS = ("n1", "n2")
NAMES, LABELS = ("b.png", "a.png", "n2/both.png", "both.png"), np.array([1, 0, 1, 0])
SHADES = {"val/n1/a.png": 10, "val/n2/b.png": 20, "val/n1/both.png": 30, "val/n2/both.png": 40}


@pytest.fixture
def folder(tmp_path):
    """Pictures of one shade each; two are called alike, in the folders of two classes."""
    for path, shade in SHADES.items():
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), shade).save(tmp_path / "photos" / path)
    return tmp_path / "photos"


@pytest.fixture(params=["folder", "tar", "tar.xz"])
def place(request, folder):
    if request.param == "folder":
        return folder
    file = folder.with_suffix(f".{request.param}")
    with tarfile.open(file, "w:xz" if file.suffix == ".xz" else "w") as archive:
        archive.add(folder, "./.")
    return file


def test_each_name_is_its_picture(place):
    found = named_pictures(place, NAMES, LABELS, ("ant", "bee"), FOLDERS)
    shades = [found.picture(i).getpixel((0, 0)) for i in range(4)]
    assert shades == [(shade,) * 3 for shade in (20, 10, 40, 30)]
    part = found.subset([2, 0])
    assert part.names == (found.names[2], found.names[0]) and part.labels.tolist() == [1, 1]
    assert part.picture(0).getpixel((0, 0)) == (40,) * 3
    assert part.fingerprint() != found.subset([0, 2]).fingerprint()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["c.png"], "no photograph c.png in it, which the file of features names"),
        (["../n1/a.png"], "no photograph ../n1/a.png"),
        (["both.png"], "both.png may be val/n1/both.png or val/n2/both.png"),
    ],
)
def test_what_is_not_there_is_named(place, names, said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        named_pictures(place, names, np.zeros(1, np.int64), ("ant",), ("n3",))


def test_places_that_are_none(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"a\.tar: wanted a folder of photographs, or a \.tar"):
        named_pictures(tmp_path / "a.tar", ["a"], np.zeros(1, np.int64), ("ant",), ("n1",))
    with pytest.raises(FileNotFoundError, match="photographs: found neither"):
        named_pictures(tmp_path / "none", ["a"], np.zeros(1, np.int64), ("ant",), ("n1",))


def test_links_out_of_an_archive_are_no_pictures(folder):
    file = folder.with_suffix(".tar")
    with tarfile.open(file, "w") as archive:
        link = tarfile.TarInfo("n1/a.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(folder / "val/n1/a.png")
        archive.addfile(link)
    with pytest.raises(ValueError, match=r"no photograph a\.png"):
        named_pictures(file, ["a.png"], np.zeros(1, np.int64), ("ant",), ("n1",))


def test_a_damaged_picture_is_named(folder):
    (folder / "val/n1/a.png").write_bytes(b"no picture")
    with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
        archive.add(folder, "photos")
    place = folder.with_suffix(".tar")
    found = named_pictures(place, ["a.png"], np.zeros(1, np.int64), ("ant",), ("n1",))
    with pytest.raises(ValueError, match=r"n1/a\.png: no picture that can be read"):
        found.picture(0)


def test_stored_features_know_their_pictures(place, tmp_path):
    rows = {"x": np.ones((6, 3), np.float16), "y": np.arange(6) % 2, "classes": FOLDERS}
    np.savez(tmp_path / "f_train.npz", files=[f"{i}.png" for i in range(6)], **rows)
    rows |= {"x": rows["x"][:4], "y": LABELS}
    np.savez(tmp_path / "f_val.npz", files=NAMES, **rows)
    data = StoredFeatures(tmp_path / "f_train.npz", pictures=place)
    with pytest.raises(RuntimeError, match="call setup"):
        _ = data.named
    data.setup()
    assert data.pictures is not None and data.pictures.test.picture(1).getpixel((0, 0)) == (10,) * 3
    both = data.named.train.names + data.named.validation.names
    assert sorted(both) == [f"{i}.png" for i in range(6)]
    assert [int(name[0]) % 2 for name in both] == [
        *data.arrays.train[1], *data.arrays.validation[1],
    ]  # fmt: skip
    with pytest.raises(ValueError, match="is not at hand"):
        data.named.train.picture(0)
    bare = StoredFeatures(tmp_path / "f_train.npz")
    bare.setup()
    assert bare.pictures is None and bare.named.test.names == NAMES
