"""Edits: what may be read, must be read and with which sign, and what that costs held out."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch

from occamhead import EssenceHead, OccamHead, fit_head, fit_path
from occamhead.heads.base import SymbolicHead
from occamhead.heads.editing import Origin
from occamhead.heads.limits import Limits, limits_of
from occamhead.heads.sums import SumPath, folds, hold_out
from occamhead.rows.arrays import ArrayData
from occamhead.rows.metrics import rates_of
from tests.heads.heads import three_blobs

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

QUIET = {"accelerator": "cpu", "enable_progress_bar": False}


def rows(count: int = 160, features: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes told apart by features 2, 5 and 7, of which 8 is a noisy copy of 2."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(count, features, generator=generator)
    x[:, 8] = x[:, 2] + 0.3 * x[:, 8]
    score = 2 * x[:, 2] - 1.5 * x[:, 5] + x[:, 7]
    return x, (score + torch.randn(count, generator=generator) > 0.3).long()


@pytest.fixture(scope="module")
def path():
    return fit_path(rows(), budgets=(1, 2, 3, 4))


def coefficients(head: OccamHead) -> dict[int, float]:
    """Of the sum that speaks for the second class."""
    formula, probe = head.formula(), torch.eye(head.in_features).double().numpy()
    values = formula(probe) - formula(0 * probe)
    return {f: values[f, 1] - values[f, 0] for f in formula.features}


@pytest.mark.slow
def test_an_edit_without_limits_changes_nothing(path):
    for point in path:
        edited = point.head.edit()
        assert edited.head.formula() == point.head.formula()
        assert edited.before == edited.after == point.rates
        assert edited.cost == 0


@pytest.mark.slow
def test_to_drop_is_to_fit_without_the_columns():
    x, y = rows()
    left = [f for f in range(x.shape[1]) if f not in (2, 5)]
    whole = fit_path((x, y), budgets=(1, 2, 3), distil=False)
    cut = fit_path((x[:, left], y), budgets=(1, 2, 3), distil=False)
    for point, wanted in zip(whole, cut, strict=True):
        edited = point.head.edit(drop=[2, 5])
        names = [f"x{f}" for f in left]
        assert edited.head.formula().text() == wanted.head.formula(names).text()
        assert edited.after == wanted.rates
        assert edited.before == point.rates
        assert edited.cost == point.rates.accuracy - wanted.rates.accuracy


def test_to_keep_is_to_drop_the_others(path):
    head, kept = path.select(3).head, [5, 7, 8, 11]
    others = [f for f in range(12) if f not in kept]
    formula = head.edit(keep=kept).head.formula()
    assert formula == head.edit(drop=others).head.formula()
    assert set(formula.features) == {5, 7, 8}
    # Fewer than there were are all.
    assert head.edit(keep=[7]).head.formula().features == (7,)


def test_what_is_forced_is_read_and_the_rest_is_the_best(path):
    head = path.select(3).head
    assert not {0, 11} & set(head.formula().features)
    edited = head.edit(force=[0, 11])
    assert set(edited.head.formula().features) == {0, 2, 11}
    assert edited.cost > 0
    assert len(path.select(2).head.edit(force=[0, 1, 3]).head.formula().features) == 3


@pytest.mark.slow
def test_a_sign_that_the_rows_give_changes_nothing_and_another_bars_the_feature(path):
    head = path.select(3).head
    signs = {f: "+" if c > 0 else "-" for f, c in coefficients(head).items()}
    assert signs == {2: "+", 5: "-", 7: "+"}
    assert head.edit(sign=signs).head.formula() == head.formula()
    # By class: what speaks for the first speaks against the second.
    assert head.edit(sign={5: {0: "+"}}).head.formula() == head.formula()
    turned = head.edit(sign={2: "-"})
    assert turned.head.formula().features == (5, 7, 8)
    every = head.edit(sign=dict.fromkeys(range(12), "+"))
    assert all(c > 0 for c in coefficients(every.head).values())
    with pytest.raises(ValueError, match="feature 2 is to be read with a sign"):
        head.edit(sign={2: "-"}, force=[2])


@pytest.mark.slow
def test_limits_add_up_and_the_later_ones_hold(path):
    head = path.select(3).head
    twice = head.edit(drop=[2]).head.edit(drop=[8])
    assert twice.head.formula() == head.edit(drop=[2, 8]).head.formula()
    assert twice.before == head.edit(drop=[2]).after
    back = head.edit(drop=[2]).head.edit(force=[2]).head
    # The threshold is another: in every fold that chose it feature 2 was read.
    assert back.formula().nodes[-1].terms == head.formula().nodes[-1].terms
    assert back.origin.limits == Limits(force=(2,))
    forced = head.edit(force=[0]).head.edit(drop=[0]).head
    assert 0 not in forced.formula().features


def test_before_and_after_are_counted_in_the_same_folds(path):
    head, (x, y) = path.select(2).head, path.select(2).head.origin.together()
    origin = head.origin
    limits = Limits(drop=frozenset([5]))
    splits = folds((x, y), 5, seed=0)
    held = hold_out(splits, 2, [1, 2], False, origin.penalty, limits)[2]
    edited = head.edit(drop=[5])
    assert edited.after == rates_of(held.scores, held.labels)
    assert all(5 not in read for read in held.features)
    assert sum(edited.before.rows) == sum(edited.after.rows) == len(x)
    assert f"{edited.after.accuracy:.1%} of 160 rows held out" in str(edited)


def test_the_dense_head_that_teaches_does_not_see_what_is_dropped():
    """What it says would come back through copies of the feature."""
    x, y = rows()
    spoiled = x.clone()
    spoiled[:, 2] = y * 100.0
    clean, seen = (
        SumPath((each, y), 2, 0.1, limits=Limits(drop=frozenset([2]))) for each in (x, spoiled)
    )
    assert torch.equal(clean.teacher, seen.teacher)
    assert torch.equal(clean.sums([2])[2].weight, seen.sums([2])[2].weight)


@pytest.mark.slow
@pytest.mark.parametrize("per_class", [False, True])
def test_three_classes(per_class):
    x, y = three_blobs()
    data = ArrayData((x, [("ant", "bee", "wasp")[label] for label in y]))
    head = fit_path(data, budgets=(1, 2), per_class=per_class).select(2).head
    assert head.edit().head.formula() == head.formula()
    assert head.origin.per_class == per_class
    dropped = head.edit(drop=[0])
    assert 0 not in dropped.head.formula().features
    assert dropped.head.classes == ("ant", "bee", "wasp")
    forced = head.edit(force=[3]).head.formula()
    assert 3 in forced.features
    # Feature 0 is high where it is a bee.
    same = head.edit(force=[0], sign={0: {"bee": "+"}}).head.formula()
    assert same == head.edit(force=[0]).head.formula()
    barred = head.edit(sign={0: {"bee": "-"}}).head.formula()
    # The other classes may read it still, where each has features of its own.
    assert 0 not in (barred[1] if per_class else barred).features
    with pytest.raises(ValueError, match=r"name the class, as \{0: \{'ant': '\+'\}\}"):
        head.edit(sign={0: "+"})


@pytest.mark.slow
def test_heads_that_voted_and_wholes_can_be_edited():
    fit = fit_head(rows(), max_features=3, restarts=1, steps=20, trainer=QUIET)
    edited = fit.edit(drop=[2, 8])
    assert 2 not in edited.head.formula().features
    assert len(edited.head.formula().features) == len(fit.head.formula().features)
    assert edited.before.accuracy > edited.after.accuracy


@pytest.mark.slow
def test_a_path_is_edited_at_all_sizes(path):
    edited = path.edit(drop=[2], force=[0, 1])
    assert [point.budget for point in edited] == [2, 3, 4]
    for point in edited:
        assert {0, 1} <= set(point.formula.features)
        assert 2 not in point.formula.features
        assert point.head.edit().head.formula() == point.formula
    assert (
        edited.select(3).formula == path.select(3).head.edit(drop=[2], force=[0, 1]).head.formula()
    )


# --- the rows of the fit --------------------------------------------------------------------------


def saved(head: OccamHead) -> SymbolicHead:
    stream = io.BytesIO()
    head.save(stream)  # type: ignore[arg-type]
    stream.seek(0)
    return SymbolicHead.load(stream)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [copy.deepcopy, copy.copy, lambda head: pickle.loads(pickle.dumps(head)), saved],
    ids=["deepcopy", "copy", "pickle", "file"],
)
def test_a_copy_knows_no_rows_and_asks_for_them(path, other):
    head = path.select(2).head
    copied = other(head)
    assert copied.origin is None
    assert head.origin is not None
    assert "origin" not in head.state_dict()
    assert "origin" not in head.config()
    with pytest.raises(ValueError, match=r"does not know the rows.* head.edit"):
        copied.edit(drop=[2])
    # The same rows, so the same split, the same penalty and the same folds.
    again = copied.edit(drop=[2], data=rows())
    assert again.head.formula() == head.edit(drop=[2]).head.formula()
    assert (again.before, again.after) == (head.edit().before, head.edit(drop=[2]).after)


def test_the_rows_are_not_copied(path):
    origins = [point.head.origin for point in path]
    assert all(origin.train[0] is origins[0].train[0] for origin in origins)
    assert isinstance(origins[0], Origin)


def test_what_is_no_weighted_sum_is_refused(path):
    with_nodes = fit_path(rows(), budgets=(2,), nodes=2, steps=5).select(2).head
    with pytest.raises(ValueError, match=r"only weighted sums.* fit_path"):
        with_nodes.edit(drop=[2])
    with pytest.raises(ValueError, match=r"only weighted sums.*got EssenceHead"):
        EssenceHead(4, 2).edit(drop=[2])
    numbers = OccamHead(4, 2, loss="squared_error").eval()
    with pytest.raises(ValueError, match=r"only weighted sums.*'squared_error'"):
        numbers.edit(drop=[2], data=rows())
    with pytest.raises(ValueError, match="wanted 12 features and 2 classes, got 4 and 3"):
        path.select(2).head.edit(drop=[2], data=three_blobs())


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"drop": [12]}, "wanted a feature from 0 to 11, got 12"),
        ({"drop": [-1]}, "from 0 to 11, got -1"),
        ({"drop": [1.5]}, "number or name of a feature, got 1.5"),
        ({"drop": ["body"]}, "no names, so there is no 'body'"),
        ({"drop": [1], "force": [1]}, "feature 1 is in drop and in force"),
        ({"keep": [1], "force": [2]}, "feature 2 is in force but not in keep"),
        ({"keep": [1], "drop": [2]}, "give one of them"),
        ({"keep": []}, "no feature is left"),
        ({"sign": {1: "up"}}, r"wanted '\+' or '-' for feature 1, got 'up'"),
        ({"sign": {1: {2: "+"}}}, "wanted a class from 0 to 1, got 2"),
        ({"sign": {1: {"bees": "+"}}}, "unknown class 'bees'"),
    ],
)
def test_limits_that_cannot_be(path, limits, message):
    with pytest.raises(ValueError, match=message):
        path.select(2).head.edit(**limits)


def test_features_have_numbers_and_names():
    names = {3: "fuzzy body", 4: "x1"}
    limits = limits_of(6, names, drop=["fuzzy body", "x2"], force=["x1"])
    assert limits == Limits(drop=frozenset([2, 3]), force=(4,))
    assert limits_of(6, ["a", "b", "c"], drop="b") == limits_of(6, drop=1)
    with pytest.raises(ValueError, match="unknown feature 'fuzy body'; did you mean fuzzy body"):
        limits_of(6, names, drop=["fuzy body"])


# --- interventions --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [True, False], ids=["soft", "formula"])
def test_to_intervene_is_to_change_the_rows(path, mode):
    head, (x, _) = copy.deepcopy(path.select(3).head).train(mode), rows()
    before = x.clone()
    changed = x.clone()
    changed[:, 2], changed[:, 5] = 0.0, torch.arange(len(x)) / 10
    assert torch.equal(head.intervene(x, {2: 0, "x5": torch.arange(len(x)) / 10}), head(changed))
    assert torch.equal(x, before)
    assert torch.equal(head.intervene(x, {}), head(x))
    with pytest.raises(ValueError, match="from 0 to 11"):
        head.intervene(x, {99: 0})
    with pytest.raises(ValueError, match=r"\[..., 12\]"):
        head.intervene(x[:, :3], {2: 0})


def test_an_intervention_on_a_sum_adds_the_coefficient(path):
    head, (x, _) = path.select(3).head, rows()
    moved = head.intervene(x, {2: x[:, 2] + 1}) - head(x)
    slope = moved[:, 1] - moved[:, 0]
    assert slope == pytest.approx(torch.full_like(slope, coefficients(head)[2]), abs=1e-4)
