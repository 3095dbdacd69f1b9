"""What the writers of source code share: sums, lines that are not too long, and safe comments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from occamhead.expression.formats.walk import signed_sum
from occamhead.expression.graph import Graph

_LINE_LENGTH = 96


def check_classes(expression: Graph, classes: Sequence[str]) -> None:
    """Raise ValueError if there are class names, but not one per output."""
    if classes and len(classes) != len(expression):
        raise ValueError(f"{len(expression)} outputs need as many class names, got {len(classes)}")


def output_names(expression: Graph, names: Sequence[str]) -> Sequence[str]:
    """A name per output: these, or y0, y1, ...; ValueError if there are some, but not as many."""
    check_classes(expression, names)
    return names or [f"y{k}" for k in range(len(expression))]


def weighted_sum(constant: float, terms: Sequence[tuple[float, str]]) -> str:
    """``2.0 * a - b + 1.0``; every number has a point: 1/2 must not be a quotient of integers."""
    return signed_sum(terms, constant, number=repr)


def number(value: float) -> str:
    """A number that can stand anywhere in an expression."""
    return repr(value) if value >= 0 else f"({value!r})"


def folded(form: str, indent: int) -> str:
    """A form that may go on in the next line, broken before terms that would make it too long."""
    lines = [""]
    for term in re.split(r" (?=[+-] )", form):
        if lines[-1] and indent + len(lines[-1]) + len(term) >= _LINE_LENGTH:
            lines.append(term)
        else:
            lines[-1] += f" {term}" if lines[-1] else term
    return f"\n{' ' * indent}".join(lines)


def one_line(text: str) -> str:
    """The text without characters that would leave its line or turn it round."""
    return "".join(c if c.isprintable() else " " for c in text)
