"""Forms of a formula that several tests read or run."""

from __future__ import annotations

import ast

from occamhead import Expression

parse = Expression.parse


def parsed_again(expression: Expression) -> Expression:
    return parse(expression.text(), num_inputs=expression.num_inputs, names=expression.names)


def run_source(expression: Expression) -> dict[str, object]:
    source = expression.python()
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.ImportFrom)
        if isinstance(node, ast.Import):
            assert [alias.name for alias in node.names] == ["math"]
    namespace: dict[str, object] = {}
    exec(source, namespace)
    return namespace
