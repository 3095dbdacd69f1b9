"""What a user knows of a law before it is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.tables.candidates import Candidate, onto
from occamhead.tables.column_units import ColumnUnits
from occamhead.tables.limits import Limits
from occamhead.tables.template import Template

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Wishes:
    """What a user knows of a law before it is found.

    Args:
        units: Of the columns.
        limits: What formulas must keep to.
        guesses: Formulas to start from, over all inputs.
        template: A form that formulas must have.
        left_out: How many candidates broke each limit; counted while they are fitted.
    """

    units: ColumnUnits | None = None
    limits: Limits = field(default_factory=Limits)
    guesses: tuple[Expression, ...] = ()
    template: Template | None = None
    left_out: Counter[str] = field(default_factory=Counter)

    def on(self, x: Array, most: int) -> Wishes:
        """The same about the range of some rows, with a most complexity."""
        return replace(self, limits=self.limits.on(x, most))

    def allowed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates that keep to all, charged and priced; the others are counted."""
        kept = candidates if self.units is None else self.units.allowed(candidates)
        return self.limits.allowed(kept, self.left_out)

    def allows(self, formula: Expression, inputs: Sequence[int], width: int) -> bool:
        """Whether a formula of some of the inputs keeps to the limits."""
        return self.limits.is_none or not self.limits.broken(onto(formula, inputs, width))
