"""Checks of the rows that a search is given."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from occamhead.network.layout import Layout
from occamhead.search.judging.space import Space
from occamhead.search.strategy import Strategy

Checked = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]


def check_rows(
    space: Space,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    weights: NDArray[np.floating] | None,
) -> Checked:
    """The rows that have weight, as float64 arrays [rows, inputs], [rows, outputs] and [rows].

    Raises:
        ValueError: On shapes that disagree, values that are not finite, or weights that are
            negative or all zero.
    """
    inputs: NDArray[np.float64] = np.asarray(x, np.float64)
    targets: NDArray[np.float64] = np.asarray(y, np.float64)
    if targets.ndim == 1:
        targets = targets[:, None]
    if inputs.ndim != 2 or inputs.shape[1] != space.layout.num_inputs:
        raise ValueError(
            f"x must be [rows, {space.layout.num_inputs}] for this network, got"
            f" {list(inputs.shape)}"
        )
    if targets.ndim != 2 or targets.shape[1] != space.num_outputs:
        raise ValueError(
            f"y must be [rows, {space.num_outputs}] for this network, got {list(targets.shape)}"
        )
    if len(inputs) != len(targets):
        raise ValueError(f"x has {len(inputs)} rows and y {len(targets)}; they must be as many")
    if not len(inputs):
        raise ValueError("a search needs at least one row, got none")
    for name, values in (("x", inputs), ("y", targets)):
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(
                f"{name} is {values[row, column]} at row {row}, column {column}; drop the row or"
                " impute the value"
            )
    if weights is None:
        return inputs, targets, None
    shares: NDArray[np.float64] = np.asarray(weights, np.float64)
    if shares.shape != (len(inputs),):
        raise ValueError(f"weights must be one per row, [{len(inputs)}], got {list(shares.shape)}")
    if not np.isfinite(shares).all() or shares.min() < 0 or not shares.any():
        raise ValueError("weights must be finite, not negative, and not all zero")
    # A row without weight must not count either where a function is undefined on it.
    kept = shares > 0
    return inputs[kept], targets[kept], shares[kept]


def check_can_hold(layout: Layout, strategy: Strategy) -> None:
    """Raise ValueError if the numbers of what a search finds may have no place in the network."""
    if strategy.scaled:
        raise ValueError("scaled = True fits numbers that a head cannot hold; set it to False")
    free = any(layout.num_free_constants(layer) for layer in range(layout.depth))
    if free and layout.num_outputs > 1:
        raise ValueError(
            "outputs that share images with free constants cannot each have numbers of their own;"
            " use per_class=True (groups = out_features), or bases without free constants"
        )


def warn_nothing_found(outputs: list[int]) -> None:
    """Say that a search has found no function that is defined on the rows."""
    warnings.warn(
        f"no sampled function is defined on all rows for output {outputs[0]}"
        f"{' and others' if len(outputs) > 1 else ''}; the mean of the target is returned. Use"
        " other bases, more functions, or rows inside the bases' domain",
        stacklevel=6,
    )
