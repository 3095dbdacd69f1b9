"""One pass through a model, to see which of its layers make its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from occamhead.rows.evaluating import evaluating


def example_input(model: nn.Module) -> Tensor | None:
    """A picture of the size that a model of timm states, or None where a model states none."""
    stated = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None)
    size = stated.get("input_size") if isinstance(stated, Mapping) else None
    if not size:
        return None
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    picture: Tensor = torch.linspace(-9, 9, torch.Size(size).numel()).sin().reshape(1, *size)
    return picture.to(weight.device, weight.dtype)


def try_model(
    model: nn.Module, example: Any, watched: Sequence[nn.Module]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Pass an example through a model in eval mode.

    Args:
        model: Any; it is left as it was.
        example: Its argument, or a tuple or dictionary of its arguments.
        watched: Modules of the model.

    Returns:
        The scores; what each watched module that ran took, and what it gave, in the order in which
        they ran.

    Raises:
        ValueError: If the model cannot take the example, or gives no tensor of scores.
    """
    taken: list[Tensor] = []
    given: list[Tensor] = []

    def note(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        taken.append(arguments[0])
        given.append(output)

    hooks = [module.register_forward_hook(note) for module in watched]
    try:
        with torch.no_grad(), evaluating(model):
            if isinstance(example, Mapping):
                scores = model(**example)
            else:
                scores = model(*example) if isinstance(example, tuple) else model(example)
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as reason:
        raise ValueError(
            f"this {type(model).__name__} cannot be tried: {reason}; give an input that it takes,"
            " attach_head(model, example=...)"
        ) from reason
    finally:
        for hook in hooks:
            hook.remove()
    scores = getattr(scores, "logits", scores)  # as the models of transformers give them
    if not isinstance(scores, Tensor):
        raise ValueError(
            f"in eval mode this {type(model).__name__} gives a {type(scores).__name__}, and not one"
            " tensor of class scores, which is what a head gives"
        )
    return scores, taken, given
