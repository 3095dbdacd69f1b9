"""The formulas that were found, as a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from occamhead.checks import needs
from occamhead.tables.candidates import GUESS, LINEAR, Candidate, pareto
from occamhead.tables.held_out import Verdict

# A step of the front must lower the loss by this share to be listed.
LISTED_GAIN = 0.01


def equations_of(
    candidates: Sequence[Candidate], chosen: int, verdict: Verdict | None, scale: float
) -> Any:
    """The candidates worth listing as a data frame; `scale` is the loss of the mean."""
    with needs("pandas", "the table of formulas", "tabular"):
        import pandas as pd

    front = pareto(candidates, LISTED_GAIN)
    rows = []
    for place, candidate in enumerate(candidates):
        always = place == chosen or candidate.kind in (LINEAR, GUESS)
        if not always and not any(c is candidate for c in front):
            continue
        held_out = np.nan if verdict is None else scale * verdict.losses[place]
        told = {}
        if verdict is not None and verdict.right is not None:
            told = {"cross_validated_accuracy": verdict.right[place]}
        rows.append(
            {
                "complexity": candidate.complexity,
                "loss": candidate.loss,
                "cross_validated_loss": held_out,
                **told,
                "equation": str(candidate.formula),
                "expression": candidate.formula,
                "kind": candidate.kind,
                "chosen": place == chosen,
            }
        )
    return pd.DataFrame(rows)
