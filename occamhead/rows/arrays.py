"""Labelled rows of numbers: checked once, then handed out in batches."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, SequentialSampler

from occamhead.rows.batches import Batches, Order
from occamhead.rows.intake import (
    as_features,
    as_labels,
    as_targets,
    count_of,
    feature_names,
    gathered,
    set_aside,
)

Labels: TypeAlias = NDArray[np.int64] | NDArray[np.float32]
Rows: TypeAlias = tuple[NDArray[np.float32], Labels]


@dataclass(frozen=True)
class LabelledArrays:
    """Rows of numbers for each split.

    Args:
        train, validation, test: `(x, y)` with x float32 [row, feature] and y int64 [row]; where a
            row has several labels or numbers to predict, y is float32 [row, output].
        classes: Names of the labels 0, 1, ..., or of the outputs.
        description: What the rows are, in one line.
    Raises:
        ValueError: If a split is empty, has the wrong shape, type or labels, or is not finite.
    """

    train: Rows
    validation: Rows
    test: Rows
    classes: tuple[str, ...]
    description: str = "arrays"

    def __post_init__(self) -> None:
        width = np.shape(self.train[0])[-1] if np.ndim(self.train[0]) else 0
        for split in ("train", "validation", "test"):
            x, y = getattr(self, split)
            _check_rows(f"{split} x", x, width)
            check = _check_targets if np.ndim(y) == 2 else _check_labels
            check(f"{split} y", y, len(x), len(self.classes))


def _check_rows(name: str, x: NDArray[np.float32], width: int) -> None:
    if x.ndim != 2 or x.size == 0 or x.shape[1] != width:
        raise ValueError(
            f"{name}: wanted [row, feature], not empty and as wide as train ({width}), got "
            f"{list(x.shape)}"
        )
    if x.dtype != np.float32:
        raise ValueError(f"{name}: wanted float32, got {x.dtype}; use x.astype('float32')")
    # A sum is finite only if all it adds up is; it takes no memory, as a table of answers would.
    if not np.isfinite(x.sum(dtype=np.float64)):
        finite = np.isfinite(x).all(axis=1)
        raise ValueError(
            f"{name}: {np.count_nonzero(~finite)} rows are not finite, the first is row "
            f"{np.argmin(finite)}; leave them out or mend them"
        )


def _check_labels(name: str, y: Labels, rows: int, num_classes: int) -> None:
    if y.shape != (rows,):
        raise ValueError(f"{name}: wanted one label per row, [{rows}], got {list(y.shape)}")
    if y.dtype != np.int64:
        raise ValueError(
            f"{name}: wanted int64, got {y.dtype}; use y.astype('int64'), or for one number to"
            " predict y[:, None].astype('float32')"
        )
    if y.min() < 0 or y.max() >= num_classes:
        raise ValueError(
            f"{name}: wanted labels 0 to {num_classes - 1}, got {y.min()} to {y.max()}; number "
            "the classes from 0 and have each of them in train, or name them in `classes`"
        )


def _check_targets(name: str, y: Labels, rows: int, outputs: int) -> None:
    if y.shape != (rows, outputs):
        raise ValueError(
            f"{name}: wanted a target per row and output, [{rows}, {outputs}], got {list(y.shape)}"
        )
    if y.dtype != np.float32:
        raise ValueError(f"{name}: wanted float32, got {y.dtype}; use y.astype('float32')")
    if not np.isfinite(y).all():
        raise ValueError(f"{name}: some targets are not finite; leave out their rows")


def as_rows(arrays: Rows) -> tuple[Tensor, Tensor]:
    """A pair of arrays (features, labels or targets) as tensors; memory-mapped ones are read."""
    x, y = arrays
    targets = torch.as_tensor(y.copy())
    return torch.as_tensor(x.copy()).float(), targets.float() if y.ndim == 2 else targets.long()


def view_rows(arrays: Rows) -> tuple[Tensor, Tensor]:
    """As :func:`as_rows`, but the tensors are the arrays themselves: not to be written to."""
    with warnings.catch_warnings():
        # Of arrays that may not be written to, such as memory maps. Nobody does.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        x, targets = torch.from_numpy(arrays[0]), torch.from_numpy(arrays[1])
    return x, targets.float() if targets.dim() == 2 else targets.long()


class RowDataset(Dataset[tuple[Tensor, ...]]):
    """Rows of arrays; a batch is fetched in one piece, so a memory map is never copied whole.

    Args:
        x, y: As in `LabelledArrays`; use with `DataLoader(..., collate_fn=as_fetched)`.
        weight: What each row counts, which comes third in a batch; None leaves it out.
    """

    def __init__(
        self, x: NDArray[np.float32], y: Labels, weight: NDArray[np.float32] | None = None
    ) -> None:
        self.x, self.y, self.weight = x, y, weight

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(part[0] for part in self.__getitems__([index]))

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        parts = [self.x, self.y, *([] if self.weight is None else [self.weight])]
        return tuple(torch.from_numpy(np.asarray(part[indices])) for part in parts)


def as_fetched(batch: list[Tensor]) -> list[Tensor]:
    """Collate nothing: `RowDataset` hands out whole batches."""
    return batch


class ArrayDataModule(pl.LightningDataModule, ABC):
    """Base of the data modules that end in arrays: a subclass says only how to make them.

    After `setup`: `arrays` holds them, and `num_features`, `num_classes`, `classes` and
    `description` say what they are.

    Args:
        batch_size: Rows per batch. Batches of train are shuffled by torch's global generator, so
            seed it with `pytorch_lightning.seed_everything`.
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        # What each row of train and of validation counts; None where all count alike.
        self.weights: NDArray[np.float32] | None = None
        self.feature_names: tuple[str, ...] | None = None
        # What each feature looks at, as far as the classes say for which it was read before.
        self.feature_hints: tuple[str, ...] | None = None
        self._arrays: LabelledArrays | None = None

    @abstractmethod
    def make_arrays(self) -> LabelledArrays:
        """Compute the arrays, or read what `prepare_data` left in a cache."""

    def prepare_data(self) -> None:
        # Lightning calls this in one process per machine, before any `setup`: the others then find
        # the features in the cache.
        self.setup()

    def setup(self, stage: str | None = None) -> None:
        if self._arrays is None:
            self._arrays = self.make_arrays()

    @property
    def arrays(self) -> LabelledArrays:
        if self._arrays is None:
            raise RuntimeError(f"{type(self).__name__}: call setup() first")
        return self._arrays

    @property
    def num_features(self) -> int:
        return int(self.arrays.train[0].shape[1])

    @property
    def classes(self) -> tuple[str, ...]:
        return self.arrays.classes

    def name_classes(self, names: Sequence[str] | None) -> None:
        """Call the classes so, of which there may be more than the labels; None changes nothing."""
        if names is not None:
            self._arrays = replace(self.arrays, classes=tuple(names))

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def description(self) -> str:
        return self.arrays.description

    def merged(self) -> ArrayData:
        """The same rows with those of validation added to those of training."""
        train, validation = self.arrays.train, self.arrays.validation
        x = np.concatenate([train[0], validation[0]])
        y = np.concatenate([train[1], validation[1]])
        both = ArrayData((x, y), validation, self.arrays.test, self.batch_size, self.classes)
        both.weights = self.weights
        both.feature_names, both.feature_hints = self.feature_names, self.feature_hints
        return both

    def weighted(self, weights: NDArray[np.float32] | None) -> ArrayData:
        """The same rows, of which each counts so much: those of train, then those of validation."""
        arrays = self.arrays
        data = ArrayData(
            arrays.train, arrays.validation, arrays.test, self.batch_size, self.classes
        )
        data.weights = weights
        data.feature_names, data.feature_hints = self.feature_names, self.feature_hints
        return data

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, if they are called anything but their numbers."""
        numbers = tuple(str(label) for label in range(self.num_classes))
        return None if self.classes == numbers else self.classes

    def train_dataloader(self) -> Batches:
        rows = self.arrays.train
        weights = None if self.weights is None else self.weights[: len(rows[1])]
        return self._loader(rows, shuffle=True, weights=weights)

    def val_dataloader(self) -> Batches:
        return self._loader(self.arrays.validation)

    def test_dataloader(self) -> Batches:
        return self._loader(self.arrays.test)

    def predict_dataloader(self) -> Batches:
        return self.test_dataloader()

    def _loader(
        self, rows: Rows, shuffle: bool = False, weights: NDArray[np.float32] | None = None
    ) -> Batches:
        return Batches(
            RowDataset(*rows, weights),
            batch_size=self.batch_size,
            sampler=Order(len(rows[1]), shuffle),
            collate_fn=as_fetched,
        )


class ArrayData(ArrayDataModule):
    """Features or pixels that the caller has already.

    Args:
        train, validation, test: Pairs `(x, y)`. x is a tensor, an array, a frame or lists of
            numbers of any type, [row, feature]. y is a whole number, a name or a truth value for
            each row, or numbers [row, output] where a row has several labels or numbers to
            predict. Without validation rows a fifth of each class of train is set aside as such,
            without test rows another fifth; the package's log says how many.
        batch_size: Rows per batch.
        classes: Names of the labels 0, 1, ..., or of the outputs, or the order of the labels where
            these are names; None takes the names in their order, or the numbers of the labels up to
            the greatest in train, of which each must occur there.
        seed: Seed by which rows are set aside.

    After this, `feature_names` are the columns of a frame, else None.

    Raises:
        ValueError: See `LabelledArrays`.
        TypeError: If features are no numbers.

    Example:
        >>> from occamhead.rows.arrays import ArrayData
        >>> data = ArrayData(([[0.1], [0.2], [0.3]] * 5, ["ant", "ant", "bee"] * 5))
        >>> data.classes, [len(y) for _, y in (data.arrays.train, data.arrays.validation)]
        (('ant', 'bee'), [9, 3])
    """

    def __init__(
        self,
        train: tuple[Any, Any],
        validation: tuple[Any, Any] | None = None,
        test: tuple[Any, Any] | None = None,
        batch_size: int = 128,
        classes: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size)
        self.feature_names = feature_names(train[0])
        given = {"train": train, "validation": validation, "test": test}
        pairs = {
            name: (as_features(f"{name} x", pair[0]), as_targets(f"{name} y", pair[1]))
            for name, pair in given.items()
            if pair is not None
        }
        targets, names = as_labels([(f"{name} y", y) for name, (_, y) in pairs.items()], classes)
        rows: dict[str, Rows] = {
            name: (x, y) for (name, (x, _)), y in zip(pairs.items(), targets, strict=True)
        }
        missing = [name for name in given if name not in rows]
        x, y = rows["train"]
        if missing and len(x) == len(y) > 0:
            parts = set_aside(y, seed, len(missing))
            for name, chosen in zip(("train", *missing), parts, strict=True):
                rows[name] = x[chosen], y[chosen]
        if names is None:
            names = tuple(str(label) for label in range(count_of("train y", y)))
        self._arrays = LabelledArrays(
            rows["train"], rows.get("validation", (x, y)), rows.get("test", (x, y)), tuple(names)
        )

    def make_arrays(self) -> LabelledArrays:
        return self.arrays


def check_in_order(loader: Any, sample_weight: Any) -> None:
    """Raise ValueError if rows are to be weighed that come in another order each time."""
    sampler = getattr(loader, "sampler", None)
    in_order = isinstance(sampler, (SequentialSampler, type(None))) or (
        isinstance(sampler, Order) and not sampler.shuffle
    )
    if sample_weight is not None and not in_order:
        raise ValueError(
            f"sample_weight weighs rows in their order, but the loader's {type(sampler).__name__}"
            " mixes them; give a loader with shuffle=False"
        )


def as_data(
    data: Any,
    seed: int = 0,
    sample_weight: Any = None,
    numbers: bool = False,
    classes: Sequence[str] | None = None,
) -> tuple[ArrayDataModule, Any]:
    """What a fit is given as a data module, set up, and the weights of its rows in their order.

    Args:
        data: A data module with arrays; or a pair `(x, y)` as `ArrayData` takes, or a loader of
            such batches, of which a fifth of each class is set aside for validation. No test rows
            are set aside then: the module's are those of validation.
        seed: Seed by which rows are set aside.
        sample_weight: A number per row: of the pair, or of train and then of validation.
        numbers: Whether a y of one number per row is one to predict.
        classes: Names of the labels of a pair or loader, where these are numbers; of some there may
            be no row.

    Raises:
        TypeError: If it is none of these.
        ValueError: If rows and labels, or the weights, do not fit together.
    """
    if isinstance(data, ArrayDataModule):
        data.prepare_data()
        data.setup("fit")
        return data, sample_weight
    if isinstance(data, DataLoader):
        check_in_order(data, sample_weight)
        data = gathered(data)
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(
            "wanted a data module with arrays (ArrayData, FeatureData), a pair (x, y) or a"
            f" DataLoader of such batches, got a {type(data).__name__}"
        )
    x, y = as_features("x", data[0]), as_targets("y", data[1])
    if numbers and y.ndim == 1:
        y = y[:, None].astype(np.float32)
    if len(x) != len(y):
        raise ValueError(f"wanted as many labels as rows, got {len(x)} rows and {len(y)} labels")
    train, held_out = set_aside(y, seed, 1)
    validation = x[held_out], y[held_out]
    names = classes if y.dtype.kind in "iuf" else None
    made = ArrayData((x[train], y[train]), validation, validation, classes=names)
    made.feature_names = feature_names(data[0])
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=np.float32)
        if weight.shape != (len(x),):
            raise ValueError(
                f"sample_weight: wanted a number for each of {len(x)} rows, got"
                f" {list(weight.shape)}"
            )
        sample_weight = weight[np.concatenate([train, held_out])]
    return made, sample_weight
