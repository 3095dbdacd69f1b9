"""An input that decides by one of its two values: logic in the place of arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from occamhead.essence.arrays import Ints
from occamhead.essence.circuit import Circuit
from occamhead.essence.patterns import Patterns


def with_deciding_input(circuit: Circuit, patterns: Patterns) -> Circuit:
    """Let an input decide alone, by one of its two values, if the patterns allow it.

    With ``n + 2 * c == 2`` of a count n and a bit c, whether n = 0 and c = 1 hold was perhaps not
    among the patterns; ``n + 3 * c == 2`` says the same of all others, and that c = 1 settles it.
    A weight that is so large is no number to be learned but a sign, hence a description of one
    bit, where 2 and beyond cost more. So the weights of an input are raised, in all differentiae
    that it enters, until one of its values settles them; the value at which it does not has the
    same hyperplanes as before. The input is the one of the largest weights

    - that has two values, and a column of weights that no other input shares,
    - of which some weight is beyond 1, so that a sign is the shorter description,
    - where no pattern changes its class.

    Args:
        circuit: What was learned.
        patterns: From what.

    Source: design of ours, after the principle of minimum description length (Rissanen 1978).
    """
    largest = np.abs(circuit.weights).max(axis=0, initial=0)
    if (largest < 2).all():
        return circuit
    _, kind, members = np.unique(circuit.weights, axis=1, return_inverse=True, return_counts=True)
    alone = members[kind.reshape(-1)] == 1
    for k in np.argsort(-largest, kind="stable"):
        values = np.unique(patterns.points[:, k])
        if not alone[k] or largest[k] < 2 or len(values) != 2:
            continue
        for deciding, other in (values[::-1], values):
            raised = _raised(circuit, patterns.points, int(k), int(deciding), int(other))
            if (raised.predict(patterns.points) == patterns.labels).all():
                return raised
    return circuit


def _raised(circuit: Circuit, points: Ints, k: int, deciding: int, other: int) -> Circuit:
    """The circuit in which input k settles all differentiae that it enters by its deciding value.

    Settled is what holds for any values of the other inputs between their least and greatest.
    """
    weights, own = circuit.weights, circuit.weights[:, k]
    rest = np.delete(weights, k, axis=1)
    ends = np.delete(points.min(axis=0), k), np.delete(points.max(axis=0), k)
    at_other = circuit.bias + own * other
    lowest = at_other + np.minimum(rest * ends[0], rest * ends[1]).sum(axis=1)
    highest = at_other + np.maximum(rest * ends[0], rest * ends[1]).sum(axis=1)
    step = own * (deciding - other)
    wanted = np.maximum(np.where(step > 0, -lowest, highest), 0.0)
    size = (np.floor(wanted / abs(deciding - other)) + 1).astype(np.int64)
    size = np.where(own != 0, np.maximum(np.abs(own), size), 0)
    # Parallel differentiae share their weights.
    for direction in np.unique(weights, axis=0):
        same = (weights == direction).all(axis=1)
        size[same] = size[same].max()
    raised = weights.copy()
    raised[:, k] = np.sign(own) * size
    return replace(circuit, weights=raised, bias=at_other - raised[:, k] * other)
