"""Distilled programs: what they compute, how they read, how short they are."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.distill import Bool, FeatureSpec, Int, distill, prove, source
from occamhead.distill.programs import own_layers
from occamhead.essence import Circuit, fit_circuit
from occamhead.expression import Apply, Expression
from occamhead.expression.formats.program_source import to_program
from occamhead.expression.formats.program_tokens import body_tokens
from recipes.others.two_level import smallest_cover
from tests.distill.printed import predict_of

WINDOW = FeatureSpec.window()
CELLS = FeatureSpec.booleans(["left", "centre", "right"])


def check(network, spec: FeatureSpec, rows=None) -> tuple[Expression, str]:
    """Distil, and compare expression and source with the network on all rows, or on these."""
    program, certificate = distill(network, spec)
    text = source(program, spec, certificate)
    rows = spec.rows() if rows is None else rows
    wanted = (network.predict if isinstance(network, Circuit) else network)(rows)
    np.testing.assert_array_equal(program(rows)[:, 0], wanted)
    predict = predict_of(text)
    assert [int(predict(row)) for row in rows.tolist()] == wanted.tolist()
    assert certificate.lossless and "Lossless" in text
    return program, text


def life(rows: np.ndarray) -> np.ndarray:
    neighbours = rows.sum(axis=1) - rows[:, 4]
    return ((neighbours == 3) | ((rows[:, 4] == 1) & (neighbours == 2))).astype(np.int64)


def one_sum(weights, *biases) -> Circuit:
    """Class k + 1 where the sum is above the k-th threshold but not above the next."""
    count = len(biases)
    literals = tuple(
        ((k, True), *(((k + 1, False),) if k + 1 < count else ())) for k in range(count)
    )
    matrix = np.tile(np.array(weights, dtype=np.int64), (count, 1))
    return Circuit(matrix, np.array(biases, float), literals, tuple(range(1, count + 1)),
                   count + 1, 0)  # fmt: skip


@pytest.mark.slow
def test_every_elementary_rule_is_certified_short_and_never_longer_than_two_levels():
    rows, lengths = CELLS.rows(), []
    for rule in range(256):
        labels = (rule >> (rows @ [4, 2, 1])) & 1
        circuit = fit_circuit(rows, labels, classes=2)
        program, text = check(circuit, CELLS)
        np.testing.assert_array_equal(program(rows)[:, 0], labels)
        lengths.append(body_tokens(text))
        two_level = smallest_cover(labels).text(CELLS.names)
        assert lengths[-1] <= body_tokens(f'def predict(x):\n    """."""\n    return {two_level}\n')
    assert np.mean(lengths) <= 9 and max(lengths) <= 18


@pytest.mark.parametrize("rule", [30, 110, 150, 184, 232])
def test_elementary_rules_from_a_callable(rule):
    check(lambda rows: (rule >> (rows @ [4, 2, 1])) & 1, CELLS)


def test_life_from_its_table():
    program, text = check(life, WINDOW)
    assert text.splitlines()[2:] == [
        "    centre = x[4]",
        "    neighbours = sum(x) - centre",
        "    return neighbours == 3 or centre and neighbours == 2",
    ]
    assert sum(isinstance(node, Apply) for node in program.nodes) == 4


def test_life_from_a_circuit_has_eighteen_cells():
    rows = WINDOW.rows()
    circuit = fit_circuit(rows, life(rows))
    program, certificate = distill(circuit, WINDOW)
    np.testing.assert_array_equal(program(rows)[:, 0], life(rows))
    assert (certificate.kind, certificate.cells) == ("block", 18)
    text = source(program, WINDOW, certificate)
    assert len(text.splitlines()) <= 9
    assert text.count("neighbours = ") == 1
    check(circuit, WINDOW)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_outer_totalistic_rules(seed):
    alive = np.random.default_rng(seed).integers(0, 2, (2, 9))
    alive[0, 0] = 0
    _, text = check(lambda x: alive[x[:, 4], x.sum(axis=1) - x[:, 4]], WINDOW)
    assert len(text.splitlines()) <= 30 and "neighbours = sum(x)" in text


@pytest.mark.parametrize(
    ("rule", "spec", "body"),
    [
        (lambda x: x.sum(1) % 2, FeatureSpec.booleans(6), "return sum(x) % 2"),
        (lambda x: 1 - x.sum(1) % 2, FeatureSpec.booleans(13), "return not sum(x) % 2"),
        (lambda x: x.sum(1) % 3, FeatureSpec.booleans(7), "return sum(x) % 3"),
        (lambda x: (x[:, 0] % 5 == 2) * 1, FeatureSpec.integers(0, 30, 1), "return x[0] % 5 == 2"),
        (lambda x: (x[:, 0] % 5 != 2) * 1, FeatureSpec.integers(-9, 30, 1), "return x[0] % 5 != 2"),
        (lambda x: np.isin(x.sum(1), (2, 7)) * 1, FeatureSpec.booleans(8),
         "return sum(x) in (2, 7)"),
        (lambda x: x.sum(1), FeatureSpec.booleans(3), "return sum(x)"),
        (lambda x: np.ones(len(x), int), FeatureSpec.booleans(2), "return 1"),
        (lambda x: (x[:, 0] > x[:, 1]).astype(int), FeatureSpec.integers(0, 9, ["a", "b"]),
         "return a > b"),
        (lambda x: (x[:, 0] == 3).astype(int), FeatureSpec.integers(0, 9, 1), "return x[0] == 3"),
        (lambda x: 1 - x[:, 1], CELLS, "return not centre"),
    ],
)  # fmt: skip
def test_short_programs_read_as_a_person_would_write_them(rule, spec, body):
    _, text = check(rule, spec)
    assert text.splitlines()[-1].strip() == body


@pytest.mark.parametrize("seed", range(5))
def test_any_table_of_three_classes(seed):
    generator = np.random.default_rng(seed)
    spec = FeatureSpec(("a", "b", "c", "d"), (Bool(), Int(-1, 2), Bool(), Int(3, 5)))
    table = generator.integers(0, 3, spec.num_rows)

    def rule(rows: np.ndarray) -> np.ndarray:
        offset = rows - [0, -1, 0, 3]
        return table[offset @ [24, 6, 3, 1]]

    check(rule, spec)


def test_a_disjunction_of_ten_inputs_stays_short():
    generator = np.random.default_rng(0)
    terms = [(generator.choice(10, 3, replace=False), generator.integers(0, 2, 3))
             for _ in range(4)]  # fmt: skip
    _, text = check(
        lambda x: np.any([(x[:, i] == v).all(1) for i, v in terms], axis=0).astype(int),
        FeatureSpec.booleans(10),
    )
    assert body_tokens(text) <= 65


def test_many_inputs_by_blocks_and_by_intervals():
    spec = FeatureSpec.booleans(784)
    rows = spec.sample(300, 0)
    _, text = check(one_sum([-27] * 28 + [1] * 756, 0.5), spec, rows)
    assert text.splitlines()[-1] == "    return 27 * sum(x[:28]) <= sum(x[28:])"
    spec = FeatureSpec.integers(-(10**9), 10**9, ["a", "b", "c"])
    circuit = one_sum([3, -1, 2], 7.5, -1.0, -100.0)
    near = np.random.default_rng(1).integers(-60, 60, (500, 3))
    check(circuit, spec, near)
    assert distill(circuit, spec)[1].kind == "interval"


@pytest.mark.parametrize("seed", range(5))
def test_own_layers_are_the_circuit(seed):
    generator = np.random.default_rng(seed)
    weights = generator.integers(-3, 4, (4, 5))
    literals = tuple(
        tuple((int(d), bool(generator.integers(2))) for d in generator.choice(4, 2, replace=False))
        for _ in range(4)
    )
    circuit = Circuit(weights, generator.integers(-3, 3, 4) / 2, literals, (2, 0, 1, 0), 3, 1)
    spec = FeatureSpec.integers(-1, 2, 5)
    program, subconcepts = own_layers(circuit, spec)
    rows = spec.rows()
    np.testing.assert_array_equal(program(rows)[:, 0], circuit.predict(rows))
    np.testing.assert_array_equal(subconcepts(rows), circuit.subconcepts(rows))
    assert prove(program, circuit, spec, subconcepts=subconcepts).lossless
    check(circuit, spec)


def test_too_large_to_certify_is_said_and_never_called_lossless():
    generator = np.random.default_rng(0)
    circuit = Circuit(generator.integers(-50, 50, (24, 40)), np.full(24, 0.5),
                      tuple(((d, True),) for d in range(24)), (0, 1, 2) * 8, 3, 2)  # fmt: skip
    spec = FeatureSpec.booleans(40)
    program, certificate = distill(circuit, spec)
    assert certificate.kind == "sampled" and certificate.wrong == 0
    assert not certificate.lossless
    text = source(program, spec, certificate)
    assert "lossless" not in text.lower()
    assert "block certificate needs" in text and "interval certificate" in text
    rows = spec.sample(50, 3)
    predict = predict_of(text)
    assert [predict(row) for row in rows.tolist()] == circuit.predict(rows).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: distill(lambda x: x[:, 0], FeatureSpec.booleans(30)), "distil a Circuit"),
        (lambda: distill(one_sum([1, 1], 0.5), CELLS), "takes 2 inputs, the spec declares 3"),
        (lambda: Int(3, 2), r"Int\(3, 2\) holds no number"),
        (lambda: FeatureSpec.window(4), "odd side of at least 3, got 4"),
        (lambda: FeatureSpec(("a",), ()), "got 1 names and 0 domains"),
        (lambda: distill(one_sum([1, 1], 0.5), FeatureSpec.integers(0, 2**60, 2)), "beyond 2"),
        (
            lambda: FeatureSpec(("a",), ((1, 2, 5),)),
            r"Int\(low, high\), got \(1, 2, 5\)",
        ),
        (lambda: FeatureSpec.booleans(["a", "b", "a"]), "'a' is there twice"),
        (lambda: distill(lambda x: x.sum(1) / 3, CELLS), r"got 0\.333.* for \[0, 0, 1\]"),
        (lambda: distill(lambda x: (x.sum(1) > 1)[:, None], CELLS), r"got shape \(8, 1\)"),
        (lambda: distill(lambda x: x.sum(1) * 10**17, CELLS), "below 2"),
        (lambda: distill(lambda x: ["no"] * len(x), CELLS), "take the argmax of scores"),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("one", "other"), [("\u00b5", "\u03bc"), ("\u00aa", "a")])
def test_names_that_python_reads_as_one_stay_two_inputs(one, other):
    """The micro sign is the Greek mu to Python, the feminine ordinal an a."""
    spec = FeatureSpec((one, other, "z"), (Int(0, 3),) * 3)
    check(lambda x: (x[:, 0] + x[:, 1] - x[:, 2] > 1) & (x[:, 2] != 2), spec)


@pytest.mark.parametrize("seed", range(4))
def test_a_circuit_s_program_is_no_longer_than_that_of_its_table(seed):
    """Weights show sums, a table what depends on a few inputs: the shorter of both is taken."""
    spec, generator = FeatureSpec.booleans(6), np.random.default_rng(seed)
    rows = spec.rows()
    labels = np.zeros(len(rows), dtype=bool)
    for _ in range(3):
        inputs = generator.choice(6, 2, replace=False)
        labels |= (rows[:, inputs] == generator.integers(0, 2, 2)).all(axis=1)
    circuit = fit_circuit(rows, labels)
    _, own = check(circuit, spec)
    _, asked = check(circuit.predict, spec)
    assert body_tokens(own) <= body_tokens(asked)


def test_corral_reads_as_it_is_said():
    spec = FeatureSpec.booleans(6)
    rows = spec.rows()
    circuit = fit_circuit(rows, rows[:, 0] & rows[:, 1] | rows[:, 2] & rows[:, 3])
    assert check(circuit, spec)[1].endswith("return x0 and x1 or x2 and x3\n")


def test_a_program_says_which_numbers_it_takes():
    _, text = check(lambda x: 3 * x[:, 0] - 2 * x[:, 1] >= 2, FeatureSpec.integers(0, 3, 2))
    assert text.startswith("def predict(x: list[int]):")
    real = Expression.parse("0.5 * x0 - x1 > 0")
    assert to_program(real).startswith("def predict(x: list[float]):")
