"""The best formula of each length, of those that were offered."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.spelling import spelt
from occamhead.expression import Apply, Expression, ExpressionBuilder
from occamhead.expression.fitting import fit_numbers
from occamhead.expression.linearised import loss_of
from occamhead.expression.products import factored
from occamhead.expression.tidy import EXACT, tidy

Array: TypeAlias = NDArray[np.float64]

# Rows on which formulas are looked at.
ROWS = 256

# A target is heavy-tailed if its largest value is so many times its median.
HEAVY = 20

# A formula is given up that, with its rough numbers or after a first step of their fit, leaves more
# than so many times the error to beat.
FAR, HOPEFUL = 10.0, 3.0

# A multiple beyond this, or below its inverse, would lose its digits in a step of a fit from afar.
FAR_OFF = 1e6

# Steps of the fit of what a stage offers; what reaches the front is fitted to the end.
# It ends when a step lowers the squares by a smaller share: of what noise leaves that is next to
# nothing, and a formula that will be exact gains more.
ROUGH_STEPS, ROUGH_GAIN = 12, 1e-4

# Formulas whose values agree to so many digits are one, which is fitted again if it is shorter.
SAME_DIGITS = 9

# Operators of which all these fits are made.
ALWAYS = frozenset({"mul", "div", "pow"})


@dataclass(frozen=True)
class Law:
    """A formula of one output with fitted numbers.

    Args:
        formula: The formula.
        error: Root of the weighted mean squared error, over the target's deviation.
    """

    formula: Expression
    error: float

    @property
    def complexity(self) -> int:
        return self.formula.complexity


class Front:
    """The best formula of each complexity so far.

    Args:
        x, y, weights: The rows, and weights that sum to 1.
        max_complexity: Longest formula to keep.
        operators: Those that a formula may have beside `ALWAYS`; None allows all.
        allowed: Whether a formula with fitted numbers may be kept; None allows all.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        weights: Array,
        max_complexity: int,
        operators: Collection[str] | None = None,
        allowed: Callable[[Expression], bool] | None = None,
    ) -> None:
        self.x, self.y, self.weights = x, y, weights
        self.max_complexity = max_complexity
        self.allowed = allowed
        self.operators = None if operators is None else ALWAYS | frozenset(operators)
        mean = float(weights @ y)
        self.deviation = float(np.sqrt(weights @ (y - mean) ** 2))
        chosen = np.arange(len(x))
        if len(x) > ROWS:
            chosen = np.sort(np.random.default_rng(0).choice(len(x), ROWS, replace=False))
        self.sample_x, self.sample_y = x[chosen], y[chosen]
        self.sample_weights = weights[chosen] / weights[chosen].sum()
        # Squares of a target of many magnitudes tell of the largest rows alone: a fit from afar
        # starts better from relative errors.
        sizes = np.abs(self.sample_y)
        self.relative: Array | None = None
        if sizes.min() > 0 and sizes.max() > HEAVY * np.median(sizes):
            self.relative = self.sample_weights / sizes**2
        self.best: dict[int, Law] = {}
        self._offered: dict[bytes, int] = {}

    def error(self, formula: Expression, x: Array, y: Array, weights: Array) -> float:
        """Root of the weighted mean squared error over the deviation; inf where undefined."""
        return math.sqrt(loss_of(formula, (x, y, weights))) / self.deviation

    def offer(self, formula: Expression) -> None:
        """Fit the numbers, and keep the formula if none as short is as good."""
        rows = self.sample_x, self.sample_y, self.sample_weights
        if self.operators is not None and not self.operators.issuperset(_operators(formula)):
            return
        with np.errstate(all="ignore"):
            values = formula(self.sample_x)[:, 0]
        if self._is_known(values, formula.complexity):
            return
        error, multiple = self._scaled(values)
        if error > FAR * self._to_beat(formula.complexity):
            return
        if not 1 / FAR_OFF < abs(multiple) < FAR_OFF:
            formula = _times(multiple, formula)
        formula = spelt(factored(formula.simplified(), self.sample_x))
        if formula.complexity > 2 * self.max_complexity:
            return
        if self.relative is not None:
            x, y, _ = rows
            formula = fit_numbers(formula, x, y, self.relative, iterations=ROUGH_STEPS)
        formula = fit_numbers(formula, *rows, iterations=1)
        if self.error(formula, *rows) > HOPEFUL * self._to_beat(formula.complexity):
            return
        formula = fit_numbers(formula, *rows, iterations=ROUGH_STEPS, gain=ROUGH_GAIN).simplified()
        error = self.error(formula, *rows)
        if error < self._to_beat(formula.complexity) and (
            self.allowed is None or self.allowed(formula)
        ):
            self.best[formula.complexity] = Law(formula, error)

    def _is_known(self, values: Array, size: int) -> bool:
        """Whether one no longer has been offered with these values on the sample; notes it."""
        largest = float(np.abs(values).max())
        if not 0 < largest < math.inf:
            return False
        key = np.round(values / largest, SAME_DIGITS).tobytes()
        known = self._offered.get(key, size + 1) <= size
        if not known:
            self._offered[key] = size
        return known

    def _scaled(self, values: Array) -> tuple[float, float]:
        """Error on the sample at the best multiple of these values, and this; 0, 1 if undefined."""
        with np.errstate(all="ignore"):
            weighted = self.sample_weights * values
            multiple = float(np.divide(weighted @ self.sample_y, weighted @ values))
            squared = float(self.sample_weights @ (multiple * values - self.sample_y) ** 2)
        if not (math.isfinite(squared) and multiple):
            return 0.0, 1.0
        return math.sqrt(squared) / self.deviation, multiple

    def _to_beat(self, size: int) -> float:
        """The least error of what is no longer than this."""
        return min((law.error for c, law in self.best.items() if c <= size), default=math.inf)

    def is_exact(self) -> bool:
        """Whether an exact formula is known that is not too long."""
        return self.shortest_exact() <= self.max_complexity

    def shortest_exact(self) -> float:
        """Complexity of the simplest exact formula; infinite without one."""
        exact = (size for size, law in self.best.items() if law.error <= EXACT)
        return min(exact, default=math.inf)

    def laws(self) -> list[Law]:
        """The front on all rows, numbers fitted to the end and made simple."""
        found: list[Law] = []
        for _, law in sorted(self.best.items()):
            fitted = fit_numbers(law.formula, self.x, self.y, self.weights)
            # Only an exact formula tells which spelling has the fewer numbers.
            tried = (True, False) if law.error <= EXACT else (True,)
            spellings = [self._tidied(spelt(fitted, constants)) for constants in tried]
            formula = min(spellings, key=lambda each: each.complexity)
            found.append(Law(formula, self.error(formula, self.x, self.y, self.weights)))
        front: list[Law] = []
        for law in sorted(found, key=lambda law: (law.complexity, law.error)):
            if law.complexity > self.max_complexity or not math.isfinite(law.error):
                continue
            if not front or law.error < front[-1].error * (1 - 1e-3):
                front.append(law)
            if law.error <= EXACT:
                break
        return front

    def _tidied(self, formula: Expression) -> Expression:
        formula = tidy(formula, self.x, self.y, self.weights, self.deviation, refitted=True)
        return factored(formula, self.sample_x)


def _operators(formula: Expression) -> set[str]:
    return {node.operator for node in formula.nodes if isinstance(node, Apply)}


def _times(multiple: float, formula: Expression) -> Expression:
    builder = ExpressionBuilder()
    (top,) = builder.copy(formula, {i: builder.input(i) for i in formula.features})
    return builder.build([builder.affine(0.0, [(multiple, top)])], formula.num_inputs)
