"""Formulas as MathML, in the order in which the expression holds its terms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from occamhead.explain.markup import Markup, join, tag
from occamhead.expression import Affine, Apply, Constant, Expression, Input, Node, get_operator
from occamhead.expression.formats.source import check_classes
from occamhead.expression.formats.text import number_text
from occamhead.expression.operators import CONDITION

_SUM, _PRODUCT, _ATOM = range(3)
_RELATIONS = {"le": "≤", "lt": "<", "ge": "≥", "gt": ">", "eq": "=", "ne": "≠", "xor": "⊕"}
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


def mathml_lines(expression: Expression, titles: Sequence[str] = ()) -> list[Line]:
    """A line for each part that is used more than once, then one for each output.

    Args:
        expression: The formulas.
        titles: A name per output; by default y0, y1, ...

    Raises:
        ValueError: If there are titles, but not one per output.
    """
    check_classes(expression, titles)
    titles = titles or [f"y{k}" for k in range(len(expression))]
    printer = _Printer(expression)
    lines = [Line(name, printer.pieces(node)) for node, name in printer.named.items()]
    for title, output in zip(titles, expression.outputs, strict=True):
        name = printer.named.get(output)
        pieces = printer.pieces(output) if name is None else (tag("math", name),)
        lines.append(Line(tag("mtext", title, class_="title"), pieces))
    return lines


def name_mathml(name: str) -> Markup:
    """An input's name: digits after a letter become an index."""
    match = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
    if match:
        return tag("msub", tag("mi", match[1]), tag("mn", match[2]))
    return tag("mi", name) if len(name) == 1 else tag("mtext", name)


class _Printer:
    """Prints the nodes of an expression once each, children first."""

    def __init__(self, expression: Expression) -> None:
        self.nodes = expression.nodes
        self.named: dict[int, Markup] = {}
        self._terms: list[list[Markup]] = []  # of a sum its terms, of all else itself
        self._printed: list[tuple[Markup, int]] = []  # as it stands in others, and how it binds
        taken = {expression.input_name(index) for index in expression.features}
        names = (f"t{i}" for i in range(1, 2 + len(taken) + len(self.nodes)))
        free = (name_mathml(name) for name in names if name not in taken)
        uses = Counter(child for node in self.nodes for child in node.children)
        for position, node in enumerate(self.nodes):
            terms, strength = self._print(expression, node)
            self._terms.append(terms)
            if uses[position] > 1 and node.children:
                # Written out wherever it is used, a formula would double with every level.
                self.named[position] = next(free)
                self._printed.append((self.named[position], _ATOM))
            else:
                self._printed.append((tag("mrow", *terms), strength))

    def _print(self, expression: Expression, node: Node) -> tuple[list[Markup], int]:
        match node:
            case Input(index):
                return [name_mathml(expression.input_name(index))], _ATOM
            case Constant(value):
                return [number_mathml(value)], _ATOM if value >= 0 else _SUM
            case Affine(constant, summands):
                return self._sum(constant, summands), _SUM
            case Apply(name, children):
                body, strength = self._apply(name, children)
                return [body], strength
        raise AssertionError("unreachable")

    def pieces(self, position: int) -> tuple[Markup, ...]:
        """The node's own formula, one ``<math>`` per term."""
        return tuple(tag("math", term, displaystyle="true") for term in self._terms[position])

    def _wrapped(self, position: int, strength: int) -> Markup:
        body, own = self._printed[position]
        return body if own >= strength else _bracketed(body)

    def _sum(self, constant: float, summands: Sequence[tuple[float, int]]) -> list[Markup]:
        terms: list[Markup] = []
        for coefficient, child in summands:
            size = abs(coefficient)
            product = [] if size == 1 else [number_mathml(size), tag("mo", _INVISIBLE_TIMES)]
            sign = "−" if coefficient < 0 else "+" if terms else ""
            product.append(self._wrapped(child, _PRODUCT))
            terms.append(_signed(sign, join(product), unary=not terms))
        if constant:
            terms.append(_signed("−" if constant < 0 else "+", number_mathml(abs(constant))))
        return terms

    def _apply(self, name: str, children: Sequence[int]) -> tuple[Markup, int]:
        bare = [self._printed[child][0] for child in children]
        operator = get_operator(name)
        if name == "where":
            return self._cases(children), _SUM
        if name == "div":
            return tag("mfrac", tag("mrow", bare[0]), tag("mrow", bare[1])), _PRODUCT
        if name == "pow":
            return tag("msup", self._wrapped(children[0], _ATOM), tag("mrow", bare[1])), _PRODUCT
        if name == "abs":
            return tag("mrow", tag("mo", "|"), bare[0], tag("mo", "|")), _ATOM
        inner = [self._wrapped(child, _PRODUCT) for child in children]
        if name == "mul":
            return join([inner[0], tag("mo", "⋅"), inner[1]]), _PRODUCT
        if operator.kind == CONDITION and name in _RELATIONS:
            return join([inner[0], tag("mo", _RELATIONS[name]), inner[1]]), _SUM
        head = tag("mi", "σ" if name == "sigmoid" else name)
        return join([head, tag("mo", _APPLY), _bracketed(join(bare, tag("mo", ",")))]), _ATOM

    def _cases(self, children: Sequence[int]) -> Markup:
        condition, a, b = children
        test, node = self._printed[condition][0], self.nodes[condition]
        if not (isinstance(node, Apply) and get_operator(node.operator).kind == CONDITION):
            test = join([self._wrapped(condition, _PRODUCT), tag("mo", "≠"), tag("mn", "0")])
        rows = [
            tag("mtr", tag("mtd", self._printed[a][0]), tag("mtd", tag("mtext", "if\u00a0"), test)),
            tag("mtr", tag("mtd", self._printed[b][0]), tag("mtd", tag("mtext", "otherwise"))),
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
