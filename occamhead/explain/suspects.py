"""Features that look at something other than the class: always at the same place of a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import check_counts
from occamhead.explain.activations import BATCH, ActivationMaps, find_maps
from occamhead.explain.words import count, percent
from occamhead.expression import Expression
from occamhead.heads.base import SymbolicHead

if TYPE_CHECKING:
    from occamhead.training.results import Fit

# Cells along a side to which larger maps are averaged, and cells along a side of a spot.
CELLS, SPOT = 7, 2
# A feature is suspect if so much of what tells the classes apart comes from a spot or an edge, or
# from the border all around, which is half of the picture. Of 300 telling features of photographs
# without a planted patch the highest shares were 0.40, 0.30 and 0.58.
HALF, MOST = 0.5, 0.75
# The place's part must be so many standard errors from none, and these be known: of few pictures
# of a class nothing is said.
SURE, FEWEST = 4.0, 8
# Other features answer to the same place if it moves the class means by so many standard
# deviations of the feature, and makes up more of what it tells than it does usually. Chosen by
# patches planted into training photographs, and tested on others of these.
MOVED, MORE = 0.1, 0.1


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
class Suspect:
    """A feature that may look at something other than the class.

    Args:
        feature, name: Which one.
        label, high: The class for which it is unlike the others, and whether it is high there.
        place: Where what it tells comes from.
        share: How much of it, of 1.
        others: Further features of the backbone that answer to the same place; a refit without
            the first alone would take one of them.
        why: The warning, a sentence.
    """

    feature: int
    name: str
    label: int
    high: bool
    place: Place
    share: float
    others: tuple[int, ...]
    why: str

    @property
    def features(self) -> tuple[int, ...]:
        """It and the others: what :meth:`occamhead.OccamHead.edit` should drop."""
        return (self.feature, *self.others)


def find_suspects(
    head: SymbolicHead | Fit, data: Any, *, pictures_per_class: int = 48
) -> list[Suspect]:
    """Look for features of a rule that see the same place in every picture, rather than the class.

    A feature is the mean of a map, so the difference of two classes' means is the sum of what each
    place of the picture adds to it. Where an object tells the classes apart, it is spread over
    where objects are; where a mark, a frame or a stamp does, it comes from one place. So a feature
    is suspect if half of the difference comes from a spot of a twelfth of the picture, or from an
    edge, or three quarters from the border all around.

    Only pictures of training and validation are looked at.

    Args:
        head: The head, or the fit that made it.
        data: The rows that it was fitted to, with their pictures and backbone, as
            :class:`occamhead.FeatureData` has them after ``setup()``.
        pictures_per_class: Most pictures of each class, evenly spread over its rows. Each takes
            the backbone one pass.

    Returns:
        The suspects, largest share first. Warnings and no proof: whether a bee's flower belongs to
        the rule, a person decides.

    Raises:
        ValueError: If the data have no pictures or backbone, or its features are not the means of
            maps.

    Example:
        >>> from occamhead import FeatureData, fit_path
        >>> from occamhead.explain import find_suspects
        >>> data = FeatureData("hymenoptera")  # doctest: +SKIP
        >>> head = fit_path(data).select().head  # doctest: +SKIP
        >>> for suspect in find_suspects(head, data):  # doctest: +SKIP
        ...     print(suspect.why)
        ...     head = head.edit(drop=suspect.features).head
    """
    check_counts(pictures_per_class=pictures_per_class)
    own = head if isinstance(head, SymbolicHead) else head.head
    maps = maps_of(data)
    if maps is None:
        raise ValueError(
            "wanted data with pictures and a backbone whose features are means of maps, as"
            " FeatureData of a convolutional network after setup(): without maps no feature has a"
            " place"
        )
    shown, labels = _look(maps, data, pictures_per_class)
    return suspects_among(own.formula(), shown, labels, data.classes)


def maps_of(data: Any) -> ActivationMaps | None:
    """The maps whose means the features of some data are; None if there are none."""
    pictures, backbone = getattr(data, "pictures", None), getattr(data, "backbone", None)
    if pictures is None or backbone is None:
        return None
    return find_maps(backbone, pictures.train, data.arrays.train[0])


def suspects_among(
    formula: Expression, maps: NDArray[Any], labels: Any, classes: Sequence[str]
) -> list[Suspect]:
    """The suspects of a formula.

    Args:
        formula: One formula per class.
        maps: The map of every feature of some pictures, [picture, feature, height, width].
        labels: Class of each picture.
        classes: Names of the classes.

    Returns:
        As :func:`find_suspects`.
    """
    y = np.asarray(labels)
    contrast = _Contrast(np.asarray(maps, dtype=np.float32), y, len(classes))
    places = list(_places(*maps.shape[2:]))
    moved = [contrast.moved(mask) for _, mask in places]
    shares = np.stack([contrast.share(gap) for gap, _ in moved])
    found = []
    for feature in formula.features:
        able = [
            p
            for p, (place, _) in enumerate(places)
            if shares[p, feature] >= (MOST if place.kind == "border" else HALF)
            and moved[p][1][feature] >= SURE
        ]
        if not able:
            continue
        # Of several the smallest, and of those the one that explains most.
        best = min(able, key=lambda p: (places[p][0].area, -shares[p, feature]))
        place, share = places[best][0], float(shares[best, feature])
        gap, errors = moved[best]
        usual = np.median(shares[best])
        answers = (gap >= MOVED) & (errors >= SURE) & (shares[best] >= usual + MORE)
        others = tuple(f for f in np.flatnonzero(answers).tolist() if f != feature)
        name, label = formula.input_name(feature), int(contrast.label[feature])
        high = bool(contrast.sign[feature] > 0)
        if len(classes) == 2 and not high:
            label, high = 1 - label, True
        why = _why(name, high, classes, label, place, share, len(others))
        found.append(Suspect(feature, name, label, high, place, share, others, why))
    return sorted(found, key=lambda suspect: -suspect.share)


class _Contrast:
    """How far places move the mean of one class from that of the others, feature by feature.

    For each feature the class is the one whose mean is farthest from that of the others.

    Args:
        maps: [picture, feature, height, width].
        y: Class of each picture.
        classes: Number of classes.
    """

    def __init__(self, maps: NDArray[np.float32], y: NDArray[Any], classes: int) -> None:
        values = maps.mean(axis=(2, 3))
        scale = values.std(axis=0)
        # In standard deviations of the feature: what places add is what its class means differ by.
        self.maps = maps / (np.where(scale > 0, scale, 1.0)[:, None, None] * maps[0, 0].size)
        self.groups = [y == k for k in range(classes)]
        gaps = np.stack([_gap(values, group)[0] for group in self.groups])
        self.label = np.abs(gaps).argmax(axis=0)
        self.sign = np.sign(gaps[self.label, np.arange(len(self.label))])
        cells = self._gaps(self.maps)[0]
        self.total = np.maximum(cells, 0.0).sum(axis=(1, 2))

    def moved(self, mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
        """By how many standard deviations a place moves the class, and by how many errors."""
        gap, error = self._gaps(self.maps[:, :, mask].sum(axis=2))
        return gap, gap / np.maximum(error, 1e-9)

    def share(self, gap: NDArray[Any]) -> NDArray[Any]:
        """The share of a place's part in all that moves the class in the same direction."""
        return gap / np.maximum(self.total, 1e-9)

    def _gaps(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gap and standard error of each feature for its class, positive where the feature's is.

        Args:
            values: [picture, feature, ...].
        """
        gap, error = np.zeros(values.shape[1:]), np.zeros(values.shape[1:])
        for k, group in enumerate(self.groups):
            mine = self.label == k
            gap[mine], error[mine] = _gap(values[:, mine], group)
        return gap * self.sign.reshape(-1, *[1] * (gap.ndim - 1)), error


def _gap(values: NDArray[Any], group: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The mean of a group less that of the others, and its standard error; 0 if one is small."""
    if not FEWEST <= group.sum() <= len(group) - FEWEST:
        none = np.zeros(values.shape[1:])
        return none, none
    parts = values[group], values[~group]
    inside, outside = (part.mean(axis=0) for part in parts)
    error = np.sqrt(sum(part.var(axis=0) / len(part) for part in parts))
    return inside - outside, error


def _places(height: int, width: int) -> Iterator[tuple[Place, NDArray[np.bool_]]]:
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


def _why(
    name: str, high: bool, classes: Sequence[str], label: int, place: Place, share: float, more: int
) -> str:
    others = [other for k, other in enumerate(classes) if k != label]
    rest = others[0] if len(others) == 1 else "the other classes"
    said = (
        f"{percent(share)} of what makes {name} {'higher' if high else 'lower'} for"
        f" {classes[label]} than for {rest} comes from {place.name}, {percent(place.area)} of the"
        " picture"
    )
    if more:
        verb = "answers" if more == 1 else "answer"
        said += f"; {count(more, 'other feature')} of the backbone {verb} to the same place"
    return f"{said}."


def _look(
    maps: ActivationMaps, data: Any, per_class: int
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """The maps of all features of some pictures of each class, and the class of each picture."""
    parts = [data.pictures.train, data.pictures.validation]
    labels = np.concatenate([part.labels for part in parts])
    chosen = np.sort(np.concatenate([_spread(labels == k, per_class) for k in np.unique(labels)]))
    found, start = [], 0
    for part in parts:
        rows = chosen[(chosen >= start) & (chosen < start + len(part))] - start
        for first in range(0, len(rows), BATCH):
            batch = maps(part, rows[first : first + BATCH].tolist(), range(data.num_features))
            found.append(_coarse(batch).astype(np.float16))
        start += len(part)
    return np.concatenate(found), labels[chosen]


def _spread(members: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Positions of some of the members, evenly spread over them."""
    positions = np.flatnonzero(members)
    return positions[np.linspace(0, len(positions) - 1, min(most, len(positions))).astype(int)]


def _coarse(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps of more cells a side than a place has use for, averaged; the mean stays as it is."""
    height, width = maps.shape[2:]
    if min(height, width) <= CELLS or height % CELLS or width % CELLS:
        return maps
    shape = (*maps.shape[:2], CELLS, height // CELLS, CELLS, width // CELLS)
    return maps.reshape(shape).mean(axis=(3, 5), dtype=np.float32)
