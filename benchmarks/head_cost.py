"""What a head costs beside ``nn.Linear(2048, 2)``: ratios of medians, measured in one run.

``python -m benchmarks.head_cost`` prints the soft network's forward and backward pass and the
formula's forward pass, each relative to the linear layer's, at batch 1 and 256 on one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from occamhead import OccamHead
from occamhead.expression.serving import CALLS_BEFORE_COMPILING

FEATURES, CLASSES, ROUNDS = 2048, 2, 30


def microseconds(run: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - start) / repeats * 1e6


def compare(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median microseconds of each, the runs taken in turn so that drifts hit all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        microseconds(run, repeats)
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(microseconds(run, repeats))
    return {name: statistics.median(values) for name, values in times.items()}


def measure(batch: int) -> None:
    """Print the ratios at one batch size."""
    x = torch.randn(batch, FEATURES)
    y = torch.randint(CLASSES, (batch,))
    linear, head = nn.Linear(FEATURES, CLASSES), OccamHead(FEATURES, CLASSES)
    head.initialise(torch.randn(64, FEATURES), spread=3.0)  # 20 different features a class

    def train(model: nn.Module) -> None:
        model.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()

    training = compare({"linear": lambda: train(linear), "head": lambda: train(head)}, 20)
    print(f"batch {batch}, {len(head.eval().formula().features)} features in the formulas")
    show("soft, forward + backward", training, batch)
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            for _ in range(CALLS_BEFORE_COMPILING):
                head(x)
            inference = compare({"linear": lambda: linear(x), "head": lambda: head(x)}, 1000)
        show(f"formula, forward, {mode.__name__}", inference, batch)


def show(name: str, times: dict[str, float], batch: int) -> None:
    """Print what a row costs in each, and the ratio."""
    linear, head = (times[which] / batch * 1e3 for which in ("linear", "head"))
    print(f"  {name}: ns a row: linear {linear:.0f}, head {head:.0f}, ratio {head / linear:.2f}")


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for batch in (1, 256):
        measure(batch)


if __name__ == "__main__":
    main()
