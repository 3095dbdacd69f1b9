"""Blocks of inputs that act through their sum, joined as far as the labels allow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from occamhead.essence.arrays import Ints
from occamhead.essence.covers import MAX_KINDS
from occamhead.essence.patterns import Patterns

# Patterns that have to meet others of the same label, which random labels do with one chance in
# two each: in bits, what the data say for a sum.
_EVIDENCE = 16


def blocks(weights: Ints) -> Ints:
    """The sums through which inputs act on hyperplanes, weights [differentiae, inputs].

    Returns:
        [blocks, inputs] of 1, -1 and 0: inputs of equal columns are one block, and those of the
        opposite column count negatively in it.
    """
    leading = weights[np.argmax(weights != 0, axis=0), np.arange(weights.shape[1])]
    sign = np.where(leading < 0, -1, 1)
    _, kind = np.unique(weights * sign, axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    return np.asarray(np.where(np.arange(kind.max() + 1)[:, None] == kind, sign, 0))


def coarser_blocks(weights: Ints, patterns: Patterns) -> Iterator[tuple[Ints, Patterns]]:
    """Ever fewer blocks, while the patterns of their sums have one label each.

    It begins with the blocks of hyperplanes, weights [differentiae, inputs]. Of two blocks whose
    sum or difference would still tell the labels, those of the nearest columns are joined.

    Yields:
        The blocks, [blocks, inputs] of 1, -1 and 0, and the patterns of their sums. Blocks are
        passed over while hardly any patterns meet in these: then the data say little for them.

    Source: design of ours. Subconcepts are cut before any weight is rounded. On partial data the
    cuts follow chance asymmetries, which equal columns cannot mend afterwards; learning anew from
    the sums can.
    """
    if not len(weights) or len(patterns.points) <= _EVIDENCE:
        return
    joined = blocks(weights)
    if len(joined) > MAX_KINDS:
        return
    size = np.abs(joined).sum(axis=1)
    scaled = weights / np.abs(weights).max(axis=1, keepdims=True)
    columns = joined @ scaled.T / size[:, None]
    while len(joined) > 1:
        nearest = sorted(
            (float(np.abs(columns[a] - sign * columns[b]).sum()), -sign, a, b)
            for a, b in itertools.combinations(range(len(joined)), 2)
            for sign in (1, -1)
        )
        for _, minus, a, b in nearest:
            attempt = np.delete(joined, b, axis=0)
            attempt[a] -= minus * joined[b]
            sums = patterns.seen_through(attempt)
            if sums is not None:
                break
        else:
            return
        columns[a] = (size[a] * columns[a] - minus * size[b] * columns[b]) / (size[a] + size[b])
        columns = np.delete(columns, b, axis=0)
        size[a] += size[b]
        size = np.delete(size, b)
        joined = attempt
        if len(patterns.points) - len(sums.points) >= _EVIDENCE:
            yield joined, sums
