"""The features that reach a model's head, over the batches of a loader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from occamhead.heads.attach import attached_head
from occamhead.rows.evaluating import evaluating

# What the labels of a batch are called where a batch is a dictionary.
_LABELS = ("labels", "label", "target")


class _Reached(Exception):
    """Ends a pass where the head begins, whatever the head would make of the features."""


def collect_features(
    model: nn.Module, loader: Iterable[Any], *, device: str | torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Pass batches through a model, and return what reaches its head, with the labels.

    The model runs in eval mode and without gradients, and is left as it was: every module in its
    mode, and no hook behind.

    Args:
        model: A model that :func:`occamhead.attach_head` has given a head.
        loader: Batches `(inputs, labels)`, such as a ``DataLoader``, each on any device; or
            dictionaries with "labels" beside the model's arguments, as those of transformers.
        device: Where features and labels are kept; by default that of the head.

    Returns:
        Features [row, in_features] and labels [row, ...]. Where a batch has features
        [batch, tokens, in_features] and labels [batch, tokens], each token is a row, and those with
        a negative label, which losses ignore, are left out.

    Raises:
        ValueError: If no head is attached, the head is not reached, there are no batches, or
            labels and features are not of equal number.
        TypeError: If a batch is neither of these.

    Example:
        >>> import torch
        >>> from occamhead import attach_head, collect_features
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))
        >>> head = attach_head(model, name="1")
        >>> x, y = collect_features(model, [(torch.randn(5, 4), torch.tensor([0, 1, 0, 1, 1]))])
        >>> x.shape, y.shape
        (torch.Size([5, 8]), torch.Size([5]))
    """
    head = attached_head(model)
    place = next((t.device for t in model.state_dict().values()), torch.device("cpu"))
    kept = next((t.device for t in head.state_dict().values()), place) if device is None else device
    features: list[Tensor] = []
    labels: list[Tensor] = []

    def reached(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        features.append(arguments[0].detach().to(kept))
        raise _Reached

    hook = head.register_forward_pre_hook(reached)
    try:
        with torch.no_grad(), evaluating(model):
            for batch in loader:
                arguments, named, y = _parts(batch, place)
                try:
                    model(*arguments, **named)
                except _Reached:
                    labels.append(y.to(kept))
                else:
                    raise ValueError(
                        f"a pass through this {type(model).__name__} does not reach its head; "
                        "detach_head(model), and name the layer that is used"
                    )
    finally:
        hook.remove()
    if not features:
        raise ValueError("the loader gave no batch; wanted batches (inputs, labels)")
    rows = [_as_rows(x, y) for x, y in zip(features, labels, strict=True)]
    return torch.cat([x for x, _ in rows]), torch.cat([y for _, y in rows])


def _parts(batch: Any, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any], Tensor]:
    """Positional and named arguments of the model, and the labels."""
    if isinstance(batch, Mapping):
        found = [name for name in _LABELS if name in batch]
        if found:
            named = {k: _moved(v, device) for k, v in batch.items() if k != found[0]}
            return (), named, _as_labels(batch[found[0]])
        got = f"a dictionary with {', '.join(map(str, batch))}"
    elif isinstance(batch, (tuple, list)) and len(batch) == 2:
        return (_moved(batch[0], device),), {}, _as_labels(batch[1])
    else:
        count = f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
        got = f"a {type(batch).__name__}{count}"
    raise TypeError(
        f"wanted batches (inputs, labels), or dictionaries with 'labels', got {got}; wrap the"
        " loader in a generator that yields such pairs"
    )


def _as_labels(labels: Any) -> Tensor:
    if isinstance(labels, (tuple, list)) and any(isinstance(label, str) for label in labels):
        raise TypeError(
            f"wanted numbers of classes as labels, got the text {labels[0]!r}; number the classes"
            " in the dataset, and name them in classes=[...]"
        )
    return torch.as_tensor(labels)


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device) if hasattr(value, "to") else value


def _as_rows(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    leading = x.shape[:-1]
    if len(leading) > 1 and y.shape == leading:
        x, y = x.flatten(0, -2), y.flatten()
        return x[y >= 0], y[y >= 0]
    if len(leading) != 1 or len(y) != len(x):
        raise ValueError(
            f"features {tuple(x.shape)} and labels {tuple(y.shape)} do not belong together; wanted"
            " one label per row of features"
        )
    return x, y
