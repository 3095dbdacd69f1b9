"""Printed programs, run."""

from __future__ import annotations

import ast

from occamhead.commands.printed import defined_by


def predict_of(text: str):
    """The function that a program's source defines; it must import nothing."""
    nodes = ast.walk(ast.parse(text))
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)
    return defined_by(text)["predict"]
