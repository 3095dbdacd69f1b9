"""Laws and programs found in data (paper, Table 1, lines 1 to 21), beside two yardsticks.

``python -m recipes.table1`` runs every line by three engines: ours; ``literal``, the paper's
algorithm to the letter; and ``no-learning``, which samples the untrained network for as many
functions, so that a line it solves says nothing about learning. Settings and the paper's figures
are in ``configs/table1``; ``recipes.table1_lines.judge`` says when an answer counts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.output import say
from occamhead.commands.results import results_run
from recipes.table1_lines.flags import ENGINES, parsed


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    args, tasks = parsed(__doc__, argv)
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    import torch
    from tqdm import tqdm

    from recipes.table1_lines.printed import line, titles
    from recipes.table1_lines.search import Outcome, found, summary

    engines = [engine for engine in ENGINES if engine in args.engine]
    with results_run(args, "table1") as run:
        torch.set_num_threads(1)
        results: dict[str, Any] = {"rows": [], "seeds": args.seeds, "noise": args.noise}
        say(titles())
        total = len(tasks) * len(engines) * args.seeds
        with tqdm(total=total, disable=not sys.stderr.isatty(), leave=False) as bar:
            for task in tasks:
                rows = {}
                for engine in engines:
                    bar.set_description(f"line {task.line}, {engine}")
                    outcomes = []
                    for seed in range(args.seeds):
                        make = partial(found, task, engine, seed, args.noise, args.functions)
                        outcome = run.once(f"{task.line} {engine} {seed}", make)
                        outcomes.append(Outcome(**outcome))
                        bar.update()
                    rows[engine] = summary(task, engine, outcomes)
                bar.write(line(task, rows), file=sys.stdout)
                results["rows"] += rows.values()
                # After each line: what a run that is cut off has found stays.
                results = run.save(results, "numba", "sympy")
        say(f"results in {run.final}")
        return results


if __name__ == "__main__":
    main()
