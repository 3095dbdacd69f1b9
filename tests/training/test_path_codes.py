"""Sums of many classes that share a pool of features, and sums whose weights are signs."""

import numpy as np
import pytest
import torch

from occamhead import ArrayData, OccamHead, fit_path, nec_of
from occamhead.expression import Expression
from occamhead.heads.coding import WEIGHTS
from occamhead.rows.codes import CodeGrowth
from recipes.nec_tasks.choice import Task
from recipes.nec_tasks.methods import METHODS
from recipes.others.linear_heads import Clock

CLASSES, FEATURES = 6, 16


def rows(count=240, seed=0):
    """Each class is high in a feature of its own and low in another."""
    generator = np.random.default_rng(seed)
    y = np.arange(count) % CLASSES
    x = generator.normal(size=(count, FEATURES)).astype(np.float32)
    x[np.arange(count), y] += 3
    x[np.arange(count), (y + 1) % CLASSES + 6] -= 3
    return x, y


def fitted(data=None, budgets=(1, 3), **options):
    options = {"per_class": True, "folds": 2, "distil": False, **options}
    return fit_path(data or rows(), budgets, **options)


def book_of(head):
    return head.formula().code_book(head.classes or ())


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("shared", [None, 7])
def test_pool_budget_and_signs_hold(weights, shared, tmp_path):
    path = fitted(shared=shared, weights=weights)
    for point in path:
        head = point.head
        assert 0 < point.nec.mean <= point.budget and point.nec == nec_of(head)
        assert shared is None or point.features <= shared
        assert point.validation_accuracy > 0.25  # chance would be .17
        if weights != "real":
            book = book_of(head)
            assert [len(code) for code in book.codes] == list(point.nec.per_class)
            assert set(book.factors) == {1.0} or weights.endswith("by-class")
            signs = {sign for code in book.codes for sign in code.values()}
            assert signs <= ({1} if weights.startswith("binary") else {1, -1})
    x = torch.from_numpy(rows(seed=1)[0])
    head.save(tmp_path / "head.pt")
    loaded = OccamHead.load(tmp_path / "head.pt")
    assert torch.equal(loaded(x), head(x))
    assert str(loaded) == str(head)
    again = Expression.from_json(head.formula().to_json())
    assert np.allclose(again(x.double()), head.formula()(x.double()))
    if weights != "real":
        assert again.code_book() == book


def test_a_pool_holds_in_every_fold(monkeypatch):
    from occamhead.heads import editing

    seen, whole = [], editing.hold_out

    def kept(*args, **kwargs):
        found = whole(*args, **kwargs)
        seen.extend(mask for held in found.values() for mask in held.masks)
        return found

    monkeypatch.setattr(editing, "hold_out", kept)
    fitted(shared=5, weights="ternary", folds=3)
    assert len(seen) == 6
    assert all(int(mask.any(dim=0).sum()) <= 5 for mask in seen)


def test_edits_keep_pool_and_signs():
    head = fitted(shared=7, weights="ternary").points[-1].head
    read = head.formula().features
    edited = head.edit(drop=[read[0]], sign={read[1]: {0: "-"}}).head
    assert len(edited.formula().features) <= 7
    assert read[0] not in edited.formula().features
    book = book_of(edited)
    assert set(book.factors) == {1.0}
    name = f"f{read[1]}"
    if name in book.names:
        assert book.codes[0].get(book.names.index(name)) in (None, -1)
    few = head.edit(keep=read[:3]).head
    assert set(few.formula().features) <= set(read[:3])
    with pytest.raises(ValueError, match="ternary weights of a feature that every class reads"):
        head.edit(force=[read[0]])


def test_forced_features_are_in_the_pool():
    head = fitted(shared=7, budgets=(3,)).points[-1].head
    forced = next(f for f in range(FEATURES) if f not in head.formula().features)
    edited = head.edit(force=[forced]).head.formula()
    assert forced in edited.features and len(edited.features) <= 7
    with pytest.raises(ValueError, match="8 features do not fit into a pool of 7"):
        head.edit(force=range(8))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"shared": 2}, "cannot read 3 features of a pool of 2; take shared=3 or more"),
        ({"shared": 0}, "shared.* 1.*got 0"),
        ({"weights": "tenary"}, "unknown kind of weights 'tenary'; did you mean ternary"),
        ({"shared": 5, "per_class": False}, "shared=5 is for sums of three classes or more"),
        ({"weights": "binary", "nodes": 2, "folds": None}, "weights='binary' is for sums.*nodes=2"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        fitted(**options)


def test_two_classes_have_no_code():
    x, y = rows()
    with pytest.raises(ValueError, match="and 2 classes; take per_class=True"):
        fitted((x, y % 2), weights="ternary")


@pytest.mark.parametrize("weights", ["real", "ternary", "binary-by-class"])
def test_rows_that_are_hard_to_learn_from_do_no_harm(weights):
    """Constant features, doubled ones, classes that are the same, and one without a row."""
    x, y = rows()
    x[:, 0] = 5.0
    x[:, 2] = x[:, 3]
    x[y == 5] = x[y == 4]
    parts = [(x[:120][y[:120] != 1], y[:120][y[:120] != 1]), (x[120:], y[120:])]
    data = ArrayData(parts[0], parts[1], parts[1], classes=[f"c{k}" for k in range(CLASSES)])
    # More features than there are are all.
    for point in fitted(data, budgets=(2, 40), shared=40, weights=weights, folds=None):
        assert 0 not in point.head.formula().features
        scores = point.head(torch.from_numpy(x))
        assert scores.isfinite().all() and point.validation_accuracy > 0.3


def test_features_that_say_nothing_leave_no_weights():
    x, y = rows()
    for point in fitted((np.ones_like(x), y), weights="ternary", shared=5):
        assert point.nec.mean == 0 and point.validation_accuracy <= 0.2


def test_ctrl_c_leaves_the_budgets_that_are_done(monkeypatch):
    whole, count = CodeGrowth.exchanged, [0]

    def stopped(self, now):
        count[0] += 1
        # Two starts of each budget with a pool, and two budgets, in one split and of all rows.
        if count[0] == 3:
            raise KeyboardInterrupt
        return whole(self, now)

    monkeypatch.setattr(CodeGrowth, "exchanged", stopped)
    with pytest.warns(UserWarning, match="interrupted; of 2 budgets: 1$"):
        path = fitted(shared=7, weights="ternary", folds=1)
    assert [point.budget for point in path] == [1]


def test_the_recipe_fits_what_fit_path_fits():
    x, y = rows()
    x = abs(x)
    train, held = (x[:120], y[:120]), (x[120:], y[120:])
    made = METHODS["pool50-ternary"](Task(train, held, CLASSES, (3,), 0, Clock(60)))[3]
    point = fitted(
        ArrayData(train, held, held), budgets=(3,), shared=50, weights="ternary", shape="sqrt",
        folds=None,
    ).points[0]  # fmt: skip
    assert made.head.formula() == point.formula
    assert made.validation_accuracy == point.validation_accuracy
