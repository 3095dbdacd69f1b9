"""How a method is fitted: a choice on validation rows, then a fit to all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from occamhead.rows.arrays import Rows, view_rows
from occamhead.rows.metrics import accuracy
from recipes.nec_tasks.fits import Standardised
from recipes.others.linear_heads import Clock
from recipes.shared.rows import together


@dataclass(frozen=True)
class Made:
    """A head, and the validation accuracy of one made the same way from the training rows alone.

    Args:
        head: From raw features [rows, features] to scores [rows, classes]; one whose features
            :func:`occamhead.nec_of` can count.
        validation_accuracy: A share.
    """

    head: nn.Module
    validation_accuracy: float


@dataclass
class Task:
    """What a method is given.

    Args:
        train, validation: Rows to fit to and to choose by; both are fitted to in the end.
        classes: Number of classes.
        budgets: Features of a class in the mean.
        seed: Of all that is drawn at random.
        clock: CPU seconds that the method has.
    """

    train: Rows
    validation: Rows
    classes: int
    budgets: Sequence[int]
    seed: int
    clock: Clock = field(repr=False)


Method = Callable[[Task], Mapping[int, Made]]
"""Gives a head for each budget, as far as there was time."""

Fit = Callable[[Standardised, Sequence[int], float, int, Callable[[], bool]],
               Iterator[tuple[int, nn.Linear]]]  # fmt: skip
"""Given rows, budgets, a ridge penalty, a seed and whether the time is over: heads by budget."""


def by_validation(fit: Fit, ridges: Sequence[float]) -> Method:
    """A method whose ridge penalty is that with the best mean of the validation accuracies.

    Args:
        fit: Fits the heads of all budgets.
        ridges: The penalties, the most promising first: the others are tried if there is time to,
            so that half of it is left to fit to all rows.
    """

    def method(task: Task) -> dict[int, Made]:
        rows, held = Standardised(view_rows(task.train), task.classes), view_rows(task.validation)
        found: dict[float, dict[int, float]] = {}
        for tried, ridge in enumerate(ridges):
            if tried and task.clock.spent * (tried + 1) / tried > 0.5 * task.clock.budget:
                break
            heads = fit(rows, task.budgets, ridge, task.seed, lambda: task.clock.over(0.5))
            found[ridge] = {budget: accuracy(head, held) for budget, head in heads}
        ridge = max(found, key=lambda each: sum(found[each].values()))
        del rows  # two copies need not be in memory at once
        rows = Standardised(view_rows(together(task.train, task.validation)), task.classes)
        heads = fit(rows, task.budgets, ridge, task.seed, task.clock.over)
        return {budget: Made(head, found[ridge].get(budget, 0.0)) for budget, head in heads}

    return method
