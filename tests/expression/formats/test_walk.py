"""What the writers of formulas share: binding strengths, signs in sums, names for what repeats."""

from __future__ import annotations

import ast
from itertools import product

import pytest

from occamhead import Expression
from occamhead.expression import OPERATORS
from occamhead.expression.formats.walk import (
    AND,
    ATOM,
    CONDITIONAL,
    NOT,
    OR,
    PRODUCT,
    RESIDUE,
    SUM,
    XOR,
    InfixWriter,
    count_uses,
    signed_sum,
    strength_of,
)

# What Python writes between two operands. Residues are products to it, and stand lower on purpose.
PYTHON = {" if 1 else ": CONDITIONAL, " or ": OR, " and ": AND, " ^ ": XOR, " + ": SUM,
          **{f" {operator.infix} ": strength_of(name) for name, operator in OPERATORS.items()
             if operator.infix and strength_of(name) != RESIDUE}}  # fmt: skip


PAIRS = [(a, b) for a, b in product(PYTHON, PYTHON) if PYTHON[a] < PYTHON[b]]


@pytest.mark.parametrize(("loose", "tight"), PAIRS)
def test_strengths_are_pythons(loose, tight):
    """Of two operators Python reads the stronger one first, on whichever side it stands."""
    for text, pair in ((f"a{loose}b{tight}c", "b{}c"), (f"a{tight}b{loose}c", "a{}b")):
        bracketed = text.replace(pair.format(tight), f"({pair.format(tight)})")
        assert bracketed != text
        assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(bracketed))


def test_not_binds_between_and_and_comparisons():
    assert ast.dump(ast.parse("not a == b and c")) == ast.dump(ast.parse("(not (a == b)) and c"))
    assert AND < NOT < strength_of("eq")


def test_strengths_of_calls_and_residues():
    assert strength_of("sin") == strength_of("max") == ATOM
    assert SUM < strength_of("mod") == strength_of("floordiv") < PRODUCT


@pytest.mark.parametrize(
    ("terms", "constant", "options", "text"),
    [
        ([(2.0, "a"), (-1.0, "b")], 1.0, {}, "2 * a - b + 1"),
        ([(-1.0, "a"), (0.5, "b")], -3.0, {}, "-a + 0.5 * b - 3"),
        ([(1.0, "a")], 0.0, {}, "a"),
        ([(-2.0, "a"), (1.0, "b")], 0.0, {"times": "", "minus": "- "}, "- 2a + b"),
        ([(2.0, "a")], 1.0, {"number": repr}, "2.0 * a + 1.0"),
    ],
)
def test_signed_sums(terms, constant, options, text):
    assert signed_sum(terms, constant, **options) == text


def test_uses_are_counted_as_often_as_a_template_names_them():
    formula = Expression.parse(["sin(x0)", "sin(x0)*x1"])
    x0, sine = 0, formula.outputs[0]
    uses = count_uses(formula)
    assert uses[sine] == 2 and uses[x0] == 1  # an output, and in the product
    thrice = count_uses(formula, lambda name, count: "{0}{0}{0}")
    assert thrice[sine] == 4 and thrice[x0] == 3


def test_a_writer_writes_every_node_once():
    """A chain in which every link names the one before it twice has 2**16 paths."""

    class Counting(InfixWriter[str]):
        written = 0

        def input(self, index):
            return f"x{index}", ATOM

        def constant(self, value):
            return str(value), ATOM

        def affine(self, constant, terms):
            return "sum", SUM

        def apply(self, operator, children):
            self.written += 1
            return f"{self.slot(children[0], ATOM)}*{self.slot(children[1], ATOM)}", PRODUCT

        def bracketed(self, text):
            return "()"

    formula = Expression.parse("x0")
    square = Expression.parse("x0*x0")
    for _ in range(16):
        formula = square.compose(formula)
    writer = Counting(formula)
    assert writer.write() == [("()*()", PRODUCT)] and writer.written == 16
