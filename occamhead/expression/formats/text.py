"""Formulas as text, and back: the printer and the parser of one small grammar.

The grammar is Python's for numbers, names, calls, ``+ - * / // % **``, one comparison and
``a if condition else b``; names that are no identifiers stand in backticks. Reading what was
printed gives an equal expression. Nothing is ever evaluated by Python.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Generator, Sequence
from typing import Any, NoReturn, TypeAlias

from occamhead.checks import unknown_name
from occamhead.expression.formats.walk import (
    ATOM,
    COMPARISON,
    CONDITIONAL,
    PRODUCT,
    RESIDUE,
    SUM,
    UNARY,
    InfixWriter,
    number_text,
    signed_sum,
    strength_of,
)
from occamhead.expression.graph import AnyGraph, Graph, GraphBuilder
from occamhead.expression.limits import MAX_DEPTH, MAX_DIGITS, check_characters, check_size
from occamhead.expression.nodes import Affine
from occamhead.expression.operators import OPERATORS, get_operator

_PRODUCTS = {"*": "mul", "/": "div", "//": "floordiv", "%": "mod"}
_COMPARISONS = {
    operator.infix: name
    for name, operator in OPERATORS.items()
    if operator.infix and strength_of(name) == COMPARISON
}


def name_text(name: str) -> str:
    """An input name as it is printed: in backticks unless it is a free identifier."""
    free = name.isidentifier() and not keyword.iskeyword(name) and name not in OPERATORS
    return name if free else f"`{name}`"


def to_text(expression: Graph) -> list[str]:
    """One line per output."""
    return [text for text, _ in _TextWriter(expression).write()]


class _TextWriter(InfixWriter[str]):
    def input(self, index: int) -> tuple[str, int]:
        return name_text(self.graph.input_name(index)), ATOM

    def constant(self, value: float) -> tuple[str, int]:
        return number_text(value), ATOM if value >= 0 else SUM

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[str, int]:
        inner = [(c, self.factor(child, RESIDUE if c == 1 else PRODUCT)) for c, child in terms]
        is_sum = len(terms) > 1 or constant or terms[0][0] < 0
        return signed_sum(inner, constant, times="*"), SUM if is_sum else PRODUCT

    def apply(self, operator: str, children: Sequence[int]) -> tuple[str, int]:
        if operator == "where":
            test, then, otherwise = children
            parts = self.slot(then, COMPARISON), self.slot(test, COMPARISON)
            return " if ".join(parts) + f" else {self.slot(otherwise, CONDITIONAL)}", CONDITIONAL
        symbol = get_operator(operator).infix
        if symbol is None:
            return f"{operator}({', '.join(self.read(child)[0] for child in children)})", ATOM
        strength = strength_of(operator)
        if operator == "pow":
            first, second = self.slot(children[0], ATOM), self.slot(children[1], UNARY)
        elif strength == COMPARISON:
            first, second = self.slot(children[0], SUM), self.slot(children[1], SUM)
        else:
            # Unbracketed, a number at the front of a product is the coefficient of all of it.
            first, second = self.factor(children[0], strength), self.slot(children[1], UNARY)
        space = "" if strength >= PRODUCT else " "
        return f"{first}{space}{symbol}{space}{second}", strength

    def factor(self, child: int, strength: int) -> str:
        """A node's text in a product; a sum keeps its brackets: it is a node of its own."""
        return self.slot(child, ATOM if isinstance(self.nodes[child], Affine) else strength)

    def bracketed(self, text: str) -> str:
        return f"({text})"


# --- reading ---------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]*)`"
    r"|(?P<symbol>\*\*|//|<=|>=|==|!=|[-+*/%(),<>]))"
)
# Each operation may need brackets, and be an exponent.
_MAX_NESTING = 2 * MAX_DEPTH + 2
_SHOWN = 80

# A rule of the grammar: hands out what stands within brackets, and is sent its node.
Reading: TypeAlias = Generator[Any, int, int]


def parse(
    kind: type[AnyGraph],
    text: str | Sequence[str],
    num_inputs: int | None = None,
    names: Sequence[str] | None = None,
) -> AnyGraph:
    """Read formulas of some kind; see :meth:`occamhead.expression.Expression.parse`."""
    texts = [text] if isinstance(text, str) else list(text)
    for line in texts:
        check_characters(line, "a formula")
    builder = GraphBuilder()
    reader = _Names(names, num_inputs)
    outputs = [_Parser(line, builder, reader).run() for line in texts]
    named = None if names is None else tuple(names)
    graph = kind(*builder.table(outputs), reader.width(), named)
    check_size(graph)
    return graph


class _Names:
    """Turns names into input indices."""

    def __init__(self, names: Sequence[str] | None, num_inputs: int | None) -> None:
        self.known = None if names is None else {name: i for i, name in enumerate(names)}
        if names is not None and num_inputs is not None and len(names) != num_inputs:
            raise ValueError(f"{num_inputs} inputs need as many names, got {len(names)}")
        self.limit = num_inputs if names is None else len(names)
        self.used = 0

    def index(self, name: str) -> int:
        if self.known is not None:
            if name not in self.known:
                raise ValueError(unknown_name("input", name, self.known))
            return self.known[name]
        if not re.fullmatch(r"x[0-9]+", name):
            raise ValueError(
                f"unknown name {name!r}; inputs are x0, x1, ... unless names are given"
            )
        index = int(name[1:])
        if self.limit is not None and index >= self.limit:
            raise ValueError(f"{name} is out of range: there are {self.limit} inputs")
        self.used = max(self.used, index + 1)
        return index

    def width(self) -> int:
        return self.used if self.limit is None else self.limit


class _Parser:
    """Descent over one formula, however deep its brackets lie within each other."""

    def __init__(self, text: str, builder: GraphBuilder, names: _Names) -> None:
        self.text, self.builder, self.names = text, builder, names
        self.nesting = 0
        self.position, self.end = 0, len(text.rstrip())
        self.token = self.scan()

    def scan(self) -> tuple[str, str, int]:
        """The next token as (kind, text, position)."""
        if self.position >= self.end:
            return "end", "", len(self.text)
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            self.fail("cannot read this", self.position)
        kind = str(match.lastgroup)
        self.position = match.end()
        return kind, match.group(kind), match.start(kind)

    def fail(self, what: str, position: int) -> NoReturn:
        start, stop = max(position - _SHOWN, 0), position + _SHOWN
        shown = f"{'...' * (start > 0)}{self.text[start:stop]}{'...' * (stop < len(self.text))}"
        raise ValueError(f"{what} at position {position} of formula {shown!r}")

    def peek(self, *texts: str) -> bool:
        kind, text, _ = self.token
        return kind in ("symbol", "name") and text in texts

    def take(self) -> tuple[str, str, int]:
        token, self.token = self.token, self.scan()
        return token

    def expect(self, text: str) -> None:
        if not self.peek(text):
            _, found, position = self.token
            self.fail(f"expected {text!r}, found {found[:_SHOWN] or 'the end'!r}", position)
        self.take()

    def run(self) -> int:
        stack: list[Reading] = [self.conditional()]
        node: Any = None
        while stack:
            try:
                stack.append(stack[-1].send(node))
                node = None
            except StopIteration as done:
                stack.pop()
                node = done.value
        kind, text, position = self.token
        if kind != "end":
            self.fail(f"unexpected {text[:_SHOWN]!r}", position)
        return int(node)

    def descend(self) -> None:
        self.nesting += 1
        if self.nesting > _MAX_NESTING:
            self.fail(f"nested deeper than {_MAX_NESTING} levels", self.token[2])

    def conditional(self) -> Reading:
        self.descend()
        value = yield from self.comparison()
        if self.peek("if"):
            self.take()
            condition = yield from self.comparison()
            self.expect("else")
            value = self.builder.apply("where", condition, value, (yield self.conditional()))
        self.nesting -= 1
        return value

    def comparison(self) -> Reading:
        left = yield from self.sum()
        if self.peek(*_COMPARISONS):
            _, symbol, _ = self.take()
            return self.builder.apply(_COMPARISONS[symbol], left, (yield from self.sum()))
        return left

    def sum(self) -> Reading:
        terms = [(yield from self.term())]
        while self.peek("+", "-"):
            sign = -1.0 if self.take()[1] == "-" else 1.0
            coefficient, node = yield from self.term()
            terms.append((sign * coefficient, node))
        return self.builder.affine(0.0, terms)

    def term(self) -> Generator[Any, int, tuple[float, int]]:
        """A product as (coefficient, node): numbers at its front are the coefficient.

        Residues are of all that stands before them, as in Python.
        """
        coefficient = 1.0
        while self.peek("+", "-"):
            coefficient *= -1.0 if self.take()[1] == "-" else 1.0
        node = yield from self.power()
        while self.peek("*") and (value := self.builder.value(node)) is not None:
            self.take()
            coefficient *= value
            node = yield from self.power()
        while self.peek(*_PRODUCTS):
            operator = _PRODUCTS[self.take()[1]]
            if operator in ("floordiv", "mod"):
                coefficient, node = 1.0, self.builder.affine(0.0, [(coefficient, node)])
            node = self.builder.apply(operator, node, (yield from self.power()))
        return coefficient, node

    def power(self) -> Reading:
        base = yield from self.atom()
        if self.peek("**"):
            self.take()
            return self.builder.apply("pow", base, (yield self.exponent()))
        return base

    def exponent(self) -> Reading:
        self.descend()
        sign = 1.0
        while self.peek("-"):
            self.take()
            sign = -sign
        value = self.builder.affine(0.0, [(sign, (yield from self.power()))])
        self.nesting -= 1
        return value

    def atom(self) -> Reading:
        kind, text, position = self.take()
        if kind == "number":
            if len(text) > MAX_DIGITS:
                self.fail(f"a number of {len(text)} characters; wanted {MAX_DIGITS}", position)
            value = float(text)
            if not math.isfinite(value):
                self.fail(f"number {text} is out of range", position)
            return self.builder.constant(value)
        if kind == "symbol" and text == "(":
            inner: int = yield self.conditional()
            self.expect(")")
            return inner
        if kind == "name" and self.peek("("):
            return (yield from self.call(text, position))
        if kind in ("name", "quoted"):
            try:
                return self.builder.input(self.names.index(text))
            except ValueError as error:
                self.fail(str(error), position)
        self.fail(f"unexpected {text or 'end'!r}", position)

    def call(self, name: str, position: int) -> Reading:
        self.expect("(")
        args = [(yield self.conditional())]
        while self.peek(","):
            self.take()
            args.append((yield self.conditional()))
        self.expect(")")
        if name == "sqrt" and len(args) == 1:  # it is written so, and printed as a power
            return self.builder.apply("pow", args[0], self.builder.constant(0.5))
        try:
            return self.builder.apply(name, *args)
        except ValueError as error:
            self.fail(str(error), position)
