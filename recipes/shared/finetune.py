"""Train the backbone through the formula, then read the formula off the backbone as it is then."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from occamhead import OccamHead, OccamModule
from occamhead.heads.calibration import fit_temperature
from occamhead.rows.arrays import ArrayData, as_rows
from occamhead.rows.dense import choose_dense_head, fit_dense_head, teach
from occamhead.rows.metrics import accuracy
from occamhead.training.numbers import choose_penalty
from occamhead.training.renewal import FormulaRenewal, agreement, feature_drift, renew
from occamhead.training.results import Fit
from occamhead.training.unfreezing import StagedUnfreezing
from occamhead.vision import Backbone, PictureTensors, Splits, featurise, hold_out
from recipes.shared.task import Task


def add_arguments(parser: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """The flags of --mode finetune."""
    add = parser.add_argument_group("--mode finetune").add_argument
    add("--epochs", type=positive, default=3, help="epochs of fine-tuning; default 3")
    add(
        "--unfreeze",
        type=int,
        nargs="+",
        default=[0],
        metavar="EPOCH",
        help="epoch from which the backbone's last stage trains, that of the stage before it, and"
        " so on; by default the last stage alone trains, from the start",
    )
    add(
        "--backbone-rate",
        type=float,
        default=1e-4,
        help="learning rate of the last stage; default 1e-4",
    )
    add("--rate-decay", type=float, default=0.3, help="factor of the rate per stage; default 0.3")
    add(
        "--renew",
        type=positive,
        default=1,
        metavar="EPOCHS",
        help="fit the formula's numbers to the drifting features so often; default 1",
    )
    add(
        "--reselect",
        action="store_true",
        help="let the final formula choose its features anew, among those of the tuned backbone",
    )


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned backbone and the formulas of its features.

    Args:
        backbone: The backbone with its new weights.
        data: Its features.
        fit: The head on these features; its module is the one that trained the backbone.
        facts: How it was trained, and how features and formulas moved.
    """

    backbone: Backbone
    data: ArrayData
    fit: Fit
    facts: dict[str, Any]


def finetune(
    task: Task,
    backbone: Backbone,
    fit: Callable[[ArrayData], Fit],
    args: argparse.Namespace,
    trainer: dict[str, Any],
) -> Tuned:
    """Fit a head, train the backbone through it, and fit the formulas to the new features.

    The first head and the backbone see the training rows alone, so what is chosen afterwards on
    the validation rows is chosen on rows that nothing was trained on.

    Args:
        fit: How a head is fitted on features.
    """
    inner = hold_out(task.splits.train, 0.2, args.seed)
    data = _features(Splits(*inner, task.splits.test), task, backbone, args)
    first = fit(data).head
    module, renewal = _train(task, backbone, first, args, trainer)
    assert module.backbone is not None
    tuned = backbone.fine_tuned(module.backbone)
    old = _features(task.splits, task, backbone, args)
    new = _features(task.splits, task, tuned, args)
    facts = {
        **{name: getattr(args, name) for name in ("epochs", "unfreeze", "backbone_rate")},
        **{name: getattr(args, name) for name in ("rate_decay", "renew", "reselect")},
        "agreement_at_renewals": [row["agreement"] for row in renewal.renewals],
        **_moved(first, module.head, old, new),
    }
    if args.reselect:
        final = fit(new)
        module.head.load_state_dict(final.head.state_dict())
        final = replace(final, head=module.head.eval(), module=module)
    else:
        final = _refit(module, new)
    return Tuned(tuned, new, final, facts)


def _features(
    splits: Splits, task: Task, backbone: Backbone, args: argparse.Namespace
) -> ArrayData:
    arrays = featurise(splits, task.source, backbone, args.cache, progress=False)
    return ArrayData(arrays.train, arrays.validation, arrays.test, classes=arrays.classes)


def _train(
    task: Task,
    backbone: Backbone,
    head: OccamHead,
    args: argparse.Namespace,
    trainer: dict[str, Any],
) -> tuple[OccamModule, FormulaRenewal]:
    """Train backbone and head on the training pictures.

    The head stays at its final temperature: what the backbone adapts to is the formula.
    """
    config = {k: v for k, v in head.config().items() if not k.endswith("_features")}
    module = OccamModule(
        num_classes=head.out_features,
        backbone=backbone.name,
        weights=args.weights,
        head=config,
        initialise=False,
        anneal_fraction=0.0,
        learning_rate=1e-3,
        backbone_learning_rate=args.backbone_rate,
    )
    module.head.load_state_dict(head.state_dict())
    pictures = PictureTensors(task.splits.train, backbone.transform)
    loader: DataLoader[Any] = DataLoader(pictures, 32, shuffle=True, num_workers=1)
    renewal = FormulaRenewal(args.renew)
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, **trainer}
    pl.seed_everything(args.seed, verbose=False)
    pl.Trainer(
        max_epochs=args.epochs,
        enable_model_summary=False,
        callbacks=[StagedUnfreezing(args.unfreeze, args.rate_decay), renewal],
        **options,
    ).fit(module, loader)
    return module.cpu().eval(), renewal


def _moved(first: OccamHead, last: OccamHead, old: ArrayData, new: ArrayData) -> dict[str, Any]:
    """How far features and formulas moved, on the validation rows."""
    before, after = as_rows(old.arrays.validation), as_rows(new.arrays.validation)
    formula, tuned = first.formula(), last.formula()
    drift = feature_drift(before[0], after[0], tuned.features)
    return {
        **{f"drift_{name}": value for name, value in asdict(drift).items()},
        "validation_accuracy_before": accuracy(formula, before),
        "validation_accuracy_of_old_formula": accuracy(formula, after),
        "agreement_with_before": agreement(formula(before[0]), tuned(after[0])),
    }


def _refit(module: OccamModule, data: ArrayData) -> Fit:
    """The numbers of the tuned head's formulas, and a dense head, fitted on the final features.

    Penalties and temperature are chosen on the validation rows; then all numbers are fitted on
    training and validation rows together.
    """
    head = module.head
    train, validation = as_rows(data.arrays.train), as_rows(data.arrays.validation)
    together = as_rows(data.merged().arrays.train)
    dense, dense_penalty = choose_dense_head(train, validation, data.num_classes)
    targets = teach(dense, *train)
    renew(head, train, module.hparams["constant_penalty"], targets)
    penalty, _ = choose_penalty(head, train, validation, targets)
    with torch.no_grad():
        temperature = fit_temperature(head(validation[0]), validation[1])
    reached = accuracy(head, validation)
    dense = fit_dense_head(together, data.num_classes, dense_penalty, start=dense)
    renew(head, together, penalty, teach(dense, *together))
    head.calibration.fill_(math.log(temperature))
    return Fit(head.eval(), dense, module, reached, penalty, ())
