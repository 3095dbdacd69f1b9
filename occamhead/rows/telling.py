"""What a classifier that was replaced says of the features that it read, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class OldClassifier:
    """A linear layer that gave each of its classes a score, and what the classes are called.

    Args:
        weight: [classes, features].
        categories: A name per class.

    Raises:
        ValueError: If there is not one name per class.
    """

    weight: Tensor
    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.weight.dim() != 2 or len(self.weight) != len(self.categories):
            raise ValueError(
                f"categories: wanted a name for each class of the replaced classifier, whose"
                f" weights are {list(self.weight.shape)}, got {len(self.categories)}"
            )

    def telling(self, count: int = 3) -> list[list[int]]:
        """For each feature the numbers of its :func:`telling_classes`."""
        weight = self.weight.detach().float()
        spread = weight.std(dim=0, correction=0).clamp_min(torch.finfo(weight.dtype).tiny)
        standardised = (weight - weight.mean(dim=0)) / spread
        best = standardised.topk(min(count, len(self.categories)), dim=0).indices
        found: list[list[int]] = best.T.tolist()
        return found

    def hints(self, count: int = 3) -> tuple[str, ...]:
        """For each feature its :func:`telling_classes` as one text: "mask, snorkel, ram"."""
        return tuple(", ".join(self.categories[k] for k in ks) for ks in self.telling(count))


def telling_classes(
    weight: Tensor, categories: Sequence[str], feature: int, count: int = 3
) -> tuple[str, ...]:
    """The classes that a feature spoke for most in a linear classifier, the first most.

    A feature speaks for a class as its weight there lies above its mean weight, in standard
    deviations over the classes. (To standardise the weights of each class too changes next to
    nothing: no class has large weights everywhere. `python -m recipes.naming` says how often
    photographs that excite a feature show what it is called after.)

    Args:
        weight: Weights of the classifier, [classes, features].
        categories: A name per class.
        feature: The feature's number.
        count: How many classes.

    Raises:
        ValueError: If there is not one name per class, or no such feature.

    Example:
        >>> import torch
        >>> from occamhead.rows.telling import telling_classes
        >>> weight = torch.tensor([[0.9, 0.1], [0.2, 0.8], [-0.1, 0.3]])
        >>> telling_classes(weight, ["ant", "broccoli", "vase"], 1, count=2)
        ('broccoli', 'vase')
    """
    old = OldClassifier(weight, tuple(categories))
    if not 0 <= feature < weight.shape[1]:
        raise ValueError(f"wanted a feature from 0 to {weight.shape[1] - 1}, got {feature}")
    (best,) = replace(old, weight=weight[:, [feature]]).telling(count)
    return tuple(categories[k] for k in best)
