"""Put a head in the place of a model's classifier, and give the classifier back."""

from __future__ import annotations

from typing import Any

from torch import nn

from occamhead.heads.kinds import build_head

# Where torchvision (and most hand-written) models keep their classifier.
_USUAL_NAMES = ("fc", "classifier", "head", "heads", "last_linear", "_fc")
_MEMORY = "_occamhead_original"


def attach_head(
    model: nn.Module,
    num_classes: int | None = None,
    *,
    name: str | None = None,
    head: nn.Module | None = None,
    kind: str = "occam",
    **options: Any,
) -> Any:
    """Replace the classifier of a model by a head that is a formula, in place.

    The classifier is found by timm's ``get_classifier``, by the usual attribute names of
    torchvision (``fc``, ``classifier``, ``head``, ``heads``; the last ``nn.Linear`` of a
    sequential one), or by `name`. The head is put on the same device, in the same dtype.
    The features that reach it, for fitting, are collected by
    :func:`occamhead.heads.collecting.collect_features`.

    Args:
        model: Any module.
        num_classes: Number of classes; by default that of the replaced classifier.
        name: Dotted name of the attribute to replace, for models of other conventions.
        head: A head to attach instead of a new one.
        kind: "occam" for an :class:`OccamHead`, "essence" for an
            :class:`occamhead.heads.essence.EssenceHead`, which has to be fitted before it is used.
        **options: Further arguments of the head.

    Returns:
        The head, which is now part of the model.

    Raises:
        ValueError: If no classifier is found, it is no ``nn.Linear``, or the head does not fit.
    """
    for attached, module in model.named_modules():
        if hasattr(module, _MEMORY):
            raise ValueError(f"{attached!r} is an attached head already; detach_head(model) first")
    name = name or classifier_name(model)
    parent, attribute = _parent(model, name)
    original = getattr(parent, attribute)
    if not isinstance(original, nn.Linear):
        raise ValueError(
            f"{name!r} is a {type(original).__name__}, not an nn.Linear; name the linear layer"
            " that maps features to class scores"
        )
    if head is None:
        if num_classes is None:
            num_classes = original.out_features
        head = build_head(kind, original.in_features, num_classes, **options)
    elif options or num_classes is not None or kind != "occam":
        raise ValueError("give either a head or the options (and kind) of a new one")
    elif getattr(head, "in_features", original.in_features) != original.in_features:
        raise ValueError(
            f"the model's classifier takes {original.in_features} features, the head"
            f" {head.in_features}"
        )
    head.to(original.weight.device, original.weight.dtype).train(model.training)
    # Not a submodule: the replaced weights must neither train nor enter the state dict.
    object.__setattr__(head, _MEMORY, (name, original, getattr(model, "num_classes", None)))
    setattr(parent, attribute, head)
    if hasattr(model, "num_classes"):
        model.num_classes = getattr(head, "out_features", model.num_classes)
    return head


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
    for name, module in model.named_modules():
        if hasattr(module, _MEMORY):
            _, original, num_classes = getattr(module, _MEMORY)
            parent, attribute = _parent(model, name)
            weight = next(module.parameters(), original.weight)
            setattr(parent, attribute, original.to(weight.device, weight.dtype))
            if num_classes is not None:
                model.num_classes = num_classes
            object.__delattr__(module, _MEMORY)
            return module
    raise ValueError(f"no head is attached to this {type(model).__name__}")


def classifier_name(model: nn.Module) -> str:
    """Dotted name of the linear layer that maps a model's features to class scores.

    Raises:
        ValueError: If the model follows none of the known conventions.
    """
    if hasattr(model, "get_classifier"):  # timm
        found: Any = model.get_classifier()  # type: ignore[operator]
        for name, module in model.named_modules():
            if module is found and isinstance(module, nn.Linear):
                return name
    for name in _USUAL_NAMES:
        module = getattr(model, name, None)
        if isinstance(module, nn.Linear):
            return name
        if isinstance(module, nn.Module):
            linear = [inner for inner, m in module.named_modules() if isinstance(m, nn.Linear)]
            if linear:
                return f"{name}.{linear[-1]}"
    raise ValueError(
        f"found no classifier in this {type(model).__name__}; name the attribute:"
        " attach_head(model, name='...')"
    )


def _parent(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    path, _, attribute = name.rpartition(".")
    try:
        parent = model.get_submodule(path)
        getattr(parent, attribute)
    except AttributeError as error:
        raise ValueError(f"{type(model).__name__} has no attribute {name!r}") from error
    return parent, attribute
