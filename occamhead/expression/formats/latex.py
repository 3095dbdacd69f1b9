"""Formulas as LaTeX, in the order in which the expression holds its terms."""

from __future__ import annotations

import re
from collections.abc import Sequence

from occamhead.expression.formats.source import one_line
from occamhead.expression.formats.walk import (
    ATOM,
    COMPARISON,
    CONDITIONAL,
    POWER,
    PRODUCT,
    SUM,
    InfixWriter,
    number_text,
    signed_sum,
    strength_of,
)
from occamhead.expression.graph import Graph
from occamhead.expression.operators import get_operator

_SPECIAL = {"\\": r"\backslash{}", "~": r"\sim{}", "^": r"\wedge{}"}
_FUNCTIONS = {"sin", "cos", "exp", "log", "tanh", "max", "min"}
# What stands around their arguments holds these together.
_ENCLOSING = {"div", "floordiv", "abs", "sigmoid"}


def to_latex(expression: Graph) -> list[str]:
    """LaTeX of each output, without delimiters."""
    return [text for text, _ in _LatexWriter(expression).write()]


class _LatexWriter(InfixWriter[str]):
    def input(self, index: int) -> tuple[str, int]:
        return name_latex(self.graph.input_name(index)), ATOM

    def constant(self, value: float) -> tuple[str, int]:
        return number_latex(value), ATOM if value >= 0 else SUM

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[str, int]:
        inner = [(c, self.slot(child, PRODUCT)) for c, child in terms]
        return signed_sum(inner, constant, number_latex, times=r" \, ", minus="- "), SUM

    def apply(self, operator: str, children: Sequence[int]) -> tuple[str, int]:
        bare = [self.read(child)[0] for child in children]
        if operator == "where":
            test = bare[0] if self.is_condition(children[0]) else rf"{bare[0]} \ne 0"
            first = rf"{bare[1]} & \text{{if }} {test} \\"
            second = rf"{bare[2]} & \text{{otherwise}}"
            return rf"\begin{{cases}} {first} {second} \end{{cases}}", CONDITIONAL
        template = get_operator(operator).latex
        if template is None:
            name = rf"\{operator}" if operator in _FUNCTIONS else rf"\operatorname{{{operator}}}"
            return rf"{name}\left({', '.join(bare)}\right)", ATOM
        if operator in _ENCLOSING:
            return template.format(*bare), PRODUCT if operator == "div" else ATOM
        if operator == "pow":
            return template.format(self.slot(children[0], ATOM), bare[1]), POWER
        around = SUM if strength_of(operator) == COMPARISON else PRODUCT
        inner = [self.slot(child, around) for child in children]
        return template.format(*inner), min(PRODUCT, strength_of(operator))

    def bracketed(self, text: str) -> str:
        return rf"\left({text}\right)"


def number_latex(value: float) -> str:
    """A number, powers of ten written out."""
    text = number_text(value)
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else text


def name_latex(name: str) -> str:
    """An input name: trailing digits become an index, the rest is escaped."""
    match = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
    if match:
        return f"{match[1]}_{{{match[2]}}}"
    escaped = "".join(_SPECIAL.get(c, _escaped(c)) for c in one_line(name))
    return escaped if len(name) == 1 else rf"\mathrm{{{escaped.replace(' ', '~')}}}"


def words_latex(text: str) -> str:
    """Words of a person, such as the name of a class, in a formula."""
    plain = one_line(text)
    escaped = "".join(f"${_SPECIAL[c]}$" if c in _SPECIAL else _escaped(c) for c in plain)
    return rf"\text{{{escaped}}}"


def _escaped(character: str) -> str:
    return "\\" + character if character in "#$%&_{}" else character
