"""Probabilities of a head: the temperature, its error, and what is left to a person."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch

from occamhead import OccamHead
from occamhead.commands.report import REJECT_BELOW, calibration
from occamhead.heads.calibration import (
    choose_temperature,
    expected_calibration_error,
    fit_temperature,
)
from occamhead.rows.arrays import as_rows
from occamhead.training.fit import fit_head

QUIET = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False}


def drawn(rows: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores, and labels drawn with the probabilities that the scores stand for."""
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(rows, classes, generator=generator)
    labels = torch.multinomial(scores.softmax(-1), 1, generator=generator).squeeze(-1)
    return scores, labels


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("factor", [0.2, 1.0, 7.0])
def test_the_temperature_undoes_a_factor(classes, factor):
    """20000 rows: the standard error of the log-temperature is below 0.02."""
    scores, labels = drawn(20000, classes)
    found = fit_temperature(factor * scores, labels)
    assert math.log(found) == pytest.approx(math.log(factor), abs=0.06)


def test_the_temperature_is_that_of_a_grid():
    scores, labels = drawn(80, 3)
    scores = 3 * scores
    targets = torch.full((80, 3), 1 / 83.0).scatter_(1, labels[:, None], 81 / 83)
    grid = torch.linspace(-2, 4, 6001)
    losses = [-(targets * (scores * math.exp(-t)).log_softmax(-1)).sum(-1).mean() for t in grid]
    best = float(grid[torch.stack(losses).argmin()])
    assert math.log(fit_temperature(scores, labels)) == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("rows", [5, 60, 1000])
def test_rows_that_are_all_right_do_not_make_certain(rows):
    """Two classes, all right with the same margin: the probability is Laplace's (n + 1)/(n + 2)."""
    labels = torch.arange(rows) % 2
    scores = 9.0 * torch.nn.functional.one_hot(labels, 2)
    temperature = fit_temperature(scores, labels)
    found = torch.softmax(scores / temperature, -1).amax(-1)
    wanted = torch.full((rows,), (rows + 1) / (rows + 2))
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-3)


def test_scores_that_are_always_wrong_become_a_coin():
    labels = torch.arange(50) % 2
    temperature = fit_temperature(5.0 * torch.nn.functional.one_hot(1 - labels, 2), labels)
    assert 20 < temperature <= 1000.0 * (1 + 1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_temperature_is_fitted_only_where_held_out_rows_ask_for_it(classes):
    true = [choose_temperature(*drawn(100, classes, seed)) for seed in range(20)]
    assert sum(found == 1.0 for found in true) >= 15
    scores, labels = drawn(100, classes)
    for factor in (0.2, 8.0):
        found = choose_temperature(factor * scores, labels)
        assert found == fit_temperature(factor * scores, labels) != 1.0
    assert choose_temperature(scores[:1], labels[:1]) == 1.0
    several = torch.stack([8 * scores, 9 * scores])
    assert choose_temperature(several, labels) == fit_temperature(several, labels)


def test_several_formulas_share_a_temperature():
    scores, labels = drawn(500, 3)
    one = fit_temperature(scores, labels)
    assert fit_temperature(torch.stack([scores, scores]), labels) == pytest.approx(one, rel=1e-4)
    assert one < fit_temperature(torch.stack([scores, 4 * scores]), labels) < 4 * one


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), "at least one row"),
        (torch.zeros(3, 2), torch.zeros(2, dtype=torch.long), r"scores \[3, 2\] and labels \[2\]"),
        (torch.tensor([[0.0, math.nan]]), torch.tensor([0]), "not all finite"),
    ],
)
def test_wrong_rows_are_value_errors(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(scores, labels)


def test_the_calibration_error_by_hand():
    """Two bins of fifteen: .92 (three rows, one wrong) and .61 (two rows, one wrong)."""
    probabilities = torch.tensor([[0.92, 0.08]] * 3 + [[0.39, 0.61]] * 2)
    labels = torch.tensor([0, 0, 1, 1, 0])
    wanted = 3 / 5 * abs(0.92 - 2 / 3) + 2 / 5 * abs(0.61 - 0.5)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(wanted, abs=1e-6)
    joined = abs((3 * 0.92 + 2 * 0.61) / 5 - 3 / 5)
    found = expected_calibration_error(probabilities, labels, bins=1)
    assert found == pytest.approx(joined, abs=1e-6)
    scores, labels = drawn(20000, 4)
    assert expected_calibration_error(scores.softmax(-1), labels) < 0.02
    assert expected_calibration_error((5 * scores).softmax(-1), labels) > 0.1


@pytest.mark.parametrize("rows", [[[2.0, -1.0]], [[0.5, 0.6]], []])
def test_scores_are_no_probabilities(rows):
    with pytest.raises(ValueError, match=r"head\.probabilities"):
        expected_calibration_error(torch.tensor(rows).reshape(-1, 2), torch.zeros(len(rows)).long())
    with pytest.raises(ValueError, match="bins"):
        expected_calibration_error(torch.tensor([[0.5, 0.5]]), torch.tensor([0]), bins=0)


# --- on the head -------------------------------------------------------------------------------


def head_at(temperature: float) -> tuple[OccamHead, torch.Tensor]:
    torch.manual_seed(0)
    head = OccamHead(6, 3, ["affine3"])
    x = torch.randn(200, 6)
    head.initialise(x)
    head.calibration.fill_(math.log(temperature))
    return head.eval(), x


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_changes_probabilities_and_nothing_else(temperature):
    (head, x), (plain, _) = head_at(temperature), head_at(1.0)
    assert torch.equal(head(x), plain(x)) and head.formula() == plain.formula()
    wanted = torch.softmax(plain(x) / temperature, dim=-1)
    torch.testing.assert_close(head.probabilities(x), wanted)
    assert torch.equal(head.predict(x), plain(x).argmax(-1))


@pytest.mark.parametrize("limit", [0.0, 0.4, 0.7, 1.0])
def test_rows_below_the_limit_are_rejected(limit):
    head, x = head_at(0.5)
    found = head.predict(x, reject_below=limit)
    best, label = head.probabilities(x).max(-1)
    assert found.dtype == torch.long
    assert torch.equal(found == -1, best < limit)
    assert torch.equal(found[found >= 0], label[best >= limit])
    with pytest.raises(ValueError, match=r"reject_below must be between 0 and 1, got 1\.5"):
        head.predict(x, reject_below=1.5)


def test_the_temperature_is_stored_and_old_files_have_none():
    head, x = head_at(3.0)
    buffer = io.BytesIO()
    head.save(buffer)
    buffer.seek(0)
    assert torch.equal(OccamHead.load(buffer).probabilities(x), head.probabilities(x))
    old = {name: value for name, value in head.state_dict().items() if name != "calibration"}
    kept = dict(old)
    other = head_at(5.0)[0]
    other.load_state_dict(old)
    assert other.calibration == 0 and set(old) == set(kept)
    around = torch.nn.Sequential(torch.nn.Identity(), head_at(5.0)[0])
    around.load_state_dict({f"1.{name}": value for name, value in old.items()})
    assert around[1].calibration == 0
    wide = head.widened(9, [0, 2, 4, 6, 7, 8])
    assert wide.calibration == head.calibration
    head.initialise(x)
    assert head.calibration == 0


@pytest.mark.slow
@pytest.mark.usefixtures("offline", "one_thread")
@pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")
def test_a_fit_calibrates_on_rows_that_its_formulas_did_not_see(planted):
    """Wrong validation labels raise the temperature; wrong test labels move nothing."""
    data = planted(rows=160, features=30, strength=0.8)
    fits = []
    for change in ("none", "test", "validation"):
        arrays = data.data().arrays
        y = getattr(arrays, change, data.train)[1]
        if change != "none":
            y[:] = 1 - y
        fits.append(fit_head(data.data(), max_features=6, restarts=2, steps=60, trainer=QUIET))
    temperatures = [float(fit.head.calibration.exp()) for fit in fits]
    assert temperatures[0] == temperatures[1]
    assert temperatures[2] > temperatures[0]
    assert fits[0].head.formula() == fits[1].head.formula()


def test_what_the_recipes_report():
    head, x = head_at(0.2)
    labels = head(x).argmax(-1)
    labels[:50] = (labels[:50] + 1) % 3
    found = calibration(head, x, labels)
    best, label = head.probabilities(x).max(-1)
    kept = best >= REJECT_BELOW
    assert 0 < found["coverage"] == kept.double().mean() < 1
    assert found["accuracy_of_kept"] == (label == labels)[kept].double().mean()
    assert found["temperature"] == pytest.approx(0.2)
    assert found["ece"] == expected_calibration_error(head.probabilities(x), labels)
    assert found["ece_before"] == expected_calibration_error(head(x).softmax(-1), labels)
    flat, _ = head_at(1000.0)
    assert calibration(flat, x, labels)["accuracy_of_kept"] == 1.0


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")
def test_probabilities_of_planted_rows_are_honest(planted):
    """The planted labels have known odds: the calibrated error on 2000 fresh rows is small."""
    data = planted(rows=1200, features=60, strength=1.0)
    fit = fit_head(data.data(), max_features=6, restarts=2, trainer=QUIET)
    rows = as_rows(data.test)
    error = expected_calibration_error(fit.head.probabilities(rows[0]), rows[1])
    assert error < 0.06 and np.isfinite(error)
