"""Pooling rows into patterns."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.essence.patterns import pool


def test_contradictions_are_settled_by_a_majority_and_ties_go_to_the_lowest_class():
    x = [[1, 0]] * 3 + [[0, 1]] * 2 + [[0, 0]]
    patterns = pool(x, [2, 2, 0, 1, 0, 1])
    assert patterns.points.tolist() == [[0, 0], [0, 1], [1, 0]]
    assert patterns.labels.tolist() == [1, 0, 2]
    assert patterns.support.tolist() == [1, 2, 3]
    assert patterns.purity.tolist() == [1, 0.5, 2 / 3]
    assert patterns.num_classes == 3 and patterns.num_dropped == 0


def test_support_and_purity_drop_patterns():
    x = [[1]] * 3 + [[0]] * 2 + [[5]]
    patterns = pool(x, [1, 1, 0, 0, 0, 1], min_support=2)
    assert patterns.points.tolist() == [[0], [1]] and patterns.num_dropped == 1
    patterns = pool(x, [1, 1, 0, 0, 0, 1], min_support=2, min_purity=0.7)
    assert patterns.points.tolist() == [[0]] and patterns.num_dropped == 2


def test_whole_numbers_of_any_type_are_taken():
    for dtype in (bool, np.uint8, np.int16, np.float32, np.float64):
        assert pool(np.eye(3, dtype=dtype), [0, 1, 1]).points.dtype == np.int64


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([[0.0, 1.5]], [0], {}, r"input 1 of row 0 is 1\.5 .*round, binarise or bin"),
        ([[np.nan]], [0], {}, "input 0 of row 0 is nan"),
        ([[2**24]], [0], {}, "is 16777216"),
        ([["a"]], [0], {}, "must be numbers"),
        ([0, 1], [0, 1], {}, r"shape \(2,\)"),
        (np.zeros((0, 3)), [], {}, r"shape \(0, 3\)"),
        ([[0], [1]], [0], {}, "2 rows need as many labels"),
        ([[0], [1]], [0, -1], {}, "got -1 in row 1"),
        ([[0], [1]], [0, 2], {"classes": 2}, "from 0 to 1, got 2 in row 1"),
        ([[0], [1]], [0.0, 0.5], {}, "labels must be class numbers"),
        ([[0], [1]], ["no", "yes"], {}, r"got 'no' .*number them by np\.unique"),
        ([[0], [1]], [0, 1], {"min_support": 2}, "lower min_support"),
        ([[0], [1]], [0, 1], {"min_purity": 1.5}, "got 1 and 1.5"),
    ],
)
def test_what_cannot_be_pooled_is_told(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        pool(x, y, **options)


def test_patterns_seen_through_sums():
    x = np.array([[0, 1, 5], [1, 0, 5], [1, 1, 5], [1, 1, 5], [1, 1, 5]])
    patterns = pool(x, [0, 0, 1, 1, 0])
    sums = patterns.seen_through(np.array([[1, 1, 0]]))
    assert sums is not None
    assert sums.points.tolist() == [[1], [2]] and sums.labels.tolist() == [0, 1]
    assert sums.support.tolist() == [2, 3] and sums.purity == pytest.approx([1, 2 / 3])
    assert patterns.seen_through(np.array([[0, 0, 1]])) is None
    assert patterns.seen_through(np.array([[1, 0, 0]])) is None
    alone = pool(x, [1] * 5).seen_through(np.zeros((0, 3), dtype=np.int64))
    assert alone is not None and alone.points.shape == (1, 0) and alone.support.tolist() == [5]


@pytest.mark.parametrize("seed", range(5))
def test_seen_through_themselves_patterns_are_the_same(seed):
    generator = np.random.default_rng(seed)
    x, y = generator.integers(-2, 3, (60, 3)), generator.integers(0, 3, 60)
    patterns = pool(x, y)
    same = patterns.seen_through(np.eye(3, dtype=np.int64))
    assert same is not None
    assert (same.points == patterns.points).all() and (same.labels == patterns.labels).all()
    assert (same.support == patterns.support).all()
    assert same.purity == pytest.approx(patterns.purity)
