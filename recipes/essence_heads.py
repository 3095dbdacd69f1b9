"""Essence heads on real features, beside OccamHead, a dense head and an RBF machine.

``python -m recipes.essence_heads`` takes scikit-learn's digits, iris, wine and cancer tables (70
rows of 100 to learn from, as many seeds as splits), two sets of photographs by their features, and
three shapes in the plane that no few lines bound. Everything is chosen among the rows to learn from
(in five folds; OccamHead and dense head on a fifth), then fitted to all of them, and tested once:

- essence: the printed source of the circuit that did best in the folds;
- essence_short: that of the circuit of fewest weights that did about as well;
- essence_soft: the soft network of `essence`;
- occamhead: the printed formula of an OccamHead of at most 32 features, or 16 for each of several
  classes;
- dense: logistic regression; rbf: a support vector machine with a Gaussian kernel; mlp.

On the shapes: circuits of lines, of quadrics, and of formulas that an OccamNet finds, with the
number of their differentiae. No certificate is possible: real inputs have no finite domain.

Source: the heads are those of Blazek & Lin, Nat Comput Sci 1, 607-618, 2021, as
``occamhead.essence.fit_real_circuit`` has them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from occamhead.commands.output import quieten, say
from occamhead.commands.results import Run
from recipes.features.essence_flags import SHAPES, TABLES, arguments
from recipes.shared.threads import on_one_thread


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    return on_one_thread(work, arguments(__doc__).parse_args(argv), "essence_heads")


def work(args: argparse.Namespace, run: Run) -> dict[str, Any]:
    """What the flags ask for."""
    from recipes.features.essence_methods import on_rows, on_shape, say_methods
    from recipes.features.parts import photographs, table

    quieten()
    rows: list[dict[str, Any]] = []
    notices = []
    for task in args.tasks:
        for seed in args.seeds:
            if task in SHAPES:
                found = on_shape(task, seed)
            elif task in TABLES:
                found = on_rows(task, *table(task, seed), seed)
            else:
                train, validation, test, notice = photographs(task, seed, args)
                found = on_rows(task, train, validation, test, seed)
                notices += [notice] if notice and notice not in notices else []
            rows += found
            cells = ", ".join(f"{row['method']} {row['accuracy']:.3f}" for row in found)
            say(f"{task}, seed {seed}: {cells}")
        say_methods(task, [row for row in rows if row["task"] == task])
    for notice in notices:
        say(f"notice: {notice}")
    return run.finish({"task": "essence_heads", "notices": notices, "rows": rows})


if __name__ == "__main__":
    main()
