"""How good scores are: accuracy, the recall of each class, and how sure one may be of either."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from occamhead.rows.objective import Rows


def accuracy(model: Callable[[Tensor], Tensor], rows: Rows) -> float:
    """Share of rows whose highest score is that of their label."""
    with torch.no_grad():
        return float((model(rows[0]).argmax(dim=-1) == rows[1]).double().mean())
