"""LightningDataModules: cached features, digits, and photographs for fine-tuning."""

from abc import abstractmethod
from collections.abc import Sequence

import pytorch_lightning as pl

from occamhead.rows.arrays import ArrayDataModule, LabelledArrays, Rows
from occamhead.rows.batches import Batches
from occamhead.vision.backbones import Backbone, load_backbone, load_transform
from occamhead.vision.digits import mnist_splits
from occamhead.vision.features import Watch, best_device, cached_features, pixels
from occamhead.vision.pictures import Pictures, PictureTensors, Splits
from occamhead.vision.sources import photograph_splits


class _FromPictures(ArrayDataModule):
    """Base of those whose rows are made of pictures: it keeps what they were made of."""

    def __init__(
        self,
        batch_size: int,
        cache_dir: str | None,
        progress: bool = True,
        watch: Watch | None = None,
    ) -> None:
        super().__init__(batch_size)
        self.backbone: Backbone | None = None
        self._pictures: Splits | None = None
        self.cache_dir, self._progress, self._watch = cache_dir, progress, watch

    @abstractmethod
    def read(self) -> tuple[Splits, str, Backbone | None]:
        """The pictures, what they are in one line, and what makes features of them, if anything."""

    @property
    def pictures(self) -> Splits:
        """The pictures of each split, in the order of its rows."""
        if self._pictures is None:
            raise RuntimeError(f"{type(self).__name__}: call setup() first")
        return self._pictures

    def make_arrays(self) -> LabelledArrays:
        self._pictures, description, self.backbone = self.read()
        if self.backbone is not None and self.backbone.classifier is not None:
            self.feature_hints = self.backbone.classifier.hints()
        return featurise(
            self._pictures,
            description,
            self.backbone,
            self.cache_dir,
            self._progress,
            self._watch,
        )


def featurise(
    splits: Splits,
    description: str,
    backbone: Backbone | None,
    cache_dir: str | None = None,
    progress: bool = True,
    watch: Watch | None = None,
) -> LabelledArrays:
    """Turn pictures into cached features of a frozen backbone, or into pixels if there is none.

    Args:
        splits: The pictures.
        description: What they are, in one line; the features are named before it.
        backbone: What makes features of them, on the best device at hand; None takes pixels.
        cache_dir, progress, watch: See `cached_features`.
    """

    def rows(pictures: Pictures) -> Rows:
        if backbone is None:
            return pixels(pictures), pictures.labels
        x = cached_features(
            backbone, pictures, cache_dir, device=best_device(), progress=progress, watch=watch
        )
        return x, pictures.labels

    if backbone is not None:
        description = f"{backbone.name} features ({backbone.weights}) of {description}"
    return LabelledArrays(
        rows(splits.train),
        rows(splits.validation),
        rows(splits.test),
        splits.train.classes,
        description,
    )


class PictureRows(_FromPictures):
    """Pictures as rows: features of a frozen backbone, computed once and cached, or pixels.

    After `setup` it keeps what they were made of: `pictures`, and `backbone`, whose `transform`
    makes the tensors. So a report shows the test pictures, and a backbone can be fine-tuned.

    Args:
        pictures: Pictures of each split.
        description: What they are, in one line.
        backbone: What makes features of them; None takes the pixels.
        cache_dir, progress, watch: See `cached_features`.
        batch_size: Rows per batch.

    Example:
        >>> import numpy as np
        >>> from occamhead.vision import PictureArrays, PictureRows, Splits
        >>> grey = np.zeros((4, 8, 8), dtype=np.uint8)
        >>> part = PictureArrays(grey, ["a", "b", "c", "d"], [0, 1, 0, 1], ["ant", "bee"])
        >>> data = PictureRows(Splits(part, part, part), "black squares")
        >>> data.setup()
        >>> data.num_features, data.classes, len(data.pictures.test)
        (64, ('ant', 'bee'), 4)
    """

    def __init__(
        self,
        pictures: Splits,
        description: str,
        backbone: Backbone | None = None,
        cache_dir: str | None = None,
        batch_size: int = 128,
        progress: bool = True,
        watch: Watch | None = None,
    ) -> None:
        super().__init__(batch_size, cache_dir, progress, watch)
        self._given = (pictures, description, backbone)

    def read(self) -> tuple[Splits, str, Backbone | None]:
        return self._given


class FeatureData(_FromPictures):
    """Photographs as features of a frozen backbone, computed once and cached.

    After `setup`, `pictures` and `backbone` are what the rows were made of; see `PictureRows`,
    which takes pictures and a backbone that are loaded already.

    Args:
        data, classes, validation_fraction, seed: See `photograph_splits`.
        backbone, weights: See `load_backbone`.
        cache_dir: See `cached_features`.
        batch_size: Rows per batch.
    """

    def __init__(
        self,
        data: str | None = None,
        classes: Sequence[str] | None = None,
        backbone: str = "resnet50",
        weights: str | None = None,
        cache_dir: str | None = None,
        batch_size: int = 128,
        validation_fraction: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, cache_dir)
        self._source = (data, classes, validation_fraction, seed)
        self._backbone_source = (backbone, weights)

    def read(self) -> tuple[Splits, str, Backbone | None]:
        return *photograph_splits(*self._source), load_backbone(*self._backbone_source)


class MNISTData(_FromPictures):
    """Handwritten digits, as pixels or as features of a frozen backbone; see `PictureRows`.

    Args:
        classes, data, validation_fraction, seed: See `mnist_splits`.
        features: "pixels" for 784 numbers from 0 to 1, or the name of a backbone, which takes the
            digits as RGB through its transform.
        weights: See `load_backbone`; not for pixels.
        cache_dir: See `cached_features`.
        batch_size: Rows per batch.
    """

    def __init__(
        self,
        classes: Sequence[int] = (0, 7),
        data: str | None = None,
        features: str = "pixels",
        weights: str | None = None,
        cache_dir: str | None = None,
        batch_size: int = 128,
        validation_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, cache_dir)
        if features == "pixels" and weights is not None:
            raise ValueError(f"weights: pixels need none, got {weights}; name a backbone instead")
        self._source = (classes, data, validation_fraction, seed)
        self._features, self._weights = features, weights

    def read(self) -> tuple[Splits, str, Backbone | None]:
        pixels = self._features == "pixels"
        backbone = None if pixels else load_backbone(self._features, self._weights)
        return *mnist_splits(*self._source), backbone


class PictureData(pl.LightningDataModule):
    """Photographs through a backbone's transform, for fine-tuning; there is no augmentation.

    After `setup`: `splits` holds the pictures, `classes` and `description` say what they are.

    Args:
        data, classes, validation_fraction, seed: See `photograph_splits`.
        backbone, weights: See `load_transform`; as for the model that will take the pictures.
        batch_size: Pictures per batch.
        workers: Processes that decode pictures; 0 decodes in the training process.
    """

    def __init__(
        self,
        data: str | None = None,
        classes: Sequence[str] | None = None,
        backbone: str = "resnet50",
        weights: str | None = None,
        batch_size: int = 32,
        validation_fraction: float = 0.2,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.workers = workers
        self.transform = load_transform(backbone, weights)
        self._source = (data, classes, validation_fraction, seed)
        self._splits: tuple[Splits, str] | None = None

    def setup(self, stage: str | None = None) -> None:
        if self._splits is None:
            self._splits = photograph_splits(*self._source)

    @property
    def splits(self) -> Splits:
        return self._read()[0]

    @property
    def description(self) -> str:
        return self._read()[1]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.splits.train.classes

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def _read(self) -> tuple[Splits, str]:
        if self._splits is None:
            raise RuntimeError("PictureData: call setup() first")
        return self._splits

    def train_dataloader(self) -> Batches:
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> Batches:
        return self._loader("validation")

    def test_dataloader(self) -> Batches:
        return self._loader("test")

    def predict_dataloader(self) -> Batches:
        return self.test_dataloader()

    def _loader(self, split: str, shuffle: bool = False) -> Batches:
        tensors = PictureTensors(getattr(self.splits, split), self.transform)
        return Batches(
            tensors,
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )
