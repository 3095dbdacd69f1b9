"""The comparison on real tables: its protocol, its adapters and what it leaves behind."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest

from occamhead import Expression
from recipes import pmlb
from recipes.others import regressors as peers
from recipes.others.regressors import Fitted, count_nodes, get_methods, mse
from recipes.real_tables.report import PAPER, pairs_won
from recipes.real_tables.tables import SETS, find_tables, numbers, read_table, split

SKLEARN = "scikit-learn is not installed"


@pytest.fixture
def tiny():
    """Train and validation rows of y = x0 x1 + 0.5 x2."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=(120, 3))
    y = x[:, 0] * x[:, 1] + 0.5 * x[:, 2]
    return x[:80], y[:80], x[80:], y[80:]


@pytest.fixture
def tables(tmp_path):
    """A folder with two of the tables' names, whose target is a number times a column, plus 7."""
    generator = np.random.default_rng(0)
    for name in SETS[9:11]:
        x = generator.normal(size=(50, 2))
        rows = np.column_stack([x[:, 0], 3 * x[:, 0] + 7, x[:, 1], np.full(50, 4.0)])
        lines = ["a\ttarget\tb\tconstant", *("\t".join(map(repr, row)) for row in rows.tolist())]
        (tmp_path / f"{name}.tsv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return tmp_path


def zeros(*_: object) -> Fitted:
    return Fitted(lambda x: np.zeros(len(x)), "0", 1, 0.25)


def first(*_: object) -> Fitted:
    return Fitted(lambda x: x[:, 0], "x0", 1, 0.5)


def broken(*_: object) -> Fitted:
    return Fitted(lambda x: np.full(len(x), np.inf), "1/0", 3, 0.5)


# --- tables and splits --------------------------------------------------------------------------


def test_table_is_standardised_over_all_rows_and_loses_constant_columns(tables):
    x, y = read_table(tables, SETS[9])
    assert x.shape == (50, 2)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((x**2).mean(axis=0), 1)
    # The target is linear in the first column, so standardised it is that column.
    np.testing.assert_allclose(y, x[:, 0], atol=1e-12)


def test_split_is_a_partition_in_the_protocols_order():
    x, y = np.arange(22.0).reshape(11, 2), np.arange(11.0)
    train, validation, test = split(x, y, seed=5)
    order = np.random.default_rng(5).permutation(11)
    assert [len(part[1]) for part in (train, validation, test)] == [6, 2, 3]
    np.testing.assert_array_equal(np.concatenate([train[1], validation[1], test[1]]), order)
    for part in (train, validation, test):
        np.testing.assert_array_equal(part[0][:, 0], 2 * part[1])


def test_numbers_of_tables():
    assert numbers(["1-3", "7", "12"]) == [1, 2, 3, 7, 12]
    assert numbers(["12,1-3", "2"]) == [1, 2, 3, 12]
    for text, message in (("16", "no table 16"), ("0", "no table 0"), ("x", "cannot read 'x'")):
        with pytest.raises(ValueError, match=message):
            numbers([text])


def test_missing_tables_name_the_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv("OCCAMHEAD_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="EpistasisLab/pmlb"):
        find_tables(None)
    monkeypatch.setenv("OCCAMHEAD_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="--data"):
        find_tables(None)
    (tmp_path / "pmlb").mkdir()
    assert find_tables(None) == tmp_path / "pmlb"
    assert find_tables(tmp_path) == tmp_path
    with pytest.raises(FileNotFoundError, match="1027_ESL"):
        read_table(tmp_path, SETS[0])
    (tmp_path / f"{SETS[0]}.tsv.gz").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match="git lfs pull"):
        read_table(tmp_path, SETS[0])
    (tmp_path / f"{SETS[1]}.tsv.gz").write_bytes(gzip.compress(b"a\tb\n1\t2\n"))
    with pytest.raises(ValueError, match="target"):
        read_table(tmp_path, SETS[1])


def test_papers_figures_bear_out_what_its_text_says():
    # Section 5: V100 "still outperforms Eplex at 10/15 of the datasets" in testing.
    assert sum(a < b for a, b in zip(PAPER["V100"], PAPER["Eplex"], strict=True)) == 10
    assert {len(column) for column in PAPER.values()} == {len(SETS)} == {15}


def test_real_tables_have_the_sizes_of_table_5(data_folder):
    sizes = [(488, 4), (1000, 10), (1000, 4), (1000, 4), (47, 13), (50, 4), (52, 2), (159, 15),
             (159, 15), (108, 5), (55, 2), (200, 10), (209, 6), (1059, 117), (48, 4)]  # fmt: skip
    folder = find_tables(data_folder / "pmlb")
    assert [read_table(folder, name)[0].shape for name in SETS] == sizes


def test_ridge_on_training_rows_gives_the_known_errors(data_folder):
    """Test errors measured with another program on the same splits."""
    pytest.importorskip("sklearn", reason=SKLEARN)
    known = {"1027_ESL": (0.116, 0.131, 0.179), "229_pwLinear": (0.270, 0.232, 0.289),
             "230_machine_cpu": (0.210, 0.117, 0.223)}  # fmt: skip
    for name, errors in known.items():
        x, y = read_table(data_folder / "pmlb", name)
        for seed, error in enumerate(errors):
            train, validation, test = split(x, y, seed)
            fitted = peers.ridge_train(train, validation, 1.0, seed)
            assert round(mse(fitted.predict(test[0]), test[1]), 3) == error


# --- adapters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("x0", 1),
        ("-x0", 2),  # minus, x0
        ("2*x0", 3),
        ("x0 - x1", 3),
        ("x0 + x1 + x2", 5),
        ("2*x0 - 3*x1 + 0.5", 9),  # 2 * x0 - 3 * x1 + 0.5
        ("sin(x0)*x1 + sin(x0)", 7),  # the tree repeats sin(x0)
        ("max(x0, x1, x2)", 5),
        ("x0**2/3", 5),
        ("x0 if x0 > 0 else x1", 6),
    ],
)
def test_count_nodes_by_hand(text, nodes):
    assert count_nodes(Expression.parse(text)) == nodes


def test_ridge_chooses_its_penalty_by_leaving_one_out():
    pytest.importorskip("sklearn", reason=SKLEARN)
    generator = np.random.default_rng(1)
    x = generator.normal(size=(18, 4))
    y = x @ [1.0, 0.0, -0.5, 0.2] + 2 + generator.normal(size=18)

    def solve(x, y, alpha):
        centred = x - x.mean(axis=0)
        weights = np.linalg.solve(
            centred.T @ centred + alpha * np.eye(4), centred.T @ (y - y.mean())
        )
        return weights, y.mean() - x.mean(axis=0) @ weights

    def left_out(alpha):
        error = 0.0
        for i in range(18):
            weights, intercept = solve(np.delete(x, i, axis=0), np.delete(y, i), alpha)
            error += (x[i] @ weights + intercept - y[i]) ** 2
        return error

    weights, intercept = solve(x, y, min(np.logspace(-3, 3, 13), key=left_out))
    both = peers.ridge((x[:12], y[:12]), (x[12:], y[12:]), 1.0, 0)
    np.testing.assert_allclose(both.predict(x), x @ weights + intercept)
    assert both.expression is not None
    np.testing.assert_allclose(both.expression(x)[:, 0], both.predict(x))


def test_gplearn_finds_a_product_and_says_how(tiny):
    pytest.importorskip("gplearn", reason="gplearn is not installed")
    x, _, x_validation, _ = tiny
    fitted = peers.gplearn(
        (x, x[:, 0] * x[:, 1]), (x_validation, x_validation[:, 0] * x_validation[:, 1]), 30.0, 0
    )
    np.testing.assert_allclose(fitted.predict(x), x[:, 0] * x[:, 1], atol=1e-9)
    assert fitted.formula in ("mul(X0, X1)", "mul(X1, X0)") and fitted.nodes == 3
    assert fitted.seconds < 30  # exact, so it ended early


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gplearn", "operon"])
def test_more_time_never_raises_the_validation_error(method, tiny):
    pytest.importorskip({"operon": "pyoperon"}.get(method, method), reason=f"no {method}")
    x, y, x_validation, y_validation = tiny
    noisy = y + np.random.default_rng(0).normal(size=len(y))
    errors = []
    for seconds in (0.0, 0.3, 1.0):
        fitted = get_methods([method])[method]((x, noisy), (x_validation, y_validation), seconds, 1)
        errors.append(mse(fitted.predict(x_validation), y_validation))
        assert seconds <= fitted.seconds < seconds + 1
    # The same seed shows the same formulas, and more of them.
    assert errors == sorted(errors, reverse=True)
    assert math.isfinite(errors[0])


def test_operon_solves_the_tiny_problem(tiny):
    pytest.importorskip("pyoperon", reason="pyoperon is not installed")
    x_validation, y_validation = tiny[2:]
    fitted = peers.operon(tiny[:2], tiny[2:], 1.0, 0)
    assert mse(fitted.predict(x_validation), y_validation) < 1e-3
    assert fitted.nodes <= 54  # Operon's 50, and its scale and offset


@pytest.mark.parametrize("seed", range(4))
def test_operon_tree_as_an_expression_computes_the_same(seed, tiny):
    pytest.importorskip("pyoperon", reason="pyoperon is not installed")
    x, _, x_validation, y_validation = tiny
    y = np.random.default_rng(seed).normal(size=len(x))
    operators = f"{peers.OPERATORS},pow,sqrt,square"
    fitted = peers.operon((x, y), (x_validation, y_validation), 0.1, seed, operators)
    assert fitted.expression is not None
    ours, theirs = fitted.expression(x_validation)[:, 0], fitted.predict(x_validation)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)  # theirs is float32


def test_occamhead_adapters_on_the_tiny_problem(tiny):
    pytest.importorskip("occamhead.tables.estimators", reason="the estimators are not there")
    x_validation, y_validation = tiny[2:]
    for name in ("occamhead", "occamhead (train)"):
        fitted = get_methods([name])[name](tiny[:2], tiny[2:], 1.0, 0)
        assert mse(fitted.predict(x_validation), y_validation) < 1e-3
        assert fitted.expression is not None
        assert fitted.nodes == count_nodes(fitted.expression)
        np.testing.assert_allclose(
            fitted.expression(x_validation)[:, 0], fitted.predict(x_validation)
        )


def test_unknown_and_missing_methods_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="unknown method 'eureqa'; known: occamhead"):
        get_methods(["eureqa"])
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"operon.* needs pyoperon: pip install 'occamhead"):
        get_methods(["occamhead", "operon"])


# --- the run ------------------------------------------------------------------------------------


def test_run_writes_what_the_protocol_says(tables, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers, "METHODS", {"occamhead": first, "zeros": zeros, "broken": broken})
    flags = ["--data", str(tables), "--sets", "10-11", "--seeds", "2", "--out"]
    out = tmp_path / "out"
    rows = pmlb.main([*flags, str(out), "--methods", "occamhead", "zeros", "broken"])
    written = json.loads((out / "results.json").read_text())
    assert len(rows) == len(written["rows"]) == 2 * 2 * 3
    assert written["command"]
    assert set(written["rows"][0]) == {
        "set", "method", "seed", "test_mse", "seconds", "formula", "nodes",
    }  # fmt: skip
    for row in written["rows"]:
        _, y = read_table(tables, row["set"])
        test = y[np.random.default_rng(row["seed"]).permutation(50)[40:]]
        expected = {"zeros": pytest.approx((test**2).mean()), "broken": None}
        # The target is the first column, so ours is right to rounding.
        assert row["test_mse"] == expected.get(row["method"], pytest.approx(0, abs=1e-20))
    printed = capsys.readouterr().out
    assert "zeros: 2 of 2, 2 of 2, 4 of 4" in printed
    assert "10 210_cloud" in printed and "11 228_elusage" in printed
    assert "occamhead: OccamNet 2, V100 2, Eplex 2, XGB 2" in printed
    assert "broken: OccamNet 0, V100 0, Eplex 0, XGB 0" in printed
    with pytest.raises(FileExistsError, match=r"results\.json"):
        pmlb.main([*flags, str(out), "--methods", "zeros"])
    assert len(pmlb.main([*flags, str(out), "--methods", "zeros", "--overwrite"])) == 4


def test_a_stop_loses_no_row(tables, tmp_path, monkeypatch):
    calls = 0

    def stopped(*arguments: object) -> Fitted:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return zeros()

    monkeypatch.setattr(peers, "METHODS", {"zeros": stopped})
    out = tmp_path / "out"
    flags = ["--data", str(tables), "--sets", "10", "--methods", "zeros", "--out", str(out)]
    with pytest.raises(KeyboardInterrupt):
        pmlb.main(flags)
    so_far = json.loads((tmp_path / "out.part" / "results.json").read_text())
    assert [row["seed"] for row in so_far["rows"]] == [0, 1]
    assert [row["seed"] for row in pmlb.main([*flags, "--resume"])] == [0, 1, 2]
    assert calls == 4  # the one that was stopped was done again, and no other


def test_ridge_brings_ridge_on_training_rows_along(tables, tmp_path, capsys):
    pytest.importorskip("sklearn", reason=SKLEARN)
    out = str(tmp_path / "out")
    rows = pmlb.main(
        ["--data", str(tables), "--sets", "10", "--seeds", "1", "--methods", "ridge", "--out", out]
    )
    assert [row["method"] for row in rows] == ["ridge", "ridge (train)"]
    assert all(row["test_mse"] < 1e-3 for row in rows)
    assert "ridge (train)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sets", "17"], "no table 17"),
        (["--methods", "eureqa"], "unknown method 'eureqa'"),
        (["--methods", "zeros", "--seconds", "0"], "--seconds: must be positive"),
        (["--methods", "zeros", "--seeds", "0"], "must be at least 1"),
    ],
)
def test_bad_flags_end_before_anything_is_made(flags, message, tables, monkeypatch, capsys):
    monkeypatch.setitem(peers.METHODS, "zeros", zeros)
    out = tables / "out"
    with pytest.raises(SystemExit):
        pmlb.main(["--data", str(tables), "--methods", "zeros", "--out", str(out), *flags])
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_pairs_won_counts_splits():
    rows = [
        {"method": method, "set": "a", "seed": seed, "test_mse": error}
        for method, errors in {"ours": (1.0, 2.0, math.inf), "theirs": (2.0, 2.0, 1.0)}.items()
        for seed, error in enumerate(errors)
    ]
    assert pairs_won(rows, "ours", "theirs") == (1, 3)
    assert pairs_won(rows, "theirs", "ours") == (1, 3)
