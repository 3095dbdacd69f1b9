"""How many digits the numbers of a formula need."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from occamhead.heads.occam import OccamHead

FEWEST, MOST, USUAL = 2, 6, 4
# As many as a single-precision number has: nothing is rounded.
ALL = 9


@torch.no_grad()
def choose_digits(head: OccamHead, features: Sequence[Tensor], digits: int | None = None) -> None:
    """Let a formula have as few digits as leave every answer on some rows as it is, in place.

    Args:
        head: The head.
        features: Raw features of the rows that it was fitted to and chosen on, one or several times
            [rows, in_features].
        digits: Significant digits that were asked for; None takes the fewest, of 2 to 6. A head
            that predicts numbers has no answers to go by, and takes 4.
    """
    if digits is not None or head.loss == "squared_error":
        head.digits = USUAL if digits is None else digits
        return

    def answers(count: int) -> Tensor:
        head.digits = count
        formula, like = head.formula(), head.feature_mean
        return torch.cat([head.objective.answer(formula(x.to(like)), 0.0) for x in features])

    wanted = answers(ALL)
    for count in range(FEWEST, MOST):
        if torch.equal(answers(count), wanted):
            return
    head.digits = MOST
