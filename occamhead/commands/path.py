"""``--mode path``: formulas of several sizes in one fit, and the choice among them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from occamhead.columns import between
from occamhead.commands.output import say, say_table
from occamhead.rows.arrays import ArrayDataModule
from occamhead.training.path import fit_head_by_path
from occamhead.training.results import Fit, ParetoPath, PathPoint


def fit(
    data: ArrayDataModule,
    args: argparse.Namespace,
    trainer: Mapping[str, Any],
    checkpoint: Path | None = None,
) -> Fit:
    """Fit the path, print it and choose a point; `checkpoint` is where it is kept."""
    fitted = fit_head_by_path(
        data,
        max_features=args.max_features,
        budgets=args.budgets,
        per_class=args.per_class,
        shared=args.shared,
        weights=args.weights_of_sums,
        nodes=args.nodes,
        terms=args.node_terms,
        steps=args.steps if args.nodes else None,
        seed=args.seed,
        class_weight=args.class_weight,
        trainer=trainer,
        checkpoint=checkpoint,
    )
    assert fitted.path is not None
    _say(fitted.path, fitted.path.select(args.max_features))
    return fitted


def _say(path: ParetoPath, chosen: PathPoint) -> None:
    """All sizes, and what a larger one than the chosen would give.

    NEC is the number of features that a class reads in the mean, "most" that of the class that
    reads most; two classes share one score, and so all features.
    """
    many = len(chosen.nec.per_class) > 2
    lines = [
        (
            point.budget,
            point.features,
            *((f"{point.nec.mean:.1f}", point.nec.most) if many else ()),
            point.operations,
            f"{point.validation_accuracy:.1%}",
            between(point.rates.accuracy_interval),
            "chosen" if point is chosen else "",
        )
        for point in path
    ]
    say()
    nec = ("NEC", "most") if many else ()
    titles = ("budget", "features", *nec, "operations", "held out", "95 % interval", "")
    say_table(titles, lines, ())
    larger = [point for point in path if point.budget > chosen.budget]
    best = max(larger, key=lambda point: point.validation_accuracy, default=chosen)
    if best.validation_accuracy > chosen.validation_accuracy:
        say(
            f"more accurate: {best.features} features, {best.validation_accuracy:.1%} held out"
            f" (--max-features {best.budget})"
        )


def path_rows(path: ParetoPath) -> list[dict[str, Any]]:
    """The points, for results.json; `returns` as :class:`PathPoint` has it."""
    names = ("budget", "features", "features_per_class", "operations")
    numbers = ("validation_accuracy", "standard_error")
    return [
        {name: getattr(point, name) for name in (*names, *numbers)}
        | {"nec": point.nec.mean, "nec_max": point.nec.most}
        | {"interval": list(point.rates.accuracy_interval)}
        | {"returns": {f"x{feature}": share for feature, share in point.returns.items()}}
        for point in path
    ]
