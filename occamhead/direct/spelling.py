"""How a fitted formula is spelt: no number that another one could take over."""

from __future__ import annotations

import math

from occamhead.expression import Affine, Apply, Expression, ExpressionBuilder

# Two numbers of a sum that agree to this share are one number, which can be pulled out.
EQUAL = 1e-7


def spelt(expression: Expression, constants: bool = True) -> Expression:
    """The same function with the scale of each sum inside a product or power before it.

    ``2*x*(3*y + 3)`` is ``6*x*(y + 1)``: fewer numbers, and each of them told by the rows.

    Args:
        expression: A formula; it stays as it is where a scale is beyond the range of numbers.
        constants: Whether of a sum the constant becomes 1 rather than a coefficient, where either
            leaves as many numbers.
    """
    try:
        return _spelt(expression, constants)
    except (OverflowError, ZeroDivisionError):
        return expression


def _spelt(expression: Expression, constants: bool) -> Expression:
    builder = ExpressionBuilder()

    def apply(operator: str, *children: int) -> int:
        if operator == "pow":
            base, exponent = children
            return _power(builder, base, exponent, constants)
        if operator not in ("mul", "div"):
            return builder.apply(operator, *children)
        (f, x), (g, y) = (_scale(builder, child, constants) for child in children)
        return _times(builder, f * g if operator == "mul" else f / g, builder.apply(operator, x, y))

    inputs = {i: builder.input(i) for i in expression.features}
    outputs = builder.copy(expression, inputs, apply=apply)
    return expression.rebuilt(builder, outputs).simplified()


def _power(builder: ExpressionBuilder, base: int, exponent: int, constants: bool) -> int:
    value = builder.value(exponent)
    if value is None:
        return builder.apply("pow", base, exponent)
    factor, rest = _scale(builder, base, constants)
    if factor < 0 and not value.is_integer():
        factor, rest = 1.0, base
    node = builder.nodes[rest]
    # A power of a power, and of an exponential.
    if isinstance(node, Apply) and node.operator == "exp":
        inner = builder.affine(0.0, [(value, node.children[0])])
        return _times(builder, factor**value, builder.apply("exp", inner))
    return _times(builder, factor**value, builder.apply("pow", rest, exponent))


def _times(builder: ExpressionBuilder, factor: float, node: int) -> int:
    if not math.isfinite(factor) or factor == 0:
        raise OverflowError("a factor beyond the range of numbers")
    return builder.affine(0.0, [(factor, node)])


def _scale(builder: ExpressionBuilder, index: int, constants: bool) -> tuple[float, int]:
    """A sum's scale and the rest of it: the scale leaves as many ones as there can be."""
    node = builder.nodes[index]
    if not isinstance(node, Affine):
        return 1.0, index
    coefficients = [coefficient for coefficient, _ in node.terms]
    numbers = coefficients + ([node.constant] if node.constant else [])

    def ones(scale: float) -> tuple[int, bool]:
        found = sum(abs(abs(number / scale) - 1) < EQUAL for number in numbers)
        return found, (scale == abs(node.constant)) == constants

    scale = max((abs(number) for number in numbers), key=ones)
    if all(number < 0 for number in numbers):
        scale = -scale

    def scaled(number: float) -> float:
        ratio = number / scale
        return math.copysign(1.0, ratio) if abs(abs(ratio) - 1) < EQUAL else ratio

    terms = [(scaled(coefficient), child) for coefficient, child in node.terms]
    return scale, builder.affine(scaled(node.constant) if node.constant else 0.0, terms)


__all__ = ["spelt"]
