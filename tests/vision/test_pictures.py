import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from occamhead.vision import PictureArrays, hold_out, read_folder
from tests.vision.conftest import replace_unnoticed


def test_labels_follow_the_sorted_or_the_given_order(make_photographs):
    root = make_photographs({"train": {"wasps": 2, "ants": 3}}) / "train"
    pictures = read_folder(root)
    assert pictures.classes == ("ants", "wasps")
    assert pictures.labels.tolist() == [0, 0, 0, 1, 1]
    assert pictures.names[3].endswith("wasps/0.jpg")
    turned = read_folder(root, classes=("wasps", "ants"))
    assert turned.labels.tolist() == [0, 0, 1, 1, 1]
    image, label = turned[0]
    assert (image.mode, image.size, label) == ("RGB", (48, 40), 0)
    assert read_folder(root, classes=["wasps"]).classes == ("wasps",)


def test_deep_folders_and_all_kinds_of_pictures_are_read(tmp_path):
    deep = tmp_path / "a" / "deep" / "er"
    deep.mkdir(parents=True)
    kinds = ["jpg", "JPEG", "png", "bmp", "webp", "tif", "gif", "ppm"]
    for kind in kinds:
        Image.new("RGB", (9, 9), (200, 0, 0)).save(deep / f"picture.{kind}")
    (deep / "notes.txt").write_text("no picture")
    pictures = read_folder(tmp_path)
    assert sorted(name.rpartition(".")[2] for name in pictures.names) == sorted(kinds)
    assert all(image.mode == "RGB" and image.size == (9, 9) for image, _ in pictures)
    assert pictures.skipped == ()


def test_exif_orientation_is_left_alone_as_torchvision_does(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees"
    Image.new("L", (20, 10)).save(tmp_path / "a" / "turned.jpg", exif=exif)
    ours, _ = read_folder(tmp_path)[0]
    theirs, _ = torchvision.datasets.ImageFolder(str(tmp_path))[0]
    assert ours.size == theirs.size == (20, 10)
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_unreadable_pictures_are_named_and_counted(make_photographs, caplog):
    root = make_photographs({"train": {"ants": 4, "bees": 4}}) / "train"
    whole = (root / "ants" / "1.jpg").read_bytes()
    (root / "ants" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "bees" / "2.jpg").write_bytes(b"")
    (root / "bees" / "text.png").write_text("no picture")
    pictures = read_folder(root)
    bad = [str(root / "ants" / "1.jpg"), str(root / "bees" / "2.jpg"), str(root / "bees/text.png")]
    assert list(pictures.skipped) == bad
    assert len(pictures) == 6 and not set(bad) & set(pictures.names)
    assert all(name in caplog.text for name in bad) and "3 unreadable" in caplog.text
    assert hold_out(pictures, 0.5, seed=0)[0].skipped == pictures.skipped


def test_missing_and_empty_classes_are_errors_that_name_them(make_photographs, tmp_path):
    root = make_photographs({"train": {"ants": 2, "bees": 2}}) / "train"
    with pytest.raises(ValueError, match=r"wasps: no such class folder; make it"):
        read_folder(root, classes=("ants", "wasps"))
    (root / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: no readable picture .* put pictures"):
        read_folder(root)
    with pytest.raises(ValueError, match="no such folder"):
        read_folder(root / "nowhere")
    with pytest.raises(ValueError, match="no class folders"):
        read_folder(root / "ants")


def test_fingerprint_follows_content_and_order(make_photographs, grey_pictures):
    files = read_folder(make_photographs({"train": {"ants": 3}}) / "train")
    before = files.fingerprint()
    assert files.fingerprint() == before
    assert files.subset([1, 0, 2]).fingerprint() != before
    replace_unnoticed(files.names[0])
    assert files.fingerprint() != before

    before = grey_pictures.fingerprint()
    assert grey_pictures.subset(range(7)).fingerprint() == before
    changed = grey_pictures.images.copy()
    changed[3, 2, 1] ^= 1
    others = PictureArrays(changed, grey_pictures.names, grey_pictures.labels, ("a", "b"))
    assert others.fingerprint() != before


def test_arrays_are_checked(grey_pictures):
    names, labels = grey_pictures.names, grey_pictures.labels
    assert grey_pictures[0][0].mode == "L"
    with pytest.raises(ValueError, match="images: wanted uint8"):
        PictureArrays(grey_pictures.images.astype(float), names, labels, ("a", "b"))
    with pytest.raises(ValueError, match="labels: wanted 0 to 0"):
        PictureArrays(grey_pictures.images, names, labels, ("a",))


@given(
    counts=st.lists(st.integers(2, 30), min_size=1, max_size=4),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_hold_out_laws(counts, fraction, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    names = [str(i) for i in range(len(labels))]
    images = np.zeros((len(labels), 1, 1), dtype=np.uint8)
    pictures = PictureArrays(images, names, labels, [str(i) for i in range(len(counts))])
    rest, held = hold_out(pictures, fraction, seed)
    assert sorted(rest.names + held.names, key=int) == names  # complete and disjoint
    assert hold_out(pictures, fraction, seed)[1].names == held.names
    for label, count in enumerate(counts):
        part = int(np.sum(held.labels == label))
        assert 1 <= part <= count - 1
        assert abs(part - fraction * count) <= 1
    label_of = dict(zip(names, labels, strict=True))
    assert [label_of[name] for name in held.names] == held.labels.tolist()


def test_hold_out_depends_on_the_seed_and_rejects_nonsense(grey_pictures):
    splits = {hold_out(grey_pictures, 0.5, seed)[1].names for seed in range(10)}
    assert len(splits) > 1
    with pytest.raises(ValueError, match="fraction: wanted"):
        hold_out(grey_pictures, 1.0, seed=0)
    with pytest.raises(ValueError, match="class 'b': wanted at least 2 pictures to split, got 1"):
        hold_out(grey_pictures.subset([0, 1, 2]), 0.5, seed=0)
