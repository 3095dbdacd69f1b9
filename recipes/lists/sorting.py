"""Sorting three numbers, learned by an OccamNet: the one arithmetic task that is no class.

An essence network tells classes, and the values of a sorted list are none. OccamNet's formulas are
programs all the same, and print as such: line 17 of the paper's Table 1.
"""

from __future__ import annotations

import textwrap
import time
from typing import Any

import numpy as np

from occamhead.commands.printed import defined_by
from occamhead.expression import Expression
from occamhead.expression.formats.program_source import to_program
from occamhead.expression.formats.program_tokens import body_tokens
from recipes.others.classifiers import BASELINES, learned, right
from recipes.table1_lines.search import evolved
from recipes.table1_lines.task import Task

LINE = 17
NAMES = ("smallest", "middle", "largest")
LARGEST = 3  # values of the table that the classifiers learn from
TESTS, FAR = 5000, 10**6  # lists to test on, and the size of their numbers


def rows_of(task: str, seed: int) -> list[dict[str, Any]]:
    """A row for the OccamNet, and one for each classifier, of which each place is a class.

    The accuracy is that on all lists of the numbers 0 to 3, which the classifiers learn from; the
    "long" lists are of three numbers too, up to a million.
    """
    grid = np.indices((LARGEST + 1,) * 3).reshape(3, -1).T
    far = np.random.default_rng(seed).integers(-FAR, FAR + 1, (TESTS, 3))
    shared = {"task": task, "seed": seed, "size": 3, "long_size": 3, "error": None}

    started = time.perf_counter()
    text = printed(evolved(Task.load(LINE), "occamhead", seed).best)
    seconds = time.perf_counter() - started
    predict = defined_by(text)["predict"]
    found = [np.mean([predict(x) == sorted(x) for x in lists.tolist()]) for lists in (grid, far)]
    own = {"method": "occamnet", "samples": Task.load(LINE).rows, "certificate": None}
    own |= {"program": text, "tokens": body_tokens(text)}
    rows = [{**shared, **own, "accuracy": float(found[0]), "long": float(found[1])}]
    rows[0]["seconds"] = seconds
    for method in BASELINES:
        started = time.perf_counter()
        guess = learned(method, grid, np.sort(grid, axis=1), seed)
        accuracy, long = (right(guess(x), np.sort(x, axis=1)) for x in (grid, far))
        other = {"method": method, "samples": len(grid), "accuracy": accuracy, "long": long}
        other |= dict.fromkeys(("certificate", "program", "tokens"))
        rows.append({**shared, **other, "seconds": time.perf_counter() - started})
    return [row | {"exact": row["long"] == 1.0} for row in rows]


def printed(formula: Expression) -> str:
    """One program for all places of the sorted list, a function each."""
    lines = ['def predict(x: list[int]):\n    """Found by an OccamNet; nothing is certified."""\n']
    for place, name in enumerate(NAMES):
        _, body = to_program(formula[place].simplified()).split('"""\n', 1)
        lines.append(f"    def {name}(x):\n{textwrap.indent(body, '    ')}")
    return "".join(lines) + f"    return [{', '.join(f'{name}(x)' for name in NAMES)}]\n"
