"""Accuracy against the number of features: formulas, sparse linear heads, a tree, a GAM, ...

``python -m recipes.compare_heads --data hymenoptera --backbone resnet50`` fits every method on the
same cached features, the same split of each seed and the same budget of CPU seconds, chooses on
validation rows, tests once, and prints the mean test accuracy over the seeds. ``--data mnist
--pixels --per-class 16 120`` counts the pixels that each class reads; ``--data digits`` takes
scikit-learn's digits of 8 x 8 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.output import quieten, say
from occamhead.commands.results import results_run
from recipes.features.comparison_flags import parsed


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the comparison; returns what it writes to results.json."""
    args = parsed(__doc__, argv)
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    from occamhead.commands.backbone import backbone_of
    from recipes.features.comparison import (
        OURS,
        cells_won,
        fit_and_test,
        installed,
        mean_accuracies,
    )
    from recipes.features.comparison_report import report, say_fit
    from recipes.features.splits import read

    quieten()
    with results_run(args, "compare_heads") as run:
        backbone = None if args.pixels or args.stored else backbone_of(args)
        arrays = {seed: read(args, backbone, seed) for seed in args.seeds}
        first = arrays[args.seeds[0]]
        say(f"data: {first.description}")
        if backbone and backbone.notice:
            say(f"notice: {backbone.notice}")
        methods, missing = installed(args.methods, len(first.classes))
        for name, reason in missing.items():
            say(f"without {name}: it {reason}")
        counts, cut = sorted(set(args.per_class or args.features)), []
        rows: list[dict[str, Any]] = []
        for seed, data in arrays.items():
            for name in methods:
                fit = partial(fit_and_test, name, data, counts, args, seed)
                found, was_cut = run.once(f"{seed} {name}", fit)
                rows += found
                cut += [{"method": name, "seed": seed}] if was_cut else []
                say_fit(seed, name, found, was_cut)
        means = mean_accuracies(rows)
        results = {
            "task": "compare_heads",
            "data": first.description,
            "classes": list(first.classes),
            "backbone": backbone.name if backbone else "pixels" if args.pixels else "made before",
            "weights": backbone.weights if backbone else "none",
            "notice": backbone.notice if backbone else None,
            "counts": counts,
            "per_class": bool(args.per_class),
            "n_train": len(first.train[1]),
            "n_val": len(first.validation[1]),
            "n_test": len(first.test[1]),
            "seconds_budget": args.seconds,
            "missing": missing,
            "cut": cut,
            "cells_won": {name: cells_won(means, name) for name in OURS if name in means},
            "rows": rows,
        }
        report(results, means, run.folder)
        return run.finish(results)


if __name__ == "__main__":
    main()
