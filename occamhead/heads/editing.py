"""Refit the sums of a head under limits: without a feature, with it, or with its sign given."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from occamhead.expression import Affine, Constant, Expression, Input
from occamhead.heads.base import SymbolicHead
from occamhead.heads.coding import Coding
from occamhead.heads.digits import ALL, choose_digits
from occamhead.heads.limits import Limits, limits_of
from occamhead.heads.nec import nec_of
from occamhead.heads.occam import OccamHead
from occamhead.heads.sums import HeldOut, folds, hold_out, kept_sums, sum_path
from occamhead.heads.threshold import Goal, cut
from occamhead.heads.writing import SHAPES, write_head
from occamhead.network.bases import get_basis
from occamhead.rows.arrays import ArrayDataModule, as_data, view_rows
from occamhead.rows.dense import Weights, choose_dense_head
from occamhead.rows.metrics import ClassRates, rates_of
from occamhead.rows.objective import Rows, one_thread
from occamhead.saving import NOWHERE, Kept

# With more rows than this the validation rows alone are held out, without folds.
FEW_ROWS = 5000
BUDGETS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class FittedSums:
    """A head of weighted sums, and what sums made the same way say of rows held out.

    Args:
        head: The head, in eval mode, calibrated on the rows held out.
        held_out: What was said of them.
        ridge: Penalty of the weights.
        returns: For the features of the formulas, in which share of the fits with rows held out
            they were chosen again; empty where there was one such fit only.
    """

    head: OccamHead
    held_out: HeldOut
    ridge: float
    returns: dict[int, float]

    @property
    def rates(self) -> ClassRates:
        """How many rows of each class were right, where each was held out of the fit."""
        return rates_of(self.held_out.scores, self.held_out.labels)


@dataclass(frozen=True)
class Origin:
    """The rows that a head of weighted sums was fitted to, and how: what a new fit starts from.

    Args:
        train, validation: The rows as tensors, which nobody may write to.
        weights: What each row of train and of validation counts, 1 in the mean, or None.
        weight: What each row of both counts.
        classes: Number of classes.
        names: Names of the classes, if any.
        feature_names, hints: Names of the features, and what they look at, if known.
        penalty: Ridge penalty of the dense head that teaches; None learns from the labels.
        per_class: Whether each class has features of its own.
        coding: What these have in common.
        dense: The dense head of train under that penalty, of the features themselves.
        shape: The function of each feature that is added up, see :func:`shaped`.
        folds: Folds that are held out in turn; 1 holds out the validation rows alone, None takes 5
            on up to 5000 rows, else 1.
        seed: Seed of the folds.
        digits: Significant digits; None takes as few as change no answer on the rows.
        goal: What the threshold of two classes is best in.
        budgets: Sizes on the way to any size: each starts from the one before.
        limits: What the sums are held to.
        rates: Of the head, on rows held out of fits made as it was; None where none were.
    """

    train: Rows
    validation: Rows
    weights: Weights
    weight: Tensor | None
    classes: int
    names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    hints: tuple[str, ...] | None
    penalty: float | None
    per_class: bool = False
    coding: Coding = field(default_factory=Coding)
    dense: nn.Linear | None = None
    shape: str | None = None
    folds: int | None = None
    seed: int = 0
    digits: int | None = None
    goal: Goal = field(default_factory=Goal)
    budgets: Sequence[int] = BUDGETS
    limits: Limits = field(default_factory=Limits)
    rates: ClassRates | None = None

    @classmethod
    def of(cls, data: ArrayDataModule, **options: Any) -> Origin:
        """The rows of a data module, with a penalty chosen by its validation rows."""
        train, validation = view_rows(data.arrays.train), view_rows(data.arrays.validation)
        dense, penalty = choose_dense_head(train, validation, data.num_classes)
        names = data.class_names, data.feature_names, data.feature_hints
        both = (None, None), None
        return cls(
            train, validation, *both, data.num_classes, *names, penalty, dense=dense, **options
        )

    def together(self) -> Rows:
        """Training and validation rows."""
        both = zip(self.train, self.validation, strict=True)
        x, y = (torch.cat(parts) for parts in both)
        return x, y

    def fit(self, sizes: Sequence[int], kept: Kept = NOWHERE) -> dict[int, FittedSums]:
        """Heads of these sizes, under the limits.

        Args:
            sizes: Most features in all, or the mean number of a class, in ascending order.
            kept: Where what is done is kept.

        Returns:
            A head for each size; for those that were done where Ctrl-C came.

        Raises:
            ValueError: If a feature has to be read with a sign that the rows do not give it.
        """
        seen = replace(
            self, train=shaped(self.train, self.shape),
            validation=shaped(self.validation, self.shape),
        )  # fmt: skip
        together = seen.together()
        count = self.folds or (5 if len(together[1]) <= FEW_ROWS else 1)
        if count == 1:
            splits = iter([(seen.train, seen.validation, self.weights)])
        else:
            splits = folds(together, count, self.seed, self.weight)
        how = self.classes, self.per_class, self.penalty
        start = self.dense if self.shape is None else None
        held_out = hold_out(
            splits, self.classes, sizes, *how[1:], self.limits, kept, start, self.coding
        )
        path = sum_path(together, *how, self.weight, self.limits, start, self.coding)
        sums = kept_sums(path, held_out, kept)
        found = {}
        for size in sums:
            made, held = sums[size], held_out[size]
            if self.classes == 2:
                said = path.scores(made, together[0]), together[1], self.weight
                made, held = cut(made, said, held, self.goal, firm=size > 1)
            made = replace(made, shape=self.shape)
            head = write_head(made, path.standardisation, ALL, self.names)
            choose_digits(head, [self.train[0], self.validation[0]], self.digits)
            head.names, head.hints = self.feature_names, self.hints
            head.calibrate(held.scores, held.labels)
            counts = Counter(itertools.chain.from_iterable(held.features))
            returns: dict[int, float] = {}
            if len(held.features) > 1:
                returns = {f: counts[f] / len(held.features) for f in head.formula().features}
            found[size] = FittedSums(head, held, path.ridge(size), returns)
            head.origin = replace(self, rates=found[size].rates)
        return found

    def limited(self, limits: Limits) -> Origin:
        """The same rows under further limits."""
        return replace(self, limits=self.limits.and_also(limits), rates=None)

    def sizes_up_to(self, size: int) -> list[int]:
        """The sizes on the way to a size, as far as the limits leave room for it."""
        allowed = self.limits.allowed(self.train[0].shape[1])
        most = size if allowed is None else min(size, len(allowed))
        most = max(most, len(self.limits.force))
        return sorted({most, *(b for b in self.budgets if len(self.limits.force) <= b < most)})


def shaped(rows: Rows, shape: str | None) -> Rows:
    """The rows with a function of each feature in its place.

    Args:
        rows: Features and labels.
        shape: One of :data:`occamhead.heads.writing.SHAPES`; None leaves the features as they are.

    Raises:
        ValueError: If there is no such shape, or it has no finite value for a feature.
    """
    if shape is None:
        return rows
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}, 'auto' or None, got {shape!r}")
    basis, number = SHAPES[shape]
    x = get_basis(basis)(rows[0].unsqueeze(-1), torch.tensor([number]))
    if not x.isfinite().all():
        row, column = (~x.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"shape: {shape} has no finite value for {rows[0][row, column].item():.4g}, which is"
            f" feature {column} of a row; take shape=None, or clip the features"
        )
    return x, rows[1]


@dataclass(frozen=True)
class Edited:
    """What an edit made, and what it costs.

    Args:
        head: The new head, in eval mode. It can be edited again: the limits add up.
        before, after: How many rows of each class were right, where each was held out of the fit,
            without the new limits and with them, in the same folds.
    """

    head: OccamHead
    before: ClassRates
    after: ClassRates

    @property
    def cost(self) -> float:
        """Held-out accuracy lost, as a share of 1; negative where the edit helps."""
        return self.before.accuracy - self.after.accuracy

    def __str__(self) -> str:
        lines = self.head.formula().rule(self.head.classes or ())
        rows = sum(self.after.rows)
        said = (
            f"right on {self.after.accuracy:.1%} of {rows} rows held out,"
            f" {self.before.accuracy:.1%} before the edit"
        )
        return "\n".join([*lines, said])


_REFUSAL = "only weighted sums of features, one label per row, can be refitted with limits"
_REMEDY = (
    "fit sums by fit_path(data) and edit these, or leave the feature's column out of the data and"
    " fit again"
)


@one_thread()
def edit(head: SymbolicHead, *, data: Any = None, **limits: Any) -> Edited:
    """See :meth:`occamhead.heads.base.SymbolicHead.edit`, which calls this."""
    origin = origin_of(head, data)
    new = origin.limited(limits_for(head, **limits))
    formula = head.formula()
    size = max(1, round(nec_of(formula).mean) if origin.per_class else len(formula.features))

    def made(start: Origin) -> FittedSums:
        heads = start.fit(start.sizes_up_to(size))
        return heads[max(heads)]

    after = made(new)
    after.head.names = head.names
    return Edited(after.head, origin.rates or made(origin).rates, after.rates)


def origin_of(head: SymbolicHead, data: Any = None) -> Origin:
    """What a head of weighted sums can be refitted from.

    Args:
        head: The head.
        data: Rows to take in the place of those of its fit.

    Raises:
        ValueError: If the head is no weighted sum for each class, or the rows are not known.
    """
    if not isinstance(head, OccamHead) or head.loss != "cross_entropy":
        found = f"the loss {head.loss!r}" if isinstance(head, OccamHead) else type(head).__name__
        raise ValueError(f"{_REFUSAL}, got {found}; {_REMEDY}")
    formula = head.formula()
    origin: Origin | None = head.origin
    shape = None if origin is None else origin.shape
    if shape is None and not is_sums(formula):
        raise ValueError(f"{_REFUSAL}, got {max(formula.text(), key=len)}; {_REMEDY}")
    if data is not None:
        rows, _ = as_data(data)
        origin = Origin.of(rows, per_class=reads_per_class(formula), shape=shape)
    if origin is None:
        raise ValueError(
            "this head does not know the rows that it was fitted to: it was loaded, copied or made"
            " by hand; give them, as head.edit(..., data=(x, y))"
        )
    if (origin.train[0].shape[1], origin.classes) != (head.in_features, head.out_features):
        raise ValueError(
            f"data: wanted {head.in_features} features and {head.out_features} classes, got"
            f" {origin.train[0].shape[1]} and {origin.classes}"
        )
    return replace(origin, feature_names=head.names, hints=head.hints)


def limits_for(head: SymbolicHead, **limits: Any) -> Limits:
    """Limits by the numbers or names of a head's features and classes."""
    return limits_of(head.in_features, head.names, head.classes or head.out_features, **limits)


def is_sums(formula: Expression) -> bool:
    """Whether each score is a weighted sum of features, or constant."""
    return all(
        isinstance(node, (Constant, Input))
        or (
            isinstance(node, Affine)
            and all(isinstance(formula.nodes[child], Input) for _, child in node.terms)
        )
        for node in (formula.nodes[output] for output in formula.outputs)
    )


def reads_per_class(formula: Expression) -> bool:
    """Whether each class reads features of its own.

    A feature that all read may be silent for one of them, as softmax does not see what is added to
    all scores.
    """
    readers = Counter(f for k in range(len(formula)) for f in formula[k].features)
    return len(formula) > 2 and any(count < len(formula) - 1 for count in readers.values())
