"""Programs for every size: what is lifted, what is refused, and that the text is the program."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.distill import FeatureSpec, distill
from occamhead.distill.sizes.lift import lift, lift_step
from occamhead.distill.sizes.lifted import Lifted
from occamhead.distill.sizes.lifted_certificate import LiftedCertificate
from occamhead.distill.sizes.rules import Direction, Steps, SumRule
from occamhead.distill.sizes.size_formulas import Polynomial, number
from occamhead.essence import Circuit, fit_circuit
from tests.distill.printed import predict_of

STEP = FeatureSpec.booleans(["a", "b", "carry"])


def table(size: int, truth):
    x = FeatureSpec.booleans(size).rows()
    return x, np.array([truth(row) for row in x.tolist()], dtype=np.int64)


def circuits_of(rows):
    """A circuit per size, or one per size and output."""
    return {
        n: fit_circuit(x, y) if y.ndim == 1 else [fit_circuit(x, column) for column in y.T]
        for n, (x, y) in rows.items()
    }


def lifted(truth, sizes, held_out):
    rows = {n: table(n, truth) for n in sizes}
    return lift(circuits_of(rows), rows, {held_out: table(held_out, truth)})


def check(found, truth, sizes, last_lines, draw=None):
    """The text reads as wanted; it, the object and the truth agree on lists of these sizes."""
    text = found.source()
    assert text.splitlines()[-len(last_lines) :] == [f"    {line}" for line in last_lines]
    assert found.certificate.kind == "lifted" and not found.certificate.lossless
    assert "conjecture" in text and "ossless" not in text
    predict, rng = predict_of(text), np.random.default_rng(0)
    for size in sizes:
        for _ in range(40):
            x = (draw or (lambda rng, n: (rng.random(n) < rng.random()).astype(int)))(rng, size)
            x = x.tolist()
            assert predict(x) == found.predict(x) == truth(x)


def majority(x):
    return int(2 * sum(x) > len(x))


def halves(x):
    m = len(x) // 2
    return [sum(bit << i for i, bit in enumerate(half)) for half in (x[:m], x[m:])]


def bits_of_sum(x):
    return [sum(halves(x)) >> k & 1 for k in range(len(x) // 2 + 1)]


def close_pairs(rng, n):
    """Two numbers that are equal, or differ in one bit."""
    first = rng.integers(0, 2, n // 2)
    second = first ^ ((np.arange(n // 2) == rng.integers(n // 2)) & (rng.random() < 0.7))
    return np.concatenate([first, second])


@pytest.mark.parametrize(
    ("truth", "last"),
    [
        (lambda x: sum(x) % 2, "return s % 2"),
        (lambda x: int(sum(x) % 2 == 0), "return s % 2 == 0"),
        (lambda x: int(2 * sum(x) > len(x)), "return s > n // 2"),
        (lambda x: int(2 * sum(x) <= len(x)), "return s <= n // 2"),
        (lambda x: int(sum(x) == 1), "return s == 1"),
        (lambda x: int(sum(x) == len(x) - 1), "return s == n - 1"),
        (lambda x: int(sum(x) not in (1, 2)), "return not 0 < s <= 2"),
        (lambda x: min(sum(x), 2), "return 0 if s <= 0 else 1 if s <= 1 else 2"),
        (lambda x: int(all(x)), "return s > n - 1"),
    ],
)
def test_functions_of_the_number_of_ones(truth, last):
    check(lifted(truth, (3, 4, 5), 6), truth, (1, 2, 7, 500, 1001), ["s = sum(x)", last])


@pytest.mark.parametrize(
    ("truth", "last"),
    [
        (lambda x: sum(x) % 3, "return s % 3"),
        (lambda x: int(sum(x) % 3 == 2), "return s % 3 == 2"),
        (lambda x: int(sum(x) % 3 != 1), "return s % 3 != 1"),
    ],
)
def test_residues_by_three(truth, last):
    check(lifted(truth, (4, 5, 6), 7), truth, (1, 2, 8, 1001), ["s = sum(x)", last])


def test_residues_without_a_shorter_name_are_listed():
    def truth(x):
        return int(sum(x) % 4 in (1, 2))

    check(lifted(truth, (6, 7, 8), 9), truth, (3, 10, 500), ["return (0, 1, 1, 0)[s % 4]"])


def test_comparison_of_two_numbers():
    def truth(x):
        a, b = halves(x)
        return int(a > b)

    total = "s = sum(2**i * (a[i] - b[i]) for i in range(m))"
    found = lifted(truth, (4, 6, 8), 10)
    check(found, truth, (2, 12, 1000), ["a, b = x[:m], x[m:]", total, "return s > 0"], close_pairs)
    assert found.certificate.fitted == {4: 16, 6: 64, 8: 256}
    assert found.certificate.checked == {10: 1024}


def test_comparison_with_the_highest_bit_first_has_three_answers():
    def truth(x):
        a, b = x[: len(x) // 2], x[len(x) // 2 :]
        return 0 if a < b else 1 if a == b else 2

    total = "s = sum(2**(m - 1 - i) * (a[i] - b[i]) for i in range(m))"
    last = "return 0 if s <= -1 else 1 if s <= 0 else 2"
    check(lifted(truth, (4, 6, 8), 10), truth, (2, 12, 1000), [total, last], close_pairs)


def test_a_direction_counts_whatever_its_factor():
    """Differentiae that look the other way, or twice as far, have the same direction."""
    rows = {n: table(n, majority) for n in (3, 4, 5)}
    circuits = {
        n: Circuit(
            np.full((1, n), -2), np.array([2.0 * (n // 2) + 1]), (((0, False),),), (1,), 2, 0
        )
        for n in rows
    }
    found = lift(circuits, rows, {6: table(6, majority)})
    check(found, majority, (1, 2, 7, 1001), ["s = sum(x)", "return s > n // 2"])


def test_text_and_value_agree_where_bounds_cross():
    rule = SumRule(Direction((1,), "1"), Steps((0, 1, 0), (number(3), Polynomial("n", 0, 1, -2))))
    for text_of in (rule, SumRule(rule.direction, Steps((2, 0, 1), rule.readout.bounds))):
        found = Lifted(text_of, LiftedCertificate({}, {}))
        predict = predict_of(found.source())
        for x in FeatureSpec.booleans(4).rows().tolist() + [
            [1] * k + [0] * (9 - k) for k in range(9)
        ]:
            assert predict(x) == found.predict(x)


def test_three_numbers():
    def truth(rows):
        parts = rows.reshape(len(rows), 3, -1) @ 2 ** np.arange(rows.shape[1] // 3)
        return (parts[:, 0] + parts[:, 1] > parts[:, 2]).astype(np.int64)

    x = {n: FeatureSpec.booleans(n).rows() for n in (6, 9, 12)}
    rows = {n: (v, truth(v)) for n, v in x.items()}
    held_out = FeatureSpec.booleans(15).sample(2000, seed=0)
    found = lift(circuits_of(rows), rows, {15: (held_out, truth(held_out))})
    total = "s = sum(2**i * (a[i] + b[i] - c[i]) for i in range(m))"
    last = ["a, b, c = x[:m], x[m:2 * m], x[2 * m:]", total, "return s > 0"]
    check(found, lambda v: int(truth(np.array([v]))[0]), (3, 18, 150), last)


def test_addition_end_to_end():
    last = ["s = sum(2**i * (a[i] + b[i]) for i in range(m))",
            "return [s // 2**k % 2 for k in range(m + 1)]"]  # fmt: skip
    check(lifted(bits_of_sum, (4, 6, 8), 10), bits_of_sum, (2, 12, 400), last)


def test_the_number_of_outputs_and_the_output_count():
    def truth(x):
        return [int(sum(x) > k) for k in range(len(x))]

    last = ["s = sum(x)", "return [s > k for k in range(n)]"]
    check(lifted(truth, (3, 4, 5), 6), truth, (1, 2, 7, 100), last)


def test_a_quadratic_bound():
    """The weights are those of the places, and the bound is half of the most that can be."""

    def truth(x):
        return int(2 * sum((i + 1) * v for i, v in enumerate(x)) > len(x) * (len(x) + 1) // 2)

    rows = {n: table(n, truth) for n in (3, 4, 5, 6)}
    circuits = {
        n: Circuit(np.arange(1, n + 1)[None], np.array([-(n * (n + 1) // 4) - 0.5]),
                   (((0, True),),), (1,), 2, 0)
        for n in rows
    }  # fmt: skip
    assert all((circuits[n].predict(x) == y).all() for n, (x, y) in rows.items())
    found = lift(circuits, rows, {8: table(8, truth)})
    total = "s = sum((i + 1) * x[i] for i in range(n))"
    check(found, truth, (1, 2, 9, 300), [total, "return s > (n**2 + n) // 4"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("largest", [True, False])
def test_argmax_and_argmin_from_samples(seed, largest):
    """Networks of few rows are wrong on fresh ones; what they share over sizes is not."""
    extreme = max if largest else min
    rng = np.random.default_rng(seed)
    rows = {}
    for n, count in ((3, 25), (4, 50), (5, 200), (6, 500)):
        x = rng.integers(0, 10, (count, n))
        rows[n] = x, np.array([row.index(extreme(row)) for row in x.tolist()])
    held_out = {6: rows.pop(6)}
    found = lift({n: fit_circuit(x, y, classes=n) for n, (x, y) in rows.items()}, rows, held_out)
    compare = ">=" if largest else "<="
    check(
        found,
        lambda x: x.index(extreme(x)),
        (1, 2, 7, 500),
        ["for i in range(len(x)):", f"    if all(x[i] {compare} x[j] for j in range(len(x))):",
         "        return i"],
        lambda rng, n: rng.integers(0, n, n),
    )  # fmt: skip


def test_the_last_of_equal_entries_if_rows_say_so():
    x = {n: FeatureSpec.integers(0, 3, n).rows() for n in (2, 3, 4, 5)}
    rows = {n: (v, n - 1 - v[:, ::-1].argmax(axis=1)) for n, v in x.items()}
    held_out = {5: rows.pop(5)}
    circuits = {n: fit_circuit(*pair) for n, pair in rows.items()}
    found = lift(circuits, rows, held_out)
    assert found.predict([1, 4, 4, 2]) == predict_of(found.source())([1, 4, 4, 2]) == 2
    assert found.certificate.refuted == 0  # the rows that were fitted refuted the other one


def test_of_right_programs_the_held_out_size_decides():
    """Rows without ties do not tell which of equal entries is meant; the lowest is tried first."""
    rng = np.random.default_rng(0)
    x = {n: rng.integers(0, 30_000, (40 * n, n)) for n in (3, 4, 5)}
    assert all(len(set(row)) == len(row) for rows in x.values() for row in rows.tolist())
    data = {n: (rows, rows.argmax(axis=1)) for n, rows in x.items()}
    circuits = {n: fit_circuit(*pair, classes=n) for n, pair in data.items()}
    ties = rng.integers(0, 3, (200, 6))
    first = lift(circuits, data, {6: (ties, ties.argmax(axis=1))})
    last = lift(circuits, data, {6: (ties, 5 - ties[:, ::-1].argmax(axis=1))})
    assert (first.certificate.refuted, last.certificate.refuted) == (0, 1)
    assert (first.predict([1, 2, 2]), last.predict([1, 2, 2])) == (1, 2)


# --- steps ----------------------------------------------------------------------------------------


def step_programs(*labels):
    return [distill(fit_circuit(STEP.rows(), y), STEP)[0] for y in labels]


@pytest.mark.slow
def test_an_adder_learned_from_eight_rows():
    total = STEP.rows().sum(axis=1)
    found = lift_step(*step_programs(total % 2, total // 2), STEP, {8: table(8, bits_of_sum)})
    last = ["    carry = next_carry(step)", "return [*found, carry]"]
    check(found, bits_of_sum, (2, 4, 1000), last)
    x = [1] * 2000 + [1] + [0] * 1999
    assert found.predict(x) == predict_of(found.source())(x) == [0] * 2000 + [1]


def test_a_wrong_step_is_refused():
    a, b, carry = STEP.rows().T
    programs = step_programs((a + b + carry) % 2, a & b)
    with pytest.raises(ValueError, match=r"right at its step is wrong on .* of 256 held-out rows"):
        lift_step(*programs, STEP, {8: table(8, bits_of_sum)})


def test_a_step_over_a_single_list():
    spec = FeatureSpec.booleans(["bit", "parity"])
    program, _ = distill(lambda x: x[:, 0] ^ x[:, 1], spec)

    def truth(x):
        sums = np.cumsum(x) % 2
        return [*sums.tolist(), int(sums[-1])]

    found = lift_step(program, program, spec, {4: table(4, truth)})
    check(found, truth, (1, 5, 300), ["return [*found, parity]"])
    assert "for bit in x:" in found.source()


def test_names_that_the_program_uses_itself_are_refused():
    spec = FeatureSpec.booleans(["m", "step"])
    program, _ = distill(lambda x: x[:, 0] ^ x[:, 1], spec)
    with pytest.raises(ValueError, match="got m, step; rename them"):
        lift_step(program, program, spec, {2: ([[0, 1]], [[0, 1, 1]])})
    with pytest.raises(ValueError, match="holdout holds no size"):
        lift_step(program, program, spec, {})


# --- what is refused ------------------------------------------------------------------------------


def test_a_held_out_size_refutes():
    """Right at the sizes learned from is not enough."""

    def truth(x):
        return majority(x) if len(x) < 6 else int(sum(x) > 4)

    with pytest.raises(ValueError, match=r"wrong on 15 of 64 held-out rows of sizes \[6\]"):
        lifted(truth, (3, 4, 5), 6)


def test_classes_without_a_rule_are_refused():
    rng = np.random.default_rng(1)
    tables = {n: rng.integers(0, 2, n + 1) for n in (4, 5, 6, 7)}
    with pytest.raises(ValueError, match="no program of one weighted sum"):
        lifted(lambda x: int(tables[len(x)][sum(x)]), (4, 5, 6), 7)


def test_circuits_without_a_shared_direction_are_refused():
    with pytest.raises(ValueError, match="of 0 that were looked at"):
        lifted(lambda x: x[0] ^ x[-1], (3, 4, 5), 6)


def test_what_is_missing_or_does_not_fit_is_named():
    rows = {n: table(n, majority) for n in (3, 4, 5)}
    circuits, held_out = circuits_of(rows), {6: table(6, majority)}
    two = {n: rows[n] for n in (3, 4)}
    with pytest.raises(ValueError, match="three sizes or more"):
        lift({n: circuits[n] for n in two}, two, held_out)
    with pytest.raises(ValueError, match="circuits of \\[3, 4, 5\\] and rows of \\[3, 4\\]"):
        lift(circuits, two, held_out)
    with pytest.raises(ValueError, match="sizes other than"):
        lift(circuits, rows, {})
    with pytest.raises(ValueError, match="sizes other than"):
        lift(circuits, rows, {5: rows[5]})
    with pytest.raises(ValueError, match=r"size 6 needs inputs \[rows, 6\]"):
        lift(circuits, rows, {6: rows[5]})
    with pytest.raises(ValueError, match="hold fractions"):
        lift(circuits, rows, {6: (held_out[6][0] * 0.5, held_out[6][1])})
    with pytest.raises(ValueError, match=r"circuits of \[4\] inputs for 1 outputs"):
        lift({**circuits, 3: circuits[4]}, rows, held_out)


def test_lists_that_cannot_be_cut_into_equal_parts_are_refused():
    found = lifted(bits_of_sum, (4, 6, 8), 10)
    with pytest.raises(ValueError, match="2 equal parts, got 5 entries"):
        found.predict([0, 1, 1, 0, 1])
    with pytest.raises(ValueError, match="got 0 entries"):
        found.predict([])
