"""``occamhead law FILE.csv --target COLUMN``: the formula behind a column of numbers."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from occamhead.checks import needs
from occamhead.commands.csv_table import read_csv
from occamhead.commands.formula_files import write_formula
from occamhead.commands.law_of_classes import rule_of_classes
from occamhead.commands.output import say, say_table
from occamhead.commands.results import results_run
from occamhead.commands.units import read_units
from occamhead.expression import Expression

MAX_COMPLEXITY = 30
KINDS = {"search": "a formula that the search found", "units": "a formula that units suggest"}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read the table, search, print the law and the sizes beside it, and write the files."""
    table = read_csv(args.file)
    inputs = table.others(args.target, args.inputs)
    if args.classes or table.is_text(args.target):
        return rule_of_classes(args, table, inputs)
    units = read_units(args.units, [args.target, *inputs]) if args.units else {}
    x, y = table.numbers(inputs), table.numbers([args.target])[:, 0]
    with needs("scikit-learn and pandas", "the search in tables", "tabular"):
        import pandas as pd
        import sklearn  # noqa: F401
    from occamhead.search.compiling import cpu_seconds
    from occamhead.tables import OccamRegressor

    with results_run(args, "law") as run:
        say(f"{len(table)} rows, {len(inputs)} columns: {', '.join(inputs)}")
        began = cpu_seconds()
        model = OccamRegressor(
            max_complexity=args.max_complexity or MAX_COMPLEXITY,
            time_budget=args.seconds,
            random_state=args.seed,
            verbose=sys.stderr.isatty(),
            checkpoint=run.kept.part("fit").folder,
            units=units or None,
            guesses=args.guess or (),
            template=args.template,
            monotone=dict(args.monotone or ()),
            bounds=args.bounds and tuple(args.bounds),
        )
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            model.fit(pd.DataFrame(x, columns=inputs), pd.Series(y, name=args.target))
        results = {
            "task": "law",
            "data": str(args.file),
            "target": args.target,
            "inputs": inputs,
            "guesses": args.guess or [],
            "units": units,
            "number_units": model.best_units_ or [],
            "rows": len(table),
            "formula": str(model.best_),
            "left_out": model.left_out_,
            "template": args.template,
            "parts": _calls(model.parts_ or {}),
            "numbers": _numbers(model.numbers_),
            "r2": model.score(pd.DataFrame(x, columns=inputs), y),
            "sizes": _sizes(model.equations_, model.constant_loss_),
            "notes": [str(note.message) for note in notes],
            "functions": model.n_functions_,
            "seconds": cpu_seconds() - began,
            "seed": args.seed,
        }
        write_formula(run.folder, model.best_, f"{args.target}, by occamhead law")
        results = run.save(results, "scikit-learn", "pandas", "numba")
        _say(run.final, results)
    return results


def _sizes(equations: Any, nothing: float) -> list[dict[str, Any]]:
    """The formulas of all sizes, with the share of the constant's loss that each explains."""
    return [
        {
            "complexity": int(row.complexity),
            "r2": 1 - row.loss / nothing,
            "held_out_r2": 1 - row.cross_validated_loss / nothing,
            "formula": row.equation,
            "kind": row.kind,
            "chosen": bool(row.chosen),
        }
        for row in equations.itertuples()
    ]


def _numbers(frame: Any) -> list[dict[str, Any]]:
    """The fitted numbers and their standard errors; an error that is not known is null."""
    rows = frame.to_dict("records")
    return [{**row, "error": row["error"] if np.isfinite(row["error"]) else None} for row in rows]


def _calls(parts: Mapping[str, Expression]) -> dict[str, str]:
    """The functions of a template, by how they are called."""
    return {
        f"{name}({', '.join(map(part.input_name, range(part.num_inputs)))})": str(part)
        for name, part in parts.items()
    }


def _say(out: Path, results: Mapping[str, Any]) -> None:
    say()
    say(f"{results['target']} = {results['formula']}")
    if results["units"]:
        say("  " + ", ".join(f"{name} in {unit}" for name, unit in results["units"].items()))
    for number in results["numbers"]:
        like = f"    maybe {number['reads_as']}" if number["reads_as"] else ""
        unit = f" {number['unit']}" if number.get("unit") else ""
        say(f"  {number['printed']}{unit}{like}")
    kind = next(size["kind"] for size in results["sizes"] if size["chosen"])
    kind = KINDS.get(kind, f"a {kind}")
    share = _percent(results["r2"])
    say(f"  {kind}; it explains {share} of the variance of {results['rows']} rows")
    for call, part in results["parts"].items():
        say(f"  {call} = {part}")
    for limit, count in results["left_out"].items():
        say(f"  left out: {count} formulas, {limit}")
    for note in results["notes"]:
        say(f"  note: {note}")
    lines = [
        (
            size["complexity"],
            _percent(size["r2"]),
            _percent(size["held_out_r2"]),
            "chosen" if size["chosen"] else "",
            size["formula"],
        )
        for size in results["sizes"]
    ]
    say()
    say_table(("size", "explained", "held out", "", "formula"), lines, left=(3, 4))
    say(f"code: {out / 'formula.py'}    results: {out / 'results.json'}")


def _percent(share: float) -> str:
    """A share of the variance, as precise as it is near to all of it; a dash where unknown."""
    if not np.isfinite(share):
        return "-"
    missing = 1 - share
    digits = 1 if missing > 0.001 else min(8, int(-np.log10(missing))) if missing > 0 else 1
    return f"{100 * share:.{digits}f} %"
