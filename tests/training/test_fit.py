"""fit_head on planted data: it finds what was planted, and looks at nothing it should not."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from occamhead import OccamHead, OccamModule
from occamhead.rows.arrays import ArrayData, as_rows
from occamhead.rows.metrics import accuracy
from occamhead.rows.screening import most_telling
from occamhead.training.course import vote
from occamhead.training.fit import fit_head
from occamhead.training.numbers import formula_loss
from occamhead.training.trainer import short_options

pytestmark = [
    pytest.mark.usefixtures("offline", "one_thread"),
    # One test below sees to it that users do not get to read this.
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
]

QUIET = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False}
quick = functools.partial(fit_head, restarts=2, steps=60, trainer=QUIET)


def formula_accuracy(fit, rows) -> float:
    scores = fit.head.formula()(rows[0].astype(np.float64))
    return float(np.mean(scores.argmax(axis=1) == rows[1]))


@pytest.mark.slow
def test_fitting_warns_of_nothing(planted):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*in eval mode at the start of training")
        quick(planted(rows=100, features=30).data(), max_features=5)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_planted_features_are_found(planted, seed):
    """400 rows, 300 features, 4 of them informative; 2000 fresh rows to test on."""
    data = planted(seed=seed)
    fit = fit_head(data.data(), max_features=8, restarts=2, seed=seed, trainer=QUIET)
    found = set(fit.head.formula().features)
    assert set(data.informative.tolist()) <= found
    assert len(found) <= 8
    reached, rows = formula_accuracy(fit, data.test), as_rows(data.test)
    assert reached > data.bayes - 0.06
    assert reached > accuracy(fit.dense, rows) - 0.03
    assert accuracy(fit.head, rows) == pytest.approx(reached, abs=2e-3)
    # Scores of the candidates, of which the best was kept, and an honest forecast.
    assert len(fit.losses) == 2 and all(0 < loss < np.log(2) for loss in fit.losses)
    together = as_rows(data.data().merged().arrays.train)
    targets = torch.softmax(fit.dense(together[0]), dim=-1)
    assert formula_loss(fit.head, together[0], targets) == pytest.approx(min(fit.losses), abs=1e-4)
    assert abs(fit.validation_accuracy - reached) < 0.15


@pytest.mark.slow
def test_few_features_suffice_where_few_inform(planted):
    data = planted(informative=2, strength=4.0)
    fit = quick(data.data(), max_features=2, steps=150)
    assert set(fit.head.formula().features) == set(data.informative.tolist())
    assert formula_accuracy(fit, data.test) > data.bayes - 0.03


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 7])
def test_the_formulas_use_at_most_so_many_features(planted, most):
    data = planted(rows=150, features=60, classes=3, informative=6)
    fit = quick(data.data(), max_features=most)
    assert 1 <= len(fit.head.formula().features) <= most
    assert (fit.head.in_features, fit.head.out_features) == (60, 3)
    assert not fit.head.training and not fit.head.soft_eval


@pytest.mark.slow
def test_no_limit_skips_the_vote(planted):
    data = planted(rows=150, features=60)
    limited, free = (quick(data.data(), max_features=most) for most in (5, None))
    assert len(limited.head.formula().features) <= 5 < len(free.head.formula().features)
    bases = free.head.network.layout.layers[0]
    assert len(free.head.formula().features) <= 2 * sum(basis.arity for basis in bases)


def test_the_screen_decides_what_the_networks_see(planted):
    data = planted(rows=300, features=80, informative=3)
    fit = quick(data.data(), screen=10, max_features=None)
    train, validation = data.data().arrays.train, data.data().arrays.validation
    x, y = (np.concatenate(pair) for pair in zip(train, validation, strict=True))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    contrast = np.abs(z[y == 0].mean(axis=0) - z[y == 1].mean(axis=0))
    seen = set(np.argsort(contrast)[-10:].tolist())
    assert set(fit.head.formula().features) <= seen
    assert set(data.informative.tolist()) <= set(fit.head.formula().features)
    assert most_telling((torch.from_numpy(x), torch.from_numpy(y)), 10, 2) == sorted(seen)


@pytest.mark.slow
def test_a_screen_wider_than_the_rows_is_all_of_them(planted):
    data = planted(rows=100, features=12, informative=3)
    fit = quick(data.data(), screen=512, max_features=40)
    assert set(fit.head.formula().features) <= set(range(12))
    assert formula_accuracy(fit, data.test) > data.bayes - 0.1


@pytest.mark.slow
def test_three_classes(planted):
    data = planted(rows=600, features=60, classes=3, informative=6, seed=1)
    fit = fit_head(data.data(), max_features=12, restarts=2, steps=200, trainer=QUIET)
    assert len(fit.head.formula()) == 3
    assert set(data.informative.tolist()) <= set(fit.head.formula().features)
    assert formula_accuracy(fit, data.test) > data.bayes - 0.06


@pytest.mark.slow
def test_learning_from_the_labels(planted):
    data = planted(rows=400, features=40)
    fit = quick(data.data(), distil=False, steps=150, max_features=10)
    assert set(data.informative.tolist()) <= set(fit.head.formula().features)
    assert formula_accuracy(fit, data.test) > data.bayes - 0.06
    assert fit.module.teacher is None
    together = as_rows(data.data().merged().arrays.train)
    assert formula_loss(fit.head, *together) == pytest.approx(min(fit.losses), abs=1e-4)
    taught = quick(data.data(), steps=150, max_features=10)
    assert taught.head.formula() != fit.head.formula()


@pytest.mark.slow
def test_equal_seeds_give_the_same_formula(planted):
    data = planted(rows=150, features=60)
    first, again, other = (quick(data.data(), seed=seed).head.formula() for seed in (3, 3, 4))
    assert first.text() == again.text()
    assert first.text() != other.text()


@pytest.mark.slow
def test_test_rows_are_not_touched(planted):
    """Nor do they have to make sense: other features, wrong labels, another number of them."""
    data = planted(rows=150, features=60)
    plain = quick(data.data())
    generator = np.random.default_rng(0)
    x = generator.normal(scale=1e6, size=(17, 60)).astype(np.float32)
    y = generator.integers(0, 2, 17)
    garbled = quick(ArrayData(data.train, data.validation, (x, y)))
    assert garbled.head.formula().text() == plain.head.formula().text()
    assert torch.equal(garbled.dense.weight, plain.dense.weight)
    assert (garbled.penalty, garbled.validation_accuracy, garbled.losses) == (
        plain.penalty, plain.validation_accuracy, plain.losses,
    )  # fmt: skip


@pytest.mark.slow
def test_validation_rows_count(planted):
    """They choose the penalties, and are learnt from at the end."""
    data = planted(rows=150, features=60)
    plain = quick(data.data())
    x, y = data.validation
    turned = quick(ArrayData(data.train, (x, 1 - y), data.test))
    assert turned.head.formula().text() != plain.head.formula().text()


@pytest.mark.parametrize("name", ["max_features", "screen", "restarts", "steps"])
@pytest.mark.parametrize("value", [0, -3])
def test_numbers_below_one_are_refused(planted, name, value):
    data = planted(rows=40, features=5)
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
        fit_head(data.data(), **{name: value}, trainer=QUIET)


@pytest.mark.slow
def test_one_restart_and_other_bases(planted):
    data = planted(rows=200, features=20)
    fit = quick(
        data.data(), restarts=1, max_features=6,
        module={"head": {"bases": [["tanh_affine3"] * 4, ["affine4"]], "digits": 3}},
    )  # fmt: skip
    assert len(fit.losses) == 1
    assert len(fit.head.formula().features) <= 6
    assert fit.head.digits == 3
    assert "tanh" in " ".join(fit.head.formula().text())


@pytest.mark.slow
def test_a_constant_feature_does_no_harm(planted):
    data = planted(rows=200, features=20)
    for x, _ in (data.train, data.validation, data.test):
        x[:, 3] = 5.0
        x[:, 4] = 0.0
    informative = set(data.informative.tolist()) - {3, 4}
    fit = quick(data.data(), max_features=8)
    assert informative <= set(fit.head.formula().features)
    assert all(np.isfinite(fit.losses))


@pytest.mark.slow
def test_the_module_holds_the_head_and_can_be_saved(planted, tmp_path):
    data = planted(rows=150, features=60)
    fit = quick(data.data())
    assert fit.module.head is fit.head
    fit.module.trainer.save_checkpoint(tmp_path / "fit.ckpt", weights_only=True)
    stored = torch.load(tmp_path / "fit.ckpt", weights_only=True)
    assert not [name for name in stored["state_dict"] if "teacher" in name]
    loaded = OccamModule.load_from_checkpoint(tmp_path / "fit.ckpt").eval()
    assert loaded.head.formula() == fit.head.formula()
    x = torch.from_numpy(data.test[0])
    assert torch.equal(loaded(x), fit.head(x))


@pytest.mark.slow
def test_labels_without_signal_give_no_false_confidence():
    """Coin tosses: the formula's scores are flat and its validation accuracy is near a half."""
    generator = np.random.default_rng(0)

    def rows(count: int):
        x = generator.normal(size=(count, 100)).astype(np.float32)
        return x, generator.integers(0, 2, count)

    train, validation, test = rows(200), rows(100), rows(2000)
    fit = quick(ArrayData(train, validation, test))
    assert abs(formula_accuracy(fit, test) - 0.5) < 0.05
    # The mean of one formula's accuracy on 100 coin tosses: sd 0.05, so four of them.
    assert abs(fit.validation_accuracy - 0.5) < 0.2
    test_loss = nn.functional.cross_entropy(
        fit.head(torch.from_numpy(test[0])), torch.from_numpy(test[1])
    )
    assert test_loss < 0.75  # log(2) is 0.693


# --- the parts ----------------------------------------------------------------------------------


def head_of(edges: list[list[int]], weights: list[list[float]], width: int) -> OccamHead:
    """A head whose class k is a sum of weights[k] times the features edges[k]."""
    terms = len(edges[0])
    head = OccamHead(width, len(edges), bases=[f"affine{terms}"], noise=0.0)
    with torch.no_grad():
        for k, (features, sizes) in enumerate(zip(edges, weights, strict=True)):
            head.network.logits[0][k] = -9.0
            for term, feature in enumerate(features):
                head.network.logits[0][k, term, feature] = 9.0
            coefficients = torch.tensor(sizes)
            free = head.network.free_constants[0][k]
            free.zero_()
            free[-terms:] = coefficients
    return head.eval()


def test_most_votes_win_and_influence_breaks_ties():
    heads = [
        head_of([[0, 1, 2]], [[9.0, 0.1, 0.5]], 6),
        head_of([[1, 2, 3]], [[0.1, 0.5, 9.0]], 6),
        head_of([[1, 4, 5]], [[0.1, 1.0, 2.0]], 6),
    ]
    formula = heads[0].formula()
    assert formula.features == (0, 1, 2)
    assert float(formula(np.eye(6))[0, 0]) == pytest.approx(9.0)
    # 1 has three votes, 2 two; of those with one, 0 and 3 and 5 lead their formulas.
    assert vote(heads, 2) == [1, 2]
    assert set(vote(heads, 5)) == {1, 2, 0, 3, 5}
    assert vote(heads, 99)[-1] == 4


def test_influence_is_per_standard_deviation():
    head = head_of([[0, 1]], [[1.0, 2.0]], 3)
    assert vote([head], 1) == [1]
    head.feature_scale[:] = torch.tensor([100.0, 1.0, 1.0])
    # The weights are of standardised features, so the raw coefficient of 0 is 0.01 now.
    assert vote([head.eval()], 1) == [1]


def test_rows_are_copies():
    x = np.zeros((2, 3), dtype=np.float32)
    x.setflags(write=False)
    rows = as_rows((x, np.array([0, 1])))
    rows[0][0, 0] = 1
    assert x[0, 0] == 0 and rows[1].dtype == torch.int64


def test_the_trainer_stops_after_so_many_steps(planted):
    data = planted(rows=300, features=8, batch_size=32).data()
    trainer = pl.Trainer(**short_options(25, QUIET))
    trainer.fit(OccamModule(8, 2), datamodule=data)
    assert trainer.global_step == 25
    assert "val_formula_accuracy" in trainer.callback_metrics
