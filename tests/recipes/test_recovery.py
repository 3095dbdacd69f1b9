"""The judge of recovered laws, units of the peers' rows, and the recipe itself."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from occamhead import Expression
from occamhead.problems import load
from recipes import recovery
from recipes.others.own_environment import in_our_words
from recipes.others.regressors import Fitted, count_nodes, ridge_train
from recipes.recovery_tasks import rows as recovery_rows
from recipes.recovery_tasks.flags import noise, option
from recipes.recovery_tasks.judge import judge, true_nodes, unexplained
from recipes.recovery_tasks.methods import present
from recipes.recovery_tasks.rows import sample
from recipes.recovery_tasks.scaling import in_units, scaled, size_of
from recipes.shared.rows import together


def law(suite, name):
    return next(problem for problem in load(suite) if problem.name == name)


def verdict(problem, text, noise=0.0):
    formula = Expression.parse(text, names=list(problem.names))
    fitted = Fitted(lambda x: formula(x)[:, 0], text, count_nodes(formula), 0.1, formula)
    train = together(*sample(problem, 0, noise))
    wide = problem.draw(1000, 8888, scale=1.5)
    return judge(fitted, problem, train, problem.draw(1000, 7777), wide)


@pytest.mark.parametrize("suite", ["study", "fastsrb", "firstprinciples"])
def test_the_law_itself_is_found_exact_and_near(suite):
    for problem in load(suite):
        found = verdict(problem, str(problem.formula))
        assert found.found and found.exact and found.structure and found.near, problem.name


def test_numbers_that_a_refit_or_rounding_sets_right_count_as_exact():
    problem = law("jin", "jin4")  # 1.5*exp(x) + 5*cos(y)
    found = verdict(problem, "1.501*exp(x) + 4.99*cos(y)")
    assert found.exact and not found.found and found.fvu > 1e-7
    assert Expression.parse(found.text, names=["x", "y"]).agrees_with(
        problem.formula, problem.draw(50, 0)[0], 1e-6
    )


def test_another_formula_is_none_of_these_however_well_it_fits_the_rows():
    problem = law("nguyen", "nguyen7")  # log(x + 1) + log(x**2 + 1), by a polynomial
    x, y = problem.draw(200, 0)
    c = np.polyfit(x[:, 0], y, 7)[::-1]
    found = verdict(problem, " + ".join(f"{a}*x**{i}" for i, a in enumerate(c.tolist()) if i)
                    + f" + {float(c[0])}")  # fmt: skip
    assert not (found.exact or found.structure) and found.fvu < 1e-5


def test_structure_is_found_within_a_fifth_under_noise_and_not_beyond():
    problem = law("nguyen", "nguyen1")  # x**3 + x**2 + x
    near = verdict(problem, "1.12*x**3 + 0.93*x**2 + 1.004*x", noise=0.01)
    assert near.structure and not near.exact and not near.near
    assert not verdict(problem, "1.4*x**3 + 0.93*x**2 + 1.004*x", noise=0.01).structure
    assert not verdict(problem, "x**3 + x", noise=0.01).structure


def test_an_undefined_formula_is_not_found():
    problem = law("nguyen", "nguyen1")
    found = verdict(problem, "log(x)")
    assert math.isinf(found.fvu) and not (found.found or found.exact or found.structure)


def test_shares_of_variance_survive_values_beyond_the_squares():
    y = np.array([1e200, 2e200, 3e200])
    assert unexplained(y, y) == 0
    assert unexplained(np.full(3, 2e200), y) == pytest.approx(1)


def test_lengths_are_relative_to_the_shortest_published_form():
    assert true_nodes(law("fastsrb", "II.38.14")) == 7  # 0.5*Y/(sigma + 1)
    assert true_nodes(law("nguyen", "nguyen8")) == 3


def test_units_come_off_again():
    formula = Expression.parse("2*x0*x1 + 3")
    x = np.random.default_rng(0).uniform(1, 2, (20, 2)) * [1e-20, 1e12]
    back = in_units(formula, [1e-20, 1e12], 1e8)
    assert np.allclose(back(x), 1e8 * formula(x / [1e-20, 1e12]))
    assert size_of(np.array([3.0, -500.0])) == 1 and size_of(np.zeros(3)) == 1
    assert size_of(np.array([2e-20])) == pytest.approx(1e-20)


def test_a_scaled_method_finds_the_line_of_tiny_numbers():
    x = np.random.default_rng(0).uniform(1, 2, (60, 1)) * 1e-20
    y = 4e15 * x[:, 0] + 2e-5
    fitted = scaled(ridge_train)((x, y), (x, y), 1.0, 0)
    assert fitted.expression is not None
    assert np.allclose(fitted.predict(x), y, rtol=1e-2)
    assert np.allclose(fitted.expression(x)[:, 0], fitted.predict(x))


def test_observed_rows_are_used_where_there_are_any():
    kepler = law("firstprinciples", "kepler")
    x, y = together(*sample(kepler, 0, 0.0))
    assert sorted(zip(x[:, 0], y, strict=True)) == sorted(kepler.observed)


def test_what_is_missing_is_named_and_skipped(monkeypatch, capsys):
    from recipes.others import regressors

    monkeypatch.setitem(regressors._NEEDS, "gplearn", "no_such_package")
    methods = present(["gplearn", "hroch", "ridge"], {}, 0.0, {})
    assert list(methods) == ["ridge"]
    assert "gplearn is skipped: method 'gplearn' needs no_such_package" in (
        said := capsys.readouterr().out
    )
    assert "hroch is skipped: it needs --hroch-python" in said


def test_an_interpreter_without_the_peer_is_skipped(capsys):
    assert not present(["eggp"], {}, 0.0, {"eggp": Path(sys.executable)})
    assert "cannot import eggp" in capsys.readouterr().out


def test_formulas_of_other_programs_are_read():
    text = "(-0.5 + -1.0 * -1e-0*(Sqrt(Abs(Square((x1 + 1)))) * Cos((sqrt((x0)) / 3.0e-2))))"
    x = np.random.default_rng(0).uniform(0, 2, (20, 2))
    wanted = -0.5 + np.abs(x[:, 1] + 1) * np.cos(np.sqrt(x[:, 0]) / 0.03)
    assert np.allclose(Expression.parse(in_our_words(text))(x)[:, 0], wanted)


def test_the_recipe_writes_rows_and_a_curve(tmp_path, capsys):
    rows = recovery.main(["--suite", "strogatz", "--methods", "ridge", "--seconds", "1",
                          "--draws", "2", "--every", "13", "--out", str(tmp_path)])  # fmt: skip
    # The first is no line; the last, -x/10, is.
    assert [row["law"] for row in rows] == ["strogatz_bacres1"] * 2 + ["strogatz_vdp2"] * 2
    assert [row["near"] for row in rows] == [False, False, True, True]
    written = json.loads((tmp_path / "results.json").read_text())
    assert [row["law"] for row in written["rows"]] == [row["law"] for row in rows]
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert "strogatz_vdp2" in capsys.readouterr().out


def test_a_stop_keeps_what_was_found(tmp_path, capsys, monkeypatch):
    real, calls = recovery_rows.row_of, []

    def stopped(run, fit):
        calls.append(run)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(run, fit)

    monkeypatch.setattr(recovery_rows, "row_of", stopped)
    rows = recovery.main(["--suite", "jin", "--methods", "ridge", "--out", str(tmp_path)])
    assert len(rows) == 2 and len(json.loads((tmp_path / "results.json").read_text())["rows"]) == 2
    assert "stopped after 2 of 6 runs" in capsys.readouterr().out


def test_a_method_that_fails_is_reported(tmp_path, capsys):
    rows = recovery.main(["--suite", "jin", "--only", "jin1", "--seconds", "1",
                          "--option", "max_terms=-1", "--out", str(tmp_path)])  # fmt: skip
    assert "max_terms" in rows[0]["failure"] and not rows[0]["found"]
    assert "occamhead failed on jin1, draw 0: ValueError" in capsys.readouterr().out


def test_wrong_flags_say_what_is_wanted(tmp_path, capsys):
    assert option("bases=[mul, sin]") == ("bases", ["mul", "sin"])
    assert noise("0.01") == 0.01
    wrong = {
        "--only jin9": "no law 'jin9' in study",
        "--noise -1": "noise must be finite and not negative, got '-1'",
        "--option depth": "wanted NAME=VALUE, such as depth=5, got 'depth'",
        "--suite class": "invalid choice: 'class'",
    }
    for line, message in wrong.items():
        with pytest.raises(SystemExit):
            recovery.main([*line.split(), "--out", str(tmp_path)])
        assert message in capsys.readouterr().err


def test_units_are_told_to_who_takes_them():
    problem, told = law("feynman", "I.12.1"), []

    def fit(train, validation, seconds, seed, **options):
        told.append(options)
        return ridge_train(train, validation, seconds, seed)

    for units in (False, True):
        recovery_rows.row_of(recovery_rows.Run(problem, 0, "ridge", 0.0, 1.0, units), fit)
    assert told == [{}, {"units": [*(v.unit for v in problem.inputs), problem.unit]}]
