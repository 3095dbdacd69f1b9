"""Formulas as sympy expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from occamhead.expression.formats.walk import Writer
from occamhead.expression.graph import Graph
from occamhead.expression.limits import check_exact, is_exact
from occamhead.expression.operators import CONDITION, get_operator


def to_sympy(expression: Graph) -> list[Any]:
    """One sympy expression per output.

    Symbols are real and named as the inputs. Whole numbers become sympy integers, so that
    ``x**2`` is exact; other numbers become Floats of 15 digits. sympy simplifies as it builds
    (``x/x`` is 1), so the result can be defined where the formula is not.

    Raises:
        ValueError: If the formula is too deep for sympy, would take its exact numbers too far, or
            has parts that are not defined, such as 1/0.
    """
    check_exact(expression)
    writer = _SympyWriter(expression)
    try:
        writer.write()
        return [writer.as_number(output) for output in expression.outputs]
    except (RecursionError, ArithmeticError, TypeError) as reason:
        # Too deep, out of range, or a comparison with what is not defined, as of 1/0.
        raise ValueError(f"sympy has no form of this formula: {reason}") from reason


class _SympyWriter(Writer[tuple[Any, bool]]):
    """Each node as (form, whether it is a relation): they stay so until a number is needed."""

    def __init__(self, graph: Graph) -> None:
        import sympy

        super().__init__(graph)
        self.sympy = sympy

    def input(self, index: int) -> tuple[Any, bool]:
        return self.sympy.Symbol(self.graph.input_name(index), real=True), False

    def constant(self, value: float) -> tuple[Any, bool]:
        return self.number(value), False

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[Any, bool]:
        parts = [self.number(c) * self.as_number(child) for c, child in terms]
        return self.sympy.Add(self.number(constant), *parts), False

    def apply(self, operator: str, children: Sequence[int]) -> tuple[Any, bool]:
        known = get_operator(operator)
        first = self.as_condition if operator == "where" else self.as_number
        args = [first(children[0]), *map(self.as_number, children[1:])]
        return known.sympy(self.sympy, *args), known.kind == CONDITION

    def number(self, value: float) -> Any:
        return self.sympy.Integer(int(value)) if is_exact(value) else self.sympy.Float(value)

    def as_number(self, position: int) -> Any:
        form, is_condition = self.forms[position]
        return self.sympy.Piecewise((1, form), (0, True)) if is_condition else form

    def as_condition(self, position: int) -> Any:
        form, is_condition = self.forms[position]
        return form if is_condition else self.sympy.Ne(form, 0)
