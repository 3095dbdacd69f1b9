"""The recipe of orientation: its shapes, its table, and that no luck is in it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from occamhead.distill.sizes.grids import lift_grid
from recipes import orientation
from recipes.lines import shapes

WANTED = {"task", "method", "seed", "samples", "exact", "certificate", "program", "tokens",
          "seconds"}  # fmt: skip


def test_shapes_are_what_they_are_called():
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert shapes.dotted(rng, 28).sum(axis=1).max() in {9, 10, 14}
        line = shapes.short(rng, 28)
        assert 3 <= line.sum() <= 14 and line.any(axis=1).sum() == 1
        bar = shapes.thick(rng, 28)
        assert 2 <= bar.all(axis=1).sum() <= 5 and bar.sum() == 28 * bar.all(axis=1).sum()
        for shape, most in (("zigzag", 7), ("slanted", 27)):
            image = shapes.SHAPES[shape](rng, 28)
            assert (image.sum(axis=0) == 1).all()
            assert 2 <= image.any(axis=1).sum() <= most
            steps = np.diff(image.argmax(axis=0))
            assert np.abs(steps).max() == 1 and (shape == "slanted" or np.abs(steps).min() == 1)
        box = shapes.outline(rng, 28)
        rows, columns = box.any(axis=1).sum(), box.any(axis=0).sum()
        assert box.sum() == 2 * (rows + columns) - 4 and 3 <= rows <= 5 and columns >= 14
    noise = np.mean([shapes.noisy(rng, 28).mean() for _ in range(200)])
    assert noise == pytest.approx((28 * 0.9 + 28 * 27 * 0.1) / 784, abs=0.005)


def test_half_of_the_images_are_turned():
    images, labels = shapes.drawn("thick", 28, 10, seed=3)
    squares = images.reshape(10, 28, 28)
    assert labels.tolist() == [0, 1] * 5
    assert all(square.all(axis=1 - label).any() for square, label in zip(squares, labels,
                                                                         strict=True))  # fmt: skip


def test_rows_and_table(tmp_path, capsys):
    flags = ["--seeds", "0", "--images", "20", "--sides", "28", "--out", str(tmp_path / "run")]
    results = orientation.main(flags)
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == results
    rows = results["rows"]
    assert len(rows) == 7 * 4 and all(set(row) >= WANTED for row in rows)
    ours = [row for row in rows if row["method"] == "essence"]
    assert all(row["exact"] and row["samples"] == 52 for row in ours)
    assert len(ours[0]["program"].splitlines()) <= 8
    # What sees single pixels cannot tell lines by their sums: all planes of the classes cross.
    chance = [row["accuracy"] for row in rows if row["method"] == "logistic_regression"]
    assert max(chance) < 0.8
    assert results["compared"]["wrong"] == 0
    assert 0.1 < results["compared"]["vertical_of_random"] < 0.9
    printed = capsys.readouterr().out
    assert "declared:" in printed and "differs from the network on 0 of 1140 images" in printed
    with pytest.raises(SystemExit):
        orientation.main(["--sides", "8"])


def classes_swapped():
    """Vertical lines as class 0, which is what an undecided network says."""
    data = {m: shapes.lines(m) for m in (*orientation.LEARNED, orientation.HELD_OUT)}
    swapped = {m: (x, 1 - y) for m, (x, y) in data.items()}
    held_out = {orientation.HELD_OUT: swapped.pop(orientation.HELD_OUT)}
    return lift_grid(swapped, held_out)


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_horizontal_is_found_and_no_default(shape):
    images, labels = shapes.drawn(shape, 28, 60, seed=7)
    assert np.array_equal(classes_swapped().rule.network(28).predict(images), 1 - labels)


def test_only_the_diagonal_is_undecided():
    swapped = classes_swapped().rule
    found = []
    for rise in range(28):
        image = shapes.blank(28)
        image[np.round(np.linspace(0, rise, 28)).astype(int), np.arange(28)] = 1
        found.append(swapped.value(image.ravel().tolist()))
    assert found == [1] * 27 + [0]


@pytest.mark.slow
def test_all_of_it(tmp_path):
    """The figures of the table: every shape at both sides with every seed."""
    results = orientation.main(["--out", str(tmp_path / "run")])
    ours = [row for row in results["rows"] if row["method"] == "essence"]
    assert len(ours) == 7 * 2 * 3 and all(row["exact"] for row in ours)
    assert results["compared"] == results["compared"] | {"images": 7300, "wrong": 0}
