"""Files of torch's, read without running anything in them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import torch

from occamhead.checks import enough_memory
from occamhead.saving.sealed import Damaged, check_seal, has_seal, seal
from occamhead.saving.whole import replaced

SEALED = "sealed"

# What torch raises over bytes that are not what it wrote.
UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, AssertionError, ArithmeticError, SystemError,
)  # fmt: skip


Place: TypeAlias = str | Path | IO[bytes]
"""A file's path, or a stream."""


def save_tensors(path: Place, content: Mapping[str, Any]) -> None:
    """Write values and tensors to a file that appears whole, and that is sealed; or to a stream.

    Raises:
        OSError: If it cannot be written; names the file.
    """
    if not isinstance(path, (str, Path)):
        torch.save(dict(content), path)
        return
    with replaced(path) as part:
        try:
            with part.open("wb") as file:
                torch.save({**content, SEALED: True}, file)
        except RuntimeError as error:
            # What the system has against it, torch tells as a fault of its own archive.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
        seal(part)


def load_tensors(path: Place, what: str) -> dict[str, Any]:
    """Read what :func:`save_tensors` wrote, or a file from before there were seals.

    Args:
        path: The file, or a stream, which has no seal.
        what: What it should hold, for the error, such as "a saved head".

    Raises:
        ValueError: If the file is cut off, damaged or something else; names it.
        OSError: If it cannot be read.
    """
    sealed = isinstance(path, (str, Path)) and has_seal(path)
    if sealed:
        check_seal(path)  # type: ignore[arg-type]
    data = read_tensors(path, what)
    if not isinstance(data, dict):
        raise ValueError(f"{path} is not {what}")
    if data.pop(SEALED, False) and not sealed:
        raise Damaged(f"{path} is damaged: its seal is missing")
    return data


def read_tensors(path: Place, what: str) -> Any:
    """Read what ``torch.save`` wrote, whatever that is; no code is run from the file.

    Raises:
        ValueError: If the file is cut off, damaged or something else; names it.
        OSError: If it cannot be read.
    """
    size = _size(path)
    try:
        with enough_memory(f"reading {path} ({size} bytes)", "is it damaged?"):
            return torch.load(path, weights_only=True, map_location="cpu")
    except (*UNREADABLE, OSError) as reason:
        said = str(reason).strip().partition("\n")[0][:200] or type(reason).__name__
        raise ValueError(
            f"{path} ({size} bytes) is cut off or damaged, or is not {what}: {said}"
        ) from reason


def _size(path: Place) -> int:
    if not isinstance(path, (str, Path)):
        at = path.tell()
        size = path.seek(0, os.SEEK_END) - at
        path.seek(at)
        return size
    with Path(path).open("rb") as content:  # what the system has against it, torch says badly
        return os.fstat(content.fileno()).st_size
