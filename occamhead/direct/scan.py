"""The columns, alone and in pairs, that explain a target best by least squares."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

# A column of which the base leaves a smaller share is in the span of the base.
SPANNED = 1e-7

# Pairs whose columns are closer than this are one column twice.
ALIKE = 1 - 1e-10

# A longer sum takes a column that is not within this of what it has, and looks at so many.
CLOSE, BRANCHES = 1 - 1e-8, 2

BLOCK = 256

# Columns that are looked at for each that differs from the others.
LOOKED_AT = 5


class Hit(NamedTuple):
    """Columns beside the base, and what they leave.

    Args:
        left: Share of the target's squares about the base that is left; 1 explains nothing.
        columns: Which ones.
    """

    left: float
    columns: tuple[int, ...]


class Scan:
    """Columns that were freed of a base, ready to be scanned for any number of targets.

    Args:
        columns: [columns, rows].
        base: What each fit has beside them, [base, rows].
        paired: How many of the columns, the first ones, are tried in pairs.
    """

    def __init__(self, columns: Array, base: Array, paired: int) -> None:
        self.paired = paired
        self.axes = np.linalg.qr((base / _norms(base)).T)[0] if len(base) else None
        norms = _norms(columns)
        free = self.freed(columns / norms)
        left = np.sqrt((free**2).sum(axis=1))
        self.known = left > SPANNED
        self.columns = np.where(self.known[:, None], free / np.where(left > 0, left, 1)[:, None], 0)
        self._moments: tuple[Array, Array] | None = None

    @property
    def moments(self) -> tuple[Array, Array]:
        """Products of the first columns, and 1 over what one leaves of another: [paired, paired].

        Of two columns that are one, and of all but the first order of a pair, the latter is 0.
        """
        if self._moments is None:
            g = self.columns[: self.paired] @ self.columns[: self.paired].T
            inverse = np.zeros_like(g)
            for first in range(0, len(g), BLOCK):  # what is below the diagonal is not touched
                block = slice(first, first + BLOCK)
                rest = np.triu(1 - g[block, first:] ** 2, 1)
                np.divide(1.0, rest, out=inverse[block, first:], where=rest > 1 - ALIKE**2)
            self._moments = g, inverse
        return self._moments

    def freed(self, columns: Array) -> Array:
        """Columns without their part in the base; twice, for the sake of rounding."""
        if self.axes is None:
            return columns
        for _ in range(2):
            columns = columns - (columns @ self.axes) @ self.axes.T
        return columns

    def alone(self, target: Array, count: int) -> list[Hit]:
        """The best `count` columns, best first; and before them the base, with no column.

        Of columns that differ by the base alone, one.
        """
        target = target / (np.linalg.norm(target) or 1.0)
        free = self.freed(target[None])[0]
        total = float(free @ free)
        none = Hit(total, ())
        if total == 0:
            return [none]
        explained = (self.columns @ free) ** 2
        order = self._distinct(np.argsort(-explained)[: LOOKED_AT * count].tolist(), count)
        # Differences of squares lose what an exact fit leaves: take the residuals themselves.
        rest = free - (self.columns[order] @ free)[:, None] * self.columns[order]
        left = (rest**2).sum(axis=1)
        hits = [Hit(float(rest), (int(i),)) for rest, i in zip(left, order, strict=True)]
        return [none, *sorted(hits)]

    def _distinct(self, places: list[int], count: int) -> list[int]:
        kept: list[int] = []
        for place in places:
            if len(kept) == count:
                break
            if not (np.abs(self.columns[kept] @ self.columns[place]) > ALIKE).any():
                kept.append(place)
        return kept

    def pairs(self, target: Array, count: int) -> list[Hit]:
        """The best `count` pairs of the first columns, best first."""
        target = target / (np.linalg.norm(target) or 1.0)
        free = self.freed(target[None])[0]
        along = self.columns[: self.paired] @ free
        (moments, inverse), found = self.moments, []
        for first in range(0, len(moments), BLOCK):
            block = slice(first, first + BLOCK)
            a, b = along[block, None], along[None, first:]
            # (a^2 + b^2 - 2 g a b) / (1 - g^2), in place
            explained = moments[block, first:] * (-2 * a)
            explained *= b
            explained += a**2
            explained += b**2
            explained *= inverse[block, first:]
            if explained.size > count:
                best = np.argpartition(-explained, count, axis=None)[:count]
            else:
                best = np.arange(explained.size)
            rows, cols = np.unravel_index(best, explained.shape)
            found += [
                (float(explained[r, c]), first + int(r), first + int(c))
                for r, c in zip(rows, cols, strict=True)
            ]
        found.sort(reverse=True)
        hits = [Hit(self._left(free, (i, j)), (i, j)) for e, i, j in found[:count] if e > 0]
        return sorted(hits)

    def longer(self, target: Array, hits: list[Hit], count: int) -> list[Hit]:
        """Each hit with the one more column that helps it most, or nearly; the best `count`."""
        target = target / (np.linalg.norm(target) or 1.0)
        free = self.freed(target[None])[0]
        if not hits:
            return []
        inner = [np.linalg.qr(self.columns[list(hit.columns)].T)[0] for hit in hits]
        rests = np.stack([free - axes @ (axes.T @ free) for axes in inner], axis=1)
        # All products at once: the columns are read once.
        products = self.columns @ np.concatenate([rests, *inner], axis=1)
        ends = np.cumsum([len(hits), *(axes.shape[1] for axes in inner)])
        found = {}
        for place, hit in enumerate(hits):
            alike = (products[:, ends[place] : ends[place + 1]] ** 2).sum(axis=1)
            with np.errstate(all="ignore"):
                explained = products[:, place] ** 2 / (1 - alike)
            explained[~(alike < CLOSE)] = 0
            for best in np.argsort(-explained)[:BRANCHES].tolist():
                columns = (*hit.columns, best)
                if explained[best] > 0:
                    found[tuple(sorted(columns))] = Hit(self._left(free, columns), columns)
        return sorted(found.values())[:count]

    def _left(self, free: Array, columns: tuple[int, ...]) -> float:
        system = self.columns[list(columns)].T
        rest = free - system @ np.linalg.lstsq(system, free, rcond=None)[0]
        return float(rest @ rest)


def coefficients(columns: Array, target: Array) -> Array:
    """Numbers of least squares of columns [columns, rows] for a target [rows]: [columns].

    Columns are scaled to length 1 first, so that their units do not matter; one of zeros, such as
    the logarithms of an input that is 1 or -1 everywhere, gets 0.
    """
    norms = _norms(columns)
    return np.linalg.lstsq((columns / norms).T, target, rcond=1e-13)[0] / norms[:, 0]


def _norms(columns: Array) -> Array:
    norms = np.sqrt((columns**2).sum(axis=1, keepdims=True))
    return np.where(norms > 0, norms, 1.0)
