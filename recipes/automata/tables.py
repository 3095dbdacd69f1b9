"""The tables of `recipes.cellular_automata`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from occamhead.commands.output import say, say_table
from recipes.automata.methods import METHODS
from recipes.automata.rules import NAMES
from recipes.shared.means import mean, share

Rows = Sequence[Mapping[str, Any]]
AIMS = {  # what was asked of the essence network before the first run
    "elementary": "all exact and lossless, 10 s in all, no program longer than two_level's",
    "life": "28 of 30 seeds exact at 100 windows, 2 s each",
    "totalistic": "all exact, 2 s each",
    "named": "9 of 10 seeds exact at 250 windows",
    "noise": "9 of 10 seeds exact at 10,000 draws and 10 %",
    "any": "exact from 512 of 2,048 rows, printed as an index (a stretch)",
}
_NAMES = {str(rule): name for rule, name in NAMES.items()} | {"any": "elementary rules at once"}


def say_title(title: str, rows: Rows) -> None:
    task = rows[0]["task"]
    say(f"\n{task}: {title}\naim: {AIMS[task]}")


def by_method(rows: Rows) -> dict[str, Rows]:
    """The rows of each method that has any."""
    own = {name: [row for row in rows if row["method"] == name] for name in METHODS}
    return {name: found for name, found in own.items() if found}


def say_rules(title: str, rows: Rows) -> None:
    """A table of many rules from all windows: a line per method."""
    say_title(title, rows)
    methods, lines = by_method(rows), []
    for name, own in methods.items():
        lengths = [row["tokens"] for row in own if row["tokens"] is not None]
        seconds = [row["seconds"] for row in own]
        lines.append(
            (
                name,
                share(own, "exact"),
                sum(row["lossless"] for row in own) if name == "essence" else None,
                f"{np.mean(lengths):.1f}, {max(lengths)}" if lengths else None,
                f"{sum(seconds):.1f}, {max(seconds):.2f}",
            )
        )
    say_table(("", "exact", "lossless", "tokens: mean, max", "seconds: all, max"), lines)
    theirs = methods["two_level"]
    pairs = [(a["tokens"], b["tokens"]) for a, b in zip(methods["essence"], theirs, strict=True)]
    shorter, longer = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
    say(
        f"essence is shorter than two_level for {shorter} rules, longer for {longer}; two_level is"
        f" proven to be the minimum for {sum(row['minimum'] for row in theirs)}"
    )


def say_columns(title: str, rows: Rows, by: str) -> None:
    """A table of what was learned from a part: exact seeds and mean accuracy, in columns."""
    columns = list(dict.fromkeys(row[by] for row in rows))
    say_title(f"{title}: exact seeds, mean accuracy on all windows", rows)
    lines = []
    for name, own in by_method(rows).items():
        parts = [[row for row in own if row[by] == column] for column in columns]
        cells = [f"{share(part, 'exact')}, {mean(part, 'accuracy', '.4f')}" for part in parts]
        lines.append([name, *cells, mean(own, "seconds", ".2f")])
    say_table(["", *(_NAMES.get(column, column) for column in columns), "s each"], lines)


def say_programs(rows: Rows) -> None:
    """Of each rule, the shortest of the exact programs by the essence network."""
    for rule in dict.fromkeys(row["rule"] for row in rows):
        own = [row for row in rows if (row["rule"], row["method"]) == (rule, "essence")]
        exact = [row for row in own if row["exact"]]
        name = f"{_NAMES.get(rule, 'rule')}, {rule}"
        if not exact:
            say(f"{name}: no exact program")
            continue
        best = min(exact, key=lambda row: row["tokens"])
        lines = best["program"].rstrip().split('"""\n', 1)[1]
        say(f"{name}, from {best['samples']} windows, {best['tokens']} tokens:\n{lines}")


def say_board(board: Mapping[str, Any]) -> None:
    verdict = "equals" if board["wrong_cells"] == 0 else "differs from"
    say(
        f"on a board of {board['side']} x {board['side']} the program {verdict} Life for"
        f" {board['steps']} steps ({board['seconds']:.1f} s)"
    )
