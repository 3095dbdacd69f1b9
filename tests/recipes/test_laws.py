"""The laws and their judge: what counts as found is checked with formulas known to be so."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import yaml

from occamhead import Expression
from recipes import laws
from recipes.laws_of_nature import rows as law_rows
from recipes.laws_of_nature.judge import judge, refit
from recipes.laws_of_nature.laws import CONFIG, Law, load_study
from recipes.others import regressors as peers
from recipes.others.regressors import Fitted
from recipes.shared.rows import Part

# Values of each law that were computed by hand from its textbook form.
KNOWN = {
    "michaelis_menten": ((2.0, 8000.0), 600000.0),  # half of turnover times enzyme
    "projectile_range": ((9.81, math.pi / 4), 9.81),  # v^2/g at 45 degrees
    "lens_maker": ((1.5, 20.0, 20.0), 20.0),  # f = R for a symmetric lens of n = 1.5
    "manning": ((0.025, 1.0, 0.01), 4.0),
    "arrhenius": ((8.314 * 0.5, 500.0), 1e13 * math.exp(-1)),
    "electron_energy": ((0.6,), 0.51099895 * 0.25),  # gamma = 1.25
    "van_der_waals": ((300.0, 1.04267), 24.942 - 3.640 / 1.04267**2),
    "lmtd": ((math.e * 20, 20.0), 20 * (math.e - 1)),
    "damped_oscillation": ((5.0, 0.0), 5.0),
    "rlc_impedance": ((120.0, 1000**0.5), 120.0),  # resistance alone at resonance
}


@pytest.fixture(scope="module")
def study():
    return load_study()


@pytest.fixture
def gas():
    """p = 8.314 T/V, in a law of its own."""
    return Law(
        "gas",
        "pressure of an ideal gas",
        Expression.parse("8.314*T/V", names=["T", "V"]),
        ((250.0, 350.0), (1.0, 3.0)),
        ((0.0, 1000.0), (0.8, 10.0)),
    )


def test_laws_compute_known_values(study):
    assert {law.name for law in study.laws} == set(KNOWN)
    for law in study.laws:
        row, value = KNOWN[law.name]
        assert law.formula([row])[0, 0] == pytest.approx(value, rel=1e-12), law.name


def test_laws_are_finite_and_used_in_full_on_the_wide_domain(study):
    for law in study.laws:
        x, y = law.sample(5000, 0, wide=True)
        assert np.isfinite(y).all() and (y != 0).all(), law.name
        assert law.formula.features == tuple(range(x.shape[1])), law.name
        for (a, b), (wide_a, wide_b), (low, high) in zip(
            law.ranges, law.wide, law.limits, strict=True
        ):
            assert low <= wide_a <= a < b <= wide_b <= high
            assert b - a < wide_b - wide_a <= 1.5 * (b - a) * (1 + 1e-12)


def test_wide_range_is_cut_at_the_limits(gas):
    assert gas.wide == ((225.0, 375.0), (0.8, 3.5))
    x, y = gas.sample(400, 1000)
    columns = np.random.default_rng(1000)
    np.testing.assert_array_equal(x[:, 0], columns.uniform(250, 350, 400))
    np.testing.assert_array_equal(x[:, 1], columns.uniform(1, 3, 400))
    np.testing.assert_allclose(y, 8.314 * x[:, 0] / x[:, 1])


def test_every_law_is_found_as_itself_and_not_with_a_trace_added(study):
    for law in study.laws:
        assert judge(law.formula, law, 0).found, law.name
        off = Expression.parse(f"({law.formula})*1.000002", names=law.formula.names)
        verdict = judge(off, law, 0)
        assert not verdict.found or verdict.formula != str(off), law.name
        assert verdict.structure


@pytest.mark.parametrize(
    ("text", "found", "structure"),
    [
        ("8.314*T/V", True, True),
        ("T/(V/8.314)", True, True),
        ("8.3140001*T/V", True, True),  # right when rounded to 4 digits
        ("8.33*T/V", False, True),
        ("8.45*T/V", False, False),  # 1.6 % off
        ("8.314*T/V + 0.1", False, False),  # 0.1 is no number of the law
        ("8.314*T/(V + 0.0000001)", True, True),
        ("8.314*T/abs(V - 0.9)", False, False),
        ("log(V - 0.9)", False, False),  # not finite on the whole wide domain
    ],
)
def test_judge_on_known_cases(text, found, structure, gas):
    verdict = judge(Expression.parse(text, names=["T", "V"]), gas, 0)
    assert (verdict.found, verdict.structure) == (found, structure)
    assert (verdict.error <= 1e-6) == found


def test_judge_prints_the_fewest_digits_that_are_the_law(gas):
    verdict = judge(Expression.parse("8.31400003*T/V", names=["T", "V"]), gas, 0)
    assert verdict.formula == "8.314*T/V"


def test_r2_is_the_share_of_variance_on_the_training_domain(gas):
    verdict = judge(Expression.parse("8.314*T/V + 5", names=["T", "V"]), gas, 3)
    _, y = gas.sample(2000, 8888 + 3)
    assert verdict.r2 == pytest.approx(1 - 25 / y.var())


def test_judge_looks_outside_the_training_domain(gas):
    """A formula that is right where it was trained and wrong beside it is not the law."""
    cut = Expression.parse("8.314*T/(V if V > 1 else 1)", names=["T", "V"])
    x, y = gas.sample(2000, 0)
    np.testing.assert_allclose(cut(x)[:, 0], y)
    verdict = judge(cut, gas, 0)
    assert not verdict.found and not verdict.structure and verdict.r2 == pytest.approx(1)


def test_refit_recovers_the_numbers_of_every_law(study):
    generator = np.random.default_rng(0)
    for law in study.laws:
        x, y = law.sample(500, 0)

        def shifted(value: float) -> float:
            return value if abs(value) <= 1 else value * (1 + 0.003 * generator.choice([-1, 1]))

        start = law.formula.with_numbers(shifted)
        moved = refit(start, x, y, weights=1 / np.abs(y))
        assert judge(moved, law, 0).found, law.name


def test_refit_keeps_to_its_bounds_and_to_small_whole_numbers():
    x = np.linspace(1, 2, 50)[:, None]
    y = 3 * x[:, 0] ** 2.5
    moved = refit(Expression.parse("2.5*x0**2"), x, y, within=0.01)
    assert moved.rounded(6).text() == ["2.525*x0**2"]
    assert refit(Expression.parse("2*x0**2"), x, y).text() == ["2*x0**2"]
    free = refit(Expression.parse("2.2*x0**2.2"), x, y)
    np.testing.assert_allclose(free(x)[:, 0], y, rtol=1e-12)


def test_operon_finds_an_easy_law_exactly(gas):
    pytest.importorskip("pyoperon", reason="pyoperon is not installed")
    x, y = gas.sample(300, 1000)
    fitted = peers.operon(
        (x[:240], y[:240]), (x[240:], y[240:]), 5.0, 0, operators="mul,div", refit=refit
    )
    assert fitted.expression is not None
    assert judge(fitted.expression.renamed(["T", "V"]), gas, 0).found
    assert fitted.seconds < 4  # an exact formula ends the search


def test_run_reports_every_law(study, tmp_path, monkeypatch, capsys):
    """A method that always answers with one formula finds that law and no other."""
    text = "0.51099895*((1 - x0**2)**(-0.5) - 1)"

    def energy(train: Part, *_: object) -> Fitted:
        formula = Expression.parse(text, num_inputs=train[0].shape[1])
        return Fitted(lambda rows: formula(rows)[:, 0], text, 9, 0.5, formula)

    def opaque(*_: object) -> Fitted:
        return Fitted(lambda rows: np.zeros(len(rows)), "tree", 9, 0.5)

    monkeypatch.setattr(peers, "METHODS", {"occamhead": energy, "operon": opaque})
    monkeypatch.setattr(peers, "_NEEDS", {})
    monkeypatch.setattr(law_rows, "with_options", lambda name, method, options: method)
    out = tmp_path / "out"
    rows = laws.main(["--seeds", "1", "--out", str(out)])
    assert {row["law"] for row in rows if row["found"]} == {"electron_energy"}
    written = json.loads((out / "results.json").read_text())["rows"]
    assert [(row["law"], row["method"]) for row in written] == [
        (law.name, method) for law in study.laws for method in ("occamhead", "operon")
    ]
    printed = capsys.readouterr().out
    assert all(f"{law.name}: " in printed for law in study.laws)
    assert "occamhead: found 1 of 10 samples, structure 1, 1 of 10 laws at some seed" in printed
    assert "operon: found 0 of 10 samples" in printed


def test_methods_get_the_options_of_the_file(study):
    assert set(study.options) == {"occamhead", "operon"}

    def method(*_: object, **options: object) -> dict[str, object]:
        return options

    assert law_rows.with_options("operon", method, {"operators": "add"})() == {
        "operators": "add", "refit": refit,
    }  # fmt: skip
    assert law_rows.with_options("occamhead", method, {}) is method


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--laws", "ohm"], "unknown law 'ohm'; known: michaelis_menten"),
        (["--methods", "eureqa"], "unknown method 'eureqa'"),
        (["--seconds", "-1"], "--seconds: must be positive, got -1.0"),
    ],
)
def test_bad_flags_end_before_anything_is_made(flags, message, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        laws.main(["--methods", "occamhead", "--out", str(out), *flags])
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_range_beyond_its_limits_is_refused(tmp_path):
    config = yaml.safe_load(CONFIG.read_text())
    config["laws"]["lmtd"]["inputs"]["b"]["range"] = [5, 39]
    path = tmp_path / "laws.yaml"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"lmtd: range \[5, 39\] of b must ascend within"):
        load_study(path)
