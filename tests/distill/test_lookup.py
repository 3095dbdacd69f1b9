"""Multiplexers: what is chosen by number is found in tables, and printed as an index."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.distill import Bool, FeatureSpec, Int, distill, prove, source
from occamhead.distill.collapse import tables_of
from occamhead.distill.lookup import lookups
from occamhead.distill.prove import classes_of
from occamhead.essence import fit_circuit
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.formats.program_source import to_program
from occamhead.expression.formats.program_tokens import body_tokens
from tests.distill.printed import predict_of
from tests.distill.test_prove import mutants

# The outputs of an elementary rule for the windows 0, ..., 7, and then a window.
RULE_AND_CELLS = FeatureSpec.booleans([*(f"x{i}" for i in range(8)), "left", "centre", "right"])


def next_cell(rows: np.ndarray) -> np.ndarray:
    return rows[np.arange(len(rows)), rows[:, 8:] @ [4, 2, 1]]


def body(program: Expression, spec: FeatureSpec) -> list[str]:
    """The printed program without its first lines, after a run on every input."""
    text = source(program, spec)
    predict, rows = predict_of(text), spec.rows()
    assert [int(predict(row)) for row in rows.tolist()] == program(rows)[:, 0].tolist()
    return [line.strip() for line in text.splitlines()[2:]]


@pytest.mark.parametrize("samples", [pytest.param(2048, marks=pytest.mark.slow), 512])
def test_all_elementary_rules_at_once_are_an_index(samples):
    rows = RULE_AND_CELLS.rows()
    seen = np.random.default_rng(0).choice(len(rows), samples, replace=False)
    circuit = fit_circuit(rows[seen], next_cell(rows[seen]), classes=2)
    program, certificate = distill(circuit, RULE_AND_CELLS)
    np.testing.assert_array_equal(program(rows)[:, 0], next_cell(rows))
    assert certificate.lossless and certificate.cells == 2048
    assert body(program, RULE_AND_CELLS) == [
        "left, centre, right = x[8:]",
        "return x[4 * left + 2 * centre + right]",
    ]


@pytest.mark.slow
def test_every_mutant_of_an_index_that_changes_the_function_is_caught():
    rows = RULE_AND_CELLS.rows()
    circuit = fit_circuit(rows, next_cell(rows), classes=2)
    program, _ = distill(circuit, RULE_AND_CELLS)
    caught = 0
    for mutant in mutants(program):
        differs = (classes_of(mutant, rows) != next_cell(rows)).any()
        assert (prove(mutant, circuit, RULE_AND_CELLS).wrong > 0) == differs, str(mutant)
        caught += differs
    assert caught >= 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("digits", "seed"), [(1, 0), (1, 1), (1, 3), *((2, seed) for seed in range(8)), (3, 2), (3, 5)]
)
def test_random_multiplexers(digits, seed):
    """Brute force: any inputs as digits and choices, in any order, some or all of them negated."""
    generator = np.random.default_rng([digits, seed])
    count = digits + (1 << digits)
    order = generator.permutation(count)
    places, choices = order[:digits], order[digits:]
    turned = generator.integers(0, 2, count) if seed in (0, 2, 7) else np.full(count, seed % 2)

    def multiplexer(rows: np.ndarray) -> np.ndarray:
        values = rows ^ turned
        number = values[:, places] @ (1 << np.arange(digits))
        return values[np.arange(len(rows)), choices[number]]

    spec = FeatureSpec.booleans(count)
    program, certificate = distill(multiplexer, spec)
    np.testing.assert_array_equal(program(spec.rows())[:, 0], multiplexer(spec.rows()))
    assert certificate.lossless
    printed = body(program, spec)[-1]
    assert "choose(" in str(program) if digits > 1 else " if " in str(program), printed


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_neighbours_are_found_whatever_the_order_of_the_digits(order):
    """And wherever they stand, and though a digit counts where it is 0."""
    spec = FeatureSpec.booleans(["first", *(f"x{i}" for i in range(1, 9)), "a", "b", "c"])

    def rule(rows: np.ndarray) -> np.ndarray:
        number = rows[:, 9:] ^ [0, 1, 0]
        return rows[np.arange(len(rows)), 1 + number[:, list(order)] @ [4, 2, 1]]

    program, _ = distill(rule, spec)
    (line,) = (line for line in body(program, spec) if line.startswith("return"))
    assert line.startswith("return x[1 + ") and "choose(" in str(program)
    assert [*range(1, 12)] == [*program.features]


def test_what_a_choice_may_be():
    """A class, a test of a sum, an input of many values; not another function of one."""
    spec = FeatureSpec(tuple("stabcde"), (Bool(), Bool(), Int(0, 3), *(Bool(),) * 4))

    def rule(more: int):
        def classes(rows: np.ndarray) -> np.ndarray:
            s, t, a, b, *rest = rows.T
            return np.where(s, np.where(t, 1 - b, sum(rest) >= 2), np.where(t, 3, a + more))

        return classes

    found = [form for table in tables_of(rule(0), spec) for form in lookups(table)]
    (four,) = (form.choices for form in found if len(form.choices) == 4)
    assert [c if isinstance(c, int) else c.kind for c in four] == ["is", 3, ">=", "not"]
    assert body(distill(rule(0), spec)[0], spec)[-1].startswith("return (a, 3, ")
    found = [form for table in tables_of(rule(1), spec) for form in lookups(table)]
    assert all(len(form.choices) > 4 for form in found)


def test_few_classes_are_a_list():
    table = np.array([5, 2, 7, 0, 3, 6, 1, 4])
    spec = FeatureSpec.booleans(["a", "b", "c"])
    program, _ = distill(lambda x: table[x @ [4, 2, 1]], spec)
    (_, line) = body(program, spec)
    assert line == "return (5, 2, 7, 0, 3, 6, 1, 4)[4 * a + 2 * b + c]"


def test_no_list_is_longer_than_sixteen():
    generator = np.random.default_rng(0)
    for count in (4, 5):
        spec = FeatureSpec.booleans(count)
        classes = generator.integers(0, 3, spec.num_rows)
        weights = 1 << np.arange(count)
        found = [
            len(form.choices)
            for table in tables_of(lambda x, c=classes, w=weights: c[x @ w], spec)
            for form in lookups(table)
        ]
        assert found == ([16] if count == 4 else [])


def index_of(text: str, **spec) -> str:
    return to_program(Expression.parse(text, **spec), binary=range(9)).splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("choose(2*x4 + x5, x0, x1, x2, x3)", "return x[2 * x[4] + x[5]]"),
        ("choose(3 - 2*x4 - x5, x0, x1, x2, x3)", "return x[3 - 2 * x[4] - x[5]]"),
        ("choose(2*x0 + x1, x2, x3, x4, x5)", "return x[2 + 2 * x[0] + x[1]]"),
        ("1 - choose(2*x0 + x1, x2, x3, x4, x5)", "return not x[2 + 2 * x[0] + x[1]]"),
        ("choose(2, x2, x3, x4)", "return x[2 + 2]"),
        ("choose(x0, x2, x1)", "return (x[2], x[1])[x[0]]"),
        ("choose(x0 > x1, 3, 1 if x2 else 2)", "return (3, 1 if x[2] else 2)[x[0] > x[1]]"),
        ("2*choose(x0 + x1, 4, 1 - x2, 5) + 1", "return 2 * (4, not x[2], 5)[x[0] + x[1]] + 1"),
    ],
)
def test_how_an_index_reads(text, line):
    assert index_of(text, num_inputs=6) == line
    predict = predict_of(to_program(Expression.parse(text, 6), binary=range(6)))
    rows = FeatureSpec.booleans(6).rows()
    assert [predict(row) for row in rows.tolist()] == Expression.parse(text, 6)(rows)[:, 0].tolist()


@pytest.mark.parametrize("text", ["choose(x0 + 1, x1, x2)", "choose(x0 - 1, x1, x2)",
                                  "choose(x0/2, x1, x2)", "choose(x9, x1, x2)"])  # fmt: skip
def test_an_index_that_may_lie_outside_is_refused(text):
    """Python has no choice there or counts from the end, a formula has none."""
    with pytest.raises(ValueError, match="'choose' of these arguments"):
        index_of(text, num_inputs=10)


def test_named_inputs_beside_others_are_unpacked_where_that_pays():
    names = [f"x{i}" for i in range(9)]
    assert to_program(Expression.parse("max(a, b)", names=[*names, "a", "b"])).splitlines()[2:] == [
        "    a, b = x[9:]",
        "    return max(a, b)",
    ]
    # Neither a single one of them, nor inputs that are no neighbours.
    assert index_of("max(a, x3)", names=[*names, "a", "b"]) == "return max(x[9], x[3])"
    assert index_of("max(a, b)", names=["a", *names[1:], "b"]) == "return max(x[0], x[9])"
    text = to_program(Expression.parse("max(a, b)", names=["a", "b", *(f"x{i}" for i in
                                                                      range(2, 12))]))  # fmt: skip
    assert "    a, b = x[:2]\n" in text and body_tokens(text) == 7


def test_an_index_is_an_expression_like_any_other():
    builder = ExpressionBuilder()
    inputs = [builder.input(i) for i in range(6)]
    number = builder.affine(0, [(2, inputs[4]), (1, inputs[5])])
    program = builder.build([builder.apply("choose", number, *inputs[:4])], 6)
    assert str(program) == "choose(2*x4 + x5, x0, x1, x2, x3)"
    assert Expression.parse(program.text(), 6) == program
    assert Expression.from_json(program.to_json()) == program
    assert program.operations == 3 and program.depth == 2
