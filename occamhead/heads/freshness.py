"""Whether what was once read off some tensors is still what they say."""

from __future__ import annotations

import operator
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._C import _get_tracing_state
from torch.utils._python_dispatch import _disable_current_modes

Place: TypeAlias = tuple[dict[str, Any], str]
"""One of a module's own tables, and a name in it."""

# Numbers of a parameter that are looked at in every call; a head has its constants among them.
SAMPLE = 64
# Up to so many numbers in all, a copy of them is kept, to which they are compared in microseconds.
FEW = 2**20

_WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_version = operator.attrgetter("_version")


def places(module: nn.Module) -> list[Place]:
    """Where the tensors of a module and of its submodules are kept, save the empty ones."""
    return [
        (table, name)
        for owner in module.modules()
        for table in (owner._modules, owner._parameters, owner._buffers)
        for name, part in table.items()
        if not (isinstance(part, Tensor) and not part.numel())
    ]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Compute as if nobody traced, watched or recorded, whoever does so around."""
    tracing = _get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        with _disable_current_modes(), torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        torch._C._set_tracing_state(tracing)  # type: ignore[attr-defined]


class Reading:
    """The tensors in some places at one moment.

    A tensor that is written to counts its version up, save through ``.data`` and in inference
    mode; one that is replaced (by ``.to()``, by loading with ``assign=True``) is another object.
    What is written through ``.data`` to the parameters of a whole network, as by an average of
    weights that is swapped in, shows in a sample of their numbers, and what takes the place of
    their ``.data`` in where they lie, both in the CPU's memory. To look at all this takes a
    microsecond, which to read all numbers does not.

    Args:
        places: Where the tensors are kept.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = [(table, name, table[name]) for table, name in places]
        self._tensors: list[Tensor] = [
            found for _, _, found in self._places if isinstance(found, Tensor)
        ]
        self._counting = [tensor for tensor in self._tensors if not tensor.is_inference()]
        self._versions = list(map(_version, self._counting))
        self._pointers = list(map(Tensor.data_ptr, self._tensors))
        parameters = [t for t in self._tensors if isinstance(t, nn.Parameter)]
        samples = [(t, n) for t in parameters if (n := _memory(t)) is not None]
        self._samples = [
            (look, look())
            for tensor, numbers in samples
            for look in (tensor.data_ptr, numbers[:SAMPLE].tobytes)
        ]
        memories = list(map(_memory, self._tensors))
        few = sum(tensor.numel() for tensor in self._tensors) <= FEW
        self._copies = (
            [(m, m.copy()) for m in memories if m is not None]
            if few and all(m is not None for m in memories)
            else None
        )
        self._content = [] if self._copies is not None else self._digest()

    def is_current(self) -> bool:
        """Whether the same tensors are there, and by all signs none has been written to."""
        for table, name, found in self._places:
            if table.get(name) is not found:
                return False
        if list(map(_version, self._counting)) != self._versions:
            return False
        for look, seen in self._samples:  # noqa: SIM110 (all() takes twice the time)
            if look() != seen:
                return False
        return True

    def is_exact(self) -> bool:
        """Whether the same tensors are there and each of their numbers is what it was.

        To be asked while a model is traced or exported too, when fakes stand in for its tensors.
        """
        with undisturbed():
            return (
                all(_is_or_stands_for(table.get(n), found) for table, n, found in self._places)
                and self._has_same_numbers()
            )

    def is_current_to_a_number(self) -> bool:
        """As :meth:`is_current`, looking at every number where they are few, in the CPU's memory.

        For what is called again and again but less often than a head: a whole compiled model.
        """
        return self.is_current() and (self._copies is None or self._has_same_numbers())

    def _has_same_numbers(self) -> bool:
        if list(map(Tensor.data_ptr, self._tensors)) != self._pointers:
            return False
        if self._copies is not None:
            return all(np.array_equal(there, copy) for there, copy in self._copies)
        return self._digest() == self._content

    def _digest(self) -> list[int]:
        """A checksum of each tensor's numbers."""
        found = []
        for tensor in self._tensors:
            numbers = _memory(tensor)
            if numbers is None:
                numbers = _memory(tensor.detach().cpu().contiguous())
            assert numbers is not None
            found.append(zlib.crc32(numbers.data))
        return found


def _memory(tensor: Tensor) -> NDArray[np.signedinteger[Any]] | None:
    """The numbers of a tensor in the CPU's memory, as whole numbers; None where they are not so."""
    if not (tensor.is_cpu and tensor.is_contiguous()):
        return None
    return tensor.detach().view(-1).view(_WHOLE[tensor.itemsize]).numpy()


def _is_or_stands_for(there: Any, found: Any) -> bool:
    """Whether something is what was found, or the fake of it that torch traces with."""
    if there is found:
        return True
    mode = getattr(there, "fake_mode", None)
    return mode is not None and mode.from_tensor(found, static_shapes=True) is there
