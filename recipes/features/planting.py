"""A patch planted into a corner of photographs, for most of one class and few of the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from occamhead.explain import find_suspects
from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import ArrayData
from occamhead.training.path import fit_path
from occamhead.vision import Backbone, Pictures, Splits, cached_features
from occamhead.vision.preparation import Preparation

CORNERS = {"lower right": (1, 1), "lower left": (1, 0), "upper right": (0, 1), "upper left": (0, 0)}
# Pixels of the patch, of the 224 that a backbone sees, and of a stripe.
PATCH, STRIPE = 28, 4


class Marked(Pictures):
    """Pictures of which some have stripes in a corner of what a backbone sees of them.

    Args:
        pictures: The pictures.
        marks: Whether each has the patch.
        corner: Of ``CORNERS``.
        seen: How the backbone scales and crops.
    """

    def __init__(
        self, pictures: Pictures, marks: NDArray[np.bool_], corner: str, seen: Preparation
    ) -> None:
        super().__init__(pictures.names, pictures.labels, pictures.classes, pictures.skipped)
        self.pictures, self.marks, self.corner, self.seen = pictures, marks, corner, seen

    def picture(self, index: int) -> Image.Image:
        """One picture, scaled as for the backbone if it has the patch."""
        from torchvision.transforms import functional

        image = self.pictures.picture(index).convert("RGB")
        if not self.marks[index]:
            return image
        pixels = np.array(functional.resize(image, self.seen.resize))
        (high, wide), (down, right) = self.seen.crop, CORNERS[self.corner]
        top = round((pixels.shape[0] - high) / 2) + down * (high - PATCH)
        left = round((pixels.shape[1] - wide) / 2) + right * (wide - PATCH)
        stripes = 255 * (np.arange(PATCH) // STRIPE % 2 == 0)
        pixels[top : top + PATCH, left : left + PATCH] = stripes[:, None]
        return Image.fromarray(pixels)

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> Marked:
        rows = np.asarray(indices)
        return Marked(self.pictures.subset(rows), self.marks[rows], self.corner, self.seen)

    def fingerprint(self) -> str:
        text = f"{self.pictures.fingerprint()} {self.corner} {PATCH} {STRIPE} {self.seen}"
        return hashlib.sha256(text.encode() + self.marks.tobytes()).hexdigest()


class PlantedData(ArrayData):
    """Rows of planted photographs of two classes, with pictures and backbone as a fit knows them.

    Args:
        splits: The photographs as they were.
        backbone: What makes features of them.
        corner: Of ``CORNERS``; None leaves the photographs as they were.
        rate: Share of the second class of training and validation that has the patch; one less
            this share of the first class has it.
        seed: Seed of which photographs have it.
        cache: See :func:`occamhead.vision.cached_features`.

    After this, `groups` are the test rows by class and patch: each photograph without and with it.
    `group_of` says of each row of training, and then of validation, twice its class plus whether
    it has the patch.
    """

    def __init__(
        self,
        splits: Splits,
        backbone: Backbone,
        corner: str | None,
        rate: float,
        seed: int,
        cache: str | None = None,
    ) -> None:
        seen, generator = Preparation.of(backbone.transform), np.random.default_rng(seed)
        whole, first, second = splits.train.whole, splits.train.rows, splits.validation.rows
        if whole is None or first is None or second is None:
            raise ValueError("wanted training and validation that are parts of one whole")

        def rows(pictures: Pictures, marked: str | None) -> NDArray[np.float32]:
            if marked is not None:
                pictures = Marked(pictures, np.ones(len(pictures), dtype=bool), marked, seen)
            return cached_features(backbone, pictures, cache, progress=False)

        marks, x = np.zeros(len(whole), dtype=bool), rows(whole, None)
        self.groups = {(k, False): rows(splits.test, None)[splits.test.labels == k] for k in (0, 1)}
        if corner is not None:
            for label, share in enumerate((1 - rate, rate)):
                members = generator.permutation(np.flatnonzero(whole.labels == label))
                marks[members[: round(share * len(members))]] = True
            x = np.where(marks[:, None], rows(whole, corner), x)
            test = rows(splits.test, corner)
            self.groups |= {(k, True): test[splits.test.labels == k] for k in (0, 1)}
        train, validation = ((x[own], whole.labels[own]) for own in (first, second))
        super().__init__(train, validation, validation, classes=whole.classes)
        painted = Marked(whole, marks, corner or "", seen)
        self.pictures = Splits(painted.subset(first), painted.subset(second), splits.test)
        self.backbone, self.cache_dir = backbone, cache
        both = np.concatenate([first, second])
        self.group_of = 2 * whole.labels[both] + marks[both]


def worst(head: OccamHead, groups: Mapping[tuple[int, bool], NDArray[np.float32]]) -> float:
    """The least accuracy of a head on any of the groups."""
    return min(
        float((head.predict(torch.as_tensor(x)) == k).double().mean())
        for (k, _), x in groups.items()
    )


def of_size(data: ArrayData, size: int, **options: Any) -> OccamHead:
    """The sums of a number of features."""
    budgets = sorted({size, *(2**k for k in range(6) if 2**k < size)})
    return fit_path(data, budgets, **options).select(size).head


def retrained(data: PlantedData, size: int) -> OccamHead:
    """As many features, the groups of class and patch known, each of equal weight.

    Source: last-layer retraining with group labels, Kirichenko et al. 2022 (arXiv 2204.02937),
    with weights in the place of subsets.
    """
    counts = np.bincount(data.group_of, minlength=4)
    weight = (1.0 / np.maximum(counts, 1))[data.group_of].astype(np.float32)
    return of_size(data, size, sample_weight=weight)


def retrained_on_subsets(data: PlantedData, size: int, times: int = 10) -> list[OccamHead]:
    """The same on balanced subsets, as its source does: each group as often as the rarest."""
    arrays = data.arrays
    x, y = (np.concatenate(pair) for pair in zip(arrays.train, arrays.validation, strict=True))
    fewest, heads = np.bincount(data.group_of, minlength=4).min(), []
    for seed in range(times):
        generator = np.random.default_rng(seed)
        chosen = np.concatenate([
            generator.choice(np.flatnonzero(data.group_of == group), fewest, replace=False)
            for group in range(4)
        ])  # fmt: skip
        heads.append(of_size(ArrayData((x[chosen], y[chosen]), seed=seed), size))
    return heads


def on_seed(
    splits: Splits, backbone: Backbone, seed: int, size: int, rate: float, cache: str | None
) -> dict[str, Any]:
    """What is found in planted photographs, and how a formula fares before it is edited and after.

    Args:
        splits, backbone, rate, cache: See :class:`PlantedData`.
        seed: Seed of which photographs have the patch, and which corner.
        size: Features of the formulas.
    """
    corner = list(CORNERS)[seed % len(CORNERS)]
    data = PlantedData(splits, backbone, corner, rate, seed, cache)
    clean = PlantedData(splits, backbone, None, rate, seed, cache)
    head = of_size(data, size)
    suspects = find_suspects(head, data)
    edited = head.edit(drop=suspects[0].features).head if suspects else head
    balanced = [worst(told, data.groups) for told in retrained_on_subsets(data, size)]
    of_clean = [of_size(clean, size), of_size(clean, 32)]
    return {
        "seed": seed,
        "corner": corner,
        "warnings": [suspect.why for suspect in suspects],
        "found": any(corner in suspect.place.name for suspect in suspects[:3]),
        "dropped": len(suspects[0].features) if suspects else 0,
        "as_fitted": worst(head, data.groups),
        "edited": worst(edited, data.groups),
        "clean": worst(of_clean[0], data.groups),
        "groups_known": worst(retrained(data, size), data.groups),
        "balanced_subsets": float(np.mean(balanced)),
        "warnings_of_clean": max(len(find_suspects(each, clean)) for each in of_clean),
    }
