"""A law of which the form is known, but for functions of some inputs: read, and put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from occamhead.expression import OPERATORS, Expression, ExpressionBuilder

# What may be written with brackets behind it and is no unknown function.
KNOWN = {*OPERATORS, "sqrt"}


@dataclass(frozen=True)
class Unknown:
    """A function to find.

    Args:
        name: As it is called.
        arguments: What it is of: an output each, over all inputs.
        labels: Their texts.
    """

    name: str
    arguments: Expression
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """A form with unknown functions.

    Args:
        text: As it was given.
        form: Over all inputs, and then a value of each unknown function.
        unknowns: These.
    """

    text: str
    form: Expression
    unknowns: tuple[Unknown, ...]

    def composed(self, parts: Sequence[Expression]) -> Expression:
        """The formula with these functions of their arguments in the unknown ones' places."""
        builder = ExpressionBuilder()
        width = self.form.num_inputs - len(self.unknowns)
        nodes = [builder.input(place) for place in range(width)]
        for unknown, part in zip(self.unknowns, parts, strict=True):
            nodes += builder.copy(part, builder.copy(unknown.arguments, nodes[:width]))
        return builder.build(builder.copy(self.form, nodes), width)


def read_template(text: str, names: Sequence[str]) -> Template:
    """Read a template such as ``sin(f(x1, x2)) + g(x3)``.

    Every name with brackets that is no operator is an unknown function; what stands in these are
    formulas over the inputs.

    Args:
        text: The template.
        names: Of the inputs.

    Raises:
        ValueError: If it does not parse, has no unknown function, one of no arguments or one that
            is called with different ones, or names what is no input.
    """
    if not isinstance(text, str):
        raise ValueError(f"template must be a text such as 'sin(f(x0)) + g(x1)', got {text!r}")
    try:
        return _read(text, list(names))
    except ValueError as reason:
        raise ValueError(f"template: {reason}") from reason


def _read(text: str, names: list[str]) -> Template:
    found: dict[str, Unknown] = {}
    shown, at = "", 0
    for call in re.finditer(r"`[^`]*`|(?P<name>[^\W\d]\w*)\s*\(", text):
        name = call["name"]
        if name is None or name in KNOWN or call.start() < at:
            continue
        end = _closing(text, call.end())
        labels = tuple(each.strip() for each in _arguments(text[call.end() : end]))
        unknown = Unknown(name, Expression.parse(labels, names=names), labels)
        if found.setdefault(name, unknown).arguments != unknown.arguments:
            raise ValueError(
                f"{name} is called with {', '.join(found[name].labels)} and with"
                f" {', '.join(labels)}; give each its own name"
            )
        shown += f"{text[at : call.start()]}`{name}()`"
        at = end + 1
    if not found:
        raise ValueError(f"{text!r} has no unknown function, such as f({names[0]}); guess it")
    form = Expression.parse(shown + text[at:], names=[*names, *(f"{name}()" for name in found)])
    unknowns = tuple(found.values())
    missing = [u.name for i, u in enumerate(unknowns) if len(names) + i not in form.features]
    if missing:
        raise ValueError(f"{text!r} does not depend on {missing[0]}")
    return Template(text, form.renamed(None), unknowns)


def _closing(text: str, start: int) -> int:
    """Where the bracket that was opened before `start` is closed."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise ValueError(f"a bracket is not closed in {text!r}")


def _arguments(text: str) -> list[str]:
    """The text between brackets at its outermost commas."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
