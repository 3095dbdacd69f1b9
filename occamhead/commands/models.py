"""Models in files that are read without running what anybody wrote into them."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Answers = Callable[[NDArray[np.float64]], NDArray[Any]]
"""From rows [rows, inputs] to scores [rows, classes], or [rows], or classes [rows]."""

# Neither a pickle nor a torch.export.save is data alone: to read them may run what they say.
REMEDY = (
    "save the model as TorchScript, or write its answers to a column of the rows and name that with"
    " --target"
)


def read_model(file: Path) -> Answers:
    """A model of rows: TorchScript, or a head that ``head.save`` wrote.

    Raises:
        ValueError: If the file is something else; a pickle, which could run code, is not opened.
        OSError: If it cannot be read.
    """
    with file.open("rb") as content:
        start = content.read(2)
    if file.suffix == ".safetensors":
        raise ValueError(f"{file}: weights, or a model of pictures; {REMEDY}")
    if start != b"PK":
        raise ValueError(f"{file}: no model that is read here; {REMEDY}")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner:
        return _module(_torchscript(file))
    if "data.pkl" in inner:
        return _module(_head(file))
    raise ValueError(f"{file}: no model that is read here; {REMEDY}")


def _torchscript(file: Path) -> torch.nn.Module:
    try:
        with warnings.catch_warnings():
            # torch would rather have torch.export, whose files are not safe to read.
            warnings.simplefilter("ignore", FutureWarning)
            return torch.jit.load(str(file), map_location="cpu").eval()
    except RuntimeError as reason:
        raise ValueError(f"{file}: damaged TorchScript ({str(reason).splitlines()[0]})") from reason


def _head(file: Path) -> torch.nn.Module:
    from occamhead.heads.base import SymbolicHead

    try:
        return SymbolicHead.load(file)
    except ValueError as reason:
        raise ValueError(f"{file}: a pickle, and no head of occamhead's; {REMEDY}") from reason


def _module(module: torch.nn.Module) -> Answers:
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)

    def answers(rows: NDArray[np.float64]) -> NDArray[Any]:
        try:
            with torch.no_grad():
                return module(torch.from_numpy(rows).to(dtype)).numpy()
        except (RuntimeError, ValueError) as reason:
            raise ValueError(_misfit(rows, reason)) from reason

    return answers


def _misfit(rows: NDArray[np.float64], reason: Exception) -> str:
    said = " ".join(str(reason).split())[:160]
    return f"the model does not take rows of {rows.shape[1]} columns: {said}"


def classes_of(answers: NDArray[Any], rows: int) -> NDArray[np.int64]:
    """The class of each row: the highest score, whether one score is above 0, or what is said.

    Raises:
        ValueError: If the answers are of another shape.
    """
    flat = answers[:, 0] if answers.ndim == 2 and answers.shape[1] == 1 else answers
    if len(flat) != rows or flat.ndim > 2:
        raise ValueError(
            f"the model gives answers of shape {list(answers.shape)} to {rows} rows; wanted [rows,"
            " classes] or [rows]"
        )
    if flat.ndim == 2:
        return flat.argmax(axis=1)
    if np.issubdtype(flat.dtype, np.floating):
        return (flat > 0).astype(np.int64)
    return flat.astype(np.int64)
