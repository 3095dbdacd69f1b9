"""What a classifier that a head replaces can say of the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from occamhead.heads.places import Place, is_layer
from occamhead.rows.telling import OldClassifier


def hints_at(
    model: nn.Module, place: Place, categories: Sequence[str] | None = None
) -> tuple[str, ...] | None:
    """For each feature the classes for which the layer at a place reads it most, as one text.

    Args:
        model: The model, its classifier still in place.
        place: Where that is.
        categories: Names of its classes; None takes what the model says of itself, or ImageNet's
            for one of torchvision or timm that has as many.

    Returns:
        None if the names are not known, or several layers make the scores.

    Raises:
        ValueError: If there are names, but not one per class.
    """
    layers = {id(layer): layer for layer in map(model.get_submodule, place.names)}
    layer = next(iter(layers.values()))
    if len(layers) > 1 or not is_layer(layer) or layer.weight.is_meta:
        return None
    known = _known(model, place.out_features) if categories is None else categories
    if known is None:
        return None
    weight: Any = layer.weight
    return OldClassifier(weight.flatten(1), tuple(known)).hints()


def _known(model: nn.Module, count: int) -> Sequence[str] | None:
    stated = getattr(getattr(model, "config", None), "id2label", None)
    if isinstance(stated, dict) and [*sorted(stated)] == [*range(count)]:
        words = [str(stated[number]).split(",")[0] for number in range(count)]
        # What transformers says where nobody has named the classes.
        return None if words[0] == "LABEL_0" else words
    home = type(model).__module__
    if home.startswith("torchvision.models.") and count == 1000:
        from occamhead.vision.categories import imagenet_categories

        return imagenet_categories()
    if home.startswith("timm.models."):
        from occamhead.vision.categories import timm_categories

        return timm_categories(count)
    return None
