"""What photographs show of the classes that features are named after, beside brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recipes.features.naming import at_random, judged, most_exciting, named_after, shares
from recipes.features.wordnet import distances, read_parents

# Each line of WordNet: number, file, kind, words, pointers, gloss.
TREE = """  1 This software and database is being provided to you
00000001 03 n 01 entity 0 000 | all
00000002 05 n 02 animal 0 beast 1 001 @ 00000001 n 0000 | alive
00000003 05 n 01 dog 0 002 @ 00000002 n 0000 ~ 00000005 n 0000 | barks
00000004 05 n 01 cat 0 001 @ 00000002 n 0000 | mews
00000005 05 n 01 Rex 0 001 @i 00000003 n 0000 | my dog
00000006 05 n 01 chimaera 0 002 @ 00000003 n 0000 @ 00000004 n 0000 | both
00000007 05 n 01 ghost 0 000 | none
"""


def test_the_tree_is_read_and_walked(tmp_path):
    file = tmp_path / "data.noun"
    file.write_text(TREE)
    parents = read_parents(file)
    nouns = [f"n0000000{k}" for k in range(1, 8)]
    assert list(parents) == nouns and parents[nouns[5]] == [nouns[2], nouns[3]]
    steps = distances(parents, nouns, nouns)
    assert (steps == steps.T).all() and (steps.diagonal() == 0).all()
    assert steps[2].tolist()[:6] == [2, 1, 0, 2, 1, 1] and (steps[6, :6] > 10).all()


def test_shares_count_as_by_hand():
    shown = np.array([[0, 0, 1], [2, 2, 2], [1, 0, 2]])
    called = np.array([[0, 3], [0, 1], [3, 1]])
    found = shares(shown, called, np.eye(4, dtype=bool))
    assert found == pytest.approx({"one": 2 / 3, "most": 1 / 3, "photographs": 3 / 9})
    assert set(shares(shown, called, np.ones((4, 4), bool)).values()) == {1}


def test_features_that_show_what_they_are_named_after():
    """Feature k is high where class k is shown, and its weight is high there; but not the last."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), 20)
    noise = generator.uniform(0, 0.1, (240, 12))
    features = (np.eye(12)[labels] + noise).astype(np.float32)
    weight = torch.eye(12)
    weight[11, 11] = -1
    excited = most_exciting(features, labels)
    assert (excited == np.arange(12)[:, None]).all()
    assert named_after(weight, range(11), range(12))[:, 0].tolist() == list(range(11))
    assert set(named_after(weight, [11], [3, 4, 5, 11])[0]) == {3, 4, 5}
    counting = {"it": np.eye(12, dtype=bool)}
    (row,) = judged(weight, excited, range(12), [range(12)], counting, generator)
    assert row["named"]["most"] == pytest.approx(11 / 12)
    assert 0.15 < row["chance"]["one"] < 0.35  # three of twelve


def test_classes_at_random_are_different_ones_of_those_given():
    drawn = at_random(np.random.default_rng(0), 200, [2, 5, 7, 11])
    assert set(drawn.flat) == {2, 5, 7, 11} and all(len(set(row)) == 3 for row in drawn)
