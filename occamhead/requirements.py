"""Packages that only some need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(package: str, purpose: str, extra: str = "recipes") -> Iterator[None]:
    """Turn a failed import into an error that names what to install."""
    try:
        yield
    except ImportError as reason:
        raise ImportError(
            f"{purpose} needs {package}: pip install 'occamhead[{extra}]'"
        ) from reason
