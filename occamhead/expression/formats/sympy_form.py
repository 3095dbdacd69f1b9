"""Formulas as sympy expressions."""

from __future__ import annotations

from typing import Any

from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import CONDITION, get_operator


def to_sympy(expression: Graph) -> list[Any]:
    """One sympy expression per output.

    Symbols are real and named as the inputs. Whole numbers become sympy integers, so that
    ``x**2`` is exact; other numbers become Floats of 15 digits. sympy simplifies as it builds
    (``x/x`` is 1), so the result can be defined where the formula is not.
    """
    import sympy

    def number(value: float) -> Any:
        whole = value == int(value) and abs(value) < 1e15
        return sympy.Integer(int(value)) if whole else sympy.Float(value)

    # Each node as (form, is_condition): comparisons stay relations until a number is needed.
    forms: list[tuple[Any, bool]] = []

    def as_number(index: int) -> Any:
        form, is_condition = forms[index]
        return sympy.Piecewise((1, form), (0, True)) if is_condition else form

    def as_condition(index: int) -> Any:
        form, is_condition = forms[index]
        return form if is_condition else sympy.Ne(form, 0)

    for node in expression.nodes:
        match node:
            case Input(index):
                forms.append((sympy.Symbol(expression.input_name(index), real=True), False))
            case Constant(value):
                forms.append((number(value), False))
            case Affine(constant, terms):
                parts = [number(c) * as_number(child) for c, child in terms]
                forms.append((sympy.Add(number(constant), *parts), False))
            case Apply("where", (condition, a, b)):
                form = get_operator("where").sympy(
                    sympy, as_condition(condition), as_number(a), as_number(b)
                )
                forms.append((form, False))
            case Apply(name, children):
                operator = get_operator(name)
                args = [as_number(child) for child in children]
                forms.append((operator.sympy(sympy, *args), operator.kind == CONDITION))
    return [as_number(output) for output in expression.outputs]
