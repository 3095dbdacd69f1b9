"""What the image recipes share: flags, features, fitting, fine-tuning, the final test."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities.rank_zero import rank_zero_only

from occamhead.commands import path, report
from occamhead.commands.backbone import backbone_of
from occamhead.commands.finetune import facts_of, schedule_of
from occamhead.commands.names import read_names
from occamhead.commands.output import quieten, say
from occamhead.commands.results import MODEL, PAGE, Run, results_run
from occamhead.commands.task import Task
from occamhead.explain.looking import Look
from occamhead.explain.material import MANY
from occamhead.expression.formats.drawing import check_drawing
from occamhead.heads.model_file import save_model
from occamhead.heads.naming import as_names
from occamhead.rows.arrays import ArrayDataModule
from occamhead.saving import NOWHERE, Kept
from occamhead.training.finetune import finetune
from occamhead.training.fit import fit_head
from occamhead.training.kept_training import rows_digest
from occamhead.training.results import Fit
from occamhead.vision import Backbone, PictureRows

Tell = Callable[[Path, Fit, ArrayDataModule, dict[str, Any]], None]
"""Says how a run went: the folder of its files, the fit, its rows and results."""


def run(
    task: Task,
    args: argparse.Namespace,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Features, head, test, report; the test pictures' labels are read in the last step only.

    Args:
        task: The pictures.
        args: The flags of :func:`occamhead.commands.image_flags.add_image_flags`, and `out`.
        tell: Says how it went, when all is written; None says all that the recipes do.
    """
    quieten()
    save = args.mode == "finetune" if args.save_model is None else args.save_model
    if save and task.pixels:
        raise ValueError("--save-model needs a backbone; formulas of pixels are in formula.json")
    if args.class_weight and args.mode == "finetune":
        raise ValueError(
            "--class-weight is for heads on frozen features: leave it out, or --mode finetune"
        )
    names = read_names(args.names) if args.names else None
    with results_run(args, task.name) as run:
        return _run(task, args, tell, run, save, names)


def _run(
    task: Task,
    args: argparse.Namespace,
    tell: Tell | None,
    run: Run,
    save: bool,
    names: Mapping[str, str] | None,
) -> dict[str, Any]:
    check_drawing()
    backbone = backbone_of(args) if task.needs_backbone else None
    say(f"data: {task.source}")
    if task.rows is None:
        say("features: " + (f"{backbone.name}, {backbone.weights}" if backbone else "pixels"))
    if skipped := task.splits.train.skipped + task.splits.test.skipped:
        say(f"skipped {len(skipped)} unreadable pictures: {', '.join(skipped)}")

    start = time.perf_counter()
    data: ArrayDataModule = task.rows or _rows(task, args, backbone)
    feature_seconds = time.perf_counter() - start
    start = time.perf_counter()
    trainer: dict[str, Any] = {
        "accelerator": args.accelerator,
        "devices": args.devices,
        "strategy": args.strategy,
        "precision": args.precision,
        "enable_progress_bar": sys.stderr.isatty(),
    }
    tuning = None
    if args.mode == "finetune":
        assert backbone is not None

        def fit_rows(rows: ArrayDataModule) -> Fit:
            # Fine-tuning may fit a head before it and one after, to other features.
            kept = run.kept.part(f"head {rows_digest(rows.arrays)}")
            return fit_features(rows, args, trainer, names, kept)

        tuned = finetune(
            task.splits,
            backbone,
            schedule_of(args),
            fit=fit_rows,
            description=task.source,
            weights=args.weights,
            cache=args.cache,
            trainer=trainer,
            checkpoint=run.kept.part("backbone").folder,
        )
        backbone, data, fit = tuned.backbone, tuned.data, tuned.fit
        tuning = facts_of(tuned, args)
    else:
        fit = fit_features(data, args, trainer, names, run.kept.part("head"))
    train_seconds = time.perf_counter() - start
    results = report.write(
        run, task, args.mode, fit, data, backbone, args.seed, feature_seconds, train_seconds, tuning
    )
    if tell is None:
        report.say_results(run.final, task, results)
    if save:
        assert backbone is not None
        write_model(run, task, backbone, fit, data, args)
    if args.report:
        report.write_page(run.folder, task, fit, data, backbone, results)
    if tell is not None:
        tell(run.final, fit, data, results)
    elif args.report:
        say(f"explained in {run.final / PAGE}")
    return results


def _rows(task: Task, args: argparse.Namespace, backbone: Backbone | None) -> PictureRows:
    """The features of the pictures; a page of few classes has seen them pass."""
    few = len(task.splits.train.classes) < MANY
    seen = few and backbone and args.report and args.mode != "finetune"
    look = Look(task.splits) if seen else None
    rows = PictureRows(
        task.splits, task.source, backbone, args.cache, progress=sys.stderr.isatty(), watch=look
    )
    rows.setup()
    if look is not None:
        look.keep(rows)
    return rows


def fit_features(
    data: ArrayDataModule,
    args: argparse.Namespace,
    trainer: dict[str, Any],
    names: Mapping[str, str] | None = None,
    kept: Kept = NOWHERE,
) -> Fit:
    """A head on frozen features, fitted as the mode says, which are called by these names."""
    data.feature_names = as_names(names, data.num_features)
    if args.mode == "path":
        return path.fit(data, args, trainer, kept.part("path").folder)
    given = {name: getattr(args, name) for name in ("restarts", "steps")}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options.update(
        # Only backprop votes on a number of its own; the other modes choose their size.
        max_features=args.max_features
        or (args.usual_features if args.mode == "backprop" else "auto"),
        seed=args.seed,
        trainer=trainer,
        head={"bases": [f"affine{args.terms}"]},
        class_weight=args.class_weight,
    )
    start = None
    if args.mode != "evolution":
        fit = fit_head(data, checkpoint=kept.part("backprop").folder, **options)
        if args.mode != "backprop+evolution":
            return fit
        start = fit.head
    # numba takes a while to load, and only a search needs it.
    from occamhead.training.evolution import fit_head_by_evolution

    searches = kept.part("evolution").folder
    return fit_head_by_evolution(data, start=start, checkpoint=searches, **options)


@rank_zero_only
def write_model(
    run: Run,
    task: Task,
    backbone: Backbone,
    fit: Fit,
    data: ArrayDataModule,
    args: argparse.Namespace,
) -> None:
    """Write backbone and formulas as one file, which load_model reads without this code."""
    facts = {"task": task.name, "data": task.source, "mode": args.mode, "seed": str(args.seed)}
    target = run.folder / MODEL
    file = save_model(target, backbone, fit.head, data.classes, facts=facts, overwrite=True)
    say(f"backbone and formulas in {run.shown(file)}")
