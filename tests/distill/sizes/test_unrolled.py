"""A lifted program at one size is an expression like any other, and computes the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from occamhead.distill import Bool, FeatureSpec, Lifted, LiftedCertificate, lift, prove
from occamhead.distill.sizes.recurrence import Recurrence
from occamhead.distill.sizes.rules import Direction, PairRule, Residue, Steps, SumRule
from occamhead.distill.sizes.size_formulas import Polynomial, Power, number
from occamhead.essence import Circuit, fit_circuit
from occamhead.expression import Expression, FormulaModule
from recipes.lists import methods, tasks
from recipes.others.classifiers import columns
from tests.distill.printed import predict_of
from tests.distill.sizes.test_grids import images, lifted
from tests.distill.sizes.test_lift import table
from tests.expression.formats.machines import run_all

ONE = Direction((1,), "1")
RULES = {
    "intervals": SumRule(ONE, Steps((2, 0, 1), (number(1), Polynomial("n", 0, 1, 0, 2)))),
    "inside": SumRule(ONE, Steps((0, 1, 0), (number(0), number(2)))),
    "outside": SumRule(ONE, Steps((1, 0, 1), (number(0), number(2)))),
    "crossing bounds": SumRule(ONE, Steps((0, 1, 0), (number(3), Polynomial("n", 0, 1, -2)))),
    "at most": SumRule(Direction((1, -2), "(m - i)"), Steps((1, 0), (Polynomial("m", 1, 0, -1),))),
    "a residue": SumRule(ONE, Residue(number(1), (0, 0, 1))),
    "no residue": SumRule(ONE, Residue(number(2), (1, 0, 1))),
    "two residues": SumRule(ONE, Residue(number(1), (0, 1, 1, 0, 0))),
    "three residues": SumRule(ONE, Residue(number(1), (1, 1, 0, 1, 0))),
    "classes by residue": SumRule(ONE, Residue(number(3), (2, 0, 5))),
    "outputs": SumRule(ONE, Steps((0, 1), (Polynomial("k", 0, 1, 0),)), Polynomial("n", 0, 1, 0)),
    "argmin": PairRule(largest=False, first=True),
    "the last argmax": PairRule(largest=True, first=False),
    "the last argmin": PairRule(largest=False, first=False),
    "a step of several scores": Recurrence(
        Expression.parse(["bit", "state", "1 - bit - state"], names=["bit", "state"]),
        Expression.parse(["1", "bit + state"], names=["bit", "state"]),
        FeatureSpec.booleans(["bit", "state"]),
    ),
}


def learned(name: str) -> Lifted:
    """One of the recipe's seven programs, as the recipe learns it."""
    task = tasks.TASKS[name]
    data = {n: task.rows(n, count, 0) for n, count in task.sizes.items()}
    if not data:
        x = methods.STEP.rows()
        data = {3: (x, np.stack([x.sum(axis=1) % 2, x.sum(axis=1) // 2], axis=1))}
    circuits = {n: [fit_circuit(x, c) for c in columns(y)] for n, (x, y) in data.items()}
    return methods.lifted_from(task, data, circuits)


def check(program: Lifted, size: int, rows: np.ndarray) -> Expression:
    """At this size all forms of the program give the same answers."""
    unrolled, predict = program.at(size), predict_of(program.source())
    wanted = [np.atleast_1d(program.predict(row)).tolist() for row in rows.tolist()]
    assert wanted == [np.atleast_1d(predict(row)).astype(int).tolist() for row in rows.tolist()]
    np.testing.assert_array_equal(unrolled(rows), wanted)
    module = FormulaModule(unrolled, dtype=torch.float64)
    np.testing.assert_array_equal(module(torch.tensor(rows)).numpy(), wanted)
    assert Expression.from_json(unrolled.to_json()) == unrolled
    return unrolled


def some(size: int, count: int = 60, low: int = 0, high: int = 1) -> np.ndarray:
    """Rows from all low to all high, so that sums are of every size."""
    rng = np.random.default_rng(size)
    high_enough = rng.random((count, size)) < np.linspace(0, 1, count)[:, None]
    return np.where(high_enough, rng.integers(low, high + 1, (count, size)), low)


@pytest.mark.parametrize("name", tasks.TASKS)
def test_the_seven_programs_at_sizes_learned_from_and_others(name):
    program, task = learned(name), tasks.TASKS[name]
    for size in {*task.sizes, 2, 4, 6, 40} - ({3, 5} if program.rule.parts > 1 else set()):
        spec = task.spec(size)
        rows = spec.rows() if spec.num_rows <= 256 else some(size, high=spec.domains[0].high)
        unrolled = check(program, size, rows)
        truth = [np.atleast_1d(task.truth(row)).tolist() for row in rows.tolist()]
        np.testing.assert_array_equal(unrolled(rows), truth)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("size", [2, 4, 8])
def test_rules_of_every_kind(name, size):
    check(Lifted(RULES[name], LiftedCertificate({}, {})), size, some(size, low=-1, high=2))


@pytest.mark.parametrize("side", [1, 2, 5, 8, 11])
def test_orientation_at_sides_learned_from_and_others(side):
    program = lifted()
    rows = images(side, 100)
    unrolled = check(program, side, rows)
    np.testing.assert_array_equal(unrolled(rows)[:, 0], program.rule.network(side).predict(rows))


@pytest.mark.parametrize("name", ["a + b", "adder step", "argmax", "orientation"])
def test_in_every_language(tmp_path, name):
    size = 4
    program = lifted() if name == "orientation" else learned(name)
    rows = images(size, 40) if name == "orientation" else some(size, 40)
    unrolled = program.at(size)
    wanted = [np.atleast_1d(program.predict(row)).tolist() for row in rows.tolist()]
    for language, (values, _) in run_all(unrolled, tmp_path, rows.astype(float)).items():
        np.testing.assert_array_equal(values, wanted, err_msg=language)
    assert all(map(str, unrolled.latex()))


def test_one_entry():
    assert Lifted(RULES["argmin"], LiftedCertificate({}, {})).at(1)([[7.0]]).tolist() == [[0.0]]


def test_loops_unroll_into_few_nodes():
    """What all entries are compared with is computed once, whatever the size."""
    assert len(learned("argmax").at(100).nodes) < 500
    assert lifted().at(28).operations < 10_000  # the network has 659,400 weights


# --- certificates ---------------------------------------------------------------------------------


def test_what_is_proved_is_said():
    program = learned("majority")
    certificate = program.certificate
    assert certificate.proved == (3, 4, 5) and certificate.domain == Bool()
    kinds = {n: [(one.kind, one.cells) for one in own] for n, own in certificate.proofs.items()}
    assert kinds == {3: [("block", 4)], 4: [("block", 5)], 5: [("block", 6)]}
    assert "proved equal to the network of size 3, 4, 5 (entries 0 to 1)" in program.source()
    assert [len(own) for own in learned("a + b").certificate.proofs.values()] == [3, 4, 5]


def test_a_network_that_the_program_is_not_is_named():
    """Of argmax from few rows a network errs elsewhere; the program that is lifted does not."""
    task, program = tasks.TASKS["argmax"], learned("argmax")
    for n, count in task.sizes.items():
        circuit = fit_circuit(*task.rows(n, count, 0))
        every = task.spec(n).rows()
        wrong = int((circuit.predict(every) != program.at(n)(every)[:, 0]).sum())
        assert [one.wrong for one in program.certificate.proofs[n]] == [wrong]
        assert (n in program.certificate.proved) == (wrong == 0)
        said = f"not the network of size {n} ({wrong} of {10**n} cells differ)"
        assert (said in str(program.certificate)) == (wrong > 0)
    assert len(program.certificate.proved) < 3


def test_a_domain_too_large_for_a_proof_is_not_called_proved():
    rng = np.random.default_rng(0)
    x = {n: rng.integers(0, 30_000, (60 * n, n)) for n in (3, 4, 5)}
    rows = {n: (v, v.argmax(axis=1)) for n, v in x.items()}
    circuits = {n: fit_circuit(*pair, classes=n) for n, pair in rows.items()}
    held_out = rng.integers(0, 30_000, (100, 6))
    program = lift(circuits, rows, {6: (held_out, held_out.argmax(axis=1))})
    assert program.certificate.proved == ()
    assert "proved" not in str(program.certificate)
    assert {one.kind for own in program.certificate.proofs.values() for one in own} == {"sampled"}


def test_the_proof_is_of_the_very_expression():
    """The wrong size's circuit, and a program changed by one, are refused by the same proof."""
    program = learned("a > b")
    x, y = table(4, lambda row: int(row[:2][::-1] > row[2:][::-1]))
    circuit, spec = fit_circuit(x, y), FeatureSpec.booleans(4)
    assert prove(program.at(4), circuit, spec).lossless
    shifted = SumRule(program.rule.direction, Steps((0, 1), (number(1),)))
    assert prove(shifted.at(4), circuit, spec).wrong > 0


def test_the_weights_of_a_square_are_compared_one_by_one():
    certificate = lifted().certificate
    assert certificate.proved == (5, 6, 7, 8) and certificate.domain is None
    (one,) = certificate.proofs[5]
    assert (one.kind, one.cells) == ("weights", 25 * 26 + 10 * 26 + 11)
    assert "lossless: equals the network on all 921 weights and thresholds" in str(one)


# --- errors ---------------------------------------------------------------------------------------


def test_sizes_that_cannot_be_are_refused():
    program = learned("a > b")
    for size in (0, -2, 5):
        with pytest.raises(ValueError, match=f"positive multiple of 2, .* got {size}"):
            program.at(size)
    assert program.at(100)(np.eye(100)).sum() == 50
    with pytest.raises(ValueError, match=r"number of 54 bits, and float64.*use predict"):
        program.at(106)
    bound = SumRule(ONE, Steps((0, 1), (Power("n", 1, 0),)))
    with pytest.raises(ValueError, match="number of 2001 bits"):
        bound.at(2000)


def test_a_divisor_that_is_zero_at_a_size_is_named():
    rule = SumRule(ONE, Residue(Polynomial("n", 0, 1, -3), (0, 1)))
    assert rule.value([1, 1, 1, 1]) == 0 and rule.at(4)([[1.0, 1, 1, 1]]).tolist() == [[0.0]]
    for run in (lambda: rule.value([1, 1, 1]), lambda: rule.at(3)):
        with pytest.raises(ValueError, match="divisor n - 3 is 0 at n = 3"):
            run()


def test_numbers_that_float64_does_not_hold_are_not_compared():
    """Two numbers of 54 bits and more are learned from as before; no proof is claimed."""
    rng = np.random.default_rng(0)
    rows, circuits = {}, {}
    for n in (108, 110, 112, 114):
        bits = 2 ** np.arange(n // 2)
        x = rng.integers(0, 2, (50, n))
        rows[n] = x, (x @ np.concatenate([bits, -bits]) > 0).astype(np.int64)
        weights = np.concatenate([bits, -bits])[None]
        circuits[n] = Circuit(weights, np.array([0.0]), (((0, True),),), (1,), 2, 0)
    held_out = {114: rows.pop(114)}
    del circuits[114]
    program = lift(circuits, rows, held_out)
    assert program.certificate.proved == ()
    assert "equal to the network of size 108 on no input" in str(program.certificate)
    assert "float64 is exact to 52" in program.certificate.proofs[108][0].obstacle
