"""What a head is worth on test rows, and the memory and time that it took."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.heads.base import SymbolicHead
from occamhead.heads.calibration import expected_calibration_error
from occamhead.heads.nec import nec_of
from occamhead.rows.arrays import LabelledArrays, Rows, view_rows
from recipes.nec_tasks.choice import Made, Method, Task
from recipes.others.linear_heads import Clock

# Answers of which one is right, for `top5`.
TOP = 5
# Rows whose scores are in memory at once.
BLOCK = 2048


def fit_and_test(
    name: str,
    method: Method,
    data: LabelledArrays,
    budgets: Sequence[int],
    seconds: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Fit one method, which never sees the test rows, and test each of its heads once.

    Args:
        name: Of the method.
        method: Of :mod:`recipes.nec_tasks.methods`.
        data: The rows of the seed.
        budgets: Features of a class in the mean.
        seconds: CPU seconds that the method has.
        seed: Of all that it draws at random.
    """
    torch.manual_seed(seed)
    forget_peak()
    clock = Clock(seconds)
    task = Task(data.train, data.validation, len(data.classes), budgets, seed, clock)
    heads: Mapping[int, Made] = method(task)
    spent = {"seconds": clock.spent, "cut": clock.over(), "peak_mb": peak_mb()}
    rows = []
    for budget, made in sorted(heads.items()):
        nec = nec_of(made.head)
        about: dict[str, Any] = {
            "method": name,
            "budget": budget,
            "nec": nec.mean,
            "nec_max": nec.most,
        }
        rows.append({**about, "seed": seed, "validation_accuracy": made.validation_accuracy,
                     **figures(made.head, data.test), **spent})  # fmt: skip
    return rows


def figures(head: nn.Module, test: Rows) -> dict[str, float]:
    """Of test rows: `accuracy`, `top5`, `ece` (of 15 bins) and `brier` (summed over classes)."""
    x, labels = view_rows(test)
    with torch.no_grad():
        chances = torch.cat([_chances(head, block) for block in x.split(BLOCK)])
    order = chances.topk(min(TOP, chances.shape[1]), dim=1).indices
    right = order == labels.unsqueeze(1)
    gaps = chances - F.one_hot(labels, chances.shape[1])
    return {
        "accuracy": right[:, 0].double().mean().item(),
        "top5": right.any(dim=1).double().mean().item(),
        "ece": float(expected_calibration_error(chances, labels)),
        "brier": gaps.square().sum(dim=1).double().mean().item(),
    }


def _chances(head: nn.Module, x: Tensor) -> Tensor:
    """Probabilities as the head gives them: those of a layer are the softmax of its scores."""
    if isinstance(head, SymbolicHead):
        return head.probabilities(x)
    return torch.softmax(head(x), dim=1)


def forget_peak() -> None:
    """Let :func:`peak_mb` begin anew, where the system can; elsewhere it is that of the process."""
    file = Path("/proc/self/clear_refs")
    if file.exists():
        file.write_text("5")


def peak_mb() -> float:
    """Most memory of the process since :func:`forget_peak`, the rows included, in MiB."""
    file = Path("/proc/self/status")
    if file.exists():
        for line in file.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
