"""The tables of `recipes.maxsat`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from occamhead.commands.output import say, say_table
from recipes.satisfiability.methods import KNOWN_RULES, METHODS
from recipes.shared.means import mean, share


def say_rules(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of the rules on small formulas, and the program of the first seed."""
    say(f"\n{rows[0]['program']}")
    lines = []
    for name in ("essence", *KNOWN_RULES):
        own = [row for row in rows if row["method"] == name]
        proven = share(own, "lossless") if name == "essence" else None
        figures = mean(own, "accuracy", ".4f"), mean(own, "tokens", ".1f")
        lines.append((name, share(own, "exact"), proven, *figures))
    say_table(("rule on small formulas", "exact", "lossless", "accuracy", "tokens"), lines)


def say_tests(tests: Sequence[Mapping[str, Any]]) -> None:
    """The tables of the assignments, one per size."""
    for size in dict.fromkeys(map(_size, tests)):
        own = [test for test in tests if _size(test) == size]
        count, variables, density = size
        say(
            f"\n{f'{count} formulas' if count > 1 else 'one formula'} of {variables} variables,"
            f" {density:g} clauses of three literals a variable\n"
            "clauses satisfied (how far the learned rule is ahead, in percentage points)"
        )
        lines = []
        for test in own:
            name, satisfied = test["method"], f"{100 * test['satisfied']:.3f} %"
            lines.append((name, satisfied, _gap(test), METHODS[name]))
        say_table(("", "satisfied", "ahead by", ""), lines, left=(0, 2, 3))


def _size(test: Mapping[str, Any]) -> tuple[int, int, float]:
    return test["formulas"], test["variables"], test["density"]


def _gap(test: Mapping[str, Any]) -> str:
    if test["method"] == "essence":
        return ""
    error = "" if test["standard_error"] is None else f" +- {test['standard_error']:.3f}"
    return f"({test['ahead']:+.3f}{error})"
