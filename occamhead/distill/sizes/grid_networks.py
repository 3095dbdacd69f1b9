"""Networks of the paper's three layers on squares of one side, with whole-number weights.

A differentia stands between every two images of different classes, a subconcept per image over all
differentiae, and a concept over all subconcepts. Each neuron is the hyperplane of widest margin.

Source: layers and activations are those of Blazek & Lin (Nat Comput Sci 1, 607-618, 2021) and
Blazek et al. (Nat Comput Sci 4, 110-118, 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamhead.essence.arrays import Floats, Ints
from occamhead.essence.planes import widest_margin
from occamhead.essence.rounding import rounded


@dataclass(frozen=True)
class Layer:
    """Weights [neurons, inputs] and thresholds [neurons], whole numbers."""

    weights: Ints
    thresholds: Ints

    def excess(self, x: ArrayLike) -> Floats:
        """By how much the sums of rows [rows, inputs] exceed the thresholds, [rows, neurons]."""
        # Whole numbers far below 2**53 are exact in float64, whose products are much faster.
        return np.asarray(np.asarray(x, np.float64) @ self.weights.T - self.thresholds)


@dataclass(frozen=True)
class GridNetwork:
    """Differentiae (-1, 0 or 1), subconcepts (0 or 1) over them, and one concept (0 or 1)."""

    differentiae: Layer
    subconcepts: Layer
    concept: Layer

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """The class, 0 or 1, of each row [rows, side * side]; 0 where it is undecided."""
        inputs = self.differentiae.weights.shape[1]
        if np.ndim(x) != 2 or np.shape(x)[1] != inputs:
            raise ValueError(f"the network takes rows of {inputs} inputs, got shape {np.shape(x)}")
        told = np.sign(self.differentiae.excess(x))
        held = self.subconcepts.excess(told) > 0
        return (self.concept.excess(held)[:, 0] > 0).astype(np.int64)


def learn_grid(x: ArrayLike, y: ArrayLike) -> GridNetwork:
    """The network of widest margins with one subconcept per image.

    Args:
        x: Distinct images, [images, inputs], 0 or 1.
        y: Classes, [images], 0 or 1, both of which occur.

    Raises:
        ValueError: If there are other classes, or what a layer puts out is not separable.
    """
    images, labels = np.asarray(x, np.int64), np.asarray(y, np.int64)
    if set(labels.tolist()) != {0, 1}:
        raise ValueError(f"classes must be 0 and 1, got {sorted(set(labels.tolist()))}; relabel")
    first, second = images[labels == 0], images[labels == 1]
    differentiae = _layer([(a[None], b[None]) for a in first for b in second])
    first, second = (np.sign(differentiae.excess(group)) for group in (first, second))
    pairs = [(own[None], second) for own in first] + [(own[None], first) for own in second]
    subconcepts = _layer(pairs)
    first, second = (subconcepts.excess(group) > 0 for group in (first, second))
    return GridNetwork(differentiae, subconcepts, _layer([(second * 1.0, first * 1.0)]))


def _layer(pairs: Sequence[tuple[NDArray[np.generic], NDArray[np.generic]]]) -> Layer:
    """A neuron per pair of sets, high on the first; its threshold is in the middle of the gap."""
    weights, thresholds = [], []
    for above, below in pairs:
        high, low = above.astype(np.float64), below.astype(np.float64)
        plane = widest_margin(high, low)
        if plane is None:
            raise ValueError(
                f"no hyperplane separates {len(above)} from {len(below)} images by what a layer"
                " puts out; images of both classes perhaps are the same"
            )
        own = _nearest(plane)
        ends = int((high @ own).min()) + int((low @ own).max())
        scale = 1 + ends % 2  # the middle is a whole number of twice the weights
        weights.append(own * scale)
        thresholds.append(ends * scale // 2)
    return Layer(np.array(weights), np.array(thresholds))


def _nearest(plane: Floats) -> Ints:
    """The whole-number direction closest by angle, the simplest kind on a tie."""

    def cosine(found: Ints) -> float:
        return round(float(found @ plane / np.linalg.norm(found) / np.linalg.norm(plane)), 6)

    found = rounded(plane)  # first weight positive, so that the plane may point the other way
    return max((s * row for row in found for s in (1, -1)), key=cosine)
