"""Laws and programs found in data (paper, Table 1, lines 1 to 21), beside two yardsticks.

``python -m recipes.table1`` runs every line by three engines: ours; ``literal``, the paper's
algorithm to the letter; and ``no-learning``, which samples the untrained network for as many
functions, so that a line it solves says nothing about learning. Settings and the paper's figures
are in ``configs/table1``; ``recipes.table1_tasks`` says when an answer counts.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from tqdm import tqdm

from occamhead import Expression
from occamhead.search import Regularisation, Result, Strategy, evolve
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.results import command_line, prepare, versions
from recipes.table1_tasks import Task, succeeds

ENGINES = ("occamhead", "literal", "no-learning")
FORMULA_WIDTH = 60
COLUMNS = (
    "task",
    "found by occamhead, seed 0",
    "mode",
    "best",
    "CPU s",
    "functions",
    "literal: mode / best",
    "no-learning: mode / best",
    "best peer",
    "paper: eta, s, Eureqa",
)


@dataclass(frozen=True)
class Outcome:
    """What one search found: texts of its formulas, whether they are the law, what it took."""

    best: list[str]
    mode: list[str]
    best_succeeds: bool
    mode_succeeds: bool
    applied: int
    functions: int
    first_exact: int | None
    seconds: float
    steps: int
    reason: str


def search(
    task: Task, engine: str, seed: int, noise: float = 0.0, max_functions: int | None = None
) -> Outcome:
    """Search for the law of a task in the data of this seed, and judge what was found.

    Args:
        task: The task.
        engine: One of `ENGINES`.
        seed: Of the data and of the search.
        noise: See :meth:`Task.data`.
        max_functions: Most functions to sample; None takes the task's limit.
    """
    found = evolved(task, engine, seed, noise, max_functions)
    return Outcome(
        best=readable(found.best),
        mode=readable(found.mode),
        best_succeeds=succeeds(task, found.best, found.recurrence, noise),
        mode_succeeds=succeeds(task, found.mode, found.recurrence, noise),
        applied=found.recurrence,
        functions=found.functions,
        first_exact=found.first_exact,
        seconds=found.seconds,
        steps=found.steps,
        reason=found.reason,
    )


def evolved(
    task: Task, engine: str, seed: int, noise: float = 0.0, max_functions: int | None = None
) -> Result:
    """The search alone; see :func:`search`."""
    settings = task.search_settings(engine)
    if max_functions is not None:
        settings["max_functions"] = max_functions
    settings["regularisation"] = Regularisation(**settings.get("regularisation", {}))
    strategy = Strategy(**settings, seed=seed)
    return evolve(task.build(engine), *task.data(seed, noise), strategy)


def compile_for(task: Task, engine: str) -> None:
    """Let the engine compile what it compiles on first use: that is no part of its seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so short a search may find nothing
        search(task, engine, seed=0, max_functions=1000)


def readable(formula: Expression) -> list[str]:
    """Text of each output, with sums flattened and numbers cut to what a double holds surely."""
    return formula.simplified().rounded(12).text()


def summary(task: Task, engine: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The row of results.json for the seeds of one task and engine.

    The median of `first_exact` takes a search that never was exact as infinite; where most never
    were, it is null.
    """
    exact = statistics.median(
        math.inf if o.first_exact is None else o.first_exact for o in outcomes
    )
    return {
        "task": task.line,
        "title": task.title,
        "engine": engine,
        "seeds": len(outcomes),
        "success_best": statistics.fmean(o.best_succeeds for o in outcomes),
        "success_mode": statistics.fmean(o.mode_succeeds for o in outcomes),
        "cpu_seconds_median": statistics.median(o.seconds for o in outcomes),
        "functions_median": statistics.median(o.functions for o in outcomes),
        "first_exact_median": exact if math.isfinite(exact) else None,
        "formulas": [o.best for o in outcomes],
        "mode_formulas": [o.mode for o in outcomes],
        "applied": [o.applied for o in outcomes],
        "cpu_seconds": [o.seconds for o in outcomes],
        "functions": [o.functions for o in outcomes],
        "first_exact": [o.first_exact for o in outcomes],
        "steps": [o.steps for o in outcomes],
        "reasons": [o.reason for o in outcomes],
        "paper": dict(task.paper),
        "peer": task.peer,
    }


def line(task: Task, rows: dict[str, dict[str, Any]]) -> str:
    """One line of the printed table; a dash for an engine that did not run."""
    ours = rows.get("occamhead")
    cells = [str(task.line)]
    if ours:
        text, applied = "; ".join(ours["formulas"][0]), ours["applied"][0]
        text = text if applied == 1 else f"{text}, {applied} times"
        cells += [
            text if len(text) <= FORMULA_WIDTH else f"{text[: FORMULA_WIDTH - 3]}...",
            f"{ours['success_mode']:.2g}",
            f"{ours['success_best']:.2g}",
            f"{ours['cpu_seconds_median']:.2g}",
            f"{ours['functions_median']:.0f}",
        ]
    else:
        cells += ["-"] * 5
    for engine in ENGINES[1:]:
        row = rows.get(engine)
        cells.append(f"{row['success_mode']:.2g} / {row['success_best']:.2g}" if row else "-")
    paper = task.paper
    cells += [task.peer or "-", f"{paper['eta']}, {paper['seconds']}, {paper['eureqa']}"]
    return " | ".join(cells)


def lines(text: str) -> list[int]:
    """Line numbers such as ``1,3,5-8``, each once, in their order."""
    chosen: dict[int, None] = {}
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            chosen.update(dict.fromkeys(range(int(first), int(last or first) + 1)))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"must be lines such as 1,3,5-8, got {text!r}"
            ) from None
    if not chosen or not set(chosen) <= set(range(1, 22)):
        raise argparse.ArgumentTypeError(f"must be lines 1 to 21, got {text!r}")
    return list(chosen)


def spread(text: str) -> float:
    """A finite number from 0 up."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be finite and not negative, got {text}")
    return number


def arguments() -> argparse.ArgumentParser:
    """The flags of the recipe."""
    parser = recipe_parser("table1", __doc__)
    add = parser.add_argument
    add("--tasks", type=lines, default=lines("1-21"), help="lines such as 1,3,5-8; default all")
    add("--seeds", type=positive, default=10, help="searches per line and engine")
    add("--engine", nargs="+", choices=ENGINES, default=list(ENGINES), help="default all three")
    add("--noise", type=spread, default=0.0, help="of the targets, in their standard deviations")
    add("--functions", type=positive, help="most functions per search; default: the line's limit")
    return parser


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = arguments()
    args = parser.parse_args(argv)
    tasks = [Task.load(number) for number in args.tasks]
    engines = [engine for engine in ENGINES if engine in args.engine]
    if args.noise and (constant := [task.line for task in tasks if task.implicit]):
        parser.error(
            f"the targets of lines {constant} are constant, noise in units of their standard"
            " deviation is none; leave them out with --tasks 1-8,14-21"
        )
    out = prepare(args.out, "table1", args.overwrite)
    torch.set_num_threads(1)
    results: dict[str, Any] = {
        "rows": [],
        "seeds": args.seeds,
        "noise": args.noise,
        "command": command_line(),
        "versions": {
            **versions(),
            **{name: version(name) for name in ("numba", "sympy")},
        },
    }
    print(" | ".join(COLUMNS))
    total = len(tasks) * len(engines) * args.seeds
    with tqdm(total=total, disable=not sys.stderr.isatty(), leave=False) as bar:
        for task in tasks:
            rows = {}
            for engine in engines:
                bar.set_description(f"line {task.line}, {engine}")
                compile_for(task, engine)
                outcomes = []
                for seed in range(args.seeds):
                    outcomes.append(search(task, engine, seed, args.noise, args.functions))
                    bar.update()
                rows[engine] = summary(task, engine, outcomes)
            bar.write(line(task, rows), file=sys.stdout)
            results["rows"] += rows.values()
            # After each line: what a run that is cut off has found stays.
            (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"results in {out}")
    return results


if __name__ == "__main__":
    main()
