"""The shipped problems: their formulas, rows, units and accepted forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from occamhead.problems import SUITES, Input, Problem, load
from tests.problems.dimensions import unit_of

COUNTS = {"fastsrb": 119, "feynman": 117, "nguyen": 12, "keijzer": 6, "korns": 4, "livermore": 5,
          "jin": 6, "strogatz": 14, "class": 8, "firstprinciples": 5, "study": 62,
          "noisy": 16}  # fmt: skip


def drawn(problem: Problem, rows: int = 200, seed: int = 0, scale: float = 1.0):
    if problem.constants:
        return problem.draw_groups(rows, 3, seed, scale=scale)[:2]
    return problem.draw(rows, seed, scale=scale)


def test_the_suites_have_the_published_sizes():
    assert {suite: len(load(suite)) for suite in SUITES} == COUNTS
    for suite in SUITES:
        names = [problem.name for problem in load(suite)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("suite", SUITES)
def test_every_problem_draws_finite_rows_of_its_ranges(suite):
    for problem in load(suite):
        x, y = drawn(problem)
        assert x.shape[1] == len(problem.inputs) and len(x) == len(y), problem.name
        assert np.isfinite(x).all() and np.isfinite(y).all() and np.ptp(y) > 0, problem.name
        for column, variable in zip(np.abs(x.T) if suite == "fastsrb" else x.T, problem.inputs,
                                    strict=True):  # fmt: skip
            top = max(abs(variable.low), abs(variable.high)) if suite == "fastsrb" else (
                variable.high)  # fmt: skip
            assert column.max() <= top * (1 + 1e-9), problem.name
        wide, targets = drawn(problem, scale=1.5)
        assert np.isfinite(wide).all() and np.isfinite(targets).all(), problem.name
        assert problem.target not in problem.names


@pytest.mark.parametrize("suite", SUITES)
def test_a_seed_gives_the_same_rows_and_another_gives_others(suite):
    for problem in load(suite):
        (x, y), (again, values) = drawn(problem, 20, 3), drawn(problem, 20, 3)
        assert np.array_equal(x, again) and np.array_equal(y, values)
        assert not np.array_equal(x, drawn(problem, 20, 4)[0])


def test_the_study_is_made_of_the_suites_with_the_rows_of_its_definitions():
    rows = {problem.name: problem.rows for problem in load("study")}
    assert (rows["nguyen1"], rows["nguyen9"], rows["livermore7"], rows["jin6"]) == (
        20,
        100,
        20,
        100,
    )
    assert (rows["strogatz_lv1"], rows["I.6.2"]) == (400, 500)


# Values computed by hand.
KNOWN = {
    ("nguyen", "nguyen4"): ((1.0,), 6.0),
    ("nguyen", "nguyen12"): ((1.0, 2.0), 0.0),
    ("keijzer", "keijzer9"): ((0.75,), np.log(2)),
    ("keijzer", "keijzer15"): ((5.0, 2.0), 25 + 4 - 2 - 5),
    ("korns", "korns2"): ((0.0, 1.0, 0.0, 2.0, 1.0), 0.23 + 14.2),
    ("livermore", "livermore7"): ((1.0,), np.sinh(1.0)),
    ("jin", "jin1"): ((1.0, 2.0), 2.5 - 1.3 + 2.0 - 3.4),
    ("strogatz", "strogatz_predprey1"): ((1.0, 2.0), 2.0),
    ("strogatz", "strogatz_vdp1"): ((3.0, 8.0), 0.0),
    ("feynman", "I.8.14"): ((1.0, 4.0, 1.0, 5.0), 5.0),
    ("fastsrb", "I.14.3"): ((2.0, 3.0), 9.80665 * 6),
    ("firstprinciples", "newton"): ((5.972e24, 1.0, 6.371e6), 9.82),  # weight of 1 kg on Earth
    ("firstprinciples", "rydberg"): ((2.0, 3.0), 1 / 656.47e-9),  # H alpha, in vacuum
    ("firstprinciples", "kepler"): ((1.0,), 365.25),
}


@pytest.mark.parametrize(("suite", "name"), KNOWN)
def test_a_law_gives_what_it_is_known_to_give(suite, name):
    row, value = KNOWN[suite, name]
    (law,) = [problem for problem in load(suite) if problem.name == name]
    assert law.formula([row])[0, 0] == pytest.approx(value, rel=1e-3, abs=1e-12)


def test_kepler_s_rows_are_observed_and_near_his_law():
    (law,) = [problem for problem in load("firstprinciples") if problem.observed]
    rows = np.array(law.observed)
    assert rows.shape == (law.rows, 2) == (6, 2)
    assert np.allclose(law.formula(rows[:, :1])[:, 0], rows[:, 1], rtol=0.01)


def test_accepted_forms_are_the_law():
    """On 95 of 100 rows at least: some cancel where inputs are all but equal."""
    for problem in load("fastsrb"):
        x, y = problem.draw(400, seed=1)
        if problem.name == "B11":
            x[:, 3] *= 1e9  # as published so small that 1 - cos(x) has no digit left
            y = problem.formula(x)[:, 0]
        floor = 1e-3 * np.sqrt(np.mean(y**2))
        for text in problem.accepted:
            with np.errstate(all="ignore"):
                error = np.abs(problem.parse(text)(x)[:, 0] - y) / (np.abs(y) + floor)
            # Some of the published forms have constants of five digits.
            assert np.mean(error < 1e-4) > 0.95, (problem.name, text)


def test_units_fit_the_formulas():
    """Where constants of nature are inputs, numbers have no unit: both sides must agree."""
    checked = 0
    for problem in load("feynman"):
        units = problem.units
        assert units is not None and set(units) == {*problem.names, problem.target}
        assert unit_of(problem.formula, [units[n] for n in problem.names]) == units[problem.target]
        checked += 1
    assert checked == 117
    for suite in ("fastsrb", "class"):
        assert all(len(unit) == 7 for p in load(suite) for unit in (p.units or {"": ()}).values())


def test_conditions_hold_on_what_is_drawn():
    (law,) = [problem for problem in load("firstprinciples") if problem.name == "rydberg"]
    x, _ = law.draw(300, seed=0)
    assert (x[:, 0] < x[:, 1]).all() and np.array_equal(x, np.round(x))


def test_ranges_widen_about_their_centre():
    generator = np.random.default_rng(0)
    assert Input("a", "uniform", 0, 2).draw(4000, generator, 1.5).min() == pytest.approx(
        -0.5, abs=0.01
    )
    logs = np.log10(Input("b", "log", 1e-2, 1e2).draw(4000, generator, 1.5))
    assert (logs.min(), logs.max()) == pytest.approx((-3, 3), abs=0.02)
    counts = Input("n", "integer", 1, 5).draw(4000, generator, 1.5)
    assert set(counts) == {1, 2, 3, 4, 5, 6, 7}
    signs = np.sign(Input("c", "log", 1, 2, signed=True).draw(400, generator))
    assert 150 < (signs > 0).sum() < 250


def test_noise_is_relative_to_the_root_mean_square():
    law = load("nguyen")[0]
    x, clean = law.draw(20000, seed=0)
    same, noisy = law.draw(20000, seed=0, noise=0.1)
    assert np.array_equal(x, same)
    spread = np.std(noisy - clean) / np.sqrt(np.mean(clean**2))
    assert spread == pytest.approx(0.1, rel=0.03)


def test_noise_may_be_relative_to_each_value():
    law = next(law for law in load("firstprinciples") if law.name == "newton")
    _, clean = law.draw(20000, seed=0)
    _, noisy = law.draw(20000, seed=0, noise=0.1, noise_of="value")
    order = np.argsort(clean)
    for part in (order[:10000], order[10000:]):  # 50 decades apart
        assert np.std(noisy[part] / clean[part]) == pytest.approx(0.1, rel=0.03)
    with pytest.raises(ValueError, match="noise_of must be one of rms, value, got 'mean'"):
        law.draw(5, seed=0, noise=0.1, noise_of="mean")


def test_groups_have_constants_of_their_own():
    law = next(p for p in load("class") if p.name == "radioactive decay")
    x, y, groups = law.draw_groups(50, 4, seed=0)
    assert x.shape == (200, 1) and groups.tolist() == np.repeat(range(4), 50).tolist()
    slopes = []
    for group in range(4):
        own = groups == group
        slope, _ = np.polyfit(x[own, 0], np.log(y[own]), 1)
        assert np.allclose(np.polyval(np.polyfit(x[own, 0], np.log(y[own]), 1), x[own, 0]),
                           np.log(y[own]))  # fmt: skip
        slopes.append(-1 / slope)
    assert len(set(slopes)) == 4 and all(0.9 <= time <= 1.4 for time in slopes)


def test_wrong_calls_say_what_is_wanted():
    law, group = load("nguyen")[0], load("class")[0]
    with pytest.raises(ValueError, match="did you mean nguyen"):
        load("nguyn")
    with pytest.raises(ValueError, match="rows must be at least 1, got 0"):
        law.draw(0, seed=0)
    with pytest.raises(ValueError, match="noise must be finite and not negative, got -1"):
        law.draw(5, seed=0, noise=-1)
    with pytest.raises(ValueError, match="scale must be positive and finite, got 0"):
        law.draw(5, seed=0, scale=0)
    with pytest.raises(ValueError, match="use draw_groups"):
        group.draw(5, seed=0)
    with pytest.raises(ValueError, match="use draw"):
        law.draw_groups(5, 2, seed=0)
    with pytest.raises(ValueError, match="kind of a must be one of"):
        Input("a", "normal", 0, 1)
    with pytest.raises(ValueError, match="positive for 'log'; got"):
        Input("a", "log", 0, 1)
    never = replace(law, where=("x > 5",))
    with pytest.raises(ValueError, match="20 of 20 rows are missing"):
        never.draw(20, seed=0)
