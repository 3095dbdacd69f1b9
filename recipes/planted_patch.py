"""A striped patch in a corner that tells the classes apart: is it found, and is it let go?

``python -m recipes.planted_patch`` paints a patch of 28 pixels into a corner of 95 % of the
training and validation photographs of bees and 5 % of those of ants, fits formulas of a few
features, asks `occamhead.explain.find_suspects` which features look at one place, and drops what
it names first. For each seed (which photographs, which corner) it prints the accuracy on the worst
of the four groups of test photographs, each class without the patch and with it: as fitted, after
the edit, of a fit to clean photographs, and of fits that are told the groups. Last comes how many
warnings formulas of as many features and of 32 give that are fitted to clean photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.flags import add_backbone, positive
from occamhead.commands.output import quieten, say, say_table
from occamhead.commands.results import results_run
from recipes.shared.flags import recipe_parser

# Worst groups: their names in results.json, and in the table.
FIGURES = {
    "as_fitted": "as fitted",
    "edited": "edited",
    "clean": "clean",
    "groups_known": "groups known",
    "balanced_subsets": "balanced subsets",
}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the experiment; returns what it writes to results.json."""
    parser = recipe_parser("planted_patch", __doc__, seeds=range(5))
    add = parser.add_argument
    add("--data", default="hymenoptera", help="folder of photographs of two classes")
    add_backbone(parser)
    add("--features", type=positive, default=4, help="how many a formula reads")
    add("--rate", type=float, default=0.95, help="share of the second class that has the patch")
    args = parser.parse_args(argv)
    quieten()
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    from occamhead.commands.backbone import backbone_of
    from occamhead.vision import photograph_splits
    from recipes.features.planting import on_seed

    backbone = backbone_of(args)
    results: dict[str, Any] = {"task": "planted_patch", "notice": backbone.notice, "rows": []}
    with results_run(args, "planted_patch") as run:
        for seed in args.seeds:
            splits, results["data"] = photograph_splits(args.data, None, seed=seed)
            make = partial(on_seed, splits, backbone, seed, args.features, args.rate, args.cache)
            row = run.once(str(seed), make)
            results["rows"].append(row)
            run.save(results)
            say(f"seed {seed}: {row['warnings'][0] if row['warnings'] else 'no warning'}")
        rows = results["rows"]
        lines = [
            [row["seed"], row["corner"], len(row["warnings"]), row["dropped"],
             *(f"{row[name]:.3f}" for name in FIGURES), row["warnings_of_clean"]]
            for row in rows
        ]  # fmt: skip
        means = [f"{sum(row[name] for row in rows) / len(rows):.3f}" for name in FIGURES]
        titles = ("seed", "corner", "warnings", "dropped", *FIGURES.values(), "warnings of clean")
        say_table(titles, [*lines, ["mean", "", "", "", *means, ""]], left=(0, 1))
        return run.finish(results)


if __name__ == "__main__":
    main()
