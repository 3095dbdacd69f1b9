"""A fit that was killed goes on from its folder, and ends as one that was not."""

from __future__ import annotations

import numpy as np
import pytest
from joblib import parallel_config

from occamhead import OccamRegressor
from occamhead.saving import WrongRun
from occamhead.search import evolution
from tests.saving.dying import die_in_each, killed, noted
from tests.tables.kept_fits import CASES, QUICK, everything, quick, rows, small

FITS = "tests.tables.kept_fits"
pytestmark = pytest.mark.filterwarnings("ignore:the guess .* is left out")


@pytest.fixture(autouse=True)
def keep_every_step(monkeypatch):
    monkeypatch.setattr(evolution, "KEEP_EVERY", 0.0)


def parts(folder):
    """The files of what is kept."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*"))


@pytest.mark.slow
def test_a_killed_fit_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    undisturbed = everything(quick(None))
    die_in_each(quick, tmp_path, [9])
    before = parts(tmp_path / "9")
    assert any(name.startswith("search") for name in before)
    assert not any("formulas-of-search" in name for name in before)
    assert everything(quick(tmp_path / "9")) == undisturbed
    assert len(parts(tmp_path / "9")) > len(before)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_whenever_it_was_killed(case, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        written = noted(patch.setattr)
        undisturbed = everything(CASES[case](tmp_path / "undisturbed"))
    assert everything(CASES[case](None)) == undisturbed
    # After each stage, and at every seventh step of a search.
    steps = [k for k, name in enumerate(written, 1) if name == "search"][::7]
    stages = [k for k, name in enumerate(written, 1) if name not in ("search", "seconds")]
    moments = sorted({*steps, *stages})
    assert len(moments) > 6
    killed(FITS, case, tmp_path, *moments)
    for number in moments:
        assert everything(CASES[case](tmp_path / str(number))) == undisturbed, number


def test_a_fit_that_had_ended_is_not_done_again(tmp_path, monkeypatch):
    first = everything(quick(tmp_path))
    monkeypatch.setattr(evolution.Evolution, "step", lambda self: 1 / 0)
    monkeypatch.setattr("occamhead.tables.held_out._judged", lambda *_: 1 / 0)
    assert everything(quick(tmp_path)) == first


def test_another_fit_in_its_folder_is_refused(tmp_path):
    quick(tmp_path)
    x, y = rows()
    model = OccamRegressor(bases=QUICK, checkpoint=tmp_path, **small())
    with pytest.raises(
        WrongRun, match=r"holds an unfinished run with rows .* begin anew elsewhere"
    ):
        model.fit(x, y + 1)
    with pytest.raises(WrongRun, match="with rows"):
        model.fit(x, y, sample_weight=np.linspace(1, 2, len(y)))
    for settings, said in [
        ({"depth": 3}, "depth '2', and this one has '3'"),
        ({"random_state": 1}, "seeds"),
        ({"loss": "absolute"}, "loss 'auto', and this one has 'absolute'"),
        ({"guesses": ["x0"]}, "guesses"),
    ]:
        with pytest.raises(WrongRun, match=said.replace("'", "['\"]+")):
            quick(tmp_path, **settings)


def test_without_a_seed_the_one_that_was_drawn_is_kept(tmp_path):
    first = everything(quick(tmp_path, random_state=None))
    for file in tmp_path.glob("fold-*"):
        file.unlink()
    assert everything(quick(tmp_path, random_state=None)) == first


def test_a_damaged_part_is_computed_again(tmp_path, caplog):
    first = everything(quick(tmp_path))
    (fold,) = tmp_path.glob("fold-1-*")
    data = bytearray(fold.read_bytes())
    data[len(data) // 2] ^= 1
    fold.write_bytes(bytes(data))
    assert everything(quick(tmp_path)) == first
    assert "damaged, computed again" in caplog.text and str(fold) in caplog.text


@pytest.mark.slow
def test_folds_side_by_side_give_the_same_formula():
    with parallel_config(backend="threading"):
        assert everything(quick(None, n_jobs=2)) == everything(quick(None, n_jobs=1))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["whole", "absolute", "classes", "groups", "own bases"])
def test_any_number_of_processes_gives_the_same_formula(case):
    assert everything(CASES[case](None, n_jobs=2)) == everything(CASES[case](None, n_jobs=1))
