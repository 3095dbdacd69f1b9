"""Which features tell most of each class, looked at one by one."""

from __future__ import annotations

import torch
from torch import Tensor

from occamhead.rows.objective import CROSS_ENTROPY, Objective, Rows, standardisation

# Features that are standardised at a time: a copy of all would double what the rows take.
BLOCK = 64


def contrasts(
    rows: Rows, outputs: int, objective: Objective = CROSS_ENTROPY, scaling: Rows | None = None
) -> Tensor:
    """How much each feature tells of each output, see :meth:`Objective.contrast`.

    Args:
        rows: Features [rows, features] and labels.
        outputs: Number of outputs.
        objective: What the labels are.
        scaling: Mean and scale by which the features are standardised; None takes their own.

    Returns:
        Shape [outputs, features].
    """
    features, labels = rows
    mean, scale = standardisation(features) if scaling is None else scaling
    parts = zip(*(t.split(BLOCK, dim=-1) for t in (features, mean, scale)), strict=True)
    return torch.cat([objective.contrast((f - m) / s, labels, outputs) for f, m, s in parts], -1)


def most_telling(
    rows: Rows, count: int, outputs: int, objective: Objective = CROSS_ENTROPY
) -> list[int]:
    """The `count` features that tell most of some class, in their order.

    Source: sure independence screening, Fan and Lv 2008.
    """
    best = contrasts(rows, outputs, objective).amax(dim=0)
    return best.topk(min(count, len(best))).indices.sort().values.tolist()


def most_telling_of_each(
    rows: Rows, count: int, outputs: int, objective: Objective = CROSS_ENTROPY
) -> Tensor:
    """The `count` features that tell most of each class, most telling first, [outputs, count].

    What :class:`OccamNet` takes as candidates.
    """
    each = contrasts(rows, outputs, objective)
    return each.topk(min(count, each.shape[-1])).indices
