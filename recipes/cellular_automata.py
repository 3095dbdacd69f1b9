"""Cellular automata from windows of cells: the rule as a program that is proven to be the network.

``python -m recipes.cellular_automata`` learns from windows and the next state of their centre

- elementary: all 256 elementary rules, each from its 8 windows;
- life: Conway's Life from all 512 windows, then run on a board, and from random ones;
- totalistic: random rules that count living neighbours, from all 512 windows;
- named: HighLife, Day & Night, Maze, Seeds and Life without Death from random windows;
- noise: Life from windows drawn with repetition of whose labels some are flipped;
- any: the 256 elementary rules at once, whose eight bits stand beside the window, as one program.

Every network is distilled into a program. Beside it stand the two-level minimum (the shortest
``or`` of ``and``s; what it says of windows that were not seen is free), a decision tree, an MLP and
a logistic regression. "Exact" means right on every window, seen or not. Tokens are Python's own,
below the docstring and the line that names the inputs. The program learned from all of Life's
windows becomes ``life.py``; ``--picture`` lets that file run a glider gun.

Source: Blazek et al. 2024 (Nat Comput Sci 4, 110-118), whose figure 2 has the elementary rules and
Life; the other tasks are ours.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.output import say
from occamhead.commands.results import Run
from occamhead.saving import write_whole
from recipes.automata.flags import parsed
from recipes.shared.threads import on_one_thread


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    return on_one_thread(work, parsed(__doc__, argv), "cellular_automata")


def work(args: argparse.Namespace, run: Run) -> dict[str, Any]:
    """What the flags ask for."""
    from recipes.automata.methods import by_essence
    from recipes.automata.picture import picture_gun
    from recipes.automata.rules import LIFE, WINDOW
    from recipes.automata.samples import without_repetition
    from recipes.automata.tables import say_board
    from recipes.automata.tasks import TASKS, on_board

    rows, boards = [], []
    for task in args.tasks:
        rows += run.once(task, partial(TASKS[task], args))
        if task == "life" and WINDOW.num_rows in args.samples:
            row, program = by_essence(without_repetition("life", LIFE, WINDOW.num_rows, 0))
            write_whole(run.folder / "life.py", row["program"])
            boards.append(on_board(program, args.board, args.steps, args.seeds[0]))
            say_board(boards[-1])
    results = run.finish({"task": "cellular_automata", "rows": rows, "boards": boards})
    if args.picture:
        for path in picture_gun(run.folder / "life.py", "all windows of Life"):
            say(f"picture in {run.shown(path)}")
    return results


if __name__ == "__main__":
    main()
