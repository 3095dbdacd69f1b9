"""Whether what was once read off some tensors is still what they say."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, TypeAlias

from torch import Tensor, nn

Place: TypeAlias = tuple[dict[str, Any], str]
"""One of a module's own tables, and a name in it."""

_version = attrgetter("_version")


def places(module: nn.Module) -> list[Place]:
    """Where the tensors of a module and of its submodules are kept."""
    return [
        (table, name)
        for part in module.modules()
        for table in (part._modules, part._parameters, part._buffers)
        for name in table
    ]


class Reading:
    """The tensors in some places at one moment.

    A tensor that is written to counts its version up, save through ``.data`` and in inference
    mode; one that is replaced (by ``.to()``, by loading with ``assign=True``) is another object.
    To look at both takes a microsecond, which to ask every module for its tensors does not.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = [(table, name, table[name]) for table, name in places]
        self._counting = [
            tensor
            for _, _, tensor in self._places
            if isinstance(tensor, Tensor) and tensor.numel() and not tensor.is_inference()
        ]
        self._versions = list(map(_version, self._counting))

    def is_current(self) -> bool:
        """Whether the same tensors are there, and none has been written to."""
        for table, name, found in self._places:
            if table[name] is not found:
                return False
        return list(map(_version, self._counting)) == self._versions
