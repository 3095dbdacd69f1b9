"""The number of classes that a model states of itself, which follows its head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

# As timm calls it, and as transformers does, in the model and in its `config`.
_ATTRIBUTES = ("num_classes", "num_labels")
_CONFIG = ("num_labels", "id2label", "label2id")


def stated_count(model: nn.Module) -> int | None:
    """The number of classes that a model states, or None."""
    stated = (getattr(model, name, None) for name in _ATTRIBUTES)
    return next((count for count in stated if isinstance(count, int)), None)


@dataclass(frozen=True)
class StatedClasses:
    """What a model stated of its classes: how many, and in its config how many and their names."""

    attributes: dict[str, int] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module) -> StatedClasses:
        attributes = {name: getattr(model, name, None) for name in _ATTRIBUTES}
        config = getattr(model, "config", None)
        named = {} if config is None else {n: getattr(config, n, None) for n in _CONFIG}
        return cls(
            {name: count for name, count in attributes.items() if isinstance(count, int)},
            {
                name: dict(value) if isinstance(value, dict) else value
                for name, value in named.items()
                if value is not None
            }
            if isinstance(named.get("num_labels"), int)
            else {},
        )

    def restore(self, model: nn.Module) -> None:
        """Let a model state again what it stated."""
        for name, count in self.attributes.items():
            setattr(model, name, count)
        for name, value in self.config.items():
            setattr(model.config, name, dict(value) if isinstance(value, dict) else value)


def state_count(model: nn.Module, count: int) -> None:
    """Let a model state another number of classes; their names, where it has any, become numbers.

    Where the number stays, so do the names.
    """
    stated = StatedClasses.of(model)
    config: Any = getattr(model, "config", None)
    for name in stated.attributes:
        setattr(model, name, count)
    if stated.config and stated.config["num_labels"] != count:
        numbers = {label: f"LABEL_{label}" for label in range(count)}
        config.num_labels = count
        if "id2label" in stated.config:
            config.id2label = numbers
        if "label2id" in stated.config:
            config.label2id = {name: label for label, name in numbers.items()}
