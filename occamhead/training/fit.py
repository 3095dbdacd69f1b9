"""Fit a head on features: restarts, the choice among them, and the final numbers."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from occamhead.checks import check_counts
from occamhead.expression import Affine, Input
from occamhead.heads.calibration import fit_temperature
from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import ArrayDataModule, as_rows
from occamhead.rows.dense import choose_dense_head, fit_dense_head, teach
from occamhead.rows.metrics import accuracy
from occamhead.rows.objective import CROSS_ENTROPY, Objective, Rows, get_objective, one_thread
from occamhead.rows.screening import most_telling
from occamhead.training.module import OccamModule, short_trainer
from occamhead.training.numbers import choose_penalty, formula_loss, refit_constants
from occamhead.training.results import Fit

log = logging.getLogger("occamhead")


@one_thread()
def fit_head(
    data: ArrayDataModule,
    *,
    max_features: int | None = 40,
    screen: int = 512,
    restarts: int = 8,
    steps: int | None = None,
    seed: int = 0,
    distil: bool = True,
    loss: str = "cross_entropy",
    module: Mapping[str, Any] | None = None,
    trainer: Mapping[str, Any] | None = None,
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
        data: Rows of features and labels.
        max_features: Most features that the formulas may use in all; None skips the vote.
        screen: Features that the networks see.
        restarts: How many starts in each of the last two rounds.
        steps: Optimiser steps of each round; None takes 8 epochs, but at least 300 steps.
        seed: Seed of the random starts and batches.
        distil: Learn from the dense head rather than from the labels.
        loss: What is minimised, see :class:`OccamModule`. Where it is not "cross_entropy", the
            dense head is linear in the same sense, and nothing is calibrated.
        module: Arguments of :class:`OccamModule` other than sizes, restarts and teacher.
        trainer: Arguments of the ``Trainer`` (devices, strategy, precision, ...).

    Raises:
        ValueError: If a number is below 1, or the data do not fit.
    """
    objective = get_objective(loss)
    check_counts(max_features=max_features, screen=screen, restarts=restarts, steps=steps)
    data.prepare_data()
    data.setup("fit")
    if steps is None:
        steps = max(300, 8 * len(data.arrays.train[0]) // data.batch_size)
    rows = data.merged()
    train, validation = as_rows(data.arrays.train), as_rows(data.arrays.validation)
    together = as_rows(rows.arrays.train)
    objective.check(together[1], data.num_classes, len(together[0]))
    objective.check_scale(together[1])

    def trained(
        source: ArrayDataModule, columns: Sequence[int], teacher: nn.Module | None, **more: Any
    ) -> OccamModule:
        options = {**(module or {}), "loss": loss, "restarts": restarts, "columns": columns, **more}
        result = OccamModule(data.num_features, data.num_classes, teacher=teacher, **options)
        limits = {} if source is data else {"limit_val_batches": 0}
        short_trainer(steps, {**limits, **(trainer or {})}).fit(result, datamodule=source)
        return result.cpu().eval()

    pl.seed_everything(seed, verbose=False)
    dense, dense_penalty = choose_dense_head(
        train, validation, data.num_classes, objective=objective
    )
    teacher = dense if distil else None
    few = max(1, restarts // 2)
    first = trained(
        data, most_telling(train, screen, data.num_classes, objective), teacher, restarts=few
    )
    shown = first.shown(train[0]), train[1]
    shown_validation = first.shown(validation[0]), validation[1]
    targets = teach(teacher, *train, objective)
    trials = [
        choose_penalty(head, shown, shown_validation, targets, objective=objective)
        for head in first.heads
    ]
    penalty = min(trials, key=lambda trial: trial[1])[0]
    rates = [rate(head, shown_validation, objective) for head in first.heads]
    temperature = 1.0
    if objective is CROSS_ENTROPY:
        for head in first.heads:
            refit_constants(head, shown, penalty, targets)
        with torch.no_grad():
            scores = torch.stack([head(shown_validation[0]) for head in first.heads])
        temperature = fit_temperature(scores, validation[1])

    dense = fit_dense_head(together, data.num_classes, dense_penalty, dense, objective)
    teacher = dense if distil else None
    chosen = trained(rows, most_telling(together, screen, data.num_classes, objective), teacher)
    if max_features is not None and max_features < data.num_features:
        assert chosen.columns is not None
        voted = chosen.columns[vote(chosen.heads, max_features)].tolist()
        # What tells the classes apart has been found: each P-node starts at a feature of its own.
        chosen = trained(rows, voted, teacher, prior=0.0, spread=3.0)
    shown, targets = (chosen.shown(together[0]), together[1]), teach(teacher, *together, objective)
    for head in chosen.heads:
        refit_constants(head, shown, penalty, targets, objective)
    losses = tuple(formula_loss(head, shown[0], targets, objective) for head in chosen.heads)
    log.info("losses of the candidates: %s", " ".join(f"{loss:.4f}" for loss in losses))
    head = chosen.keep(min(range(restarts), key=losses.__getitem__))
    head.calibration.fill_(math.log(temperature))
    return Fit(head.eval(), dense, chosen, sum(rates) / few, penalty, losses)


@torch.no_grad()
def rate(model: Callable[[Tensor], Tensor], rows: Rows, objective: Objective) -> float:
    """The accuracy of a model's scores of some rows, or what the objective has for it."""
    if objective is CROSS_ENTROPY:
        return accuracy(model, rows)
    return objective.rate(model(rows[0]), rows[1])


def vote(heads: Iterable[OccamHead], count: int) -> list[int]:
    """The features that most of the heads' formulas use; at most `count`, most voted first.

    A tie goes to the feature with the greater influence: the sum, over formulas, of the change
    that one standard deviation of the feature makes to the sums it stands in, relative to the
    largest such change in the formula.
    """
    votes: dict[int, float] = defaultdict(float)
    for head in heads:
        formula = head.formula()
        influence = dict.fromkeys(formula.features, 0.0)
        for node in formula.nodes:
            if isinstance(node, Affine):
                for coefficient, child in node.terms:
                    leaf = formula.nodes[child]
                    if isinstance(leaf, Input):
                        scale = float(head.feature_scale[leaf.index])
                        influence[leaf.index] += abs(coefficient) * scale
        largest = max(influence.values(), default=0.0) or 1.0
        for feature, size in influence.items():
            votes[feature] += 1.0 + 1e-3 * size / largest  # the influence only breaks ties
    return sorted(votes, key=lambda feature: votes[feature], reverse=True)[:count]
