"""``occamhead law`` where the column holds classes: a rule for them, and what it is worth."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from occamhead.checks import needs
from occamhead.commands.csv_table import CsvTable
from occamhead.commands.formula_files import write_formula
from occamhead.commands.output import say, say_table
from occamhead.commands.results import results_run

MAX_COMPLEXITY = 25


def rule_of_classes(
    args: argparse.Namespace, table: CsvTable, inputs: Sequence[str]
) -> dict[str, Any]:
    """Find a rule, print it, where it holds and the sizes beside it, and write the files.

    Raises:
        ValueError: On flags that are for numbers, or a table that cannot be used.
    """
    for flag in ("units", "guess", "template", "monotone", "bounds"):
        if getattr(args, flag):
            raise ValueError(
                f"--{flag} is for numbers, but {args.target} holds classes; leave it out, or name a"
                " column of numbers"
            )
    x, y = table.numbers(inputs), np.array(table.column(args.target))
    with needs("scikit-learn and pandas", "the search in tables", "tabular"):
        import pandas as pd
        import sklearn  # noqa: F401
    from occamhead.search.compiling import cpu_seconds
    from occamhead.tables import OccamClassifier
    from occamhead.tables.classification import scores_of_all

    with results_run(args, "law") as run:
        say(f"{len(table)} rows, {len(inputs)} columns: {', '.join(inputs)}")
        began = cpu_seconds()
        model = OccamClassifier(
            max_complexity=args.max_complexity or MAX_COMPLEXITY,
            time_budget=args.seconds,
            random_state=args.seed,
            verbose=sys.stderr.isatty(),
            checkpoint=run.kept.part("fit").folder,
        )
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            model.fit(pd.DataFrame(x, columns=list(inputs)), y)
        classes = [str(each) for each in model.classes_]
        results = {
            "task": "law of classes",
            "data": str(args.file),
            "target": args.target,
            "inputs": list(inputs),
            "rows": len(table),
            "classes": {name: int((y == name).sum()) for name in classes},
            "rule": model.rule(),
            "accuracy": float((model.predict(pd.DataFrame(x, columns=list(inputs))) == y).mean()),
            "ranges": {
                inputs[i]: [float(x[:, i].min()), float(x[:, i].max())]
                for i in model.best_.features
            },
            "sizes": _sizes(model.equations_),
            "notes": [str(note.message) for note in notes],
            "functions": model.n_functions_,
            "seconds": cpu_seconds() - began,
            "seed": args.seed,
        }
        comment = f"{args.target}, by occamhead law"
        write_formula(run.folder, scores_of_all(model.best_), comment, classes)
        results = run.save(results, "scikit-learn", "pandas", "numba")
        _say(run.final, results)
    return results


def _sizes(equations: Any) -> list[dict[str, Any]]:
    """The formulas of all sizes, and the share of held-out rows that each tells rightly."""
    if "cross_validated_accuracy" not in equations:  # too few rows of a class for folds
        equations = equations.assign(cross_validated_accuracy=np.nan)
    return [
        {
            "complexity": int(row.complexity),
            "loss": float(row.loss),
            "held_out_accuracy": _known(row.cross_validated_accuracy),
            "held_out_loss": _known(row.cross_validated_loss),
            "formula": row.equation,
            "kind": row.kind,
            "chosen": bool(row.chosen),
        }
        for row in equations.itertuples()
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _say(out: Path, results: Mapping[str, Any]) -> None:
    say()
    lines = results["rule"]
    if len(lines) > 1:
        say(f"{results['target']}: the largest of")
    for line in lines:
        say(f"  {line}")
    chosen = next(size for size in results["sizes"] if size["chosen"])
    linear = next(size for size in results["sizes"] if size["kind"] == "linear model")
    most = max(results["classes"].values()) / results["rows"]
    say(f"  right on {_percent(results['accuracy'])} of {results['rows']} rows,"
        f" {_percent(chosen['held_out_accuracy'])} of rows held out")  # fmt: skip
    say(f"  a logistic regression on all columns, of size {linear['complexity']}:"
        f" {_percent(linear['held_out_accuracy'])}; always the commonest class:"
        f" {_percent(most)}")  # fmt: skip
    for name, (low, high) in results["ranges"].items():
        say(f"  seen with {name} from {low:g} to {high:g}")
    for note in results["notes"]:
        say(f"  note: {note}")
    rows = [
        (
            size["complexity"],
            _percent(size["held_out_accuracy"]),
            size["kind"],
            "chosen" if size["chosen"] else "",
        )
        for size in results["sizes"]
    ]
    say()
    say_table(("size", "held out", "kind", ""), rows, left=(2, 3))
    say(f"code: {out / 'formula.py'}    results: {out / 'results.json'}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
