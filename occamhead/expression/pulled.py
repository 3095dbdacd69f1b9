"""Factors pulled out of powers and numerators: one spelling of what is the same."""

from __future__ import annotations

import math

from occamhead.expression.core import Expression
from occamhead.expression.graph import GraphBuilder
from occamhead.expression.nodes import Affine


def pulled(expression: Expression) -> Expression:
    """The formula with factors pulled out of powers and numerators.

    ``(c*f)**n`` becomes ``c**n * f**n``, for the number before a power is the one that laws have:
    pi/4 rather than its root. ``(c*f)/g`` becomes ``c * f/g``.
    """
    builder = GraphBuilder()

    def apply(operator: str, *children: int) -> int:
        if operator == "pow":
            return _power(builder, *children)
        if operator == "div":
            factor, rest = _factor(builder, children[0])
            return builder.affine(0.0, [(factor, builder.apply("div", rest, children[1]))])
        return builder.apply(operator, *children)

    inputs = {i: builder.input(i) for i in expression.features}
    return expression.rebuilt(builder, builder.copy(expression, inputs, apply=apply))


def _power(builder: GraphBuilder, base: int, power: int) -> int:
    (factor, rest), exponent = _factor(builder, base), builder.value(power)
    if exponent == 1:
        return base
    if exponent and (factor > 0 or exponent == round(exponent)):
        try:
            scale = factor**exponent
        except OverflowError:
            scale = math.inf
        if scale and math.isfinite(scale):
            return builder.affine(0.0, [(scale, builder.apply("pow", rest, power))])
    return builder.apply("pow", base, power)


def _factor(builder: GraphBuilder, index: int) -> tuple[float, int]:
    """A node's factor and what it multiplies; a mere sign is none."""
    node = builder.nodes[index]
    if isinstance(node, Affine) and node.constant == 0 and len(node.terms) == 1:
        factor, child = node.terms[0]
        if abs(factor) != 1:
            return factor, child
    return 1.0, index
