"""Formulas as stand-alone C source."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from occamhead.expression.formats.rule import rule_of
from occamhead.expression.formats.source import (
    check_classes,
    folded,
    number,
    one_line,
    weighted_sum,
)
from occamhead.expression.formats.walk import Writer, count_uses
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Apply
from occamhead.expression.operators import CONDITION, get_operator

# Clang reads up to 256 brackets within each other, of which a form may have four.
LEVELS = 50

# sympy prints fmax and fmin, which drop a NaN, and a logistic function that overflows on the way.
_OWN = {
    "max": ("maximum", "a > b || isnan(a) ? a : b"),
    "min": ("minimum", "a < b || isnan(a) ? a : b"),
    "sigmoid": ("sigmoid", "(a >= 0 ? 1.0 : exp(-fabs(a))) / (1.0 + exp(-fabs(a)))"),
}

_PREDICT = """/* The class with the highest score: the first of equals; NaN counts as highest. */
int predict(const double *x)
{{
    double values[{count}];
    int best = 0;
    scores(x, values);
    for (int k = 1; k < {count}; k++) {{
        if (values[k] > values[best] || (isnan(values[k]) && !isnan(values[best]))) {{
            best = k;
        }}
    }}
    return best;
}}
"""


_RULE = """/* {rule}.
   A score that is NaN counts as above. */
int predict(const double *x)
{{
    double values[2];
    scores(x, values);
    return values[1] > 0.0 || isnan(values[1]);
}}
"""


def to_c(expression: Graph, comment: str = "", classes: Sequence[str] = ()) -> str:
    """Source of a C99 file with ``void scores(x, out)`` and ``int predict(x)``, in doubles.

    It needs ``math.h`` only, and gives inf and NaN where arrays do; that and the order of the
    sums are those of :func:`to_python`, so compile it without ``-ffast-math``, and with
    ``-ffp-contract=off`` for the same last bits.

    Args:
        expression: The formulas.
        comment: Text for the comment at the top.
        classes: A name per output, for comments.

    Raises:
        ValueError: If there are classes, but not one per output, or an operator has no C form.
    """
    check_classes(expression, classes)
    writer = _CWriter(expression)
    results = [alone for _, alone in writer.write()]
    applied = {node.operator for node in expression.nodes if isinstance(node, Apply)}
    source = [f"/* {_printable(comment.strip() or 'A formula.')} */", "#include <math.h>", ""]
    for name, (function, form) in _OWN.items():
        if name not in applied:
            continue
        arguments = "double a" if get_operator(name).arity == 1 else "double a, double b"
        source += [f"static double {function}({arguments})", "{", f"    return {form};", "}", ""]
    source += [
        f"/* One score per class: x holds {expression.num_inputs} numbers, out takes"
        f" {len(expression)}. */"
    ]
    if expression.names is not None:
        source += [
            f"/* x[{index}]: {_printable(expression.input_name(index))} */"
            for index in expression.features
        ]
    source += ["void scores(const double *x, double *out)", "{"]
    if not expression.features:
        source.append("    (void)x;")
    source += [f"    {line}" for line in writer.lines]
    for k, result in enumerate(results):
        if classes:
            source.append(f"    /* {_printable(classes[k])} */")
        source.append(f"    out[{k}] = {folded(result, indent=8)};")
    predict = _PREDICT.format(count=len(expression))
    if (rule := rule_of(expression)) is not None:
        predict = _RULE.format(rule=folded(_printable(rule.text(classes)), indent=3))
    return "\n".join([*source, "}", "", predict])


class _CWriter(Writer[tuple[str, str]]):
    """Each node's form to stand anywhere, and to stand alone."""

    def __init__(self, graph: Graph) -> None:
        self.template = functools.lru_cache(maxsize=None)(_template)
        super().__init__(graph, count_uses(graph, self.template), LEVELS)
        self.lines: list[str] = []  # declarations of what is named more than once

    def input(self, index: int) -> tuple[str, str]:
        return f"x[{index}]", f"x[{index}]"

    def constant(self, value: float) -> tuple[str, str]:
        return number(value), number(value)

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[str, str]:
        alone = weighted_sum(constant, [(c, self.forms[child][0]) for c, child in terms])
        return f"({alone})", alone

    def apply(self, operator: str, children: Sequence[int]) -> tuple[str, str]:
        pattern = self.template(operator, len(children))
        alone = pattern.format(*(self.forms[child][0] for child in children))
        is_call = operator in _OWN or re.fullmatch(r"\w+\([^()]*\)", pattern)
        return alone if is_call else f"({alone})", alone

    def named(self, form: tuple[str, str]) -> tuple[str, str]:
        name = f"t{len(self.lines)}"
        self.lines.append(f"const double {name} = {folded(form[1], indent=8)};")
        return name, name


def _template(name: str, count: int) -> str:
    """The C form of an operator over ``{0}``, ``{1}``, ...: as sympy prints it, mostly.

    One symbol per argument, whatever the arguments are: sympy must not see that two of them are
    the same, or x/x becomes 1.
    """
    if name in _OWN:
        calls = [f"{{{i}}}" for i in range(count)]
        if count == 1:
            return f"{_OWN[name][0]}({{0}})"
        return functools.reduce(lambda a, b: f"{_OWN[name][0]}({a}, {b})", calls)
    import sympy
    from sympy.printing.codeprinter import PrintMethodNotImplementedError

    operator = get_operator(name)
    symbols = [sympy.Symbol(f"a{i}", real=True) for i in range(count)]
    arguments = [sympy.Ne(symbols[0], 0), *symbols[1:]] if name == "where" else symbols
    try:
        printed = sympy.ccode(operator.sympy(sympy, *arguments), standard="c99", strict=True)
    except PrintMethodNotImplementedError as error:
        raise ValueError(
            f"operator {name!r} has no C form: sympy cannot print it in C99; export the formula"
            " as .py instead"
        ) from error
    form = " ".join(printed.split()).replace("( ", "(").replace(" )", ")")
    form = re.sub(r"\ba(\d+)\b", r"{\1}", form)
    return f"(double)({form})" if operator.kind == CONDITION else form


def _printable(text: str) -> str:
    """The text on one line, and with nothing in it that ends or opens a comment."""
    return one_line(text).replace("*/", "* /").replace("/*", "/ *")
