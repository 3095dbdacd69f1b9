"""Memory that the C library keeps for the next pass of a network, where it is glibc."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of glibc's mallopt, from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4

# What glibc's own rule comes to in a process that has freed 32 MiB at once, as any has that ran a
# network on a batch; and its default number of mappings. It has no way to ask for what was set.
_AFTERWARDS = ((_MMAP_MAX, 1 << 16), (_MMAP_THRESHOLD, 32 << 20), (_TRIM_THRESHOLD, 64 << 20))


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep freed memory for the next tensors, and give it back at the end.

    By itself glibc returns every large tensor to the system when it is freed, so that each layer
    of each batch gets its memory page by page, from faults that cost nearly as much as the layer.
    Without glibc, or where the environment says how its allocator shall work, this does nothing.
    """
    glibc = _glibc()
    if glibc is None:
        yield
        return
    glibc.mallopt(_MMAP_MAX, 0)
    glibc.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
    try:
        yield
    finally:
        for parameter, value in _AFTERWARDS:
            glibc.mallopt(parameter, value)
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is glibc and nobody has set its allocator up."""
    if platform.libc_ver()[0] != "glibc":
        return None
    chosen = any(name.startswith("MALLOC_") and name.endswith("_") for name in os.environ)
    if chosen or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
