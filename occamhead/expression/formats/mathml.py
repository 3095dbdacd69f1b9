"""Formulas as MathML, in the order in which the expression holds its terms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.expression.formats.rule import rule_of, two_names
from occamhead.expression.formats.source import check_classes, output_names
from occamhead.expression.formats.walk import (
    ATOM,
    COMPARISON,
    CONDITIONAL,
    POWER,
    PRODUCT,
    SUM,
    InfixWriter,
    number_text,
    strength_of,
)
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Constant
from occamhead.expression.operators import CONDITION, get_operator

_RELATIONS = {"le": "≤", "lt": "<", "ge": "≥", "gt": ">", "eq": "=", "ne": "≠", "xor": "⊕"}
# Browsers show some 500 elements within each other, of which an operation may have five.
LEVELS = 50
_INVISIBLE_TIMES, _APPLY = "\u2062", "\u2061"


@dataclass(frozen=True)
class Line:
    """What is defined, and the formula that defines it.

    Args:
        name: A class, or a part that is used more than once; MathML without ``<math>``.
        pieces: ``<math>`` elements, one per term of a sum: browsers break no line inside of one,
            but do between two.
    """

    name: Markup
    pieces: tuple[Markup, ...]


def mathml_lines(expression: Graph, titles: Sequence[str] = ()) -> list[Line]:
    """A line for each part that is used more than once, then one for each output.

    Args:
        expression: The formulas.
        titles: A name per output; by default y0, y1, ...

    Raises:
        ValueError: If there are titles, but not one per output.
    """
    titles = output_names(expression, titles)
    writer = _MathmlWriter(expression)
    writer.write()
    lines = [Line(name, writer.pieces(node)) for node, name in writer.names.items()]
    for title, output in zip(titles, expression.outputs, strict=True):
        name = writer.names.get(output)
        pieces = writer.pieces(output) if name is None else (tag("math", name),)
        lines.append(Line(tag("mtext", title, class_="title"), pieces))
    return lines


def mathml_rules(expression: Graph, classes: Sequence[str] = ()) -> list[Markup]:
    """What a person reads (:meth:`occamhead.Expression.rule`), a paragraph for each line.

    Args:
        expression: The formulas.
        classes: A name per output; by default y0, y1, ..., or "class 0" and "class 1".

    Raises:
        ValueError: If there are names, but not one per output.
    """
    check_classes(expression, classes)
    rule = rule_of(expression)
    if rule is None:
        return [_defined(line) for line in mathml_lines(expression, classes)]
    condition, is_second = rule.condition
    names = [tag("strong", name) for name in two_names(classes)]
    if isinstance(answer := condition.nodes[-1], Constant):
        return [_paragraph("always", names[bool(answer.value)])]
    *parts, last = mathml_lines(condition)
    pieces = [*last.pieces[:-1], join([last.pieces[-1], ","])]
    said = names[is_second], "if", *pieces, "otherwise", names[not is_second]
    return [*map(_defined, parts), _paragraph(*said)]


def _defined(line: Line) -> Markup:
    return _paragraph(tag("math", line.name, tag("mo", "=")), *line.pieces)


def _paragraph(*words: object) -> Markup:
    return tag("p", join(words, " "), class_="formula")


def name_mathml(name: str) -> Markup:
    """An input's name: digits after a letter become an index."""
    match = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
    if match:
        return tag("msub", tag("mi", match[1]), tag("mn", match[2]))
    return tag("mi", name) if len(name) == 1 else tag("mtext", name)


class _MathmlWriter(InfixWriter[Markup]):
    """Each node as it stands in others, and how it binds."""

    def __init__(self, expression: Graph) -> None:
        nodes = expression.nodes
        uses = Counter(child for node in nodes for child in node.children)
        super().__init__(expression, uses, LEVELS)
        self.names: dict[int, Markup] = {}
        self._terms: list[Sequence[Markup]] = []  # of a sum its terms, of all else itself
        taken = {expression.input_name(index) for index in expression.features}
        names = (f"t{i}" for i in range(1, 2 + len(taken) + len(nodes)))
        self._free = (name_mathml(name) for name in names if name not in taken)

    def pieces(self, position: int) -> tuple[Markup, ...]:
        """The node's own formula, one ``<math>`` per term."""
        return tuple(tag("math", term, displaystyle="true") for term in self._terms[position])

    def bracketed(self, text: Markup) -> Markup:
        return _bracketed(text)

    def named(self, form: tuple[Markup, int]) -> tuple[Markup, int]:
        name = self.names[len(self.forms)] = next(self._free)
        return name, ATOM

    def input(self, index: int) -> tuple[Markup, int]:
        return self._row(ATOM, name_mathml(self.graph.input_name(index)))

    def constant(self, value: float) -> tuple[Markup, int]:
        return self._row(ATOM if value >= 0 else SUM, number_mathml(value))

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[Markup, int]:
        return self._row(SUM, *self._sum(constant, terms))

    def apply(self, operator: str, children: Sequence[int]) -> tuple[Markup, int]:
        if operator in _RELATIONS and strength_of(operator) == COMPARISON:
            left, (first, *rest) = (self._side(child) for child in children)
            return self._row(COMPARISON, *left, _signed(_RELATIONS[operator], first), *rest)
        body, strength = self._apply(operator, children)
        return self._row(strength, body)

    def _side(self, position: int) -> Sequence[Markup]:
        """The terms of a side of a comparison, between which a line may break."""
        if position in self.repeated or self.read(position)[1] < SUM:
            return (self.slot(position, SUM),)
        return self._terms[position]

    def _row(self, strength: int, *terms: Markup) -> tuple[Markup, int]:
        self._terms.append(terms)
        return tag("mrow", *terms), strength

    def _sum(self, constant: float, summands: Sequence[tuple[float, int]]) -> list[Markup]:
        terms: list[Markup] = []
        for coefficient, child in summands:
            size = abs(coefficient)
            product = [] if size == 1 else [number_mathml(size), tag("mo", _INVISIBLE_TIMES)]
            sign = "−" if coefficient < 0 else "+" if terms else ""
            product.append(self.slot(child, PRODUCT))
            terms.append(_signed(sign, join(product), unary=not terms))
        if constant:
            terms.append(_signed("−" if constant < 0 else "+", number_mathml(abs(constant))))
        return terms

    def _apply(self, name: str, children: Sequence[int]) -> tuple[Markup, int]:
        bare = [self.read(child)[0] for child in children]
        operator = get_operator(name)
        if name == "where":
            return self._cases(children), CONDITIONAL
        if name == "div":
            return tag("mfrac", tag("mrow", bare[0]), tag("mrow", bare[1])), PRODUCT
        if name == "pow":
            return tag("msup", self.slot(children[0], ATOM), tag("mrow", bare[1])), POWER
        if name == "abs":
            return tag("mrow", tag("mo", "|"), bare[0], tag("mo", "|")), ATOM
        inner = [self.slot(child, PRODUCT) for child in children]
        if name == "mul":
            return join([inner[0], tag("mo", "⋅"), inner[1]]), PRODUCT
        if operator.kind == CONDITION and name in _RELATIONS:
            return join([inner[0], tag("mo", _RELATIONS[name]), inner[1]]), strength_of(name)
        head = tag("mi", "σ" if name == "sigmoid" else name)
        return join([head, tag("mo", _APPLY), _bracketed(join(bare, tag("mo", ",")))]), ATOM

    def _cases(self, children: Sequence[int]) -> Markup:
        condition, a, b = children
        test = self.read(condition)[0]
        if not self.is_condition(condition):
            test = join([self.slot(condition, PRODUCT), tag("mo", "≠"), tag("mn", "0")])
        rows = [
            tag("mtr", tag("mtd", self.read(a)[0]), tag("mtd", tag("mtext", "if\u00a0"), test)),
            tag("mtr", tag("mtd", self.read(b)[0]), tag("mtd", tag("mtext", "otherwise"))),
        ]
        table = tag("mtable", *rows, class_="cases")
        return tag("mrow", tag("mo", "{", stretchy="true"), table)


def number_mathml(value: float) -> Markup:
    """A number, powers of ten written out."""
    mantissa, _, exponent = number_text(abs(value)).partition("e")
    body = tag("mn", mantissa)
    if exponent:
        power = tag("msup", tag("mn", "10"), number_mathml(int(exponent)))
        body = join([body, tag("mo", "⋅"), power])
    return tag("mrow", tag("mo", "−", form="prefix"), body) if value < 0 else body


def _signed(sign: str, body: Markup, unary: bool = False) -> Markup:
    if not sign:
        return body
    # At the start of a piece a browser would take the sign for a prefix, and set it too close.
    form = "prefix" if unary else "infix"
    return join([tag("mo", sign, form=form), body])


def _bracketed(body: Markup) -> Markup:
    return tag("mrow", tag("mo", "("), body, tag("mo", ")"))
