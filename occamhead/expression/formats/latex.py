"""Formulas as LaTeX, in the order in which the expression holds its terms."""

from __future__ import annotations

import re

from occamhead.expression.formats.text import number_text
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import CONDITION, get_operator

_SUM, _PRODUCT, _ATOM = range(3)
_SPECIAL = {"\\": r"\backslash{}", "~": r"\sim{}", "^": r"\wedge{}"}
_FUNCTIONS = {"sin", "cos", "exp", "log", "tanh", "max", "min"}


def to_latex(expression: Graph) -> list[str]:
    """LaTeX of each output, without delimiters."""
    printed: list[tuple[str, int]] = []

    def wrapped(index: int, strength: int) -> str:
        text, own = printed[index]
        return text if own >= strength else rf"\left({text}\right)"

    for node in expression.nodes:
        match node:
            case Input(index):
                printed.append((name_latex(expression.input_name(index)), _ATOM))
            case Constant(value):
                printed.append((number_latex(value), _ATOM if value >= 0 else _SUM))
            case Affine(constant, terms):
                text = ""
                for coefficient, child in terms:
                    size = "" if abs(coefficient) == 1 else number_latex(abs(coefficient)) + r" \, "
                    sign = "-" if coefficient < 0 else "+" if text else ""
                    text += f" {sign} {size}{wrapped(child, _PRODUCT)}"
                if constant:
                    text += f" {'-' if constant < 0 else '+'} {number_latex(abs(constant))}"
                printed.append((text.strip(), _SUM))
            case Apply("where", (condition, a, b)):
                test = printed[condition][0]
                inner = expression.nodes[condition]
                if not (
                    isinstance(inner, Apply) and get_operator(inner.operator).kind == CONDITION
                ):
                    test += r" \ne 0"
                text = (
                    rf"\begin{{cases}} {printed[a][0]} & \text{{if }} {test} \\"
                    rf" {printed[b][0]} & \text{{otherwise}} \end{{cases}}"
                )
                printed.append((text, _SUM))
            case Apply(name, children):
                operator = get_operator(name)
                if operator.latex is None:
                    function = rf"\{name}" if name in _FUNCTIONS else rf"\operatorname{{{name}}}"
                    args = ", ".join(printed[child][0] for child in children)
                    printed.append((rf"{function}\left({args}\right)", _ATOM))
                    continue
                # Their arguments are already enclosed.
                bare = name in ("div", "floordiv", "abs", "sigmoid")
                args_latex = [
                    printed[child][0]
                    if bare or (name == "pow" and position == 1)
                    else wrapped(child, _ATOM if name == "pow" else _PRODUCT)
                    for position, child in enumerate(children)
                ]
                strength = _ATOM if name in ("abs", "floordiv", "sigmoid") else _PRODUCT
                if operator.kind == CONDITION or name == "mod":
                    strength = _SUM
                printed.append((operator.latex.format(*args_latex), strength))
    return [printed[output][0] for output in expression.outputs]


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
    escaped = "".join(_SPECIAL.get(c, "\\" + c if c in "#$%&_{}" else c) for c in name)
    return escaped if len(name) == 1 else rf"\mathrm{{{escaped.replace(' ', '~')}}}"
