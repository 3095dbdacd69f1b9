"""Fit a head on features by backprop: restarts, the choice among them, and the final numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from occamhead.checks import check_counts
from occamhead.heads.occam import OccamHead
from occamhead.rows.objective import one_thread
from occamhead.rows.weights import ClassWeight
from occamhead.saving import Kept
from occamhead.training.course import (
    VOTED,
    Ground,
    Round,
    Settings,
    course,
    feature_names_of,
    finish,
    head_options,
    prepare,
)
from occamhead.training.kept_training import kept_fit, train_kept
from occamhead.training.module import OccamModule
from occamhead.training.path import Size, check_size, size_for
from occamhead.training.results import Fit
from occamhead.training.trainer import short_options


@one_thread()
def fit_head(
    data: Any,
    *,
    max_features: Size = VOTED,
    screen: int = 512,
    restarts: int = 8,
    steps: int | None = None,
    seed: int = 0,
    distil: bool = True,
    loss: str = "cross_entropy",
    bases: Any = None,
    head: Mapping[str, Any] | None = None,
    class_weight: ClassWeight = None,
    sample_weight: Any = None,
    select: str = "loss",
    module: Mapping[str, Any] | None = None,
    trainer: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
) -> Fit:
    """Fit a head on features: which features its formulas use, and their numbers.

    First, on the training rows alone, with the validation rows held out:

    1. A dense logistic head is fitted, its ridge penalty chosen by validation loss.
    2. Half of `restarts` soft networks are trained from different starts, towards the class
       probabilities of the dense head rather than the labels (distillation, Hinton et al. 2015,
       arXiv 1503.02531). With few rows of many features, some forty features separate the labels
       of any training set, but only telling ones reproduce the margins of a regularised head.
       The penalty on the formulas' numbers is chosen by validation loss.

    Then, with these choices, on training and validation rows together:

    3. The dense head is fitted again, and `restarts` networks are trained. They vote: the
       `max_features` features that most of their formulas use go on (stability selection,
       Meinshausen and Buehlmann 2010, arXiv 0809.2932).
    4. As many networks are trained among those features alone, and the numbers of each formula
       fitted anew. The formula that comes nearest to its targets is kept.

    The networks see the `screen` features whose class means differ most (sure independence
    screening, Fan and Lv 2008); the head that is returned takes all features.

    The temperature of the head's probabilities is fitted to what the formulas of step 2, under the
    chosen penalty, say of the validation rows. The head itself is trained on these too, so its own
    scores there are too good to tell how sure it may be; those formulas are made as it is.

    Test rows are not touched.

    Args:
        data: Rows of features and labels: a data module with arrays, a pair `(x, y)`, or a loader
            of such batches; see :class:`occamhead.rows.arrays.ArrayData` for what x and y may be.
            Of a pair or a loader a fifth of each class is set aside for validation, drawn by
            `seed`, and no test rows: those are the caller's.
        max_features: Most features that the formulas may use in all; "auto" takes as few as
            :func:`occamhead.fit_path` does by itself (:func:`occamhead.training.path.size_for`),
            None skips the vote.
        screen: Features that the networks see.
        restarts: How many starts in each of the last two rounds.
        steps: Optimiser steps of each round; None takes 8 epochs, but at least 300 steps.
        seed: Seed of the random starts and batches.
        distil: Learn from the dense head rather than from the labels.
        loss: What is minimised, see :class:`OccamModule`. Where it is not "cross_entropy", the
            dense head is linear in the same sense. Numbers have no probabilities to calibrate.
        bases: What the formulas are made of, see :class:`OccamHead`; None takes weighted sums.
        head: Further arguments of :class:`OccamHead` other than sizes, such as `depth`.
        class_weight: "balanced" counts the rows of a class the more, the fewer they are, so that
            all classes weigh alike in all; or a factor for some classes by number or name, or for
            each. In what is minimised, not in the accuracies. Probabilities are then those of rows
            with these weights.
        sample_weight: What each row counts: of a pair or loader in its order, of a data module
            those of training and then those of validation.
        select: What penalty and final formula are chosen by: "loss", or "accuracy" or
            "balanced_accuracy", the mean recall of the classes, and then the loss.
        module: Arguments of :class:`OccamModule` other than sizes, restarts and teacher.
        trainer: Arguments of the ``Trainer`` (devices, strategy, precision, ...).
        checkpoint: Folder in which the fit is kept while it runs; one that was stopped goes on from
            there, and ends as if it had not been.

    Raises:
        ValueError: If a number is below 1, the data do not fit, or the checkpoint is of another
            fit.
        TypeError: If the data are of another kind.

    Example:
        >>> import torch
        >>> from occamhead import fit_head
        >>> x = torch.randn(80, 4)
        >>> labels = ["up" if row[2] > 0 else "down" for row in x]
        >>> quiet = {"accelerator": "cpu", "enable_progress_bar": False}
        >>> fit = fit_head((x, labels), max_features=1, restarts=1, steps=20, trainer=quiet)
        >>> fit.head.classes, fit.head.formula().features
        (('down', 'up'), (2,))
    """
    check_size(max_features)
    check_counts(screen=screen, restarts=restarts, steps=steps)
    options = dict(module or {})
    shape = {**options.pop("head", {}), **(head or {})}
    names = shape.get("classes")
    ground = prepare(data, loss, class_weight, sample_weight, seed, classes=names)
    if steps is None:
        steps = max(300, 8 * len(ground.train[0]) // ground.data.batch_size)
    called = feature_names_of(shape, ground.data)
    options["head"] = head_options(shape, bases, loss, ground.data.class_names)
    asked = {"restarts": restarts, "distil": distil, "select": select, "screen": screen}
    asked |= {"steps": steps, "seed": seed, "size": max_features, "module": options}
    store = kept_fit(checkpoint, ground.data.arrays, ground.weight, asked)
    make = _ByBackprop(ground, steps, options, trainer or {}, store)
    most = size_for(max_features, ground, distil=distil, seed=seed, select=select)
    settings = Settings(most, screen, restarts, restarts, distil, select)
    done = course(ground, make, settings)
    kept = make.module.keep(done.best, called)
    kept.hints = ground.data.feature_hints
    finish(kept, ground, done, settings, seed, shape.get("digits"))
    # What a checkpoint makes the head from.
    make.module.hparams["head"] = {**make.module.hparams["head"], "digits": kept.digits}
    return Fit(
        kept.eval(), done.dense, make.module, done.validation_accuracy, done.penalty, done.losses,
        rates=done.rates,
    )  # fmt: skip


@dataclass
class _ByBackprop:
    """Heads trained side by side, each from a start of its own.

    Args:
        ground: What the course starts from.
        steps: Optimiser steps of each round.
        options: Arguments of :class:`OccamModule`.
        trainer: Arguments of the ``Trainer``.
        kept: Where the rounds are kept.
    """

    ground: Ground
    steps: int
    options: Mapping[str, Any]
    trainer: Mapping[str, Any]
    kept: Kept
    module: OccamModule = field(init=False)
    """The module of the last round."""

    def __call__(self, given: Round) -> list[OccamHead]:
        data, options = self.ground.data, dict(self.options)
        if given.stage == "final":
            # What tells the classes apart has been found: each P-node starts at a feature of its
            # own.
            options |= {"prior": 0.0, "spread": 3.0}
        module = OccamModule(
            data.num_features,
            data.num_classes,
            **{
                **options,
                "teacher": given.teacher,
                "loss": options["head"]["loss"],
                "restarts": given.count,
                "columns": given.columns,
            },
        )
        limits = {} if given.stage == "trial" else {"limit_val_batches": 0}
        how = short_options(self.steps, {**limits, **self.trainer})
        train_kept(module, given.data, how, self.kept, given.stage)
        self.module = module.cpu().eval()
        return self.module.heads
