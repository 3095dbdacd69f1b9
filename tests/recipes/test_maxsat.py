"""MAX-SAT: assignments against plain loops and brute force, the learned rule, and its figures."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from recipes import maxsat
from recipes.satisfiability import methods, small_formulas
from recipes.satisfiability.assignment import (
    assign,
    by_expectation,
    by_rule,
    random_formulas,
    randomised,
    two_pass_probability,
    weighing,
)


def clauses_of(formulas, index):
    """One formula as lists of (variable, value that satisfies)."""
    pairs = zip(formulas.variables[index], formulas.plain[index], strict=True)
    return [list(zip(names.tolist(), plain.tolist(), strict=True)) for names, plain in pairs]


def share_satisfied(clauses, values):
    return sum(any(values[v] == wanted for v, wanted in clause) for clause in clauses) / len(
        clauses
    )


def most_satisfied(clauses, variables):
    return max(share_satisfied(clauses, values)
               for values in itertools.product((False, True), repeat=variables))  # fmt: skip


# --- assignments ----------------------------------------------------------------------------------


def test_clauses_have_different_variables_in_order():
    formulas = random_formulas(np.random.default_rng(0), 20, 4, 30)
    assert (np.diff(formulas.variables, axis=-1) > 0).all()
    assert formulas.variables.max() == 3 and 0.45 < formulas.plain.mean() < 0.55


@pytest.mark.parametrize("weights", [(4, 2, 1), (8, 3, 1), (1, 1, 1)])
def test_greedy_assignment_is_that_of_a_plain_loop(weights):
    formulas = random_formulas(np.random.default_rng(1), 10, 12, 40)
    found = assign(formulas, by_rule(formulas, weighing(weights)))
    for index in range(len(formulas)):
        clauses = clauses_of(formulas, index)
        values: dict[int, bool] = {}
        for variable in range(12):
            score = 0
            for clause in clauses:
                left = [(v, wanted) for v, wanted in clause if v not in values]
                if any(values.get(v) == wanted for v, wanted in clause):
                    continue
                score += sum(weights[len(left) - 1] * (1 if wanted else -1)
                             for v, wanted in left if v == variable)  # fmt: skip
            values[variable] = score > 0
        assert found[index] == pytest.approx(share_satisfied(clauses, values))


def test_johnsons_rule_is_conditional_expectation_at_one_half():
    formulas = random_formulas(np.random.default_rng(2), 40, 30, 130)
    half = np.full((40, 30), 0.5)
    by_weights = assign(formulas, by_rule(formulas, weighing((4, 2, 1))))
    assert (assign(formulas, by_expectation(formulas, half)) == by_weights).all()
    # It does not fall below what it starts from: seven eighths of clauses of three literals.
    assert (by_weights >= 7 / 8).all()


@pytest.mark.parametrize("literals", [1, 2, 3])
@pytest.mark.parametrize("clauses", [4, 12, 40])
def test_two_passes_reach_three_quarters_of_the_optimum_and_their_expectation(literals, clauses):
    formulas = random_formulas(np.random.default_rng(3), 60, 6, clauses, literals)
    probability = two_pass_probability(formulas)
    assert ((probability >= 0) & (probability <= 1)).all()
    found = assign(formulas, by_expectation(formulas, probability))
    p = probability[np.arange(60)[:, None, None], formulas.variables]
    expected = 1 - np.where(formulas.plain, 1 - p, p).prod(axis=-1).mean(axis=-1)
    best = [most_satisfied(clauses_of(formulas, index), 6) for index in range(60)]
    assert (expected >= 0.75 * np.array(best) - 1e-12).all()
    assert (found >= expected - 1e-12).all() and (found <= np.array(best) + 1e-12).all()


def test_the_randomised_algorithm_reaches_three_quarters_on_average():
    generator = np.random.default_rng(4)
    formulas = random_formulas(generator, 30, 6, 25, 2)
    runs = [assign(formulas, randomised(formulas, generator)) for _ in range(100)]
    best = [most_satisfied(clauses_of(formulas, index), 6) for index in range(30)]
    assert (np.mean(runs, axis=0) >= 0.75 * np.array(best)).all()
    assert np.std(runs, axis=0).max() > 0


# --- what is learned from -------------------------------------------------------------------------


def test_most_satisfied_is_that_of_brute_force():
    plain, negated = small_formulas.small_formulas(np.random.default_rng(5), 6)
    found = small_formulas.most_satisfied(plain, negated)
    for index, variable, value in itertools.product(range(6), range(6), (0, 1)):
        counts = []
        for values in itertools.product((0, 1), repeat=6):
            if values[variable] == value:
                counts.append(sum(
                    any((p if values[v] else n) >> v & 1 for v in range(6))
                    for p, n in zip(plain[index].tolist(), negated[index].tolist(), strict=True)
                ))  # fmt: skip
        assert found[index, variable, value] == max(counts)


def test_small_formulas_have_clauses_of_one_to_three_literals_and_no_variable_twice():
    plain, negated = small_formulas.small_formulas(np.random.default_rng(6), 1000)
    assert (plain & negated == 0).all()
    lengths = np.array([mask.bit_count() for mask in (plain | negated).ravel().tolist()])
    assert set(lengths) == {0, 1, 2, 3}
    counts = np.bincount(lengths)[1:]
    assert counts.min() > 0.9 * counts.max()
    sizes = (plain | negated != 0).sum(axis=1)
    assert sizes.min() == small_formulas.FEWEST and sizes.max() == small_formulas.MOST


def test_examples_of_a_formula():
    # x0; x0 or not x1; not x0 or x2 or x3. All can be satisfied, x0 must be true for it.
    plain, negated = np.array([[1, 1, 12]]), np.array([[0, 2, 1]])
    x, y = small_formulas.examples(plain, negated)
    assert x.tolist() == [[1, 1, -1], [-1, -1, 1]]
    assert y.tolist() == [1, 0]


# --- the rule and the recipe ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_learned_rule_is_one_comparison_near_8_3_1(seed):
    (row, johnson, *_), program = methods.learn(3000, 20, 0.6, seed)
    assert row["exact"] and row["lossless"]
    ((unit, binary, ternary),) = row["weights"]
    assert row["bias"] == [0.0]
    direction = np.array([binary, ternary]) / unit
    far_from = {weights: np.abs(direction - np.array(weights[1:]) / weights[0]).max()
                for weights in ((8, 3, 1), (4, 2, 1), (1, 1, 1))}  # fmt: skip
    assert min(far_from, key=lambda weights: far_from[weights]) == (8, 3, 1)
    assert far_from[8, 3, 1] < 0.08
    assert row["accuracy"] > johnson["accuracy"]
    module: dict[str, Any] = {}
    exec(row["program"], module)
    x = np.random.default_rng(seed).integers(-9, 10, (300, 3))
    wanted = (x @ np.array([unit, binary, ternary]) > 0).astype(int)
    assert [int(module["predict"](line)) for line in x.tolist()] == wanted.tolist()
    assert "import" not in row["program"]
    assert (methods.as_rule(program)(x) == wanted).all()


@pytest.mark.slow
def test_recipe_is_ahead_of_johnson_and_writes_what_it_says(tmp_path, capsys):
    out = tmp_path / "run"
    results = maxsat.main(["--seeds", "0", "1", "--large", "300", "--out", str(out)])
    assert json.loads((out / "results.json").read_text()) == json.loads(json.dumps(results))
    wanted = {"task", "method", "seed", "samples", "exact", "certificate", "program", "tokens",
              "seconds"}  # fmt: skip
    assert len(results["rows"]) == 2 * 4 and all(wanted <= set(row) for row in results["rows"])
    tests = {(t["variables"], t["density"], t["method"]): t for t in results["tests"]}
    assert len(tests) == len(results["tests"]) == 3 * len(methods.METHODS)
    johnson = tests[100, 4.3, "johnson"]
    assert johnson["formulas"] == 1200
    assert johnson["ahead"] >= 0.07 and johnson["ahead"] > 4 * johnson["standard_error"]
    assert all(ahead >= 0.07 for ahead, _ in johnson["by_seed"])
    assert tests[100, 8.0, "johnson"]["ahead"] > -0.12
    assert tests[100, 4.3, "majority"]["ahead"] > 1
    ours, theirs = (tests[100, 4.3, name]["satisfied"] for name in ("essence", "johnson"))
    assert 100 * (ours - theirs) == pytest.approx(johnson["ahead"])
    assert tests[300, 4.3, "johnson"]["standard_error"] is None
    printed = capsys.readouterr().out
    assert f"({johnson['ahead']:+.3f} +- {johnson['standard_error']:.3f})" in printed
    assert "* unit + " in printed


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--variables", "2"], "takes 3 variables, got formulas of 2"),
        (["--densities", "0.001"], "have no clause at 0.001"),
    ],
)
def test_sizes_that_make_no_formula_are_refused(flags, message, capsys):
    with pytest.raises(SystemExit):
        maxsat.main(flags)
    assert message in capsys.readouterr().err
