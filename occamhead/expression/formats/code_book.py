"""Sums without a number beside each feature: which features speak for a class, which against it.

Sums of ternary weights say little that is not in their signs: each feature has one number, in all
classes the same, and so does each class at most. A code book says these once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from occamhead.expression.formats.rule import to_rules
from occamhead.expression.formats.source import output_names
from occamhead.expression.formats.text import to_text
from occamhead.expression.graph import AnyGraph, Graph, GraphBuilder
from occamhead.expression.nodes import Affine, Constant

# Two numbers of a formula of two significant digits are the same if their ratio is within this.
ROUNDED = 0.06
# Rounds in which the numbers of features and of classes are fitted to each other in turn.
ROUNDS = 200


@dataclass(frozen=True)
class CodeBook:
    """Sums as signs.

    The score of a class is its factor times the values of its features, added or taken off by
    their signs, and its constant.

    Args:
        units: For each feature what its value is, such as "0.51*x3", in ascending order.
        names: For each feature what it is called in the sums.
        codes: For each class the features that it reads, by place in `units`, and 1 or -1.
        factors: For each class its number; all 1 where the features' numbers say all.
        constants: For each class.
        classes: Their names.
    """

    units: tuple[str, ...]
    names: tuple[str, ...]
    codes: tuple[dict[int, int], ...]
    factors: tuple[float, ...]
    constants: tuple[float, ...]
    classes: tuple[str, ...]

    def lines(self) -> list[str]:
        """The features and their numbers, a line each, then the classes."""
        values = [f"{name} = {unit}" for name, unit in zip(self.names, self.units, strict=True)]
        return [*values, "", *map(self._sum, range(len(self.codes)))]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _sum(self, label: int) -> str:
        code, factor = self.codes[label], self.factors[label]
        text = ""
        for place, sign in sorted(code.items(), key=lambda each: -each[1]):
            text += (" + " if sign > 0 else " - ") + self.names[place]
        text = text.removeprefix(" + ")
        if text.startswith(" - "):
            text = "-" + text[3:]
        if factor != 1 and text:
            text = f"{factor:.3g}*({text})" if len(code) > 1 else f"{factor:.3g}*{text}"
        constant = self.constants[label]
        if not text:
            return f"{self.classes[label]} = {constant:.6g}"
        if constant:
            text += f" {'+' if constant > 0 else '-'} {abs(constant):.6g}"
        return f"{self.classes[label]} = {text}"


def code_book_of(formula: Graph, classes: Sequence[str] = ()) -> CodeBook:
    """Read the signs off weighted sums, such as those of ``fit_path(weights="ternary")``.

    Args:
        formula: Sums of features, or of the same function of each in all classes.
        classes: A name per output; by default y0, y1, ...

    Raises:
        ValueError: If a score is no such sum, or the weights are not signs times a number of each
            feature and one of each class, to the digits that they have.
    """
    read = [_terms(formula, output) for output in formula.outputs]
    feature_of = {n: _feature(formula, n) for n in {n for _, terms in read for n in terms}}
    if double := [f for f, count in Counter(feature_of.values()).items() if count > 1]:
        raise ValueError(f"a code book has one value of a feature, got several of {double[0]}")
    sizes, factors = _numbers([terms for _, terms in read])
    nodes = sorted(sizes, key=lambda node: (feature_of[node], node))
    place = {node: number for number, node in enumerate(nodes)}
    builder = GraphBuilder()
    builder.nodes = list(formula.nodes)
    units = [builder.affine(0.0, [(sizes[node], node)]) for node in nodes]
    texts = to_text(formula.rebuilt(builder, units)) if units else []
    return CodeBook(
        tuple(texts),
        tuple(f"f{feature_of[node]}" for node in nodes),
        tuple({place[n]: 1 if c > 0 else -1 for n, c in terms.items()} for _, terms in read),
        tuple(factors),
        tuple(constant for constant, _ in read),
        tuple(output_names(formula, classes)),
    )


def saving_book(formula: Graph, classes: Sequence[str] = ()) -> CodeBook | None:
    """The code book of a formula of three scores or more, if it says fewer numbers than these do.

    Args:
        formula: Of a head.
        classes: A name per output, or none.
    """
    try:
        book = code_book_of(formula, classes)
    except ValueError:
        return None
    numbers = len(book.units) + sum(factor != 1 for factor in book.factors)
    return book if len(formula) > 2 and sum(map(len, book.codes)) > numbers else None


def rule_or_code(formula: AnyGraph, classes: Sequence[str] = ()) -> list[str]:
    """The code book's lines where there is one that saves numbers, otherwise the rule's."""
    book = saving_book(formula, classes)
    return to_rules(formula, classes) if book is None else book.lines()


def _terms(formula: Graph, output: int) -> tuple[float, dict[int, float]]:
    """The constant of a sum, and the coefficient of each node that is added up."""
    node = formula.nodes[output]
    match node:
        case Constant(value):
            return value, {}
        case Affine(constant, terms):
            return constant, {child: coefficient for coefficient, child in terms}
    return 0.0, {output: 1.0}


def _feature(formula: Graph, node: int) -> int:
    """The one feature of what is added up."""
    builder = GraphBuilder()
    builder.nodes = list(formula.nodes)
    part = formula.rebuilt(builder, [node])
    if len(part.features) != 1:
        raise ValueError(
            f"a code book is one of sums of features, got {to_text(part)[0]} as what is added up"
        )
    return part.features[0]


def _numbers(read: Sequence[dict[int, float]]) -> tuple[dict[int, float], list[float]]:
    """The number of each feature and of each class, whose products are the sizes of the weights."""
    sizes: dict[int, float] = {}
    for terms in read:
        for node, coefficient in terms.items():
            sizes.setdefault(node, abs(coefficient))
    if all(abs(c) == sizes[node] for terms in read for node, c in terms.items()):
        return sizes, [1.0] * len(read)
    logs = [{node: math.log(abs(c)) for node, c in terms.items()} for terms in read]
    own, counts = [0.0] * len(read), Counter(node for terms in read for node in terms)
    of_node = dict.fromkeys(sizes, 0.0)
    for _ in range(ROUNDS):
        of_node = dict.fromkeys(sizes, 0.0)
        for terms, factor in zip(logs, own, strict=True):
            for node, log in terms.items():
                of_node[node] += (log - factor) / counts[node]
        own = [
            sum(log - of_node[node] for node, log in terms.items()) / len(terms) if terms else 0.0
            for terms in logs
        ]
    mean = sum(own) / len(own)
    for terms, factor in zip(logs, own, strict=True):
        for node, log in terms.items():
            if abs(log - of_node[node] - factor) > ROUNDED:
                raise ValueError(
                    "weights are not signs times a number of each feature and one of each class:"
                    f" one is {math.exp(log):.4g} where these give"
                    f" {math.exp(of_node[node] + factor):.4g}; fit sums by fit_path(data,"
                    ' per_class=True, weights="ternary")'
                )
    sizes = {node: float(f"{math.exp(log + mean):.4g}") for node, log in of_node.items()}
    return sizes, [math.exp(factor - mean) for factor in own]
