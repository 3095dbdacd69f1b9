"""A digest of what is in memory, to go into a file with it: what is read must have the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any


def content_digest(value: Any) -> str:
    """A sha256 of nested values: mappings, lists, tuples, numbers, texts, None, tensors, arrays.

    What was pickled by torch, or written as JSON, and read back has the same; of a value of any
    other type only the type counts.
    """
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes | memoryview]:
    if isinstance(value, Mapping):
        yield b"{%d" % len(value)
        for key, item in value.items():
            yield from _parts(key)
            yield from _parts(item)
    elif isinstance(value, (list, tuple)):
        yield b"[%d" % len(value)
        for item in value:
            yield from _parts(item)
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        yield b"s%d " % len(text)
        yield text
    elif value is None or isinstance(value, (bool, int, float)):
        yield repr(value).encode() + b";"
    elif hasattr(value, "dtype") and hasattr(value, "shape"):
        yield from _array(value)
    else:
        yield f"<{type(value).__name__}>".encode()


def _array(value: Any) -> Iterator[bytes | memoryview]:
    yield f"{value.dtype}{list(value.shape)}".encode()
    if hasattr(value, "detach"):
        import torch

        dense = type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout == torch.strided
        if not dense or value.device.type == "meta":
            return
        plain = value.detach().cpu().reshape(-1)
        if plain.stride() != (1,):
            plain = plain.clone(memory_format=torch.contiguous_format)
        yield memoryview(plain.view(torch.uint8).numpy())
    else:
        yield value.tobytes()
