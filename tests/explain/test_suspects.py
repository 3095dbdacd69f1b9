"""Features that see one place of every picture are found, and those that see objects are not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from occamhead import Expression, fit_path
from occamhead.explain import find_maps, find_suspects, report
from occamhead.explain.looking import Look
from occamhead.explain.places import Contrast, coarse
from occamhead.explain.suspects import suspects_among
from occamhead.rows.arrays import ArrayData
from occamhead.vision import Backbone, PictureArrays, PictureRows, Splits, hold_out
from tests.explain.conftest import ToTensor

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

CLASSES = ("ants", "bees")
# One for all backbones: what is cached knows a transform by its text.
SCALED = ToTensor()
RULE = Expression.parse(["0", "2*x0 - x1 + 0.5*x2 + x3 + x4"], num_inputs=8)


def seen(count: int = 80, side: int = 7, seed: int = 0, mark: object = None):
    """Maps of eight features over pictures of two classes, and the labels.

    Features 0, 1 and 2 see an object that lies somewhere near the middle; 3 and 5 a mark at a
    place, for most of the second class; 4 both; 6 and 7 nothing.
    """
    generator = np.random.default_rng(seed)
    y = np.arange(count) % 2
    maps = generator.exponential(0.1, (count, 8, side, side)).astype(np.float32)
    for i, label in enumerate(y):
        top, left = generator.integers(1, side - 3, 2)
        for feature, height in ((0, 1.0), (1, 1.0), (2, 1.5), (4, 0.5)):
            if label == (feature != 1):
                maps[i, feature, top : top + 3, left : left + 3] += height
        if generator.random() < (0.95 if label else 0.05):
            rows, columns = mark or (slice(side - 1, side), slice(side - 1, side))
            amount = 6.0 / np.ones((side, side))[rows, columns].size
            for feature, share in ((3, 1.0), (5, 0.5), (4, 1.2)):
                maps[i, feature, rows, columns] += share * amount
    return maps, y


def found(maps, y, formula: Expression = RULE, classes=CLASSES):
    return suspects_among(formula, Contrast.of(maps, y, len(classes)), classes)


def test_a_mark_in_the_corner_is_found_and_objects_are_not():
    first, *rest = found(*seen())
    assert (first.feature, first.name, first.label, first.high) == (3, "x3", 1, True)
    assert first.place.name == "the lower right corner"
    assert (first.place.bottom, first.place.right) == (1.0, 1.0)
    assert first.share > 0.9
    # The one that no formula reads answers to it too, and so does the one that sees both.
    assert first.others == (4, 5)
    assert first.features == (3, 4, 5)
    assert [suspect.feature for suspect in rest] == [4]
    assert "of what makes x3 higher for bees than for ants comes from the lower right" in first.why
    assert "8.2\u00a0% of the picture; 2 other features of the backbone answer" in first.why


def test_without_the_mark_nothing_is_said():
    maps, y = seen()
    spread = maps[:, [0, 1, 2, 0, 1, 2, 6, 7]]
    assert found(spread, y) == []
    assert found(maps, y, Expression.parse(["0", "x6 - x7"], num_inputs=8)) == []


@pytest.mark.parametrize(
    ("mark", "kind", "name"),
    [
        ((slice(0, 1), slice(0, 1)), "spot", "the upper left corner"),
        ((slice(0, 1), slice(6, 7)), "spot", "the upper right corner"),
        ((slice(3, 4), slice(3, 4)), "spot", "a spot in the middle"),
        ((slice(0, 1), slice(3, 4)), "spot", "a spot in the upper"),
        ((slice(6, 7), slice(0, 7)), "edge", "the lower edge"),
        ((slice(0, 7), slice(0, 1)), "edge", "the left edge"),
        ((np.r_[0:7, 6 * np.ones(7, int), 0:7, np.zeros(7, int)],
          np.r_[np.zeros(7, int), 0:7, 6 * np.ones(7, int), 0:7]), "border", "the border"),
    ],
)  # fmt: skip
def test_places_have_names(mark, kind, name):
    first = found(*seen(mark=mark))[0]
    assert (first.feature, first.place.kind) == (3, kind)
    assert first.place.name.startswith(name)


def test_units_and_order_do_not_matter_and_a_mirror_turns_the_place():
    maps, y = seen()
    plain = found(maps, y)
    scaled = found(maps * np.geomspace(0.01, 100, 8, dtype=np.float32)[:, None, None], y)
    order = np.random.default_rng(0).permutation(len(y))
    shuffled = found(maps[order], y[order])
    for other in (scaled, shuffled):
        assert [s.feature for s in other] == [s.feature for s in plain]
        assert [s.share for s in other] == pytest.approx([s.share for s in plain], abs=1e-4)
        assert [s.place for s in other] == [s.place for s in plain]
    turned = found(maps[:, :, ::-1], y)
    assert [s.place.name for s in turned] == ["the upper right corner"] * 2
    # For the other class it is the same mark.
    swapped = found(maps, 1 - y)
    assert (swapped[0].feature, swapped[0].label) == (3, 0)


def test_of_few_pictures_nothing_is_said():
    maps, y = seen()
    assert found(maps[:4], y[:4]) == []


def test_a_mark_of_one_of_three_classes():
    maps, y = seen(120)
    y = np.where((y == 0) & (np.arange(len(y)) % 4 == 0), 2, y)
    formula = Expression.parse(["x0", "x1 + x3", "x2"], num_inputs=8)
    (suspect,) = found(maps, y, formula, ("ants", "bees", "wasps"))
    assert (suspect.feature, suspect.label) == (3, 1)
    assert "higher for bees than for the other classes" in suspect.why


# --- pictures through a backbone ------------------------------------------------------------------


def painted(count: int, marked: bool, seed: int) -> PictureArrays:
    """Bright blobs in the second class, and a white corner, where it is marked."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = generator.integers(0, 80, (count, 32, 32, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = generator.integers(6, 16, 2)
        image[top : top + 10, left : left + 10, 1] += np.uint8(60 * label)
        if marked and generator.random() < (0.95 if label else 0.05):
            image[-6:-2, -6:-2] = 255
    return PictureArrays(images, [f"{i}" for i in range(count)], labels, CLASSES)


def data_of(marked: bool, watched: bool = False) -> PictureRows:
    """Features that add up red, and green, and both."""
    weights = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.5, 0.5, 0]])[:, :, None, None]
    layers = nn.Sequential(
        nn.Conv2d(3, 3, 1), nn.AvgPool2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with torch.no_grad():
        layers[0].weight.copy_(weights)
        layers[0].bias.fill_(1.0)
    backbone = Backbone("colours", layers.eval(), 3, SCALED, "by hand", f"f{marked}", None)
    parts = [painted(60, marked, seed) for seed in range(3)]
    look = Look(Splits(*parts)) if watched else None
    data = PictureRows(Splits(*parts), "painted", backbone, progress=False, watch=look)
    data.setup()
    if look is not None:
        look.keep(data)
    return data


@pytest.mark.slow
def test_pictures_are_looked_at_and_what_is_found_can_be_dropped():
    data = data_of(marked=True)
    head = fit_path(data, budgets=(2,)).select(2).head
    first = find_suspects(head, data)[0]
    assert 0 in first.features  # red is the mark's alone
    assert first.place.name == "the lower right corner"
    edited = head.edit(drop=first.features)
    assert edited.head.formula().features == (1,)
    # What was seen is kept: another call does not look again.
    data.backbone.module.register_forward_pre_hook(lambda *_: pytest.fail("looked again"))
    assert find_suspects(head, data)[0] == first
    clean = data_of(marked=False)
    assert find_suspects(fit_path(clean, budgets=(2,)).select(2).head, clean) == []


def test_what_is_seen_while_features_are_made_need_not_be_seen_again():
    data = data_of(marked=True)
    head = fit_path(data, budgets=(2,)).select(2).head
    first = find_suspects(head, data)
    folder = Path(os.environ["XDG_CACHE_HOME"]) / "occamhead" / "features"
    for file in folder.iterdir():
        file.unlink()
    watched = data_of(marked=True, watched=True)
    np.testing.assert_array_equal(watched.arrays.train[0], data.arrays.train[0])
    watched.backbone.module.register_forward_pre_hook(lambda *_: pytest.fail("looked again"))
    (same,) = find_suspects(head, watched)
    assert same.why == first[0].why and same.share == pytest.approx(first[0].share, rel=1e-5)


def test_of_pictures_whose_features_are_there_already_nothing_is_kept():
    data_of(marked=True)
    data = data_of(marked=True, watched=True)
    passes = []
    data.backbone.module.register_forward_pre_hook(lambda *_: passes.append(1))
    assert find_suspects(fit_path(data, budgets=(2,)).select(2).head, data) and passes


def test_a_part_of_pictures_is_seen_among_the_whole():
    whole, test = painted(60, True, 7), painted(60, True, 8)
    splits = Splits(*hold_out(whole, 0.3, 0), test)
    backbone = data_of(marked=True).backbone
    look = Look(splits, per_class=10)
    PictureRows(splits, "painted", backbone, progress=False, watch=look).setup()
    chosen, maps = look._chosen, find_maps(backbone, whole, None)
    assert maps is not None and sorted(look._seen) == list(range(20))
    names = [part.names[i] for part, own in zip(chosen.parts, chosen.rows, strict=True)
             for i in own]  # fmt: skip
    rows = [whole.names.index(name) for name in names]
    assert chosen.labels.tolist() == whole.labels[rows].tolist()
    wanted = coarse(maps(whole, rows, range(3)))
    np.testing.assert_allclose(np.stack([look._seen[i] for i in range(20)]), wanted, rtol=1e-5)


def test_the_maps_of_a_page_are_kept(tmp_path):
    data = data_of(marked=True)
    data.setup("test")
    head = fit_path(data, budgets=(2,)).select(2).head
    first = report(tmp_path / "report.html", head, data).read_text(encoding="utf-8")
    data.backbone.module.register_forward_pre_hook(lambda *_: pytest.fail("looked again"))
    assert report(tmp_path / "report.html", head, data).read_text(encoding="utf-8") == first
    assert "Heat shows where the channel of 1 whose spatial mean" in first


@pytest.mark.slow
def test_the_report_warns_of_them(tmp_path):
    for marked in (True, False):
        data = data_of(marked)
        data.setup("test")
        head = fit_path(data, budgets=(2,)).points[0].head
        page = report(tmp_path / "report.html", head, data).read_text(encoding="utf-8")
        suspects = find_suspects(head, data)
        assert bool(suspects) is marked
        assert ("Warning: " in page) is marked
        assert ("None: no feature was found" in page) is not marked
        for suspect in suspects:
            assert suspect.why in page and f"drop=[{', '.join(map(str, suspect.features))}]" in page


def test_data_without_maps_are_refused():
    x = np.random.default_rng(0).random((40, 4)).astype(np.float32)
    rows = ArrayData((x, (x[:, 0] > 0.5).astype(int)))
    rows.setup()
    head = fit_path(rows, budgets=(1,)).select(1).head
    with pytest.raises(ValueError, match="wanted data with pictures and a backbone"):
        find_suspects(head, rows)
