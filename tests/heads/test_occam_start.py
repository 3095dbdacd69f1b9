"""How an OccamHead starts: standardisation, the features it prefers, and what is refused."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from occamhead import OccamHead
from tests.heads.occam_heads import (
    made,
)


@pytest.mark.parametrize("value", [0.0, 1.0, -12345.678, 1e7, 0.1])
def test_constant_features_are_safe(value):
    torch.manual_seed(0)
    rows = torch.randn(1000, 3)
    rows[:, 1] = value
    head = OccamHead(3, 2)
    head.initialise(rows, (rows[:, 0] > 0).long())
    assert head.feature_scale[1] == 1
    assert head.feature_mean[1].item() == pytest.approx(value, rel=1e-6)
    assert head.train()(rows).isfinite().all() and head.eval()(rows).isfinite().all()


def test_standardisation():
    torch.manual_seed(0)
    rows = torch.randn(200, 4) * torch.tensor([1.0, 10.0, 0.01, 3.0]) + 5
    head = OccamHead(4, 2)
    head.initialise(rows)
    torch.testing.assert_close(head.feature_mean, rows.mean(0))
    torch.testing.assert_close(head.feature_scale, rows.std(0, correction=0))
    head.initialise(rows, standardise=False)
    assert (head.feature_mean == 0).all() and (head.feature_scale == 1).all()
    head.initialise(rows[:1])
    assert (head.feature_scale == 1).all()


@pytest.mark.parametrize("per_class", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_prior_prefers_the_telling_feature(per_class, seed):
    torch.manual_seed(seed)
    rows = torch.randn(300, 20)
    labels = torch.arange(300) % 3
    rows[:, 7] += 3.0 * (labels == 2)
    head = OccamHead(20, 3, ["affine1"], per_class=per_class)
    head.initialise(rows, labels, prior=5.0)
    assert head.network.expression()[2].features == (7,)
    for logits in head.network.logits[:1]:
        assert (logits[-1].argmax(-1) == 7).all()
    torch.manual_seed(seed)
    plain = OccamHead(20, 3, ["affine1"], per_class=per_class)
    for options in ({"prior": 0.0, "labels": labels}, {"labels": None}):
        labels_given = options.pop("labels")
        plain.initialise(rows, labels_given, generator=torch.Generator().manual_seed(seed),
                         **options)  # fmt: skip
        assert plain.network.logits[0].std().item() == pytest.approx(0.3, rel=0.3)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (torch.zeros(4, 3), None, r"\[batch, 2\]"),
        (torch.zeros(4), None, r"\[batch, 2\]"),
        (torch.tensor([[0.0, 1.0], [0.0, math.nan]]), None, "feature 1 of row 1 is nan"),
        (torch.tensor([[math.inf, 1.0], [0.0, 0.0]]), None, "feature 0 of row 0 is inf"),
        (torch.zeros(2, 2), torch.tensor([0]), "one label per row"),
        (torch.zeros(2, 2), torch.tensor([[0, 1]]), "one label per row"),
        (torch.zeros(2, 2), torch.tensor([0, 3]), "label 3 is out of range for 3 classes"),
        (torch.zeros(2, 2), torch.tensor([0, -1]), "label -1 is out of range"),
        (torch.zeros(2, 2), torch.tensor([0.0, 1.0]), "whole class indices"),
        (torch.zeros(0, 2), None, "row"),
    ],
)
def test_wrong_features_and_labels_are_value_errors(rows, labels, message):
    head = OccamHead(2, 3)
    before = copy.deepcopy(head.state_dict())
    with pytest.raises(ValueError, match=message):
        head.initialise(rows, labels)
    after = head.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("training", [True, False])
def test_wrong_feature_count_is_a_value_error(training):
    head = made("default").train(training)
    for shape in ((2, 29), (29,), (1, 30, 2), ()):
        with pytest.raises(ValueError, match=r"\[\.\.\., 30\], got"):
            head(torch.zeros(shape))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_bad_features_in_training_are_named(value):
    head = made("default").train()
    x = torch.zeros(5, 30)
    x[3, 17] = value
    with pytest.raises(ValueError, match=f"feature 17 of row 3 is {value}"):
        head(x)
    with torch.no_grad():
        head.network.free_constants[0].fill_(math.nan)
    with pytest.raises(ValueError, match="training diverged"):
        head(torch.zeros(5, 30))


@pytest.mark.parametrize("digits", [0, -1])
def test_digits_error(digits):
    with pytest.raises(ValueError, match="digits"):
        OccamHead(2, 2, digits=digits)


def test_empty_batch():
    head = made("default")
    assert head(torch.zeros(0, 30)).shape == (0, 4)
    assert head.train()(torch.zeros(0, 30)).shape == (0, 4)
