"""Which layers of a model are its classifier: what it says of itself, how it is built, a trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from occamhead.heads.class_count import stated_count
from occamhead.heads.places import Place, is_layer, layer_place, outputs_of, put_module
from occamhead.heads.trial import example_input, try_model

# Where torchvision, transformers and most hand-written models keep their classifier.
_USUAL_NAMES = (
    "fc", "classifier", "head", "heads", "last_linear", "_fc", "score", "logits_proj",
    "cls_classifier", "distillation_classifier", "classifier_distill",
)  # fmt: skip


def find_place(model: nn.Module, name: str | None = None, example: Any = None) -> Place:
    """Find where a head can stand for all that classifies in a model.

    Args:
        model: Any module.
        name: Dotted name of the layer that maps features to class scores; by default what timm's
            ``get_classifier`` gives, or the last layer below one of the usual names.
        example: An input of the model (or a tuple or dictionary of its arguments) to try it on.
            Where other layers give as many scores (of a timm model, any; else, those of usual
            names), it has to be tried; an input of a timm model is made up.

    Raises:
        ValueError: If there is no classifier, more than one, or, as the trial shows, the scores of
            the model are not those of the layer that was found.
    """
    own = _own_classifiers(model)
    if name is not None:
        place = layer_place(model, name)
    elif own is None:
        place = layer_place(model, _usual_layer(model))
    else:
        layers = _all_last_layers(model, own)
        if not layers:
            raise ValueError(
                f"this {type(model).__name__} has no classifier (its number of classes is"
                f" {stated_count(model)}); create it with num_classes=..., or call"
                " model.reset_classifier(...)"
            )
        place = (
            layer_place(model, layers[0])
            if len(layers) == 1
            else _joint_place(model, own, layers, example)
        )
    rivals = _rivals(model, place, _usual_layers(model) if own is None else None)
    if example is not None or rivals:
        _check(model, place, rivals, example)
    return place


def _own_classifiers(model: nn.Module) -> list[str] | None:
    """Names of the modules that a model of timm calls its classifiers; None for other models."""
    if not hasattr(model, "get_classifier"):
        return None
    found: Any = model.get_classifier()  # type: ignore[operator]
    parts = found if isinstance(found, (tuple, list, nn.ModuleList)) else (found,)
    names = {id(module): name for name, module in model.named_modules()}
    known = [names[id(part)] for part in parts if id(part) in names]
    return known or None


def _last_layers(model: nn.Module, name: str) -> list[str]:
    """Names of the layers at a module's end: a chain has one, others may have several."""
    module = model.get_submodule(name)
    if is_layer(module):
        return [name]
    inner = [f"{name}.{child}" for child, _ in module.named_children()]
    if isinstance(module, nn.Sequential):
        return next(filter(None, (_last_layers(model, child) for child in reversed(inner))), [])
    return [layer for child in inner for layer in _last_layers(model, child)]


def _all_last_layers(model: nn.Module, parts: Iterable[str]) -> list[str]:
    """The layers at the ends of all parts; only those that give a score per class, if any do."""
    found = (layer for part in parts for layer in _last_layers(model, part))
    layers = list({id(model.get_submodule(name)): name for name in found}.values())
    count = stated_count(model)
    return [name for name in layers if outputs_of(model.get_submodule(name)) == count] or layers


def _usual_layers(model: nn.Module) -> list[str]:
    """The layers at the ends of all that has a usual name."""
    parts = [name for name in _USUAL_NAMES if isinstance(getattr(model, name, None), nn.Module)]
    return _all_last_layers(model, parts)


def _usual_layer(model: nn.Module) -> str:
    """The one layer at the end of what has a usual name.

    Raises:
        ValueError: If there is none, or several, and the model's number of classes decides nothing.
    """
    layers = _usual_layers(model)
    if not layers:
        raise ValueError(
            f"found no classifier in this {type(model).__name__}; name the attribute:"
            " attach_head(model, name='...')"
        )
    if len(layers) > 1:
        raise ValueError(
            f"this {type(model).__name__} has {len(layers)} layers that may be its classifier:"
            f" {_listed(model, layers)}; name the one that gives the class scores:"
            " attach_head(model, name='...')"
        )
    return layers[0]


def _joint_place(model: nn.Module, parts: list[str], layers: list[str], example: Any) -> Place:
    """The place of several classifiers at once, if all of them take the same features."""
    modules = [model.get_submodule(part) for part in parts]
    scores, taken, given = try_model(model, _example(model, example, layers), modules)
    same = len(taken) == len(modules) and all(
        x.dim() == 2 and x.shape == taken[0].shape and torch.equal(x, taken[0]) for x in taken
    )
    if not same or any(not isinstance(y, Tensor) or y.shape != scores.shape for y in given):
        raise _refusal(model, layers)
    place = Place(tuple(parts), int(taken[0].shape[1]), int(scores.shape[1]))
    _check(model, place, layers, example)
    return place


def _rivals(model: nn.Module, place: Place, among: list[str] | None) -> list[str]:
    """Other layers with as many outputs as there are classes: they may classify as well."""
    count = stated_count(model)
    inside = tuple(f"{name}." for name in place.names)
    return [
        name
        for name, module in model.named_modules()
        if is_layer(module)
        and outputs_of(module) == count
        and (among is None or name in among)
        and not f"{name}.".startswith(inside)
    ]


class _StandIn(nn.Module):
    """Scores that no other layer would give, of features of any leading shape."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(1, self.classes + 1, device=x.device, dtype=x.dtype)
        return torch.sin(steps * (1 + x.abs().mean(dim=-1, keepdim=True)))


def _check(model: nn.Module, place: Place, rivals: list[str], example: Any) -> None:
    """Raise ValueError unless the model's scores are those of a head at this place."""
    stand_in = _StandIn(place.out_features)
    example = _example(model, example, [*place.names, *rivals])
    originals = place.put(model, stand_in)
    try:
        scores, _, given = try_model(model, example, [stand_in])
    finally:
        for name, original in originals.items():
            put_module(model, name, original)
    if not given or not _are_rows_of(scores, given[-1]):
        raise _refusal(model, list(dict.fromkeys([*place.names, *rivals])))


def _are_rows_of(scores: Tensor, given: Tensor) -> bool:
    """Whether all scores are what the head gave: for each input, or for one of its tokens."""
    width = given.shape[-1]
    if scores.numel() % width:
        return False
    rows = given.reshape(-1, width)
    return all(bool((rows == row).all(dim=1).any()) for row in scores.reshape(-1, width))


def _example(model: nn.Module, example: Any, layers: list[str]) -> Any:
    example = example_input(model) if example is None else example
    if example is None:
        raise ValueError(
            f"this {type(model).__name__} has {len(layers)} layers that may classify:"
            f" {_listed(model, layers)}; to see how they make its scores it must be tried: give an"
            " input, attach_head(model, example=...)"
        )
    return example


def _refusal(model: nn.Module, layers: list[str]) -> ValueError:
    which = _listed(model, layers)
    if not hasattr(model, "reset_classifier"):
        return ValueError(
            f"the scores of this {type(model).__name__} are not what {which} alone gives; name the"
            " layer whose output they are: attach_head(model, name='...'); where they are the mean"
            " of several, there is none: put a new nn.Linear behind the features"
        )
    return ValueError(
        f"this {type(model).__name__} makes its scores of several classifiers, {which}, which one"
        " formula cannot replace: they take different features, or get_classifier() does not give"
        " all of them; put one classifier behind all features: model.reset_classifier(0);"
        " model = nn.Sequential(model, nn.Linear(model(example).shape[1], classes));"
        " attach_head(model, name='1')"
    )


def _listed(model: nn.Module, layers: Iterable[str]) -> str:
    words = []
    for name in layers:
        module = model.get_submodule(name)
        inputs = getattr(module, "in_features", getattr(module, "in_channels", "?"))
        shape = f" ({inputs} -> {outputs_of(module)})" if is_layer(module) else ""
        words.append(f"{name!r}{shape}")
    return ", ".join(words)
