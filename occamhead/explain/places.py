"""Places of a picture, and how much of what tells classes apart comes from each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Cells along a side to which larger maps are averaged, and cells along a side of a spot.
CELLS, SPOT = 7, 2
# Of fewer pictures of a class nothing is said.
FEWEST = 8


@dataclass(frozen=True)
class Place:
    """A part of every picture.

    Args:
        kind: "spot", "edge" or "border".
        name: In words, such as "the lower right corner".
        top, left, bottom, right: The box, as shares of the picture's height and width; of the
            border the whole picture.
        area: Share of the picture.
    """

    kind: str
    name: str
    top: float
    left: float
    bottom: float
    right: float
    area: float


@dataclass(frozen=True)
class Contrast:
    """How far each place moves the mean of one class from that of the others, for each feature.

    The class is the one whose mean is farthest from that of the others.

    Args:
        side: Height and width of the maps.
        label: The class, [feature].
        sign: 1 where its mean is higher than that of the others, -1 where it is lower, [feature].
        gap: What the place adds to the difference, in standard deviations of the feature and in
            the direction of the sign, [place, feature]; the places are those of `places_of`.
        error: Its standard error, [place, feature].
        total: What all parts of the picture add that move the class in this direction, [feature].
    """

    side: NDArray[np.int64]
    label: NDArray[np.int64]
    sign: NDArray[np.float64]
    gap: NDArray[np.float64]
    error: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def of(cls, maps: NDArray[Any], labels: NDArray[np.int64], classes: int) -> Contrast:
        """Measure it.

        Args:
            maps: The map of each feature, whose mean is the feature, [picture, feature, height,
                width].
            labels: Class of each picture.
            classes: Number of classes.
        """
        maps = np.asarray(maps, dtype=np.float32)
        values = maps.mean(axis=(2, 3))
        scale = values.std(axis=0)
        # In standard deviations of the feature: what places add is what its class means differ by.
        maps = maps / (np.where(scale > 0, scale, 1.0)[:, None, None] * maps[0, 0].size)
        groups = [labels == k for k in range(classes)]
        means = np.stack([_gap(values, group)[0] for group in groups])
        label = np.abs(means).argmax(axis=0)
        sign = np.sign(means[label, np.arange(len(label))])

        def gaps(parts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
            """Gap and error of each feature for its class; parts is [picture, feature, ...]."""
            gap, error = np.zeros(parts.shape[1:]), np.zeros(parts.shape[1:])
            for k, group in enumerate(groups):
                gap[label == k], error[label == k] = _gap(parts[:, label == k], group)
            return gap * sign.reshape(-1, *[1] * (gap.ndim - 1)), error

        side = maps.shape[2:]
        found = [gaps(maps[:, :, mask].sum(axis=2)) for _, mask in places_of(*side)]
        total = np.maximum(gaps(maps)[0], 0.0).sum(axis=(1, 2))
        gap, error = (np.stack(each) for each in zip(*found, strict=True))
        return cls(np.array(side), label, sign, gap, error, total)

    @property
    def share(self) -> NDArray[np.float64]:
        """The part of each place in all that moves the class in its direction."""
        shares: NDArray[np.float64] = self.gap / np.maximum(self.total, 1e-9)
        return shares

    @property
    def errors(self) -> NDArray[np.float64]:
        """How many standard errors each gap is from none."""
        errors: NDArray[np.float64] = self.gap / np.maximum(self.error, 1e-9)
        return errors

    @property
    def places(self) -> list[Place]:
        """The places of `gap`."""
        return [place for place, _ in places_of(*self.side.tolist())]

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """All that it is made of, by name."""
        return vars(self)


def _gap(values: NDArray[Any], group: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The mean of a group less that of the others, and its standard error; 0 if one is small."""
    if not FEWEST <= group.sum() <= len(group) - FEWEST:
        none = np.zeros(values.shape[1:])
        return none, none
    parts = values[group], values[~group]
    inside, outside = (part.mean(axis=0) for part in parts)
    error = np.sqrt(sum(part.var(axis=0) / len(part) for part in parts))
    return inside - outside, error


def places_of(height: int, width: int) -> Iterator[tuple[Place, NDArray[np.bool_]]]:
    """Spots all over the picture, its four edges and its border, with the cells of each."""
    high, wide = (max(1, round(SPOT / CELLS * side)) for side in (height, width))

    def place(kind: str, name: str, rows: slice, columns: slice) -> tuple[Place, NDArray[np.bool_]]:
        mask = np.zeros((height, width), dtype=bool)
        mask[rows, columns] = True
        box = rows.start / height, columns.start / width, rows.stop / height, columns.stop / width
        return Place(kind, name, *box, float(mask.mean())), mask

    for top in range(height - high + 1):
        for left in range(width - wide + 1):
            name = _spot_name(top / (height - high or 1), left / (width - wide or 1))
            yield place("spot", name, slice(top, top + high), slice(left, left + wide))
    if min(height, width) < 5:
        return  # an edge of few cells is no edge, and the border all of the picture
    rows, columns = slice(0, height), slice(0, width)
    yield place("edge", "the upper edge", slice(0, 1), columns)
    yield place("edge", "the lower edge", slice(height - 1, height), columns)
    yield place("edge", "the left edge", rows, slice(0, 1))
    yield place("edge", "the right edge", rows, slice(width - 1, width))
    border = np.ones((height, width), dtype=bool)
    border[1:-1, 1:-1] = False
    yield Place("border", "the border", 0.0, 0.0, 1.0, 1.0, float(border.mean())), border


def _spot_name(down: float, right: float) -> str:
    """Where a spot is, from 0 to 1 in both directions."""
    vertical = "upper" if down < 1 / 3 else "lower" if down > 2 / 3 else ""
    horizontal = "left" if right < 1 / 3 else "right" if right > 2 / 3 else ""
    if {down, right} <= {0.0, 1.0}:
        return f"the {vertical} {horizontal} corner"
    return f"a spot in the {' '.join(filter(None, (vertical, horizontal))) or 'middle'}"


def coarse(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps of more cells a side than a place has use for, averaged; the mean stays as it is."""
    height, width = maps.shape[2:]
    if min(height, width) <= CELLS or height % CELLS or width % CELLS:
        return maps
    shape = (*maps.shape[:2], CELLS, height // CELLS, CELLS, width // CELLS)
    return maps.reshape(shape).mean(axis=(3, 5), dtype=np.float32)
