"""Products written as one fraction: equal factors collected, common ones before their sum."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression.core import Expression, ExpressionBuilder
from occamhead.expression.nodes import Affine, Apply, Constant, Input

# Powers of nodes that are no products; a product also has a number.
Powers: TypeAlias = dict[int, Fraction]

# An exponent is a fraction of so small a denominator, or is left as it is.
_DENOMINATORS, _NEAR = 12, 1e-12
_TOLERANCE = 1e-9


def factored(expression: Expression, x: NDArray[np.float64]) -> Expression:
    """The shortest of this form and two whose products are written as one fraction each.

    ``q*E*(B*v/E + 1)`` becomes ``q*(E + B*v)`` and ``1/(c/v)**2`` becomes ``v**2/c**2``; where
    the values allow it, ``(a**2)**0.5`` becomes ``a``. Of equally long forms one is taken whose
    numbers stand before the fraction: ``4*a/b``, not ``a/(0.25*b)``.

    Args:
        expression: Formulas.
        x: Inputs, [rows, inputs], on which the forms must agree.
    """
    best = expression
    for roots in (True, False):
        try:
            form = _written(expression, roots)
        except (OverflowError, ZeroDivisionError, ValueError):
            continue
        # Only what is better needs to be compared.
        with np.errstate(all="ignore"):
            if _cost(form) < _cost(best) and form.agrees_with(expression, x, _TOLERANCE):
                best = form
    return best


def _cost(expression: Expression) -> tuple[int, int]:
    """The length of a form, and how many of its divisors are multiples of something."""
    nodes = expression.nodes
    divisors = [
        nodes[node.children[1]]
        for node in nodes
        if isinstance(node, Apply) and node.operator == "div"
    ]
    multiples = [
        each
        for each in divisors
        if isinstance(each, Affine) and not each.constant and len(each.terms) == 1
    ]
    return expression.complexity, len(multiples)


def _written(expression: Expression, roots: bool) -> Expression:
    writer = _Writer(roots)
    made: list[tuple[float, Powers]] = []
    for node in expression.nodes:
        match node:
            case Input(index):
                made.append((1.0, {writer.builder.input(index): Fraction(1)}))
            case Constant(value):
                made.append((value, {}))
            case Affine(constant, terms):
                parts = [(c * made[child][0], made[child][1]) for c, child in terms]
                made.append(writer.total(constant, parts))
            case Apply("mul" | "div" as operator, (a, b)):
                sign = 1 if operator == "mul" else -1
                factor = made[a][0] * made[b][0] ** sign
                made.append((factor, _times(made[a][1], made[b][1], Fraction(sign))))
            case Apply("pow", (a, b)):
                made.append(writer.power(made[a], made[b]))
            case Apply(operator, children):
                nodes = [writer.node(made[child]) for child in children]
                made.append((1.0, {writer.builder.apply(operator, *nodes): Fraction(1)}))
    outputs = [writer.node(made[output]) for output in expression.outputs]
    return writer.builder.build(outputs, expression.num_inputs, expression.names)


def _times(one: Powers, other: Powers, power: Fraction) -> Powers:
    found = dict(one)
    for node, exponent in other.items():
        found[node] = found.get(node, Fraction(0)) + power * exponent
    return {node: exponent for node, exponent in found.items() if exponent}


class _Writer:
    """Collects factors, and writes products of them.

    Args:
        roots: Whether a root of a power is one power.
    """

    def __init__(self, roots: bool) -> None:
        self.builder, self.roots = ExpressionBuilder(), roots

    def total(self, constant: float, parts: list[tuple[float, Powers]]) -> tuple[float, Powers]:
        """A sum: the powers that all terms share, times what is left."""
        if constant:
            parts = [*parts, (constant, {})]
        merged: dict[tuple[tuple[int, Fraction], ...], float] = {}
        for number, powers in parts:
            key = tuple(sorted(powers.items()))
            merged[key] = merged.get(key, 0.0) + number
        kept = [(number, dict(key)) for key, number in merged.items() if number]
        if not kept:
            return 0.0, {}
        if len(kept) == 1:
            return kept[0]
        nodes = sorted({node for _, powers in kept for node in powers})
        shared = {n: min(powers.get(n, Fraction(0)) for _, powers in kept) for n in nodes}
        shared = {n: power for n, power in shared.items() if power}
        left = [(number, _times(powers, shared, Fraction(-1))) for number, powers in kept]
        level = sum(number for number, powers in left if not powers)
        terms = [(number, self.node((1.0, powers))) for number, powers in left if powers]
        # 2*a + 2*b is 2*(a + b).
        sizes = {abs(number) for number, _ in left}
        size = sizes.pop() if len(sizes) == 1 else 1.0
        affine = self.builder.affine(level / size, [(n / size, node) for n, node in terms])
        return size, _times(shared, {affine: Fraction(1)}, Fraction(1))

    def power(self, base: tuple[float, Powers], exponent: tuple[float, Powers]) -> (
        tuple[float, Powers]
    ):  # fmt: skip
        """A power, of each factor if that is the same."""
        number, powers = base
        value, variable = exponent
        power = Fraction(value).limit_denominator(_DENOMINATORS)
        whole = power.denominator == 1
        plain = not variable and abs(float(power) - value) <= _NEAR
        if plain and (whole or (number > 0 and (self.roots or self._is_odd(powers)))):
            return number ** float(power), _times({}, powers, power)
        nodes = self.node(base), self.node(exponent)
        return 1.0, {self.builder.apply("pow", *nodes): Fraction(1)}

    def _is_odd(self, powers: Powers) -> bool:
        """Whether no root of these factors loses a sign or has none: one that is no power."""
        return len(powers) == 1 and set(powers.values()) == {Fraction(1)}

    def node(self, made: tuple[float, Powers]) -> int:
        """The node of a number times powers."""
        number, powers = made
        above: list[int] = []
        below: list[int] = []
        for power in sorted({abs(each) for each in powers.values()}, key=lambda p: (p != 1, p)):
            tops = [node for node, each in powers.items() if each == power]
            bottoms = [node for node, each in powers.items() if each == -power]
            if power == 1:
                above, below = above + tops, below + bottoms
            elif tops:
                inner = self._product(tops)
                if bottoms:
                    inner = self.builder.apply("div", inner, self._product(bottoms))
                above.append(self._raised(inner, power))
            else:
                below.append(self._raised(self._product(bottoms), power))
        top = self._product(above) if above else self.builder.constant(1.0)
        if below:
            top = self.builder.apply("div", top, self._product(below))
        return self.builder.affine(0.0, [(number, top)])

    def _product(self, nodes: list[int]) -> int:
        product, *others = nodes
        for node in others:
            product = self.builder.apply("mul", product, node)
        return product

    def _raised(self, node: int, power: Fraction) -> int:
        return self.builder.apply("pow", node, self.builder.constant(float(power)))


__all__ = ["factored"]
