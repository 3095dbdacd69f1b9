"""Formulas as versioned JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from occamhead.expression.formats.rule import to_rules
from occamhead.expression.formats.text import to_text
from occamhead.expression.graph import AnyGraph, Graph
from occamhead.expression.limits import check_characters, check_size
from occamhead.expression.nodes import Affine, Apply, Constant, Input, Node
from occamhead.saving.content import content_digest

FORMAT, VERSION = "occamhead.expression", 1
SEAL = "sha256"


def to_json(expression: Graph, classes: Sequence[str] = ()) -> str:
    """JSON text; floats are written so that they read back exactly.

    Args:
        expression: The formulas.
        classes: A name per output, for the lines that people read.

    Raises:
        ValueError: If there are classes, but not one per output.
    """

    def row(node: Node) -> list[Any]:
        match node:
            case Input(index):
                return ["input", index]
            case Constant(value):
                return ["constant", value]
            case Affine(constant, terms):
                return ["affine", constant, [list(term) for term in terms]]
            case Apply(operator, children):
                return ["apply", operator, list(children)]

    return sealed(
        {
            "format": FORMAT,
            "version": VERSION,
            # For people; not read back.
            "text": to_text(expression),
            "rule": to_rules(expression, classes),
            "num_inputs": expression.num_inputs,
            "names": expression.names,
            "outputs": list(expression.outputs),
            "nodes": [row(node) for node in expression.nodes],
        }
    )


def sealed(data: dict[str, Any]) -> str:
    """JSON text of plain values, with a digest of them by which :func:`parsed` notices damage."""
    # As they are read: tuples become lists.
    data = json.loads(json.dumps(data))
    return json.dumps({**data, SEAL: content_digest(data)}, indent=1)


def parsed(text: str, form: str, version: int, what: str) -> dict[str, Any]:
    """The content of JSON text of a format; ValueError if it is damaged, or of another version.

    Args:
        text: The text.
        form, version: The format's name and version.
        what: What such a text holds, for the error.
    """
    check_characters(text, what)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != form:
        raise ValueError(f"not {what}: the JSON must say format {form!r}")
    if data.get("version") != version:
        raise ValueError(
            f"{form} version {data.get('version')!r} is unknown; this occamhead reads version"
            f" {version}"
        )
    seal = data.pop(SEAL, None)
    if seal is not None and seal != content_digest(data):
        raise ValueError(
            f"{what} is damaged: its content is not what was written; if it was changed on purpose,"
            f" take the field {SEAL!r} out"
        )
    return data


def from_json(kind: type[AnyGraph], text: str) -> AnyGraph:
    """Read a formula of some kind; ValueError if the text is none, or of an unknown version."""
    data = parsed(text, FORMAT, VERSION, "an expression")
    try:
        expression = kind(
            nodes=tuple(_node(row) for row in data["nodes"]),
            outputs=tuple(_whole(output) for output in data["outputs"]),
            num_inputs=_whole(data["num_inputs"]),
            names=None if data["names"] is None else _names(data["names"]),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the expression's JSON is incomplete or malformed: {error!r}") from error
    check_size(expression)
    return expression


def _node(row: list[Any]) -> Node:
    match row:
        case ["input", index]:
            return Input(_whole(index))
        case ["constant", value]:
            return Constant(_number(value))
        case ["affine", constant, [*terms]]:
            return Affine(_number(constant), tuple((_number(c), _whole(n)) for c, n in terms))
        case ["apply", str(operator), [*children]]:
            return Apply(operator, tuple(_whole(child) for child in children))
    raise ValueError(f"unknown node {row!r:.60}")


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"expected a list of names, got {value!r:.60}")
    return tuple(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, got {value!r:.60}")
    return value


def _number(value: Any) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:  # a whole number beyond the range of floats
        number = math.inf
    if math.isfinite(number):
        return number
    raise ValueError(f"expected a finite number, got {value!r:.60}")
