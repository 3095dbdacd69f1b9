"""What the writers of source code share: sums, lines that are not too long, and safe comments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Apply

_LINE_LENGTH = 96


def check_classes(expression: Graph, classes: Sequence[str]) -> None:
    """Raise ValueError if there are class names, but not one per output."""
    if classes and len(classes) != len(expression):
        raise ValueError(f"{len(expression)} outputs need as many class names, got {len(classes)}")


def count_uses(expression: Graph, template: Callable[[str, int], str]) -> Counter[int]:
    """How often each node is named where the forms of its users are written out.

    A node that is named more than once gets a name: written out, it would be computed again, and
    the text would double with every level.

    Args:
        expression: The formulas.
        template: Form of an operator of so many arguments over ``{0}``, ``{1}``, ...
    """
    uses = Counter(expression.outputs)
    for node in expression.nodes:
        if isinstance(node, Apply):
            form = template(node.operator, len(node.children))
            for position, child in enumerate(node.children):
                uses[child] += form.count(f"{{{position}}}")
        else:
            uses.update(node.children)
    return uses


def weighted_sum(constant: float, terms: Sequence[tuple[float, str]]) -> str:
    """``2.0 * a - b + 1.0``: terms from left to right, the constant last.

    That is the order in which formulas are evaluated, so that the last bits are the same. Every
    number has a point: 1/2 must not become a quotient of whole numbers.
    """
    parts: list[str] = []
    for coefficient, form in terms:
        size = "" if abs(coefficient) == 1 else f"{abs(coefficient)!r} * "
        sign = (" - " if coefficient < 0 else " + ") if parts else "-" * (coefficient < 0)
        parts.append(f"{sign}{size}{form}")
    if constant:
        parts.append(f"{' - ' if constant < 0 else ' + '}{abs(constant)!r}")
    return "".join(parts)


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
