"""Numbers of one form for several groups of rows: some common to all groups, some of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.expression.fitting import (
    DAMPING,
    EASIER,
    HARDER,
    HOPELESS,
    SMALLEST_GAIN,
    fitted_numbers,
)
from occamhead.expression.numbers import with_values
from occamhead.expression.slopes import Tape
from occamhead.tables.sorted_rows import SortedRows

Array: TypeAlias = NDArray[np.float64]

# What a fit may take, from near.
STEPS = 30


@dataclass(frozen=True)
class Shared:
    """One form with its numbers in each group.

    Args:
        formula: The form; the numbers that it holds are those of some group.
        numbers: Those of each group, [groups, numbers], as
            :func:`occamhead.expression.numbers.numbers` counts them.
        own: Places of the numbers that each group has for itself.
        common: Places of those that are fitted, and the same in all groups.
        loss: Weighted mean squared error over all rows.
    """

    formula: Expression
    numbers: Array
    own: tuple[int, ...]
    common: tuple[int, ...]
    loss: float

    def of(self, group: int) -> Expression:
        """The formula of a group."""
        return with_values(self.formula, self.numbers[group].tolist())

    @property
    def count(self) -> int:
        """How many numbers were fitted, those of all groups together."""
        return len(self.common) + len(self.own) * len(self.numbers)


class Together:
    """A form on the rows of all groups.

    Args:
        formula: The form.
        parts: The rows of each group; weights of all together sum to 1.
    """

    def __init__(self, formula: Expression, parts: Sequence[SortedRows]) -> None:
        self.formula, self.parts = formula, parts
        self.tapes = [Tape(formula, part.x) for part in parts]
        self.roots = [np.sqrt(part.weights) for part in parts]

    def losses(self, numbers: Array) -> Array:
        """Each group's share of the loss, [groups]; inf where the form is undefined."""
        return np.array([self.losses_of(group, row) for group, row in enumerate(numbers.tolist())])

    def losses_of(self, group: int, numbers: Sequence[float]) -> float:
        """A group's share of the loss with these numbers."""
        part = self.parts[group]
        with np.errstate(all="ignore"):
            squares = (part.targets[:, 0] - self.tapes[group].values(numbers)) ** 2
            loss = float(part.weights @ squares)
        return loss if math.isfinite(loss) else math.inf

    def fit_one(
        self, group: int, start: Sequence[float], own: Sequence[int], steps: int
    ) -> list[float]:
        """Numbers of a group fitted by itself, all but those at `own` held."""
        part = self.parts[group]
        weights = part.weights / part.weights.sum()
        found = fitted_numbers(self.formula, part.x, part.targets[:, 0], weights, own, steps, start)
        return list(start) if found is None else found

    def fit_each(self, numbers: Array, own: Sequence[int], steps: int) -> Array:
        """Numbers of every group fitted by itself; [groups, numbers]."""
        return np.array(
            [self.fit_one(g, row, own, steps) for g, row in enumerate(numbers.tolist())]
        )

    def fit(
        self, numbers: Array, own: Sequence[int], common: Sequence[int], steps: int = STEPS
    ) -> Shared:
        """The numbers of least squared error, by Levenberg and Marquardt's method on all of them.

        Those of the groups are eliminated from each step, which so costs no more for many groups
        than their fits one by one.

        Args:
            numbers: To start from, [groups, numbers].
            own, common: See :class:`Shared`. Of `common` the first group's are taken.
            steps: Most steps.
        """
        numbers = numbers.copy()
        numbers[:, list(common)] = numbers[0, list(common)]
        best = Shared(self.formula, numbers, tuple(own), tuple(common), self.losses(numbers).sum())
        damping = DAMPING
        while steps and (own or common) and 0 < best.loss < np.inf:
            steps -= 1
            slopes = self._slopes(best)
            if slopes is None:
                break
            before = best.loss
            while (moved := self._moved(best, slopes, damping)) is None:
                damping *= HARDER
                if damping > HOPELESS:
                    return best
            best, damping = moved, max(damping * EASIER, 1e-15)
            if best.loss >= before * (1 - SMALLEST_GAIN):
                break
        return best

    def errors(self, shared: Shared) -> Array:
        """Standard error of each number in each group, [groups, numbers]; 0 where not fitted.

        Those of least squares with independent errors of one variance, linearised; infinite where
        the rows do not tell a number.
        """
        found = np.zeros_like(shared.numbers)
        places = list(shared.own + shared.common)
        rows = 1 / sum(float(part.weights @ part.weights) for part in self.parts)
        if not places:
            return found
        slopes = self._slopes(shared)
        if slopes is None or rows <= shared.count:
            found[:, places] = np.inf
            return found
        # Columns by their size: the pseudo-inverse of what is left is then well scaled.
        width, p = shared.count, len(shared.own)
        system = np.zeros((sum(len(each[1]) for each in slopes), width))
        row = 0
        for group, (columns, residual) in enumerate(slopes):
            height = len(residual)
            at = slice(row, row + height)
            system[at, p * group : p * (group + 1)] = columns[:, :p]
            system[at, width - len(shared.common) :] = columns[:, p:]
            row += height
        scale = np.linalg.norm(system, axis=0)
        scale[scale == 0] = 1.0
        _, sizes, axes = np.linalg.svd(system / scale, full_matrices=False)
        # A direction of next to no size is known to any number, and its square might overflow.
        known = sizes > 1e-12 * sizes.max()
        inverse = np.full_like(sizes, np.inf)
        inverse[known] = sizes[known] ** -2.0
        with np.errstate(invalid="ignore"):
            spread = (axes.T**2) @ inverse
            spread = np.nan_to_num(np.sqrt(spread), nan=np.inf, posinf=np.inf) / scale
        spread *= np.sqrt(shared.loss / (rows - width))
        for group in range(len(self.parts)):
            found[group, list(shared.own)] = spread[p * group : p * (group + 1)]
            found[group, list(shared.common)] = spread[width - len(shared.common) :]
        return found

    def _slopes(self, shared: Shared) -> list[tuple[Array, Array]] | None:
        """Slopes [rows, own + common] and what is left [rows] in each group, weighted."""
        found, places = [], shared.own + shared.common
        for tape, part, root, row in zip(
            self.tapes, self.parts, self.roots, shared.numbers, strict=True
        ):
            values, slopes = tape.slopes(row.tolist(), places)
            columns = (root * slopes).T
            if not (np.isfinite(columns).all() and np.abs(columns).max(initial=0) < 1e150):
                return None
            found.append((columns, root * (part.targets[:, 0] - values)))
        return found

    def _moved(
        self, shared: Shared, slopes: list[tuple[Array, Array]], damping: float
    ) -> Shared | None:
        """One damped step; None if it is no better."""
        p, q = len(shared.own), len(shared.common)
        own_scale = [np.linalg.norm(columns[:, :p], axis=0) for columns, _ in slopes]
        scale = np.sqrt(sum((columns[:, p:] ** 2).sum(axis=0) for columns, _ in slopes))
        scale = np.where(scale > 0, scale, 1.0)
        kept, systems, wanted = [], [np.sqrt(damping) * np.eye(q)], [np.zeros(q)]
        for (columns, residual), size in zip(slopes, own_scale, strict=True):
            size[size == 0] = 1.0
            mine = np.concatenate([columns[:, :p] / size, np.sqrt(damping) * np.eye(p)])
            theirs = np.concatenate([columns[:, p:] / scale, np.zeros((p, q))])
            left = np.concatenate([residual, np.zeros(p)])
            axes, upper = np.linalg.qr(mine)
            kept.append((axes, upper, theirs, left))
            systems.append(theirs - axes @ (axes.T @ theirs))
            wanted.append(left - axes @ (axes.T @ left))
        numbers = shared.numbers.copy()
        try:
            step = np.zeros(0)
            if q:
                step = np.linalg.lstsq(np.concatenate(systems), np.concatenate(wanted))[0]
                numbers[:, list(shared.common)] += step / scale
            for group, (axes, upper, theirs, left) in enumerate(kept if p else []):
                change = np.linalg.solve(upper, axes.T @ (left - theirs @ step))
                numbers[group, list(shared.own)] += change / own_scale[group]
        except np.linalg.LinAlgError:
            return None
        places = list(shared.own + shared.common)
        # A number that vanishes would change the shape of the formula.
        if not np.isfinite(numbers).all() or (numbers[:, places] == 0).any():
            return None
        loss = float(self.losses(numbers).sum())
        if not loss < shared.loss:
            return None
        return Shared(shared.formula, numbers, shared.own, shared.common, loss)
