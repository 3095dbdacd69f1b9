"""What a fit takes in, how rows and classes are weighed, and what its memory may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from occamhead import OccamModule, detach_head, fit_head, fit_model, fit_path
from occamhead.heads.calibration import expected_calibration_error
from occamhead.rows.arrays import as_rows
from occamhead.rows.dense import fit_dense_head
from occamhead.training.evolution import fit_head_by_evolution

pytestmark = [
    pytest.mark.usefixtures("offline", "one_thread"),
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training"),
]
ROOT = Path(__file__).parents[2]
QUIET = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False}
QUICK = {"restarts": 1, "steps": 20, "trainer": QUIET}


def rare_rows() -> tuple[np.ndarray, np.ndarray]:
    """93 rows of one class and 5 of the other, which two features tell apart somewhat."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(98, 20)).astype(np.float32)
    x[93:, 3] += 1.5
    x[93:, 7] += 1.0
    return x, np.array(["common"] * 93 + ["rare"] * 5)


def batches_of(*tensors: torch.Tensor) -> list[DataLoader]:
    """One batch to train on, and one to validate on."""
    return [DataLoader(TensorDataset(*tensors), 40)] * 2


def found(head: torch.nn.Module, x: np.ndarray) -> float:
    """The share of the rare rows that are called so."""
    with torch.no_grad():
        return float((head(torch.from_numpy(x)).argmax(1)[93:] == 1).double().mean())


@pytest.mark.slow
@pytest.mark.parametrize("fit", [fit_head, fit_head_by_evolution])
def test_a_balanced_fit_finds_the_rare_class(fit):
    x, y = rare_rows()
    plain = fit((x, y), max_features=2, **QUICK)
    balanced = fit((x, y), max_features=2, class_weight="balanced", **QUICK)
    assert found(plain.head, x) == 0 < found(balanced.head, x)
    # The accuracy hides it, the rates do not.
    assert plain.validation_accuracy > 0.9 and plain.rates.recalls == (1.0, 0.0)
    assert plain.rates.balanced_accuracy == 0.5
    assert plain.rates.recall_intervals[1][1] > 0.5
    assert balanced.head.classes == ("common", "rare")


def test_a_path_selects_by_what_is_asked_for():
    x, y = rare_rows()
    path = fit_path((x, y), (2, 8), class_weight="balanced", select="balanced_accuracy")
    assert found(path.points[-1].head, x) > 0
    best = max(path, key=lambda point: point.rates.balanced_accuracy)
    rate = path.select().rates.balanced_accuracy
    assert rate >= best.rates.balanced_accuracy - best.rates.standard_error("balanced_accuracy")


def test_a_weight_of_two_is_the_row_twice(planted):
    x, y = as_rows(planted(rows=60, features=5).train)
    twice = torch.arange(60).repeat_interleave(torch.arange(60) % 2 + 1)
    weight = (torch.arange(60) % 2 + 1).float()
    # In the units of the same rows, so that only the weights differ.
    mean, scale = x.mean(0), x.std(0, correction=0)
    z = (x - mean) / scale
    by_weight = fit_dense_head((z, y), 2, 1e-3, weight_of_rows=weight / weight.mean())
    scores = by_weight(z).requires_grad_(False)
    weight_matrix = by_weight.weight.clone().requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(z[twice] @ weight_matrix.T + by_weight.bias, y[twice])
    penalised = loss + 1e-3 * (weight_matrix * z.std(0, correction=0)).square().sum()
    (slope,) = torch.autograd.grad(penalised, weight_matrix)
    assert scores.isfinite().all() and slope.abs().max() < 1e-3


def test_a_module_weighs_classes_and_rows(make_trainer):
    x, y = torch.randn(40, 3), torch.tensor([0] * 36 + [1] * 4)
    factors = OccamModule(3, 2, class_weight={1: 9.0})
    quiet = {"max_steps": 1, "limit_val_batches": 0}
    make_trainer(**quiet).fit(factors, *batches_of(x, y))
    assert factors.class_factors.tolist() == [1.0, 9.0]
    make_trainer(**quiet).fit(OccamModule(3, 2), *batches_of(x, y, torch.ones(40)))
    with pytest.raises(ValueError, match="give a factor for each class"):
        balanced = OccamModule(3, 2, class_weight="balanced")
        make_trainer(**quiet).fit(balanced, *batches_of(x, y))


@pytest.mark.parametrize("kind", ["tensors", "lists", "double", "loader"])
def test_a_fit_takes_rows_as_they_are(kind):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(80, 4, generator=generator)
    y = (x[:, 2] > 0).long()
    given = {
        "tensors": (x, y),
        "lists": (x.tolist(), y.tolist()),
        "double": (x.double().numpy(), y.to(torch.int16).numpy()),
        "loader": DataLoader(TensorDataset(x, y), 16),
    }[kind]
    fit = fit_head(given, max_features=1, **QUICK)
    assert fit.head.formula().features == (2,) and fit.head.classes is None
    assert fit_path(given, (1,)).points[0].formula.features == (2,)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("hymenoptera", TypeError, r"ArrayData, FeatureData\), a pair \(x, y\) or a DataLoader"),
        ((np.zeros((4, 2)), [0, 1, 0]), ValueError, "got 4 rows and 3 labels"),
        ((np.array([["a", "b"]] * 9), [0, 1, 0] * 3), TypeError, "x: wanted numbers, got"),
    ],
)
def test_other_things_are_refused(data, error, message):
    with pytest.raises(error, match=message):
        fit_head(data, **QUICK)


def test_evolution_ends_calibrated(planted):
    rows = planted(rows=400, features=20)
    fit = fit_head_by_evolution(rows.data(), max_features=4, restarts=2, steps=60, trainer=QUIET)
    x, y = as_rows(rows.test)
    with torch.no_grad():
        probabilities, plain = fit.head.probabilities(x), torch.softmax(fit.head(x), dim=-1)
    error = expected_calibration_error(probabilities, y)
    assert error < expected_calibration_error(plain, y) and error < 0.08


def test_a_model_is_fitted_in_one_call():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.Linear(6, 2)).eval()
    classifier, x = model[1], torch.randn(60, 3)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), 20)
    fit = fit_model(model, loader, name="1", classes=["minus", "plus"], **QUICK)
    assert model[1] is fit.head and fit.head.classes == ("minus", "plus")
    with torch.no_grad():
        assert torch.equal(model(x), fit.head(model[0](x)))
    with pytest.raises(ValueError, match="screen must be at least 1"):
        fit_model(model, loader, screen=0, **QUICK)
    assert model[1] is fit.head
    detach_head(model)
    assert model[1] is classifier


@pytest.mark.slow
def test_a_class_without_rows_must_be_named():
    torch.manual_seed(0)
    x = torch.randn(60, 3)
    y = 1 + (x[:, 0] > 0).long()
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(3, 3)).eval()
    loader, names = DataLoader(TensorDataset(x, y), 20), ["none", "minus", "plus"]
    for fit in (fit_head, fit_head_by_evolution):
        with pytest.raises(ValueError, match="no row is of class 0; number the classes 0 to 1"):
            fit((x, y), **QUICK)
        assert fit((x, y), head={"classes": names}, **QUICK).head.classes == tuple(names)
    with pytest.raises(ValueError, match="no row is of class 0"):
        fit_model(model, loader, name="1", **QUICK)
    fitted = fit_model(model, loader, name="1", classes=names, **QUICK)
    assert fitted.head.out_features == 3 and (fitted.head.predict(x) == y).double().mean() > 0.9
    again = fit_head_by_evolution((x, y), start=fitted.head, **QUICK)
    assert again.head.classes == tuple(names)


def test_the_weights_of_a_loader_stay_with_their_rows():
    """Rows of no weight, spread over the loader, have the wrong labels."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(3, 2)).eval()
    x, wrong = torch.randn(120, 3), torch.arange(120) % 3 == 0
    y = (x[:, 0] > 0) ^ wrong
    rows = TensorDataset(x, y.long())
    weight = torch.where(wrong, 1e-6, 1.0)
    fit = fit_model(model, DataLoader(rows, 20), name="1", sample_weight=weight, **QUICK)
    assert (fit.head.predict(x)[~wrong] == y[~wrong]).double().mean() > 0.95
    for data in (model, None):
        with pytest.raises(ValueError, match="RandomSampler mixes them; give a loader with"):
            loader = DataLoader(rows, 20, shuffle=True)
            if data is None:
                fit_head(loader, sample_weight=weight, **QUICK)
            else:
                fit_model(model, loader, sample_weight=weight, **QUICK)


def test_early_stopping_waits_for_the_formula(planted, make_trainer, tmp_path):
    """Stopped when the soft network is good, the formula would be one of a warm network."""
    data = planted(rows=100, features=8, strength=4.0, batch_size=32).data()
    stop = EarlyStopping("val_formula_accuracy", mode="max", patience=1)
    keep = ModelCheckpoint(tmp_path, monitor="val_formula_accuracy", mode="max")
    trainer = make_trainer(max_epochs=30, callbacks=[stop, keep], enable_checkpointing=True)
    module = OccamModule(8, 2, head={"bases": ["affine4"]})
    trainer.fit(module, datamodule=data)
    falls = 0.8 * 30 * 4
    assert falls < trainer.global_step < 30 * 4
    assert max(module.head.network.temperatures.tolist()) == pytest.approx(0.03)
    assert float(keep.best_model_score) >= float(trainer.callback_metrics["val_formula_accuracy"])


def test_a_monitor_of_the_soft_network_is_named(planted, make_trainer):
    data = planted(rows=60, features=8).data()
    stop = EarlyStopping("val_soft_accuracy", mode="max")
    with pytest.warns(UserWarning, match="EarlyStopping monitors val_soft_accuracy"):
        make_trainer(max_epochs=1, callbacks=[stop]).fit(OccamModule(8, 2), datamodule=data)


@pytest.mark.slow
def test_a_fit_takes_at_most_twice_its_rows():
    """Above the rows themselves; in a process of its own, whose peak is that of the fit."""
    command = [sys.executable, "-m", "benchmarks.fit_memory"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=600
    )
    assert float(done.stdout.split('"peak_over_rows": ')[1].rstrip("}\n ")) <= 2.0


@pytest.mark.parametrize("fit", [fit_head, fit_head_by_evolution])
def test_bases_are_given_by_themselves_or_among_the_arguments(fit, planted):
    data = planted(rows=60, features=6).data()
    sizes = {"max_features": None, "restarts": 1, "steps": 5, "trainer": QUIET}
    found = fit(data, bases=["affine2", "mul"], **sizes).head
    same = fit(data, head={"bases": ["affine2", "mul"]}, **sizes).head
    assert found.config()["bases"] == [["affine2", "mul"]]
    assert found.formula() == same.formula()
    with pytest.raises(ValueError, match=r"give bases=.* or head=.*, not both"):
        fit(data, bases=["mul"], head={"bases": ["mul"]}, **sizes)


def test_a_path_and_a_head_to_start_from_have_their_bases(planted):
    data = planted(rows=60, features=6).data()
    with pytest.raises(ValueError, match=r"a path decides the head's bases itself, as nodes"):
        fit_path(data, bases=["mul"])
    start = fit_path(data, budgets=(1,)).select().head
    with pytest.raises(ValueError, match="either a head to start from, or the bases"):
        fit_head_by_evolution(data, start=start, bases=["mul"])
