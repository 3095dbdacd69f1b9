"""Rows taken in, weighed and judged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from occamhead.rows.arrays import ArrayData, as_data
from occamhead.rows.metrics import (
    mean_rates,
    rates_of,
    wilson_interval,
)
from occamhead.rows.objective import check_labels
from occamhead.rows.weights import class_factors, repeats, row_weights


def test_rows_set_aside_hold_each_class_and_every_row_once():
    x = np.arange(40.0)[:, None]
    y = ["ant"] * 30 + ["bee"] * 10
    arrays = ArrayData((x, y), seed=3).arrays
    parts = [arrays.train, arrays.validation, arrays.test]
    assert sorted(np.concatenate([part[0][:, 0] for part in parts]).tolist()) == list(range(40))
    assert [np.bincount(part[1]).tolist() for part in parts] == [[18, 6], [6, 2], [6, 2]]
    assert arrays.classes == ("ant", "bee")
    again = ArrayData((x, y), seed=3).arrays
    assert np.array_equal(again.test[0], arrays.test[0])
    assert not np.array_equal(ArrayData((x, y), seed=4).arrays.test[0], arrays.test[0])


def test_a_frame_keeps_its_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"length": [1, 2, 3, 4] * 5, "mass": [0.5, 1.5, 2.5, 3.5] * 5})
    data = ArrayData((frame, pandas.Series(["a", "b", "a", "b"] * 5)))
    assert data.feature_names == ("length", "mass") and data.classes == ("a", "b")
    assert data.arrays.train[0].dtype == np.float32


def test_frames_of_several_types_and_a_column_of_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"mass": [0.5, 1.5] * 10, "winged": [True, False] * 10})
    names = pandas.DataFrame({"kind": ["bee", "ant"] * 10})
    data = ArrayData((frame, names))
    assert data.classes == ("ant", "bee") and data.arrays.train[0].dtype == np.float32
    again = ArrayData((frame.convert_dtypes(), names))
    np.testing.assert_array_equal(again.arrays.train[0], data.arrays.train[0])
    with pytest.raises(TypeError, match="x: wanted numbers, got object"):
        ArrayData((frame.assign(text="3"), names))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_labels_are_no_class(missing):
    with pytest.raises(ValueError, match="train y: 2 labels are missing, the first in row 1"):
        ArrayData((np.zeros((4, 1)), ["ant", missing, "ant", missing]))


def test_a_column_of_labels_is_told_what_to_be():
    with pytest.raises(ValueError, match=r"shape \(4,\), got \(4, 1\); take y\[:, 0\]"):
        check_labels(torch.zeros(4, 1), 2, 4)


def test_a_loader_may_give_names():
    dataset = [(torch.tensor([float(i)]), "bee" if i % 2 else "ant") for i in range(20)]
    data, _ = as_data(DataLoader(dataset, batch_size=6))
    assert data.classes == ("ant", "bee")
    assert all(y == x[0] % 2 for x, y in zip(*data.arrays.train, strict=True))


def test_a_label_that_is_no_class_is_named():
    rows = np.zeros((2, 1))
    with pytest.raises(ValueError, match="validation y: label 'wasp' is none of the classes ant"):
        ArrayData((rows, ["ant", "bee"]), (rows, ["ant", "wasp"]), (rows, ["ant", "ant"]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 2], "labels go up to 2, but no row is of class 0; number the classes 0 to 1"),
        ([0, 3], "no row is of class 1, 2; number the classes 0 to 1, .* if there are 4 classes"),
        ([5, 90], "no row is of class 0, 1, 2 or 86 others"),
    ],
)
def test_a_class_without_a_row_is_no_class_unless_it_is_named(labels, message):
    x, y = np.arange(20.0)[:, None], np.array(labels * 10)
    for given in (y, torch.tensor(y), y.astype("uint8"), list(map(int, y))):
        with pytest.raises(ValueError, match=message):
            ArrayData((x, given))
        with pytest.raises(ValueError, match=message):
            as_data((x, given))
    named = [f"kind {number}" for number in range(max(labels) + 1)]
    assert ArrayData((x, y), classes=named).num_classes == len(named)
    assert as_data((x, y), classes=named)[0].classes == tuple(named)
    assert ArrayData((x, [str(label) for label in y])).num_classes == 2


def test_rates_by_hand():
    scores = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
    labels = torch.tensor([0, 0, 0, 1])
    rates = rates_of(scores, labels)
    assert rates.recalls == (pytest.approx(2 / 3), 0.0) and rates.accuracy == 0.5
    assert rates.balanced_accuracy == pytest.approx(1 / 3)
    other = rates_of(-scores, labels)
    assert mean_rates([rates, other]).right == (1.5, 0.5)


@pytest.mark.parametrize(("right", "rows"), [(0, 5), (3, 5), (46, 49), (50, 50)])
def test_wilson_s_bounds_are_where_the_share_is_two_deviations_off(right, rows):
    for bound in wilson_interval(right, rows):
        if 0 < bound < 1:
            deviation = (bound * (1 - bound) / rows) ** 0.5
            assert abs(right / rows - bound) == pytest.approx(1.96 * deviation, rel=1e-6)


def test_balanced_classes_weigh_alike():
    labels = torch.tensor([0] * 93 + [1] * 5)
    weight = row_weights(labels, 2, "balanced")
    assert float(weight[:93].sum()) == pytest.approx(float(weight[93:].sum()), rel=1e-5)
    assert class_factors(labels, 2, {"bee": 3.0}, ("ant", "bee")).tolist() == [1.0, 3.0]
    doubled = row_weights(labels, 2, [1, 2], np.full(98, 0.5))
    assert doubled.unique().tolist() == [0.5, 1.0]
    assert row_weights(labels, 2) is None


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("even", "'balanced' or a number per class"),
        ({"wasp": 1.0}, r"names \(ant, bee\), got 'wasp'"),
        ([1.0], "a number for each of 2 classes"),
        ([1.0, -1.0], "finite numbers from 0"),
    ],
)
def test_wrong_class_weights_are_refused(class_weight, message):
    with pytest.raises(ValueError, match=message):
        class_factors(torch.tensor([0, 1]), 2, class_weight, ("ant", "bee"))


def test_rows_are_repeated_as_their_weights_say():
    assert repeats(torch.tensor([1.0, 3.0, 0.0, 2.0])).tolist() == [0, 1, 1, 1, 3, 3]
    many = repeats(torch.tensor([1e-3] * 50 + [1.0]))
    assert len(many) <= 4 * 51 and (many == 50).sum() > 100
