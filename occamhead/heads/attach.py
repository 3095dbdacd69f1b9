"""Put a head in the place of a model's classifier, and give the classifier back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from occamhead.heads.base import SymbolicHead
from occamhead.heads.class_count import StatedClasses, state_count, stated_count
from occamhead.heads.classifiers import find_place
from occamhead.heads.kinds import build_head
from occamhead.heads.places import Place, put_module
from occamhead.heads.replaced import hints_at

_MEMORY = "_occamhead_original"


@dataclass(frozen=True)
class _Replaced:
    """What a head remembers, to be given back: modules by name, and what these stated."""

    head_name: str
    originals: dict[str, nn.Module]
    stated: dict[str, StatedClasses]


def attach_head(
    model: nn.Module,
    num_classes: int | None = None,
    *,
    name: str | None = None,
    head: nn.Module | None = None,
    kind: str = "occam",
    example: Any = None,
    categories: Sequence[str] | None = None,
    **options: Any,
) -> Any:
    """Replace the classifier of a model by a head that is a formula, in place.

    The classifier is found by timm's ``get_classifier``, by the usual attribute names of
    torchvision, transformers and others (``fc``, ``classifier``, ``head``, ``heads``, ``score``;
    the last layer of a sequential one), or by `name`. It is an ``nn.Linear``, or a 1 x 1
    convolution beside a global pooling. Where a model of timm makes its scores of several
    classifiers of the same features, one head takes the place of all. The head is put on the same
    device, in the same dtype; ``num_classes`` of the model, ``num_labels`` of it and its
    ``config`` follow it. The features that reach it, for fitting, are collected by
    :func:`occamhead.collect_features`.

    Args:
        model: Any module.
        num_classes: Number of classes; by default that of the replaced classifier.
        name: Dotted name of the attribute to replace, for models of other conventions.
        head: A head to attach instead of a new one.
        kind: "occam" for an :class:`OccamHead`, "essence" for an
            :class:`occamhead.heads.essence.EssenceHead`, which has to be fitted before it is used.
        example: An input of the model, or a tuple or dictionary of its arguments. With it the model
            is tried, to make sure that in eval mode its scores are those of the head.
        categories: Names of the classes of the replaced classifier, after which the head's hints
            call each feature, see :attr:`SymbolicHead.hints`; None takes those that the model
            knows, or ImageNet's for one of torchvision or timm.
        **options: Further arguments of the head.

    Returns:
        The head, which is now part of the model.

    Raises:
        ValueError: If no classifier is found, or several are; if it is no linear layer, or the
            model's scores are not those of a head in its place; or if the head does not fit. The
            model is then as it was.

    Example:
        >>> import torch
        >>> from occamhead import attach_head, detach_head
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 3))
        >>> head = attach_head(model, num_classes=2, name="1")
        >>> model.eval()(torch.randn(5, 4)).shape
        torch.Size([5, 2])
        >>> detach_head(model) is head, model[1]
        (True, Linear(in_features=8, out_features=3, bias=True))
    """
    for attached, module in model.named_modules():
        if hasattr(module, _MEMORY):
            raise ValueError(f"{attached!r} is an attached head already; detach_head(model) first")
    place = find_place(model, name, example)
    if head is None:
        count = place.out_features if num_classes is None else num_classes
        head = build_head(kind, place.in_features, count, **options)
    else:
        _check_fit(head, place, bool(options) or num_classes is not None or kind != "occam")
    if isinstance(head, SymbolicHead) and (head.hints is None or categories is not None):
        head.hints = hints_at(model, place, categories)
    weight = place.tensor(model)
    head.to(weight.device, weight.dtype).train(model.training)
    stated = {
        owner: StatedClasses.of(model.get_submodule(owner)) for owner in _owners(model, place)
    }
    originals = place.put(model, head)
    head_name = next(name for name, module in model.named_modules() if module is head)
    # Not a submodule: the replaced weights must neither train nor enter the state dict.
    object.__setattr__(head, _MEMORY, _Replaced(head_name, originals, stated))
    for owner in stated:
        count = int(getattr(head, "out_features", place.out_features))
        state_count(model.get_submodule(owner), count)
    return head


def _owners(model: nn.Module, place: Place) -> list[str]:
    """The model, and those of its parts around the classifier that state its number of classes."""
    path = place.names[0].split(".")
    around = [".".join(path[:depth]) for depth in range(1, len(path))]
    counts = {name: stated_count(model.get_submodule(name)) for name in around}
    return ["", *(name for name, count in counts.items() if count == place.out_features)]


def _check_fit(head: nn.Module, place: Place, more: bool) -> None:
    if more:
        raise ValueError("give either a head or the options (and kind) of a new one")
    width = getattr(head, "in_features", place.in_features)
    if width != place.in_features:
        raise ValueError(
            f"the model's classifier takes {place.in_features} features, the head {width}"
        )


def attached_head(model: nn.Module) -> nn.Module:
    """The head that :func:`attach_head` put into a model.

    Raises:
        ValueError: If no head is attached.
    """
    for module in model.modules():
        if hasattr(module, _MEMORY):
            return module
    raise ValueError(
        f"no head is attached to this {type(model).__name__}; attach_head(model) first"
    )


def detach_head(model: nn.Module) -> nn.Module:
    """Put the original classifier back, and return the head.

    Raises:
        ValueError: If no head is attached.
    """
    head = attached_head(model)
    replaced: _Replaced = getattr(head, _MEMORY)
    # The model may have become a part of another one meanwhile.
    name = next(name for name, module in model.named_modules() if module is head)
    inner = model.get_submodule(name.removesuffix(replaced.head_name).removesuffix("."))
    weight = next(head.parameters(), None)
    for name, original in replaced.originals.items():
        if weight is not None:
            original.to(weight.device, weight.dtype)
        original.train(inner.training)
        put_module(inner, name, original)
    for owner, stated in replaced.stated.items():
        stated.restore(inner.get_submodule(owner))
    object.__delattr__(head, _MEMORY)
    return head
