"""What the fits share: rows, standardisation, and smooth minimisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Rows: TypeAlias = tuple[Tensor, Tensor]
"""Features [rows, features] and labels [rows]."""

# Below this standard deviation a feature is constant and keeps a scale of 1.
SMALLEST_DEVIATION = 1e-6


def standardisation(features: Tensor) -> Rows:
    """Mean and scale of each feature; the scale of a constant feature is 1."""
    deviation = features.std(dim=0, correction=0)
    return features.mean(dim=0), torch.where(deviation > SMALLEST_DEVIATION, deviation, 1.0)


def minimise(
    parameters: Sequence[Tensor], objective: Callable[[], Tensor], max_steps: int = 100
) -> float:
    """Minimise a smooth function of some leaf tensors by L-BFGS, in place.

    Args:
        parameters: Leaf tensors that require gradients.
        objective: The function's value at their present values.
        max_steps: Most iterations.

    Returns:
        The value at the end.
    """
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=max_steps,
        # A cross-entropy that changes by less (nats) classifies the same.
        tolerance_change=1e-7,
        tolerance_grad=1e-5,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = objective()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
        return objective().item()
