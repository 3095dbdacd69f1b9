"""The unit of a formula, for the tests: pure numbers have none."""

from __future__ import annotations

from collections.abc import Sequence

from occamhead import Expression
from occamhead.expression.nodes import Affine, Apply, Constant, Input

NONE = (0.0,) * 7


def unit_of(formula: Expression, inputs: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """The exponents of the formula's only output.

    Raises:
        AssertionError: If what is added differs in unit, or a function gets what has a unit.
    """
    units: list[tuple[float, ...]] = []
    for node in formula.nodes:
        match node:
            case Input(index):
                units.append(tuple(map(float, inputs[index])))
            case Constant(_):
                units.append(NONE)
            case Affine(constant, terms):
                own = {units[child] for _, child in terms} | ({NONE} if constant else set())
                assert len(own) == 1, (str(formula), own)
                units.append(own.pop())
            case Apply("mul", (a, b)):
                units.append(tuple(u + v for u, v in zip(units[a], units[b], strict=True)))
            case Apply("div", (a, b)):
                units.append(tuple(u - v for u, v in zip(units[a], units[b], strict=True)))
            case Apply("pow", (a, b)):
                assert isinstance(formula.nodes[b], Constant), str(formula)
                units.append(tuple(u * formula.nodes[b].value for u in units[a]))
            case Apply(name, children):
                assert all(units[child] == NONE for child in children), (str(formula), name)
                units.append(NONE)
    return units[formula.outputs[0]]
