"""How much each row counts in what is minimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

ClassWeight: TypeAlias = str | Mapping[Any, float] | Sequence[float] | None
"""None, "balanced", the factor of some classes by number or name, or the factor of every class."""


def class_factors(
    labels: Tensor, num_classes: int, class_weight: ClassWeight, names: Sequence[str] = ()
) -> Tensor:
    """What a row of each class counts, [classes].

    Args:
        labels: Class of each row, [rows].
        num_classes: Number of classes.
        class_weight: "balanced" gives all classes equal weight in all, whatever their numbers of
            rows: n / (classes * n_k). A mapping gives factors by number or name, 1 to those it
            does not name; a sequence gives one to each class.
        names: Names of the classes.

    Raises:
        ValueError: If a factor is negative or not finite, or a class is not known.
    """
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                f"class_weight must be 'balanced' or a number per class, got {class_weight!r}"
            )
        counts = torch.bincount(labels, minlength=num_classes).clamp_min(1)
        return len(labels) / (num_classes * counts.float())
    if isinstance(class_weight, Mapping):
        factors = torch.ones(num_classes)
        for key, factor in class_weight.items():
            place = list(names).index(key) if key in names else key
            if not isinstance(place, int) or not 0 <= place < num_classes:
                known = f" or names ({', '.join(names)})" if names else ""
                raise ValueError(
                    f"class_weight: wanted numbers of classes 0 to {num_classes - 1}{known}, got"
                    f" {key!r}"
                )
            factors[place] = factor
    else:
        factors = torch.as_tensor(class_weight, dtype=torch.float32)
        if factors.shape != (num_classes,):
            raise ValueError(
                f"class_weight: wanted a number for each of {num_classes} classes, got"
                f" {list(factors.shape)}"
            )
    if not (factors.isfinite().all() and (factors >= 0).all() and factors.any()):
        raise ValueError(
            f"class_weight: wanted finite numbers from 0, not all 0, got {factors.tolist()}"
        )
    return factors


def row_weights(
    targets: Tensor,
    num_classes: int,
    class_weight: ClassWeight = None,
    sample_weight: Any = None,
    names: Sequence[str] = (),
) -> Tensor | None:
    """What each row counts, [rows]; None if all count alike.

    Args:
        targets: Labels [rows], or targets [rows, outputs], which have no class to weigh.
        num_classes: Number of classes.
        class_weight: See :func:`class_factors`.
        sample_weight: A number from 0 for each row; both are multiplied.
        names: Names of the classes.

    Raises:
        ValueError: On another count of rows, a negative number, or a class weight without classes.
    """
    if class_weight is None and sample_weight is None:
        return None
    weight = torch.ones(len(targets))
    if class_weight is not None:
        if targets.dim() != 1:
            raise ValueError(
                "class_weight needs one class per row; with several labels or numbers to predict"
                " give sample_weight, a number per row"
            )
        weight = class_factors(targets, num_classes, class_weight, names)[targets]
    if sample_weight is not None:
        given = torch.as_tensor(sample_weight, dtype=torch.float32)
        if given.shape != weight.shape:
            raise ValueError(
                f"sample_weight: wanted a number for each of {len(targets)} rows, those of training"
                f" before those of validation, got {list(given.shape)}"
            )
        if not (given.isfinite().all() and (given >= 0).all()):
            raise ValueError("sample_weight: wanted finite numbers from 0")
        weight = weight * given
    if not weight.any():
        raise ValueError("the weights of all rows are 0: nothing is left to fit")
    return weight


def scaled(weight: Tensor | None) -> Tensor | None:
    """Weights with a mean of 1, so that a penalty counts beside them as beside plain rows."""
    return None if weight is None else weight / weight.mean()


def repeats(weight: Tensor, most: int = 4) -> Tensor:
    """Indices of rows, each as often as its weight says, for what cannot weigh rows.

    The lightest row comes once, if that makes no more than `most` times as many rows.
    """
    positive = weight[weight > 0]
    scale = min(1.0 / float(positive.min()), most * len(weight) / float(weight.sum()))
    counts = (weight * scale).double().cumsum(0).round().diff(prepend=torch.zeros(1).double())
    return torch.arange(len(weight)).repeat_interleave(counts.long())
