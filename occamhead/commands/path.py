"""``--mode path``: formulas of several sizes in one fit, and the choice among them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from occamhead.commands.output import say, say_table
from occamhead.rows.arrays import ArrayDataModule
from occamhead.training.path import fit_path
from occamhead.training.results import Fit, ParetoPath, PathPoint


def fit(data: ArrayDataModule, args: argparse.Namespace, trainer: Mapping[str, Any]) -> Fit:
    """Fit the path, print it and choose a point."""
    path = fit_path(
        data,
        args.budgets,
        per_class=args.per_class,
        nodes=args.nodes,
        terms=args.node_terms,
        steps=args.steps,
        seed=args.seed,
        class_weight=args.class_weight,
    )
    chosen = path.select(args.max_features)
    _say(path, chosen)
    return path.fit(chosen, data, trainer)


def _say(path: ParetoPath, chosen: PathPoint) -> None:
    lines = [
        (
            point.budget,
            point.features,
            point.features_per_class,
            point.operations,
            f"{point.validation_accuracy:.3f} ± {point.standard_error:.3f}",
            "chosen" if point is chosen else "",
        )
        for point in path
    ]
    say()
    say_table(("budget", "features", "a class", "operations", "accuracy held out", ""), lines, ())


def path_rows(path: ParetoPath) -> list[dict[str, Any]]:
    """The points, for results.json; `returns` as :class:`PathPoint` has it."""
    names = ("budget", "features", "features_per_class", "operations")
    numbers = ("validation_accuracy", "standard_error")
    return [
        {name: getattr(point, name) for name in (*names, *numbers)}
        | {"returns": {f"x{feature}": share for feature, share in point.returns.items()}}
        for point in path
    ]
