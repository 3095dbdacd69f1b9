"""What is asked of counts, shapes, names and packages, and the one sentence said where it fails."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import OutOfMemoryError, Tensor


def check_temperature(**temperatures: float) -> None:
    """Raise ValueError for a temperature that is not a positive finite number."""
    for name, value in temperatures.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive and finite, got {value}")


def check_counts(**counts: int | None) -> None:
    """Raise ValueError for a count below 1; None, where it stands for no limit, is none."""
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def check_features(x: Tensor, in_features: int) -> None:
    """Raise ValueError unless `x` is [batch, in_features]."""
    if x.dim() != 2 or x.shape[1] != in_features:
        raise ValueError(f"expected features of shape [batch, {in_features}], got {tuple(x.shape)}")


def check_width(x: Tensor, in_features: int) -> None:
    """Raise ValueError unless `x` is [..., in_features]."""
    if not x.dim() or x.shape[-1] != in_features:
        raise ValueError(f"expected features of shape [..., {in_features}], got {tuple(x.shape)}")


def check_finite(features: Tensor) -> None:
    """Raise ValueError if a feature is NaN or infinite, naming the first."""
    # A sum is finite only if all it adds up is; it takes no memory, as a table of answers would.
    if not features.sum().isfinite() and not features.isfinite().all():
        row, column = (~features.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"feature {column} of row {row} is {features[row, column].item()}; features must be"
            " finite: drop the row or impute the value"
        )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not among the known ones."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(sorted(names))}"
    return f"unknown {kind} {name!r}; {hint}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: NumPy's and Python's, torch's on the CPU, or a device's."""
    if isinstance(error, (MemoryError, OutOfMemoryError)):
        return True
    said = str(error) if isinstance(error, RuntimeError) else ""
    return "allocate memory" in said or "out of memory" in said


@contextmanager
def enough_memory(doing: str, remedy: str = "") -> Iterator[None]:
    """Turn every error that means there is no memory left into a MemoryError that says for what."""
    try:
        yield
    except (MemoryError, RuntimeError) as reason:
        if not is_out_of_memory(reason):
            raise
        said = " ".join(str(reason).split())[:200] or type(reason).__name__
        raise MemoryError(f"out of memory while {doing}; {remedy or said}") from reason


@contextmanager
def needs(package: str, purpose: str, extra: str = "recipes") -> Iterator[None]:
    """Turn a failed import into an error that names what to install."""
    try:
        yield
    except ImportError as reason:
        # The reason too: a package may be there, and lack another itself.
        raise ImportError(
            f"{purpose} needs {package}: pip install 'occamhead[{extra}]' ({reason})"
        ) from reason
