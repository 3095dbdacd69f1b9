"""docs/faults.md: every row names tests, and these are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def test_every_row_names_tests_that_are_there():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "fault |" not in line]
    assert len(rows) >= 25
    for row in rows:
        cells = row.strip("|").split(" | ")
        named = re.findall(r"`(tests/\S+)::(\w+)`( \(\*slow\*\))?", cells[3])
        assert len(cells) == 4 and (named or cells[3].strip() == "the same"), row
        for file, name, slow in named:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            (test,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
            marks = map(ast.unparse, test.decorator_list)
            assert bool(slow) == ("pytest.mark.slow" in marks), (row, name)
