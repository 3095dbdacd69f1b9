"""Rows as people have them (tensors, arrays, frames, lists, loaders), made into plain arrays."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

log = logging.getLogger("occamhead")

# Rows that are set aside where only one pair is given.
FRACTION = 0.2


def as_numbers(name: str, x: Any) -> NDArray[Any]:
    """Features as an array of numbers, without a copy if they are that already.

    Args:
        name: What they are called in an error.
        x: A tensor, an array of numbers of any type, a frame of numbers, or lists of numbers.

    Raises:
        TypeError: If they are no numbers.
    """
    array = _as_array(name, x)
    if array.dtype == object and all(isinstance(value, Real) for value in array.flat):
        array = array.astype(np.float64)  # columns of several types, such as numbers and truths
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: wanted numbers, got {array.dtype} values; encode text and dates as numbers"
            " first, such as one column per category"
        )
    return array


def as_features(name: str, x: Any) -> NDArray[np.float32]:
    """As :func:`as_numbers`, as float32."""
    return as_numbers(name, x).astype(np.float32, copy=False)


def feature_names(x: Any) -> tuple[str, ...] | None:
    """The names of a frame's columns; None where there are none, or numbers count them."""
    columns = getattr(x, "columns", None)
    if columns is None or list(columns) == list(range(len(columns))):
        return None
    # What formulas put around a name cannot be part of it.
    return tuple(str(column).replace("`", "'") for column in columns)


def as_targets(name: str, y: Any) -> NDArray[Any]:
    """Labels [row] as int64, or names of classes; targets [row, output] as float32.

    Args:
        name: What they are called in an error.
        y: A tensor, an array, a series or frame, or a list.

    Raises:
        ValueError: If a label is missing, as None, NaN or what pandas has for it.
    """
    array = _as_array(name, y)
    listed = y if isinstance(y, (list, tuple)) else array.flat if array.dtype == object else ()
    if missing := [row for row, value in enumerate(listed) if _is_missing(value)]:
        raise ValueError(
            f"{name}: {len(missing)} labels are missing, the first in row {missing[0]}; leave these"
            " rows out"
        )
    if array.dtype == object:  # pandas and lists of mixed kinds
        array = np.array([str(value) for value in array.flat]).reshape(array.shape)
    if array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind in "US":
        array = array[:, 0]  # a frame of one column of names
    if array.ndim == 2 and array.dtype.kind in "fiub":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    return array


def as_labels(
    targets: Sequence[tuple[str, NDArray[Any]]], classes: Sequence[str] | None
) -> tuple[list[NDArray[Any]], tuple[str, ...] | None]:
    """Number the classes where labels are names or truth values.

    Args:
        targets: Name and labels of each split, that of training first.
        classes: The classes in their order; None takes those of the training labels, sorted.

    Returns:
        The labels as numbers, and the names of the classes, if there are any.

    Raises:
        ValueError: If a label is none of the classes.
    """
    first = targets[0][1]
    if first.ndim != 1 or first.dtype.kind not in "USb":
        return [y for _, y in targets], None if classes is None else tuple(classes)
    names = tuple(classes) if classes is not None else tuple(map(str, np.unique(first)))
    number = {name: place for place, name in enumerate(names)}
    found = []
    for name, y in targets:
        texts = [str(label) for label in y]
        if unknown := sorted(set(texts) - set(number)):
            raise ValueError(
                f"{name}: label {unknown[0]!r} is none of the classes {', '.join(names)}; have each"
                " of them in train, or name them in `classes`"
            )
        found.append(np.array([number[text] for text in texts], dtype=np.int64))
    return found, names


def count_of(name: str, y: NDArray[Any]) -> int:
    """How many outputs targets have, or how many classes labels speak of that are numbers.

    Raises:
        ValueError: If no row is of some class below the greatest: then the classes are numbered in
            another way, or there are some that only their names would tell of.
    """
    if y.ndim == 2:
        return y.shape[1]
    count = int(np.max(y, initial=-1)) + 1
    present = np.unique(y)
    if y.dtype.kind in "iu" and len(y) and present[0] >= 0 and len(present) < count:
        first = np.setdiff1d(np.arange(min(count, len(present) + 3)), present)[:3].tolist()
        more = count - len(present) - len(first)
        raise ValueError(
            f"{name}: the labels go up to {count - 1}, but no row is of class"
            f" {', '.join(map(str, first))}{f' or {more} others' if more else ''}; number the"
            f" classes 0 to {len(present) - 1}, give names as labels, or, if there are {count}"
            " classes, name them all in `classes`"
        )
    return count


def gathered(loader: Iterable[Any]) -> tuple[Tensor, NDArray[Any]]:
    """All batches `(features, targets)` of a loader as one; targets may be names.

    Raises:
        TypeError: If a batch is no pair.
        ValueError: If there is none, or its features are no rows.
    """
    features, targets = [], []
    for batch in loader:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise TypeError(f"wanted batches (features, labels), got a {type(batch).__name__}")
        x = torch.as_tensor(batch[0])
        if x.dim() != 2:
            raise ValueError(
                f"wanted batches of features [row, feature], got shape {list(x.shape)}; for"
                " pictures take occamhead.fit_model(model, loader), or a data module of vision"
            )
        features.append(x.detach().cpu())
        targets.append(_as_array("y", batch[1]))
    if not features:
        raise ValueError("the loader gave no batch")
    return torch.cat(features), np.concatenate(targets)


def set_aside(y: NDArray[Any], seed: int, parts: int) -> list[NDArray[np.int64]]:
    """Which rows to train on and, for each further part, which to set aside.

    As nearly as can be a fifth of each class for each part; at least one row of a class stays.

    Args:
        y: Labels [row] or targets [row, output].
        seed: Seed of the drawing.
        parts: How many parts to set aside.
    """
    if len(y) <= parts:
        raise ValueError(f"wanted more rows than the {parts} parts to set aside, got {len(y)}")
    generator = np.random.default_rng(seed)
    kinds = np.unique(y, return_inverse=True)[1] if y.ndim == 1 else np.zeros(len(y), np.int64)
    chosen: list[list[int]] = [[] for _ in range(parts + 1)]
    for kind in range(int(kinds.max()) + 1):
        mine = generator.permutation(np.flatnonzero(kinds.reshape(-1) == kind))
        count = min(max(1, round(FRACTION * len(mine))), (len(mine) - 1) // parts)
        for part in range(parts):
            chosen[part + 1].extend(mine[part * count : (part + 1) * count])
        chosen[0].extend(mine[parts * count :])
    if not all(chosen):
        raise ValueError(
            f"too few rows of each class to set {parts} parts of them aside: give training,"
            " validation and test rows each by themselves"
        )
    log.info("rows: %s (seed %d)", ", ".join(str(len(rows)) for rows in chosen), seed)
    return [np.sort(np.array(rows, dtype=np.int64)) for rows in chosen]


def _is_missing(value: Any) -> bool:
    return not isinstance(value, str) and str(value) in ("None", "nan", "<NA>", "NaT")


def _as_array(name: str, values: Any) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return values.float().numpy() if values.dtype == torch.bfloat16 else values.numpy()
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: wanted rows of equal length, got {error}") from error
