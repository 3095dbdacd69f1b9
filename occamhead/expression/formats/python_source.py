"""Formulas as stand-alone Python source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from occamhead.expression.formats.source import check_classes, folded, one_line
from occamhead.expression.formats.text import number_text
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import CONDITION, get_operator

_PREDICT = '''def predict(x):
    """The class with the highest score; the first of equals, and NaN counts as highest."""
    values = scores(x)
    best = 0
    for k, value in enumerate(values):
        if value > values[best] or (value != value and values[best] == values[best]):
            best = k
    return best
'''


def to_python(expression: Graph, comment: str = "", classes: Sequence[str] = ()) -> str:
    """Source of a module with ``scores(x) -> list[float]`` and ``predict(x) -> int``.

    It imports ``math`` at most and computes in float64; where an operation is undefined it
    gives inf or NaN as arrays do, rather than an exception.

    Args:
        expression: The formulas.
        comment: Text for the module's docstring.
        classes: A name per output, for comments.

    Raises:
        ValueError: If there are classes, but not one per output.
    """
    check_classes(expression, classes)
    lines, results, helpers = _body(expression)
    kept = "\n".join(one_line(line) for line in comment.strip().splitlines())
    text = kept.replace("\\", "\\\\").replace('"""', "'''") or "A formula."
    if text.endswith('"'):
        text += " "
    source = [f'"""{text}"""', ""]
    if helpers or any("math." in line for line in [*lines, *results]):
        source += ["import math", ""]
    for helper in helpers:
        source += ["", helper, ""]
    source += [
        "",
        "def scores(x):",
        f'    """One score per class; x holds {expression.num_inputs} numbers."""',
    ]
    source += [f"    {line}" for line in lines]
    source.append("    return [")
    for k, result in enumerate(results):
        if classes:
            source.append(f"        # {one_line(classes[k])}")
        source.append(f"        {folded(result, indent=8)},")
    source += ["    ]", "", "", _PREDICT]
    return "\n".join(source)


def _body(expression: Graph) -> tuple[list[str], list[str], list[str]]:
    """Assignments of what is used more than once, the results, the helpers needed."""
    uses = Counter(child for node in expression.nodes for child in node.children)
    uses.update(expression.outputs)
    forms: list[str] = []
    conditions: dict[int, str] = {}  # comparisons, without the float() around them
    lines: list[str] = []
    helpers: dict[str, None] = {}
    for position, node in enumerate(expression.nodes):
        match node:
            case Input(index):
                forms.append(f"x[{index}]")
                continue
            case Constant(value):
                forms.append(number_text(value) if value >= 0 else f"({number_text(value)})")
                continue
            case Affine(constant, terms):
                form = _affine(constant, [(c, forms[child]) for c, child in terms])
            case Apply(name, children):
                operator = get_operator(name)
                helpers.update(dict.fromkeys(operator.helpers))
                args = [forms[child] for child in children]
                if name == "where":
                    args[0] = conditions.get(children[0], f"{args[0]} != 0")
                form = operator.python.format(*args, args=", ".join(args))
                if operator.kind == CONDITION and form.startswith("float("):
                    conditions[position] = form[len("float(") : -1]
                if operator.infix and operator.kind != CONDITION and "(" not in operator.python:
                    form = f"({form})"
        if uses[position] > 1:
            lines.append(f"t{len(lines)} = {folded(form, indent=8)}")
            form = f"t{len(lines) - 1}"
            conditions.pop(position, None)
        forms.append(form)
    return lines, [_bare(forms[output]) for output in expression.outputs], list(helpers)


def _affine(constant: float, terms: list[tuple[float, str]]) -> str:
    parts: list[str] = []
    for coefficient, form in terms:
        size = "" if abs(coefficient) == 1 else f"{number_text(abs(coefficient))} * "
        sign = (" - " if coefficient < 0 else " + ") if parts else "-" * (coefficient < 0)
        parts.append(f"{sign}{size}{form}")
    if constant:
        parts.append(f"{' - ' if constant < 0 else ' + '}{number_text(abs(constant))}")
    return f"({''.join(parts)})"


def _bare(form: str) -> str:
    """The form without a pair of brackets around all of it."""
    if not form.startswith("("):
        return form
    level = 0
    for position, character in enumerate(form):
        level += (character == "(") - (character == ")")
        if level == 0:
            return form[1:-1] if position == len(form) - 1 else form
    return form
