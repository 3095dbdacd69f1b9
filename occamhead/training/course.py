"""The course of every fit: what is tried on rows held out, and done again on all of them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from occamhead.expression import Affine, Input
from occamhead.heads.digits import choose_digits
from occamhead.heads.editing import Origin
from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import ArrayDataModule, as_data, view_rows
from occamhead.rows.dense import Weights, choose_dense_head, fit_dense_head, teach
from occamhead.rows.metrics import ClassRates, accuracy, check_criterion, mean_rates, rates_of
from occamhead.rows.objective import CROSS_ENTROPY, Objective, Rows, get_objective
from occamhead.rows.screening import most_telling
from occamhead.rows.weights import ClassWeight, row_weights, scaled
from occamhead.training.numbers import choose_penalty, formula_loss, refit_constants, shortfall

log = logging.getLogger("occamhead")

# Most features that a vote leaves, where neither a number nor a path says how many.
VOTED = 40


@dataclass(frozen=True)
class Ground:
    """What every fit starts from: rows, what each counts, and a dense head on those to train on.

    Args:
        data: The rows; its validation rows are held out.
        train, validation: The rows as tensors, which nobody may write to.
        weights: What each row of train and of validation counts, 1 in the mean, or None.
        weight: What each row of both counts.
        objective: What is minimised.
        dense: Dense head on the training rows.
        penalty: The dense head's ridge penalty, chosen by the validation loss.
    """

    data: ArrayDataModule
    train: Rows
    validation: Rows
    weights: Weights
    weight: Tensor | None
    objective: Objective
    dense: nn.Linear
    penalty: float

    @property
    def classes(self) -> int:
        return self.data.num_classes

    def together(self) -> Rows:
        """Training and validation rows, copied: the caller may write to them."""
        both = zip(self.train, self.validation, strict=True)
        x, y = (torch.cat(parts) for parts in both)
        return x, y

    def origin(self, distil: bool, seed: int, digits: int | None, **how: Any) -> Origin | None:
        """What a head of weighted sums is refitted from; see :class:`Origin`."""
        if self.objective is not CROSS_ENTROPY:
            return None
        rows = self.train, self.validation, self.weights, self.weight
        penalty = self.penalty if distil else None
        return Origin(
            *rows, self.classes, self.data.class_names, self.data.feature_names,
            self.data.feature_hints, penalty, dense=self.dense, seed=seed, digits=digits, **how,
        )  # fmt: skip

    def dense_on_all(self) -> nn.Linear:
        """The dense head on training and validation rows, under the penalty that was chosen."""
        return fit_dense_head(
            self.together(), self.classes, self.penalty, self.dense, self.objective, self.weight,
            in_place=True,
        )  # fmt: skip


def prepare(
    data: Any,
    loss: str,
    class_weight: ClassWeight,
    sample_weight: Any,
    seed: int,
    seed_all: bool = True,
    classes: Sequence[str] | None = None,
) -> Ground:
    """Take rows in, weigh them, and fit the dense head.

    Args:
        data: See :func:`occamhead.rows.arrays.as_data`.
        loss: Name of the objective.
        class_weight, sample_weight: See :func:`occamhead.rows.weights.row_weights`.
        seed: Seed of the rows that are set aside, where none are held out yet.
        seed_all: Seed all generators with it, too.
        classes: Names that the head is to have, if it is given any.
    """
    objective = get_objective(loss)
    data, sample_weight = as_data(data, seed, sample_weight, loss == "squared_error", classes)
    train, validation = view_rows(data.arrays.train), view_rows(data.arrays.validation)
    targets = torch.cat([train[1], validation[1]])
    objective.check(targets, data.num_classes, len(targets))
    objective.check_scale(targets)
    weight = row_weights(targets, data.num_classes, class_weight, sample_weight, data.classes)
    weights: Weights = (None, None)
    if weight is not None:
        weights = scaled(weight[: len(train[1])]), scaled(weight[len(train[1]) :])
        weight = weight / weight.mean()
        data = data.weighted(weight.numpy())
    if seed_all:
        pl.seed_everything(seed, verbose=False)
    dense, penalty = choose_dense_head(
        train, validation, data.num_classes, objective=objective, weights=weights
    )
    return Ground(data, train, validation, weights, weight, objective, dense, penalty)


@dataclass(frozen=True)
class Round:
    """What heads are made from.

    Args:
        stage: "trial" on the training rows alone; "vote" on all rows, for the features that most
            formulas use; "final" among those.
        data: The rows.
        columns: The features that the heads see.
        all_rows: All features, and labels.
        teacher: The dense head, where it teaches.
        targets: What the heads are to come near: what the teacher says, or the labels.
        weight: What each row counts, or None.
        count: How many heads to make.
        before: How many were made in the rounds before.
    """

    stage: Literal["trial", "vote", "final"]
    data: ArrayDataModule
    columns: list[int]
    all_rows: Rows
    teacher: nn.Module | None
    targets: Tensor
    weight: Tensor | None
    count: int
    before: int

    @property
    def rows(self) -> Rows:
        """The features that the heads see, copied at every call, and labels."""
        return self.all_rows[0][:, self.columns], self.all_rows[1]


class Maker(Protocol):
    """A way to make heads: by backprop, or by a search."""

    def __call__(self, given: Round) -> list[OccamHead]:
        """Heads over the features of the round, in eval mode."""


@dataclass(frozen=True)
class Settings:
    """How a course is run.

    Args:
        max_features: Most features that the formulas may use in all; None skips the vote.
        screen: Features that the heads see: those that tell most.
        restarts: Heads before the vote; half as many on the training rows alone.
        finalists: Heads after the vote.
        distil: Learn from the dense head rather than from the labels.
        select: What penalty and head are chosen by, see :func:`shortfall`.
        in_order: Show the features voted for in their order, rather than the most voted first.
        start: A head over all features that is one of those to choose from.
    """

    max_features: int | None
    screen: int
    restarts: int
    finalists: int
    distil: bool
    select: str
    in_order: bool = False
    start: OccamHead | None = None


@dataclass(frozen=True)
class Outcome:
    """How a course ended.

    Args:
        heads: The final heads, over `columns`; last the start, over all features.
        columns: Features that they see.
        best: Place of the head that was chosen.
        dense: Dense head on all rows.
        validation_accuracy: Of the heads of the trial, on rows held out; see :class:`Fit`.
        rates: Of each class, where there are classes.
        penalty: Ridge penalty of the numbers.
        losses: Of each head, on all rows.
        held_out: What the heads of the trial say of the validation rows, and their labels.
    """

    heads: list[OccamHead]
    columns: list[int]
    best: int
    dense: nn.Linear
    validation_accuracy: float
    rates: ClassRates | None
    penalty: float
    losses: tuple[float, ...]
    held_out: Rows


def course(ground: Ground, make: Maker, settings: Settings) -> Outcome:
    """Try heads on the training rows, choose by the validation rows, and make them on all rows.

    See :func:`occamhead.training.fit.fit_head` for the steps and their reasons.
    """
    check_criterion(settings.select)
    data, classes, objective = ground.data, ground.classes, ground.objective
    if settings.select != "loss" and objective is not CROSS_ENTROPY:
        raise ValueError(f"select={settings.select!r} needs one class per row; leave it at 'loss'")
    penalty, validation_accuracy, rates, scores = _trial(ground, make, settings)

    dense = ground.dense_on_all()
    teacher = dense if settings.distil else None
    together = data.merged()
    rows = view_rows(together.arrays.train)
    targets = teach(teacher, *rows, objective)

    made = _half(settings)

    def given(stage: Literal["vote", "final"], columns: list[int], count: int) -> Round:
        nonlocal made
        before, made = made, made + count
        return Round(stage, together, columns, rows, teacher, targets, ground.weight, count, before)

    start = settings.start
    own = () if start is None else start.formula().features
    columns = sorted({*own, *most_telling(rows, settings.screen, classes, objective)})
    this = given("vote", columns, settings.restarts)
    heads = make(this)
    if settings.max_features is not None and settings.max_features < data.num_features:
        columns = [columns[place] for place in vote(heads, settings.max_features)]
        columns = sorted(columns) if settings.in_order else columns
        this = given("final", columns, settings.finalists)
        heads = make(this)
    shown = this.rows
    judged = [(head, shown) for head in heads]
    if start is not None:
        judged.append((start, rows))
    losses, shorts = [], []
    for head, seen in judged:
        refit_constants(head, seen, penalty, targets, objective, ground.weight)
        losses.append(formula_loss(head, seen[0], targets, objective, ground.weight))
        shorts.append(shortfall(head, seen, settings.select, losses[-1]))
    log.info("losses of the candidates: %s", " ".join(f"{loss:.4f}" for loss in losses))
    # Of equal ones the start, as it was.
    order = list(range(len(judged)))
    best = min(order if start is None else order[-1:] + order[:-1], key=shorts.__getitem__)
    return Outcome(
        [head for head, _ in judged], columns, best, dense, validation_accuracy, rates, penalty,
        tuple(losses), (scores, ground.validation[1]),
    )  # fmt: skip


def finish(
    head: OccamHead,
    ground: Ground,
    done: Outcome,
    settings: Settings,
    seed: int,
    digits: int | None,
) -> None:
    """Give the head that was chosen its digits, its temperature and the rows to refit it from.

    Args:
        head: Over all features.
        ground, done, settings: What the course started from, and how it ended.
        seed: Seed of the fit.
        digits: Significant digits; None takes as few as change no answer.
    """
    choose_digits(head, [ground.train[0], ground.validation[0]], digits)
    head.calibrate(*done.held_out)
    head.origin = ground.origin(settings.distil, seed, digits)


def _half(settings: Settings) -> int:
    """Heads of the trial."""
    return max(1, settings.restarts // 2)


def _trial(
    ground: Ground, make: Maker, settings: Settings
) -> tuple[float, float, ClassRates | None, Tensor]:
    """Heads on the training rows alone: the penalty, how good they are, and what they say.

    Returns:
        The penalty, the accuracy, the rates of the classes, and the scores of the validation rows.
    """
    objective, train, validation = ground.objective, ground.train, ground.validation
    teacher = ground.dense if settings.distil else None
    columns = most_telling(train, settings.screen, ground.classes, objective)
    targets = teach(teacher, *train, objective)
    weight = ground.weights[0]
    this = Round(
        "trial", ground.data, columns, train, teacher, targets, weight, _half(settings), before=0
    )  # fmt: skip
    heads = make(this)
    shown, held = this.rows, (validation[0][:, columns], validation[1])
    trials = [
        choose_penalty(
            head, shown, held, targets, objective=objective, weights=ground.weights,
            select=settings.select,
        )
        for head in heads
    ]  # fmt: skip
    shorts = [
        shortfall(head, held, settings.select, loss)
        for head, (_, loss) in zip(heads, trials, strict=True)
    ]
    penalty = trials[min(range(len(trials)), key=shorts.__getitem__)][0]
    reached = sum(rate(head, held, objective) for head in heads) / len(heads)
    rates = None
    with torch.no_grad():
        if objective is CROSS_ENTROPY:
            rates = mean_rates([rates_of(head(held[0]), held[1]) for head in heads])
        for head in heads:
            refit_constants(head, shown, penalty, targets, objective, ground.weights[0])
        return penalty, reached, rates, torch.stack([head(held[0]) for head in heads])


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


def feature_names_of(
    head: dict[str, Any], data: ArrayDataModule
) -> Mapping[Any, str] | Sequence[str] | None:
    """What the features are to be called: taken out of the head's arguments, or as the rows say.

    The heads of a course see some of the features only, so that none but the last has names.
    """
    names: Mapping[Any, str] | Sequence[str] | None = head.pop("names", None)
    return data.feature_names if names is None else names


def head_options(
    head: Mapping[str, Any], bases: Any, loss: str, classes: Sequence[str] | None
) -> dict[str, Any]:
    """Arguments of :class:`OccamHead` as a fit gives them, with its loss and the classes' names.

    Raises:
        ValueError: If the bases are given both by themselves and among the arguments.
    """
    if bases is not None and "bases" in head:
        raise ValueError(f"give bases={bases!r} or head={{'bases': {head['bases']!r}}}, not both")
    given = {} if bases is None else {"bases": bases}
    names = {} if classes is None else {"classes": list(classes)}
    return {**names, **head, **given, "loss": loss}
