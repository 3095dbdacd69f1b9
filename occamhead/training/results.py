"""What a fit gives: a head and how it was chosen, or a path of heads, fewest features first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import nn

from occamhead.columns import aligned, between
from occamhead.expression import Expression
from occamhead.expression.formats.code_book import rule_or_code
from occamhead.expression.formats.markup import Markup, tag
from occamhead.expression.formats.mathml import mathml_rules
from occamhead.heads.editing import Edited, FittedSums, limits_for, origin_of
from occamhead.heads.nec import Nec, nec_of
from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import ArrayDataModule
from occamhead.rows.metrics import ClassRates
from occamhead.training.module import OccamModule
from occamhead.training.trainer import as_module


@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted head, the dense head beside it, and how they were chosen.

    Args:
        head: The head, in eval mode.
        dense: Dense logistic head on the same rows; maps features to scores.
        module: The module that trained the head.
        validation_accuracy: Mean accuracy, on rows held out of training, of formulas that were
            trained as the final one is, but on fewer rows and without the vote. R2 in place of the
            accuracy where the loss is the squared error.
        penalty: Ridge penalty under which the formula's numbers were fitted.
        losses: Loss of each final candidate against its targets, cross-entropies in nats; the head
            has the least.
        rates: How many rows of each class were right, where there are classes: their recalls, the
            balanced accuracy, and intervals.
        path: The formulas of all sizes that it was chosen from, where there were several.
    """

    head: OccamHead
    dense: nn.Linear
    module: OccamModule
    validation_accuracy: float
    penalty: float
    losses: tuple[float, ...]
    path: ParetoPath | None = None
    rates: ClassRates | None = None

    def edit(self, **limits: Any) -> Edited:
        """The head refitted under limits; see :meth:`occamhead.OccamHead.edit`."""
        edited: Edited = self.head.edit(**limits)
        return edited

    def __str__(self) -> str:
        """The rule, how good it is on rows held out, and the sizes that it was chosen from."""
        lines = [*_rules(self.head), self._judged()]
        return "\n".join(lines if self.path is None else [*lines, "", *self.path.table(self.head)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The same in a notebook."""
        table = [] if self.path is None else [self.path.html_table(self.head)]
        parts = [*_html_rules(self.head), tag("p", self._judged()), *table]
        return tag("div", *parts)

    def _judged(self) -> str:
        features = len(self.head.formula().features)
        of = f"{features} feature{'' if features == 1 else 's'} of {self.head.in_features:,}"
        if self.head.loss == "squared_error":
            return f"{of}; R2 {self.validation_accuracy:.3f} on rows held out"
        said = f"{of}; right on {self.validation_accuracy:.1%} of the rows held out"
        return said if self.rates is None else f"{said}, {between(self.rates.accuracy_interval)}"


@dataclass(frozen=True)
class PathPoint:
    """The formulas of one budget.

    Args:
        budget: Most features in all, or the mean number of a class, that was asked for.
        head: The head, in eval mode; its formula is the model.
        rates: How many rows of each class were right, where each was held out of the fit.
        penalty: Ridge penalty of the weights; 0 with nodes, where only what is pruned is held back.
        returns: For the features of the formulas, in which share of the fits with rows held out
            they were chosen again; empty where there was one such fit only.
    """

    budget: int
    head: OccamHead
    rates: ClassRates
    penalty: float
    returns: dict[int, float]

    @property
    def validation_accuracy(self) -> float:
        """Share of rows right, where each was held out of the fit."""
        return self.rates.accuracy

    @property
    def standard_error(self) -> float:
        """Of the validation accuracy."""
        return self.rates.standard_error("accuracy")

    @cached_property
    def formula(self) -> Expression:
        return self.head.formula()

    @property
    def features(self) -> int:
        """Features that the formulas read in all."""
        return len(self.formula.features)

    @cached_property
    def nec(self) -> Nec:
        """Features that the formula of each class reads, see :func:`occamhead.nec_of`."""
        return nec_of(self.head)

    @property
    def features_per_class(self) -> int:
        """Features that the formula of one class reads at most."""
        return self.nec.most

    @property
    def operations(self) -> int:
        return self.formula.operations


def points_of(fitted: Mapping[int, FittedSums]) -> list[PathPoint]:
    """The sums of some budgets as points of a path."""
    return [
        PathPoint(budget, made.head, made.rates, made.ridge, made.returns)
        for budget, made in fitted.items()
    ]


@dataclass(frozen=True, repr=False)
class ParetoPath:
    """Formulas of several budgets, fewest features first, and the dense head beside them.

    Args:
        points: The formulas.
        dense: The dense head.
        by: What :meth:`select` goes by: "accuracy" or "balanced_accuracy".
    """

    points: tuple[PathPoint, ...]
    dense: nn.Linear
    by: str = "accuracy"

    def __iter__(self) -> Iterator[PathPoint]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def select(self, max_features: int | None = None) -> PathPoint:
        """The point for a number of features, or the simplest that is good enough.

        Args:
            max_features: The largest budget up to this is taken. None takes the smallest budget
                whose validation accuracy, or what `by` says, is within one standard error of
                the best (the one-standard-error rule, Breiman et al. 1984).

        Raises:
            ValueError: If no point has so few features.
        """
        if max_features is None:
            best = max((point.rates for point in self.points), key=self._rate)
            limit = self._rate(best) - best.standard_error(self.by)
            return next(point for point in self.points if self._rate(point.rates) >= limit)
        able = [point for point in self.points if point.budget <= max_features]
        if not able:
            raise ValueError(
                f"the path has no formula of at most {max_features} features; its budgets are"
                f" {', '.join(str(point.budget) for point in self.points)}"
            )
        return able[-1]

    def _rate(self, rates: ClassRates) -> float:
        return rates.rate(self.by)

    def __str__(self) -> str:
        """The rule that :meth:`select` takes, and what the other sizes cost."""
        head = self.select().head
        return "\n".join([*_rules(head), "", *self.table(head)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The same in a notebook."""
        head = self.select().head
        return tag("div", *_html_rules(head), self.html_table(head))

    def table(self, chosen: OccamHead) -> list[str]:
        """A line for each size: features, accuracy on rows held out, a mark beside one head.

        With more than two classes, NEC is the number of features that a class reads in the mean.
        """
        return aligned([self._titles, *self._cells(chosen)], left=(len(self._titles) - 1,))

    def html_table(self, chosen: OccamHead) -> Markup:
        """The same as HTML."""
        head = tag("tr", *(tag("th", title, scope="col") for title in self._titles))
        rows = [tag("tr", *(tag("td", cell) for cell in line)) for line in self._cells(chosen)]
        return tag("table", tag("thead", head), tag("tbody", *rows))

    @property
    def _titles(self) -> tuple[str, ...]:
        kind = "balanced, held out" if self.by == "balanced_accuracy" else "held out"
        nec = ("NEC",) if self._many else ()
        return "features", *nec, kind, "95 % interval", "operations", ""

    @property
    def _many(self) -> bool:
        """Whether there are classes enough for each to have features of its own."""
        return self.points[0].head.out_features > 2

    def _cells(self, chosen: OccamHead) -> list[tuple[str, ...]]:
        """The interval is that of the accuracy: a balanced one has none."""
        formula = chosen.formula()
        cells: list[tuple[str, ...]] = []
        for point in self.points:
            mark = "chosen" if point.formula == formula and not any(c[-1] for c in cells) else ""
            ends = between(point.rates.accuracy_interval) if self.by == "accuracy" else ""
            size, rate = str(point.features), f"{self._rate(point.rates):.1%}"
            nec = (f"{point.nec.mean:.1f}",) if self._many else ()
            cells.append((size, *nec, rate, ends, str(point.operations), mark))
        return cells

    def edit(self, **limits: Any) -> ParetoPath:
        """The formulas of all budgets refitted under limits, so that a size can be chosen anew.

        The dense head beside them stays that of all features.

        Args:
            **limits: `drop`, `keep`, `sign`, `force` as :meth:`occamhead.OccamHead.edit` takes
                them. Budgets that are too small for the features that are forced are left out.

        Raises:
            ValueError: If the path is not one of weighted sums fitted in this process, there is no
                such feature, or the limits contradict each other.
        """
        last = self.points[-1]
        origin = origin_of(last.head).limited(limits_for(last.head, **limits))
        sizes = origin.sizes_up_to(last.budget)
        return replace(self, points=tuple(points_of(origin.fit(sizes))))

    def fit(
        self,
        point: PathPoint,
        data: ArrayDataModule,
        trainer: Mapping[str, Any] | None = None,
    ) -> Fit:
        """A point as what :func:`occamhead.fit_head` returns.

        Args:
            point: A point of this path.
            data: The rows that the path was fitted to.
            trainer: Arguments of the ``Trainer`` that writes the checkpoint.
        """
        module = as_module(point.head, data, trainer)
        accuracy, penalty = point.validation_accuracy, point.penalty
        return Fit(module.head, self.dense, module, accuracy, penalty, (), self, point.rates)


def _rules(head: OccamHead) -> list[str]:
    return rule_or_code(head.formula(), head.classes or ())


def _html_rules(head: OccamHead) -> list[Markup]:
    return mathml_rules(head.formula(), head.classes or ())
