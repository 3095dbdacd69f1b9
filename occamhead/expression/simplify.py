"""Rewrites that keep the function: collect the terms of sums, round the numbers."""

from __future__ import annotations

import math
from collections import Counter

from occamhead.expression.graph import AnyGraph, GraphBuilder
from occamhead.expression.nodes import Affine, Apply, Constant, Input


def simplify(expression: AnyGraph) -> AnyGraph:
    """Flatten nested sums, collect equal terms and fold numbers into coefficients.

    A sum that several nodes use is kept as a node of its own, unless it is a mere multiple:
    expanding it would repeat its operations. On finite values the function stays the same up to
    rounding; where terms cancel, an inf or NaN that they carried cancels too.
    """
    # A pass can leave a sum with one user where it had two, so that the next can expand it.
    while (simpler := _simplify_once(expression)) != expression:
        expression = simpler
    return expression


def _simplify_once(expression: AnyGraph) -> AnyGraph:
    uses = Counter(child for node in expression.nodes for child in set(node.children))
    builder = GraphBuilder()
    index: list[int] = []
    for node in expression.nodes:
        match node:
            case Input(i):
                index.append(builder.input(i))
            case Constant(value):
                index.append(builder.constant(value))
            case Affine(constant, terms):
                index.append(collect(builder, constant, [(c, index[t], uses[t]) for c, t in terms]))
            case Apply("div", (a, b)) if math.isfinite(factor := _inverse(builder, index[b])):
                index.append(collect(builder, 0.0, [(factor, index[a], uses[a])]))
            case Apply("mul", (a, b)):
                index.append(_multiply(builder, index[a], index[b]))
            case Apply(operator, children):
                index.append(builder.apply(operator, *(index[child] for child in children)))
    return expression.rebuilt(builder, [index[output] for output in expression.outputs])


def _inverse(builder: GraphBuilder, index: int) -> float:
    """One divided by the number that a node stands for; NaN if it is none, or zero."""
    value = builder.value(index)
    return 1 / value if value else math.nan


def collect(builder: GraphBuilder, constant: float, terms: list[tuple[float, int, int]]) -> int:
    """A sum without sums among its terms.

    Args:
        builder: Where the terms are.
        constant: Added to them.
        terms: Of each its coefficient, its node, and how many nodes use that: what others use too
            is kept as it is, unless it is a mere multiple.
    """
    collected: dict[int, float] = {}
    total = constant
    for coefficient, child, uses in terms:
        node = builder.nodes[child]
        if isinstance(node, Affine) and (uses == 1 or len(node.terms) == 1):
            total += coefficient * node.constant
            inner = node.terms
        else:
            inner = ((1.0, child),)
        for factor, leaf in inner:
            collected[leaf] = collected.get(leaf, 0.0) + coefficient * factor
    if not all(map(math.isfinite, [total, *collected.values()])):  # overflow: leave it nested
        return builder.affine(constant, [(c, child) for c, child, _ in terms])
    return builder.affine(total, [(c, leaf) for leaf, c in collected.items()])


def _multiply(builder: GraphBuilder, a: int, b: int) -> int:
    """Pull the numeric factors of a product to its front."""
    coefficient = 1.0
    factors = []
    for child in (a, b):
        node = builder.nodes[child]
        if isinstance(node, Affine) and node.constant == 0 and len(node.terms) == 1:
            coefficient *= node.terms[0][0]
            child = node.terms[0][1]
        factors.append(child)
    if not math.isfinite(coefficient):
        return builder.apply("mul", a, b)
    return builder.affine(0.0, [(coefficient, builder.apply("mul", *factors))])


def round_constants(expression: AnyGraph, digits: int) -> AnyGraph:
    """Round every number to `digits` significant digits.

    Raises:
        ValueError: If digits < 1.
    """
    if digits < 1:
        raise ValueError(f"digits must be at least 1, got {digits}")

    def rounded(value: float) -> float:
        result = float(f"{value:.{digits}g}")
        if math.isinf(result):  # rounded up and out of range: cut the digits off instead
            mantissa, exponent = f"{value:.17e}".split("e")
            result = float(f"{mantissa[: digits + 1 + (value < 0)]}e{exponent}")
        return result

    return expression.with_numbers(rounded)
