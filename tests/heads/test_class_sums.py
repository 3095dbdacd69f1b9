"""Sums in which each class reads features of its own."""

import pytest
import torch

from occamhead.heads.class_sums import ClassSums
from occamhead.heads.limits import Limits
from occamhead.rows.allotted import Growth

CLASSES = 8


def blobs(rows=400, features=20, seed=0):
    """Each class has a feature that is high in it, and the last two are hard to tell apart."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(CLASSES, (rows,), generator=generator)
    x = torch.randn(rows, features, generator=generator)
    x[torch.arange(rows), y] += torch.where(y < CLASSES - 2, 4.0, 1.0)
    return x, y


@pytest.mark.parametrize("penalty", [None, 0.01])
def test_the_budget_is_the_mean_number_and_hard_classes_get_more(penalty):
    path = ClassSums(blobs(), CLASSES, penalty)
    sums = path.sums([1, 2, 3])
    for budget, made in sums.items():
        assert int((made.weight != 0).sum()) == budget * CLASSES
    x, y = blobs(seed=1)
    right = [(path.scores(made, x).argmax(dim=1) == y).double().mean() for made in sums.values()]
    assert right[0] > 0.6 and right[-1] > 0.7


def test_scores_are_those_of_all_features():
    x, _ = blobs()
    path = ClassSums(blobs(), CLASSES, None)
    made = path.sums([2])[2]
    mean, scale = path.standardisation
    assert torch.allclose(path.scores(made, x), (x - mean) / scale @ made.weight.T + made.bias)


def test_limits_hold_for_every_budget():
    limits = Limits(drop=frozenset([1]), force=frozenset([19]), sign=((0, 0, -1),))
    path = ClassSums(blobs(), CLASSES, None, limits=limits)
    for made in path.sums([2, 3]).values():
        assert not made.weight[:, 1].any() and made.weight[:, 19].all()
        assert made.weight[0, 0] <= 0


def test_features_that_never_vary_and_classes_without_a_row_do_no_harm():
    x, y = blobs()
    x[:, 3] = 7.0
    x[:, 4] = x[:, 5]
    y[y == 2] = 1
    made = ClassSums((x, y), CLASSES, None).sums([2])[2]
    assert made.weight.isfinite().all() and made.bias.isfinite().all()
    assert not made.weight[:, 3].any()


def stopped_after(monkeypatch, fits):
    """Make Ctrl-C come after some fits."""
    more, count = Growth._with_more, [0]

    def counted(self, now, number):
        count[0] += 1
        if count[0] > fits:
            raise KeyboardInterrupt
        return more(self, now, number)

    monkeypatch.setattr(Growth, "_with_more", counted)


def test_ctrl_c_leaves_the_budgets_that_are_done(monkeypatch):
    whole = ClassSums(blobs(), CLASSES, None).sums([1, 2])
    stopped_after(monkeypatch, 9)
    with pytest.warns(UserWarning, match="interrupted; of 2 budgets: 1$"):
        found = ClassSums(blobs(), CLASSES, None).sums([1, 2])
    assert list(found) == [1]
    assert torch.equal(found[1].weight, whole[1].weight)


def test_ctrl_c_before_the_first_budget_is_passed_on(monkeypatch):
    stopped_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        ClassSums(blobs(), CLASSES, None).sums([1, 2])
