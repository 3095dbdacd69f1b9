"""Train a backbone through the formula, and read the formula off the backbone as it is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from occamhead.heads.base import Record, head_of, record_of
from occamhead.heads.digits import USUAL, choose_digits
from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import ArrayData, view_rows
from occamhead.rows.batches import Batches
from occamhead.rows.dense import choose_dense_head, fit_dense_head, teach
from occamhead.rows.metrics import accuracy, rates_of
from occamhead.saving import Kept
from occamhead.training.fit import fit_head
from occamhead.training.kept_training import train_kept
from occamhead.training.module import OccamModule
from occamhead.training.numbers import choose_penalty
from occamhead.training.renewal import FormulaRenewal, agreement, feature_drift, renew
from occamhead.training.results import Fit
from occamhead.training.trainer import shape
from occamhead.training.unfreezing import StagedUnfreezing
from occamhead.vision.backbones import Backbone
from occamhead.vision.datamodules import featurise
from occamhead.vision.pictures import PictureTensors, Splits, hold_out

# Adam's rate for the head, which is a formula already, and pictures in a batch.
HEAD_RATE, BATCH = 1e-3, 32


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned backbone and the formulas of its features.

    Args:
        backbone: The backbone with its new weights.
        data: Its features.
        fit: The head on these features; its module is the one that trained the backbone.
        facts: How features and formulas moved: shares and drifts by name, plain values.
    """

    backbone: Backbone
    data: ArrayData
    fit: Fit
    facts: dict[str, Any]


@dataclass(frozen=True)
class Schedule:
    """How the backbone is trained.

    Args:
        epochs: Epochs of fine-tuning.
        unfreeze: See :class:`StagedUnfreezing`: by default the last stage alone trains.
        backbone_rate: Learning rate of the last stage.
        rate_decay: Factor of the rate per stage before it.
        renew: Epochs from one renewal of the formula's numbers to the next.
        reselect: Let the final formula choose its features anew, among those of the tuned backbone.
        seed: Seed of the rows that are set aside, and of the batches.
    """

    epochs: int = 3
    unfreeze: Mapping[str, int] | Sequence[int] = (0,)
    backbone_rate: float = 1e-4
    rate_decay: float = 0.3
    renew: int = 1
    reselect: bool = False
    seed: int = 0


def finetune(
    splits: Splits,
    backbone: Backbone,
    schedule: Schedule | None = None,
    *,
    fit: Callable[[ArrayData], Fit] | None = None,
    description: str = "pictures",
    weights: str | None = None,
    cache: str | None = None,
    trainer: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
) -> FineTuned:
    """Fit a head, train the backbone through it, and fit the formulas to the new features.

    The first head and the backbone see the training pictures alone, so what is chosen afterwards on
    the validation pictures is chosen on rows that nothing was trained on. While the backbone
    trains, the head stays at its final temperature: what the backbone adapts to is the formula.

    Args:
        splits: Pictures to train on, to validate on and to test on, see
            :func:`occamhead.vision.photograph_splits`.
        backbone: What makes features of them, see :func:`occamhead.vision.load_backbone`.
        schedule: How the backbone is trained; None takes the defaults of :class:`Schedule`.
        fit: How a head is fitted on features; None takes :func:`occamhead.fit_head` at the size
            that a path would have (`max_features="auto"`).
        description: What the pictures are, in one line.
        weights: File of the backbone's weights, as it was given to ``load_backbone``.
        cache: Folder of the feature cache.
        trainer: Arguments of the ``Trainer`` (accelerator, devices, ...).
        checkpoint: Folder in which the training is kept while it runs; one that was stopped goes on
            from there, and ends as if it had not been. How `fit` fits is not compared.

    Raises:
        ValueError: If the schedule does not fit the backbone, or the checkpoint is of another run.

    Example:
        >>> # Skipped: it needs photographs.
        >>> from occamhead import finetune
        >>> from occamhead.vision import load_backbone, photograph_splits
        >>> splits, _ = photograph_splits("hymenoptera")  # doctest: +SKIP
        >>> tuned = finetune(splits, load_backbone("resnet50"))  # doctest: +SKIP
        >>> tuned.fit.head.formula().text()  # doctest: +SKIP
    """
    schedule, options = schedule or Schedule(), trainer or {}
    fit = fit or partial(fit_head, max_features="auto")

    def features(of: Splits, made_by: Backbone) -> ArrayData:
        arrays = featurise(of, description, made_by, cache, progress=False)
        return ArrayData(arrays.train, arrays.validation, arrays.test, classes=arrays.classes)

    inner = hold_out(splits.train, 0.2, schedule.seed)
    kept = Kept(checkpoint)
    if kept.keeps:
        of = {"backbone": backbone.fingerprint, "pictures": splits.train.fingerprint()}
        kept.check({**of, "schedule": repr(schedule)})
    of_first = Splits(*inner, splits.test)
    first, asked = _first(kept, lambda: fit(features(of_first, backbone)).head)
    module, renewal = _train(splits, backbone, first, schedule, weights, options, kept)
    assert module.backbone is not None
    tuned = backbone.fine_tuned(module.backbone)
    old, new = features(splits, backbone), features(splits, tuned)
    facts = {
        "agreement_at_renewals": [row["agreement"] for row in renewal.renewals],
        **_moved(first, module.head, old, new),
    }
    if schedule.reselect:
        final = fit(new)
        module.head.load_state_dict(final.head.state_dict())
        final = replace(final, head=module.head.eval(), module=module)
    else:
        final = _refit(module, new, asked)
    return FineTuned(tuned, new, final, facts)


def _train(
    splits: Splits,
    backbone: Backbone,
    head: OccamHead,
    schedule: Schedule,
    weights: str | None,
    trainer: Mapping[str, Any],
    kept: Kept,
) -> tuple[OccamModule, FormulaRenewal]:
    """Train backbone and head on the training pictures."""
    module = OccamModule(
        num_classes=head.out_features,
        backbone=backbone.name,
        weights=weights,
        head={**shape(head), "digits": USUAL},
        initialise=False,
        anneal_fraction=0.0,
        learning_rate=HEAD_RATE,
        backbone_learning_rate=schedule.backbone_rate,
    )
    module.head.load_state_dict(head.state_dict())
    pictures = PictureTensors(splits.train, backbone.transform)
    loader = Batches(pictures, BATCH, shuffle=True, num_workers=1)
    renewal = FormulaRenewal(schedule.renew)
    options: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "max_epochs": schedule.epochs,
        "enable_model_summary": False,
        "callbacks": [StagedUnfreezing(schedule.unfreeze, schedule.rate_decay), renewal],
        **trainer,
    }
    pl.seed_everything(schedule.seed, verbose=False)
    train_kept(module, loader, options, kept, "backbone")
    return module.cpu().eval(), renewal


def _first(kept: Kept, make: Callable[[], OccamHead]) -> tuple[OccamHead, int | None]:
    """The head to start from, made once, and the digits that it was asked for."""
    done = kept.read("first head")
    if done is None:
        made = make()
        asked = None if made.origin is None else made.origin.digits
        done = {"digits": asked, "head": record_of(made)._asdict()}
        kept.write("first head", done)
    head = head_of(Record(**done["head"]))
    assert isinstance(head, OccamHead)
    return head.eval(), done["digits"]


def _moved(first: OccamHead, last: OccamHead, old: ArrayData, new: ArrayData) -> dict[str, Any]:
    """How far features and formulas moved, on the validation rows."""
    before, after = view_rows(old.arrays.validation), view_rows(new.arrays.validation)
    formula, tuned = first.formula(), last.formula()
    drift = feature_drift(before[0], after[0], tuned.features)
    return {
        **{f"drift_{name}": value for name, value in asdict(drift).items()},
        "validation_accuracy_before": accuracy(formula, before),
        "validation_accuracy_of_old_formula": accuracy(formula, after),
        "agreement_with_before": agreement(formula(before[0]), tuned(after[0])),
    }


def _refit(module: OccamModule, data: ArrayData, digits: int | None) -> Fit:
    """The numbers of the tuned head's formulas, and a dense head, fitted on the final features.

    Penalties and temperature are chosen on the validation rows; then all numbers are fitted on
    training and validation rows together.
    """
    head = module.head
    train, validation = view_rows(data.arrays.train), view_rows(data.arrays.validation)
    together = view_rows(data.merged().arrays.train)
    dense, dense_penalty = choose_dense_head(train, validation, data.num_classes)
    targets = teach(dense, *train)
    renew(head, train, module.hparams["constant_penalty"], targets)
    penalty, _ = choose_penalty(head, train, validation, targets)
    with torch.no_grad():
        scores = head(validation[0])
    rates = rates_of(scores, validation[1])
    dense = fit_dense_head(together, data.num_classes, dense_penalty, start=dense)
    renew(head, together, penalty, teach(dense, *together))
    choose_digits(head, [together[0]], digits)
    module.hparams["head"] = {**module.hparams["head"], "digits": head.digits}
    head.calibrate(scores, validation[1])
    return Fit(head.eval(), dense, module, rates.accuracy, penalty, (), rates=rates)
