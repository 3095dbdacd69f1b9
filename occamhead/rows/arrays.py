"""Labelled rows of numbers: checked once, then handed out in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

Batches: TypeAlias = DataLoader[Any]
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
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
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


class RowDataset(Dataset[tuple[Tensor, Tensor]]):
    """Rows of arrays; a batch is fetched in one piece, so a memory map is never copied whole.

    Args:
        x, y: As in `LabelledArrays`; use with `DataLoader(..., collate_fn=as_fetched)`.
    """

    def __init__(self, x: NDArray[np.float32], y: Labels) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.__getitems__([index])
        return x[0], y[0]

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(np.asarray(self.x[indices])), torch.from_numpy(self.y[indices])


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
        return ArrayData((x, y), validation, self.arrays.test, self.batch_size, self.classes)

    def train_dataloader(self) -> Batches:
        return self._loader(self.arrays.train, shuffle=True)

    def val_dataloader(self) -> Batches:
        return self._loader(self.arrays.validation)

    def test_dataloader(self) -> Batches:
        return self._loader(self.arrays.test)

    def predict_dataloader(self) -> Batches:
        return self.test_dataloader()

    def _loader(self, rows: Rows, shuffle: bool = False) -> Batches:
        return DataLoader(
            RowDataset(*rows),
            batch_size=self.batch_size,
            shuffle=shuffle,
            collate_fn=as_fetched,
        )


class ArrayData(ArrayDataModule):
    """Features or pixels that the caller has already.

    Args:
        train, validation, test: `(x, y)`, see `LabelledArrays`.
        batch_size: Rows per batch.
        classes: Names of the labels 0, 1, ..., or of the outputs; None takes their numbers, the
            labels' up to the greatest in train.
    Raises:
        ValueError: See `LabelledArrays`.
    """

    def __init__(
        self,
        train: Rows,
        validation: Rows,
        test: Rows,
        batch_size: int = 128,
        classes: Sequence[str] | None = None,
    ) -> None:
        super().__init__(batch_size)
        if classes is None:
            y = train[1]
            count = y.shape[1] if np.ndim(y) == 2 else int(np.max(y, initial=-1)) + 1
            classes = [str(label) for label in range(count)]
        self._arrays = LabelledArrays(train, validation, test, tuple(classes))

    def make_arrays(self) -> LabelledArrays:
        return self.arrays
