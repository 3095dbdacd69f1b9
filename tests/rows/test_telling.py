"""The classes that features spoke for in a classifier, beside brute force."""

from __future__ import annotations

import pytest
import torch

from occamhead.rows.telling import OldClassifier, telling_classes


def test_telling_classes_are_those_of_the_largest_standardised_weights():
    weight = torch.randn(12, 7, generator=torch.Generator().manual_seed(0))
    weight[:, 3] = 0.5  # tells nothing
    names = [f"class {k}" for k in range(12)]
    hints = OldClassifier(weight, tuple(names)).hints(2)
    for feature in range(7):
        column = weight[:, feature].tolist()
        order = sorted(range(12), key=lambda k: -column[k])
        told = telling_classes(weight, names, feature)
        if feature != 3:
            assert told == tuple(names[k] for k in order[:3])
            assert hints[feature] == ", ".join(told[:2])
    assert len(telling_classes(weight, names, 0, count=40)) == 12


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"weights are \\[2, 3\\], got 1".replace("\\\\", "\\")):
        OldClassifier(torch.ones(2, 3), ("a",))
    with pytest.raises(ValueError, match="a feature from 0 to 2, got 3"):
        telling_classes(torch.ones(2, 3), ["a", "b"], 3)
