"""Labelled pictures, in files or in memory."""

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from occamhead.vision.decoding import (
    FOREIGN_SUFFIXES,
    SUFFIXES,
    UNREADABLE,
    as_rgb,
    check_readable,
    read_rgb,
)
from occamhead.vision.synsets import class_words

log = logging.getLogger("occamhead")


class Pictures(ABC, Dataset[tuple[Image.Image, int]]):
    """Pictures with one class each; item i is `(PIL image, label)`.

    Args:
        names: One name per picture: a path, or a made-up one such as "mnist/test/00012".
        labels: Class index per picture, int64 [picture].
        classes: Name of each class index.
        skipped: Names of pictures that belonged here but could not be read.

    A part that `hold_out` made remembers its `whole` and its `rows` of it, so that features are
    cached for the whole, whatever the split.
    """

    whole: "Pictures | None" = None
    rows: NDArray[np.int64] | None = None

    def __init__(
        self,
        names: Sequence[str],
        labels: Sequence[int] | NDArray[np.int64],
        classes: Sequence[str],
        skipped: Sequence[str] = (),
    ) -> None:
        self.names = tuple(names)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.classes = tuple(classes)
        self.skipped = tuple(skipped)
        if self.labels.shape != (len(self.names),):
            raise ValueError(
                f"labels: wanted one per name, {len(self.names)}, got shape {self.labels.shape}"
            )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(f"labels: wanted 0 to {len(self.classes) - 1}, got {set(self.labels)}")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return self.picture(index), int(self.labels[index])

    @abstractmethod
    def picture(self, index: int) -> Image.Image:
        """Return one picture as a PIL image."""

    @abstractmethod
    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> "Pictures":
        """Return the chosen pictures, in the order of `indices`; `skipped` is carried along."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a sha256 that changes when any picture, or their order, changes."""


class PictureFiles(Pictures):
    """Pictures in files, decoded to RGB when asked for; their names are their paths.

    See :func:`occamhead.vision.decoding.as_rgb` for grey ones of 16 bits, and for transparency.
    """

    def picture(self, index: int) -> Image.Image:
        return read_rgb(self.names[index])

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> "PictureFiles":
        names = [self.names[i] for i in indices]
        return PictureFiles(names, self.labels[indices], self.classes, self.skipped)

    def fingerprint(self) -> str:
        """Hash the content of every file; where it lies, and since when, does not matter."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(hashlib.sha256(Path(name).read_bytes()).digest())
        return digest.hexdigest()


class PictureArrays(Pictures):
    """Pictures in memory.

    Args:
        images: uint8 [picture, height, width] (grey) or [picture, height, width, 3] (RGB).
        names, labels, classes, skipped: As for `Pictures`.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        names: Sequence[str],
        labels: Sequence[int] | NDArray[np.int64],
        classes: Sequence[str],
        skipped: Sequence[str] = (),
    ) -> None:
        super().__init__(names, labels, classes, skipped)
        grey_or_rgb = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
        if images.dtype != np.uint8 or not grey_or_rgb or len(images) != len(self.names):
            raise ValueError(
                f"images: wanted uint8 [{len(self.names)}, height, width] or [..., 3], "
                f"got {images.dtype} {list(images.shape)}"
            )
        self.images = images

    def picture(self, index: int) -> Image.Image:
        return Image.fromarray(self.images[index])

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> "PictureArrays":
        names = [self.names[i] for i in indices]
        labels = self.labels[indices]
        return PictureArrays(self.images[indices], names, labels, self.classes, self.skipped)

    def fingerprint(self) -> str:
        """Hash shape and all bytes."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Splits:
    """The pictures to learn from, to choose by, and to report on."""

    train: Pictures
    validation: Pictures
    test: Pictures


class PictureTensors(Dataset[tuple[torch.Tensor, int]]):
    """Pictures as a backbone takes them: RGB, then its transform.

    Args:
        pictures: Any pictures; grey ones get three equal channels.
        transform: From a PIL image to a tensor [3, height, width].
    """

    def __init__(
        self, pictures: Pictures, transform: Callable[[Image.Image], torch.Tensor]
    ) -> None:
        self.pictures = pictures
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = self.pictures[index]
        return self.transform(as_rgb(image)), label


def read_folder(root: str | Path, classes: Sequence[str] | None = None) -> PictureFiles:
    """Read pictures that lie in one folder per class, however deep.

    Every picture file is decoded once, JPEGs at low size; those that fail, and those of kinds that
    are not read here such as HEIC, are left out, logged and listed in `skipped`.

    Args:
        root: The folder that holds the class folders.
        classes: Folder names in the order of their labels; None means all, sorted by name.
    Returns:
        The pictures, by class and then by path. Classes are called as their folders are, those of
        ImageNet in words; see :func:`occamhead.vision.synsets.class_words`.
    Raises:
        ValueError: If a folder is missing or holds no readable picture.
    """
    root = Path(root).resolve()
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; wanted one folder of pictures per class in it")
    if classes is None:
        folders = (f.name for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))
        classes = sorted(folders)
        if not classes:
            raise ValueError(f"{root}: no class folders; put the pictures of each class in one")

    names: list[str] = []
    labels: list[int] = []
    skipped: list[str] = []
    for label, name in enumerate(classes):
        good, bad = _sort_out(root / name)
        names += good
        labels += [label] * len(good)
        skipped += bad
    if skipped:
        log.warning("%s: %d unreadable files left out", root, len(skipped))
    return PictureFiles(names, labels, class_words(classes), skipped)


def _sort_out(folder: Path) -> tuple[list[str], list[str]]:
    """Return the readable and the unreadable picture files below a class folder, sorted."""
    if not folder.is_dir():
        raise ValueError(
            f"{folder}: no such class folder; make it, or name the folders there in `classes`"
        )
    good: list[str] = []
    bad: list[str] = []
    kinds = SUFFIXES | FOREIGN_SUFFIXES
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in kinds):
        try:
            check_readable(path)
        except UNREADABLE as reason:
            log.warning("%s: unreadable, left out: %s", path, reason)
            bad.append(str(path))
        else:
            good.append(str(path))
    if not good:
        raise ValueError(
            f"{folder}: no readable picture ({len(bad)} unreadable); put pictures of the kinds "
            f"{' '.join(sorted(SUFFIXES))} there, or leave this class out of `classes`"
        )
    return good, bad


def hold_out(pictures: Pictures, fraction: float, seed: int) -> tuple[Pictures, Pictures]:
    """Split pictures in two, each class in the same proportion.

    Args:
        pictures: At least two of each class.
        fraction: Part of each class to hold out, between 0 and 1; rounded, and at least one
            picture of each class lands on each side.
        seed: Decides which pictures; the same seed gives the same split.
    Returns:
        The rest and the pictures held out, both in their old order.
    Raises:
        ValueError: If `fraction` is out of range or a class has fewer than two pictures.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction: wanted a number between 0 and 1, got {fraction}")
    generator = np.random.default_rng(seed)
    held = np.zeros(len(pictures), dtype=bool)
    for label, name in enumerate(pictures.classes):
        members = np.flatnonzero(pictures.labels == label)
        if len(members) < 2:
            raise ValueError(
                f"class {name!r}: wanted at least 2 pictures to split, got {len(members)}"
            )
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        held[generator.permutation(members)[:count]] = True
    parts = []
    for rows in (np.flatnonzero(~held), np.flatnonzero(held)):
        part = pictures.subset(rows)
        part.whole, part.rows = pictures, rows
        parts.append(part)
    return parts[0], parts[1]
