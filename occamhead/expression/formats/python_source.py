"""Formulas as stand-alone Python source."""

from __future__ import annotations

from collections.abc import Sequence

from occamhead.expression.formats.rule import rule_of
from occamhead.expression.formats.source import check_classes, folded, one_line
from occamhead.expression.formats.walk import Writer, count_uses, number_text, signed_sum
from occamhead.expression.graph import Graph
from occamhead.expression.operators import CONDITION, get_operator

# CPython reads up to 200 brackets within each other, of which a form may have three, and compiles
# sums of up to some 2000 terms.
LEVELS, TERMS = 30, 1000

_RULE = '''def predict(x):
    """{rule}

    A score that is NaN counts as above.
    """
    score = scores(x)[1]
    return int(score > 0 or score != score)
'''

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
    writer = _PythonWriter(expression)
    results = [_bare(form) for form, _ in writer.write()]
    rule = rule_of(expression)
    if rule is not None:
        results[0] = "0.0"
    lines, helpers = writer.lines, writer.helpers
    kept = "\n".join(one_line(line) for line in comment.strip().splitlines())
    text = _docstring(kept or "A formula.")
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
    if expression.names is not None:
        source += [
            f"    # x[{i}]: {one_line(expression.input_name(i))}" for i in expression.features
        ]
    source += [f"    {line}" for line in lines]
    source.append("    return [")
    for k, result in enumerate(results):
        if classes:
            source.append(f"        # {one_line(classes[k])}")
        source.append(f"        {folded(result, indent=8)},")
    predict = _PREDICT
    if rule is not None:
        predict = _RULE.format(rule=_docstring(folded(one_line(rule.text(classes)), indent=4)))
    return "\n".join([*source, "    ]", "", "", predict])


class _PythonWriter(Writer[tuple[str, str | None]]):
    """Each node's form, and of a comparison that without the ``float()`` around it."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, count_uses(graph), LEVELS)
        self.lines: list[str] = []  # assignments of what is used more than once
        self.helpers: dict[str, None] = {}

    def input(self, index: int) -> tuple[str, None]:
        return f"x[{index}]", None

    def constant(self, value: float) -> tuple[str, None]:
        return number_text(value) if value >= 0 else f"({number_text(value)})", None

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[str, None]:
        inner = [(c, self.forms[child][0]) for c, child in terms]
        while len(inner) > TERMS:
            # From left to right as before, so that the last bits are the same.
            name, _ = self.named((f"({signed_sum(inner[:TERMS])})", None))
            inner = [(1.0, name), *inner[TERMS:]]
        return f"({signed_sum(inner, constant)})", None

    def apply(self, operator: str, children: Sequence[int]) -> tuple[str, str | None]:
        known = get_operator(operator)
        self.helpers.update(dict.fromkeys(known.helpers))
        args = [self.forms[child][0] for child in children]
        if operator == "where":
            args[0] = self.forms[children[0]][1] or f"{args[0]} != 0"
        form = known.python.format(*args, args=", ".join(args))
        if known.kind == CONDITION:
            return form, form[len("float(") : -1] if form.startswith("float(") else None
        return f"({form})" if known.infix and "(" not in known.python else form, None

    def named(self, form: tuple[str, str | None]) -> tuple[str, None]:
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {folded(form[0], indent=8)}")
        return name, None


def _docstring(text: str) -> str:
    """Text that a docstring can hold."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


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
