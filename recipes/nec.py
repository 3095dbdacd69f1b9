"""Accuracy at NEC, the features of a class in the mean: our formulas beside other sparse heads.

``python -m recipes.nec --data tiny200`` fits every method to the same rows, ResNet-50 features of
200 classes, at 5 to 30 features a class in the mean, and prints the mean test accuracy over the
seeds, its mean over the budgets (ANEC) and the share of the dense head's. Each method has the same
CPU seconds on one thread, and what it leaves open is chosen on validation rows cut from those to
learn from; the test rows are read once, in the end.

Methods: `ours` (`fit_path(per_class=True)`), `pruned` (gradual magnitude pruning of the dense
head), `glm_saga` (an elastic-net path cut to the budget), `l1` (an L1 path, the weights then fitted
again), `random` (features drawn at random, which says what accuracy alone is worth) and `dense`; if
asked for, `ternary`, `binary` (sums of roots whose weights are signs; `-by-class`: times a number
of each class), `pool50-real`, `pool50-ternary` and so on (the same of 50 or 100 shared features).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.output import quieten, say
from occamhead.commands.results import Run
from recipes.nec_tasks.flags import parsed
from recipes.shared.threads import on_one_thread


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the comparison; returns what it writes to results.json."""
    return on_one_thread(work, parsed(__doc__, argv), "nec")


def work(args: argparse.Namespace, run: Run) -> dict[str, Any]:
    """What the flags ask for."""
    from recipes.nec_tasks.judge import fit_and_test
    from recipes.nec_tasks.methods import METHODS
    from recipes.nec_tasks.rows import backbone_for, notice, read
    from recipes.nec_tasks.tables import draw, report, say_method

    quieten()
    rows: list[dict[str, Any]] = []
    backbone = backbone_for(args)
    results: dict[str, Any] = {"task": "nec", "notice": notice(args, backbone), "rows": rows}
    for seed in args.seeds:
        data = read(args, backbone, seed)
        if not rows:
            say(f"data: {data.description}, {len(data.classes)} classes")
            results |= {
                "data": data.description,
                "classes": list(data.classes),
                "n_train": len(data.train[1]),
                "n_test": len(data.test[1]),
                "seconds_budget": args.seconds,
            }
        for name in args.methods:
            asked = data, args.budgets, args.seconds, seed
            fit = partial(fit_and_test, name, METHODS[name], *asked)
            found = run.once(f"{seed} {name}", fit)
            say_method(found, name, seed)
            rows += found
            run.save(results)
    report(rows, args.budgets, results["notice"])
    draw(rows, run.folder / "nec.png", f"{results['data']}, {len(results['classes'])} classes")
    return run.finish(results)


if __name__ == "__main__":
    main()
