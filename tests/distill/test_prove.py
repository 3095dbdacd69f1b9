"""Certificates: right programs pass, every wrong one is caught, whatever the kind of proof."""

from __future__ import annotations

import re

import numpy as np
import pytest

from occamhead.distill import Certificate, FeatureSpec, distill, prove
from occamhead.distill.prove import classes_of
from occamhead.essence import Circuit, fit_circuit
from occamhead.expression import Expression

WINDOW = FeatureSpec.window()
SIX = FeatureSpec.booleans(6)
CELLS = FeatureSpec.booleans(["left", "centre", "right"])
SWAPS = [("<=", "<"), (">=", ">"), ("==", "!="), ("==", "<="), (">", "<"), ("+", "-"), ("-", "+"),
         ("max", "min"), ("min", "max"), ("xor", "max"), ("xor", "min"),
         ("!=", "=="), ("<", "<="), (">", ">="), ("%", "//"), ("//", "%")]  # fmt: skip


def life_circuit() -> Circuit:
    rows = WINDOW.rows()
    neighbours = rows.sum(axis=1) - rows[:, 4]
    labels = (neighbours == 3) | ((rows[:, 4] == 1) & (neighbours == 2))
    return fit_circuit(rows, labels.astype(np.int64))


def elementary_circuit(rule: int) -> Circuit:
    rows = CELLS.rows()
    return fit_circuit(rows, (rule >> (rows @ [4, 2, 1])) & 1, classes=2)


def residue_circuit(period: int) -> Circuit:
    rows = SIX.rows()
    return fit_circuit(rows, rows.sum(axis=1) % period)


def comparison_circuit() -> Circuit:
    return Circuit(np.array([[1, -1, 0], [0, 1, -1]]), np.array([0.0, 0.5]),
                   (((0, True),), ((1, False), (0, False))), (1, 2), 3, 0)  # fmt: skip


def mutants(program: Expression) -> list[Expression]:
    """Programs whose text differs in one token: a number, a name or an operator."""
    (text,) = program.text()
    names = [program.input_name(i) for i in range(program.num_inputs)]
    found = set()
    for match in re.finditer(r"[^\W\d]\w*|\d+|[<>=!]=|//|[-+<>%]", text):
        token = match[0]
        others = [b for a, b in SWAPS if a == token]
        if token.isdigit():
            others = [str(int(token) + 1), str(max(0, int(token) - 1)), str(int(token) + 2)]
        if token in names:
            others = [name for name in names if name != token]
        found |= {text[: match.start()] + other + text[match.end() :] for other in others}
    parsed = (Expression.parse(found_text, names=names) for found_text in sorted(found - {text}))
    return [mutant for mutant in parsed if mutant != program]


def test_every_mutant_that_changes_the_function_is_caught():
    """More than 200, by programs of a block, of every input and of intervals."""
    caught = same = 0
    kinds = set()
    small = FeatureSpec.integers(-3, 3, ["a", "b", "c"])
    cases = [(life_circuit(), WINDOW, WINDOW.rows()), (comparison_circuit(), small, small.rows())]
    cases += [(residue_circuit(period), SIX, SIX.rows()) for period in (2, 3)]
    cases += [(elementary_circuit(rule), CELLS, CELLS.rows()) for rule in (30, 54, 110, 184, 9)]
    for circuit, spec, rows in cases:
        program, certificate = distill(circuit, spec)
        assert certificate.lossless
        for mutant in mutants(program):
            found = prove(mutant, circuit, spec)
            differs = (classes_of(mutant, rows) != circuit.predict(rows)).any()
            assert found.lossless == (not differs), str(mutant)
            assert (found.wrong > 0) == differs
            kinds.add(found.kind)
            caught, same = caught + differs, same + (not differs)
    assert caught >= 200 and {"block", "exhaustive"} <= kinds
    assert same < caught / 4  # or the mutants would test nothing


def test_residues_are_proven_by_blocks():
    for period in (2, 3):
        program, certificate = distill(residue_circuit(period), SIX)
        assert "%" in str(program)
        assert (certificate.kind, certificate.cells, certificate.lossless) == ("block", 7, True)


def test_of_a_residue_every_value_is_compared():
    """Between two cuts of the network a residue changes, which intervals would not see."""
    circuit = Circuit(np.array([[1, 2]]), np.array([-3.5]), (((0, True),),), (1,), 2, 0)
    spec = FeatureSpec.integers(0, 2**13, ["a", "b"])
    text = "max(a + 2*b > 3, (a + 2*b) % 8191 == {})"
    names = ["a", "b"]
    right, wrong = (Expression.parse(text.format(value), names=names) for value in (8190, 3))
    found = prove(right, circuit, spec)
    assert (found.kind, found.cells, found.lossless) == ("interval", 3 * 2**13 + 1, True)
    assert not prove(wrong, circuit, spec).lossless


def test_mutants_are_caught_by_intervals():
    """The domain is too large for brute force: near zero it decides, by the same thresholds."""
    circuit = comparison_circuit()
    wide = FeatureSpec.integers(-(10**8), 10**8, ["a", "b", "c"])
    near = FeatureSpec.integers(-9, 9, ["a", "b", "c"]).rows()
    program, certificate = distill(circuit, wide)
    assert certificate.kind == "interval" and certificate.lossless
    caught = 0
    for mutant in mutants(program):
        found = prove(mutant, circuit, wide)
        if (classes_of(mutant, near) != circuit.predict(near)).any():
            assert not found.lossless, str(mutant)
            caught += 1
    assert caught >= 15


@pytest.mark.parametrize("seed", range(20))
def test_blocks_and_brute_force_agree_on_random_circuits_and_programs(seed):
    """A wrong program that breaks the symmetry of the network must not hide behind it."""
    generator = np.random.default_rng(seed)
    columns = generator.integers(-2, 3, (2, 3))
    weights = columns[:, generator.integers(0, 3, 6)]
    literals = (((0, True), (1, False)), ((0, False), (1, True)))
    circuit = Circuit(weights, generator.integers(-2, 3, 2) + 0.5, literals, (1, 1), 2, 0)
    spec = FeatureSpec.booleans(6)
    rows = spec.rows()
    program, certificate = distill(circuit, spec)
    assert certificate.lossless and certificate.cells <= spec.num_rows
    for mutant in mutants(program)[:60]:
        wrong = (classes_of(mutant, rows) != circuit.predict(rows)).any()
        assert (prove(mutant, circuit, spec).wrong > 0) == wrong


def test_a_wrong_subconcept_is_caught_even_if_the_class_is_right():
    circuit = Circuit(np.array([[1, 0], [0, 1]]), np.array([-0.5, -0.5]),
                      (((0, True),), ((1, True),)), (1, 1), 2, 0)  # fmt: skip
    spec = FeatureSpec.booleans(2)
    program = Expression.parse("max(x0, x1)")
    right = Expression.parse(["x0", "x1"])
    swapped = Expression.parse(["x1", "x0"])
    assert prove(program, circuit, spec, subconcepts=right).lossless
    assert prove(program, circuit, spec).lossless
    assert prove(program, circuit, spec, subconcepts=swapped).wrong == 2


def test_a_program_that_is_right_on_samples_only_is_not_lossless():
    """It errs on one input of 2**30; drawing does not find it, and does not claim to."""
    circuit = Circuit(
        np.ones((1, 30), dtype=np.int64), np.array([0.5]), (((0, True),),), (1,), 2, 0
    )
    spec = FeatureSpec.booleans(30)
    whole = " + ".join(f"x{i}" for i in range(30))
    right, wrong = (Expression.parse(f"{whole} {end}") for end in (">= 0", "<= 29"))
    assert prove(right, circuit, spec).lossless
    found = prove(wrong, circuit, spec)
    assert (found.kind, found.cells, found.wrong) == ("block", 31, 1)
    drawn = prove(wrong, circuit.predict, spec)
    assert (drawn.kind, drawn.wrong, drawn.lossless) == ("sampled", 0, False)
    assert "lossless" not in str(drawn) and "1073741824 inputs" in str(drawn)


def test_numbers_that_are_read_as_such_are_compared_at_every_value():
    circuit = Circuit(np.array([[1, 1]]), np.array([-3.5]), (((0, True),),), (1,), 2, 0)
    spec = FeatureSpec.integers(0, 2**15, ["a", "b"])
    assert prove(Expression.parse("a + b > 3", names=["a", "b"]), circuit, spec).kind == "block"
    read = Expression.parse("min(1, max(0, a + b - 3))", names=["a", "b"])
    found = prove(read, circuit, spec, most_cells=2**17)
    assert (found.kind, found.cells, found.lossless) == ("block", 2**16 + 1, True)


def test_intervals_that_no_input_reaches_leave_the_proof_open():
    """a > 4 implies a + b > 3 here, which intervals of a and of a + b cannot tell."""
    circuit = Circuit(np.array([[1, 1]]), np.array([-3.5]), (((0, True),),), (1,), 2, 0)
    spec = FeatureSpec.integers(0, 2**15, ["a", "b"])
    found = prove(Expression.parse("max(a + b > 3, a > 4)", names=["a", "b"]), circuit, spec)
    assert (found.kind, found.wrong, found.lossless) == ("sampled", 0, False)
    assert "perhaps no input reaches" in str(found)


def test_lossless_needs_a_proof():
    assert Certificate("block", 18, 0).lossless
    assert not Certificate("block", 18, 1).lossless
    assert not Certificate("sampled", 10**6, 0, "too large", 0).lossless
    assert "lossless" not in str(Certificate("interval", 3, 2))


def test_a_fractional_class_is_wrong():
    circuit = elementary_circuit(255)
    assert prove(Expression.parse("1", num_inputs=3), circuit, CELLS).lossless
    assert prove(Expression.parse("1.5", num_inputs=3), circuit, CELLS).wrong == 1


def test_a_spec_of_another_width_is_refused():
    with pytest.raises(ValueError, match="same inputs"):
        prove(Expression.parse("x0"), elementary_circuit(1), CELLS)


def test_mutants_are_one_token_away():
    program = Expression.parse("x0 + x1 >= 2")
    texts = [mutant.text()[0] for mutant in mutants(program)]
    assert "x0 - x1 >= 2" in texts and "x0 + x1 >= 3" in texts and "x0 + x1 > 2" in texts
