"""Some pictures of each class, and where in them what tells the classes apart comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from occamhead.explain.activations import BATCH, find_maps
from occamhead.explain.places import Contrast, coarse
from occamhead.vision.features import cached_arrays

if TYPE_CHECKING:
    from occamhead.vision import Backbone, PictureRows, Pictures, Splits

PER_CLASS = 48


@dataclass(frozen=True)
class Chosen:
    """Pictures of training and validation, of each class some that are evenly spread over its rows.

    Args:
        parts: The pictures of training, and of validation.
        rows: The rows that are chosen of each part.
        labels: Class of each that is chosen, those of training first.
    """

    parts: tuple[Pictures, Pictures]
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, pictures: Splits, per_class: int) -> Chosen:
        """At most so many of each class."""
        parts = pictures.train, pictures.validation
        labels = np.concatenate([part.labels for part in parts])
        spread = [_spread(labels == k, per_class) for k in np.unique(labels)]
        chosen, first = np.sort(np.concatenate(spread)), len(parts[0])
        rows = chosen[chosen < first], chosen[chosen >= first] - first
        return cls(parts, rows, labels[chosen])

    def key(self, backbone: Backbone) -> list[str]:
        """What names that which a backbone sees in them."""
        shown = [part.subset(own) for part, own in zip(self.parts, self.rows, strict=True)]
        key = ["places", backbone.fingerprint, repr(backbone.transform), str(self.labels.tolist())]
        return [*key, *(part.fingerprint() for part in shown)]


class Look:
    """Sees what :func:`looked_at` needs in the pass that makes the features, and saves another.

    Args:
        pictures: The pictures of which features will be made.
        per_class: See :func:`looked_at`.

    Give it to :class:`occamhead.vision.PictureRows` as `watch`; after `setup()` call `keep`.
    """

    def __init__(self, pictures: Splits, per_class: int = PER_CLASS) -> None:
        self._chosen = Chosen.of(pictures, per_class)
        self._seen: dict[int, NDArray[np.float32]] = {}

    @contextmanager
    def __call__(self, backbone: Backbone, pictures: Pictures) -> Iterator[Callable[[range], None]]:
        """Look on while pictures pass; see :data:`occamhead.vision.features.Watch`."""
        positions = self._positions(pictures)
        maps = find_maps(backbone, pictures, None) if positions else None
        if maps is None:
            yield lambda rows: None
            return
        with maps.watched() as last:

            def see(rows: range) -> None:
                wanted = [i for i, row in enumerate(rows) if row in positions]
                if wanted:
                    for i, seen in zip(wanted, coarse(last()[wanted].numpy()), strict=True):
                        self._seen[positions[rows[i]]] = seen

            yield see

    def keep(self, data: PictureRows) -> None:
        """Keep on disk what was seen, if all of it was: what is cached passes through nothing."""
        if len(self._seen) == len(self._chosen.labels) and data.backbone is not None:
            maps = np.stack([self._seen[i] for i in range(len(self._seen))])
            contrast = Contrast.of(maps, self._chosen.labels, len(data.classes))
            cached_arrays(self._chosen.key(data.backbone), contrast.arrays, data.cache_dir)
        self._seen.clear()

    def _positions(self, pictures: Pictures) -> dict[int, int]:
        """Places among those chosen, by the row of these pictures."""
        found: dict[int, int] = {}
        place = 0
        for part, rows in zip(self._chosen.parts, self._chosen.rows, strict=True):
            whole, own = part, rows
            while whole.whole is not None and whole.rows is not None:
                own = whole.rows[own]
                whole = whole.whole
            if whole is pictures:
                found |= {row: place + i for i, row in enumerate(own.tolist())}
            place += len(rows)
        return found


def looked_at(data: Any, per_class: int = PER_CLASS) -> Contrast | None:
    """The contrast of some pictures of each class, kept beside the features; None without maps.

    Args:
        data: Rows with their pictures and backbone.
        per_class: Most pictures of each class.
    """
    chosen, backbone = Chosen.of(data.pictures, per_class), data.backbone

    def measure() -> Mapping[str, NDArray[Any]]:
        maps = find_maps(backbone, data.pictures.train, data.arrays.train[0])
        if maps is None:
            return {}
        found = [
            coarse(maps(part, rows[start : start + BATCH].tolist(), range(data.num_features)))
            for part, rows in zip(chosen.parts, chosen.rows, strict=True)
            for start in range(0, len(rows), BATCH)
        ]
        return Contrast.of(np.concatenate(found), chosen.labels, len(data.classes)).arrays()

    arrays = cached_arrays(chosen.key(backbone), measure, getattr(data, "cache_dir", None))
    return Contrast(**arrays) if arrays else None


def _spread(members: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Positions of some of the members, evenly spread over them."""
    positions = np.flatnonzero(members)
    return positions[np.linspace(0, len(positions) - 1, min(most, len(positions))).astype(int)]
