"""Features that a backbone made before, kept in a file, as rows: no picture is read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.rows.arrays import ArrayDataModule, LabelledArrays, Rows
from occamhead.rows.intake import set_aside
from occamhead.vision.named_pictures import PictureNames, named_pictures
from occamhead.vision.pictures import Splits
from occamhead.vision.sources import find
from occamhead.vision.synsets import class_words

ARRAYS = ("x", "y", "files", "classes")
TRAIN, TEST = "train", "val"
# Rows that are turned into float32 at once.
BLOCK = 1024


@dataclass(frozen=True)
class Stored:
    """What a file of features and the one beside it hold.

    Args:
        arrays: The rows.
        pictures: Names of the pictures of each split, in the order of its rows.
        folders: Names of the classes as they stand in the file.
    """

    arrays: LabelledArrays
    pictures: Splits
    folders: tuple[str, ...]


def stored_features(
    path: str | Path, test: str | Path | None = None, seed: int = 0
) -> LabelledArrays:
    """Read the features of a file; those of the file beside it are the test rows.

    A file has the arrays `x` [rows, features], of floating-point numbers, `y` [rows], whole numbers
    from 0, `files` [rows], names of the pictures, and `classes`, names of the classes; those that
    are numbers of WordNet are called by their words. Of what is read a single copy as float32 is
    made.

    Args:
        path: File of the rows to learn from, also looked for below $OCCAMHEAD_DATA. A fifth of each
            class is set aside to validate on.
        test: File of the test rows; None takes the one that is called "val" where `path` is
            called "train", as in ``features_train.npz``.
        seed: Decides which rows validate.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file is no such file, an array is missing or of the wrong shape or dtype,
            a class has no row to learn from, or the two files differ in classes or features.
    """
    return read_stored(path, test, seed).arrays


def read_stored(path: str | Path, test: str | Path | None = None, seed: int = 0) -> Stored:
    """As :func:`stored_features`, with the names of the pictures."""
    file = find(path, "features")
    other = _beside(file) if test is None else find(test, "features")
    x, y, files, classes = _read(file)
    counts = np.bincount(y, minlength=len(classes))
    if len(bare := np.flatnonzero(counts < 2)):
        raise ValueError(
            f"{file}: wanted two rows or more of each class, one of them to validate on, got"
            f" {counts[bare[0]]} of {classes[bare[0]]}"
            f"{f' and too few of {len(bare) - 1} others' if len(bare) > 1 else ''}; leave such"
            " classes out of `classes`, and number the labels anew"
        )
    words = class_words(classes)
    own, held_out = set_aside(y, seed, 1)
    train, validation = (_part(x, y, rows) for rows in (own, held_out))
    named = PictureNames(files, y, words)
    of_train, of_validation = named.subset(own), named.subset(held_out)
    del x
    x, y, files, of_test = _read(other)
    if of_test != classes:
        names = sorted(set(of_test) ^ set(classes))
        differ = f"{names[0]} is in one only" if names else "in another order"
        raise ValueError(
            f"{other}: wanted the {len(classes)} classes of {file.name}, got {len(of_test)}:"
            f" {differ}"
        )
    if x.shape[1] != train[0].shape[1]:
        raise ValueError(
            f"{other}: wanted {train[0].shape[1]} features as in {file.name}, got {x.shape[1]};"
            " take both of the same backbone"
        )
    rows = _part(x, y, np.arange(len(y)))
    return Stored(
        LabelledArrays(train, validation, rows, words, f"features in {file}"),
        Splits(of_train, of_validation, PictureNames(files, y, words)),
        classes,
    )


class StoredFeatures(ArrayDataModule):
    """Features in a file, as data to fit a head to; see :func:`stored_features`.

    After `setup`, `named` has the names of the pictures of each split, and `pictures` the same with
    the pictures of the test rows themselves, or None where it is not said where they are.

    Args:
        path, test, seed: See :func:`stored_features`.
        batch_size: Rows per batch.
        pictures: Where the pictures of the test rows are, a folder or a .tar, as
            :func:`occamhead.vision.named_pictures.named_pictures` finds them; for the report alone.
    """

    def __init__(
        self,
        path: str | Path,
        test: str | Path | None = None,
        seed: int = 0,
        batch_size: int = 128,
        pictures: str | Path | None = None,
    ) -> None:
        super().__init__(batch_size)
        self._source = (path, test, seed)
        self._place = pictures
        self._stored: Stored | None = None
        self._pictures: Splits | None = None

    def make_arrays(self) -> LabelledArrays:
        self._stored = read_stored(*self._source)
        if self._place is not None:
            named = self._stored.pictures
            test = named_pictures(
                self._place, named.test.names, named.test.labels, self._stored.arrays.classes,
                self._stored.folders,
            )  # fmt: skip
            self._pictures = replace(named, test=test)
        return self._stored.arrays

    @property
    def named(self) -> Splits:
        """The names of the pictures of each split, in the order of its rows."""
        if self._stored is None:
            raise RuntimeError("StoredFeatures: call setup() first")
        return self._stored.pictures

    @property
    def pictures(self) -> Splits | None:
        """The same with the pictures of the test rows, if it is known where they are."""
        return self._pictures


def _beside(file: Path) -> Path:
    """The test rows' file: "val" stands in its name where that of `file` has "train"."""
    before, found, after = file.name.rpartition(TRAIN)
    other = file.with_name(f"{before}{TEST}{after}")
    if not found or not other.is_file():
        wanted = f"{other.name} beside it" if found else f"a name with {TRAIN!r}"
        raise FileNotFoundError(
            f"{file}: wanted {wanted}, which has the test rows; name their file by `test`"
        )
    return other


def _read(
    file: Path,
) -> tuple[NDArray[np.floating], NDArray[np.int64], list[str], tuple[str, ...]]:
    """The features as they are, the labels, the names of the pictures, and those of the classes."""
    x, y, files, classes = _arrays(file)
    if x.ndim != 2 or not x.size or not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            f"{file}: wanted x of floating-point numbers [rows, features], got {x.dtype}"
            f" {list(x.shape)}"
        )
    for name, array in (("y", y), ("files", files)):
        if array.shape != (len(x),):
            raise ValueError(
                f"{file}: wanted {name} with one entry for each of the {len(x)} rows of x, got"
                f" shape {list(array.shape)}"
            )
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{file}: wanted whole numbers as labels y, got {y.dtype}")
    return x, y.astype(np.int64), [str(name) for name in files], _names(file, classes, y)


def _arrays(file: Path) -> list[NDArray[Any]]:
    wanted = f"wanted an .npz file with {', '.join(ARRAYS)}, as numpy.savez writes it"
    try:
        with file.open("rb") as stream, zipfile.ZipFile(stream):
            loaded = np.load(file, allow_pickle=False)
        with loaded:
            if missing := [name for name in ARRAYS if name not in loaded]:
                had = ", ".join(loaded.files) or "none"
                raise ValueError(f"of its arrays {had} none is {' or '.join(missing)}")
            return [loaded[name] for name in ARRAYS]
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as reason:
        raise ValueError(f"{file}: {wanted}, got another or a damaged one ({reason})") from reason


def _names(file: Path, classes: NDArray[np.str_], y: NDArray[np.integer]) -> tuple[str, ...]:
    if classes.ndim != 1 or classes.dtype.kind != "U" or len(classes) < 2:
        raise ValueError(
            f"{file}: wanted classes as a list of two names or more, got {classes.dtype}"
            f" {list(classes.shape)}"
        )
    names, counts = np.unique(classes, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"{file}: the class {names[counts.argmax()]} is there twice; rename one")
    if y.min() < 0 or y.max() >= len(classes):
        raise ValueError(
            f"{file}: wanted labels y of 0 to {len(classes) - 1}, as there are {len(classes)}"
            f" classes, got {y.min()} to {y.max()}"
        )
    return tuple(classes.tolist())


def _part(x: NDArray[np.floating], y: NDArray[np.int64], rows: Sequence[int] | NDArray) -> Rows:
    """Some rows as float32, a block at a time: no second copy of all."""
    features = np.empty((len(rows), x.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        features[start : start + BLOCK] = x[rows[start : start + BLOCK]]
    return features, y[rows]
