"""A thousand classes: one epoch of a head, a sum of 20 features a class, beside ``nn.Linear``.

``python -m benchmarks.many_classes`` trains both with Adam and cross-entropy on the same generated
rows, each in a process of its own, and prints seconds and peak memory, with the rows and beyond
them. Finding the candidates (which features each class may see) and the standardisation are timed
apart, and are part of the head's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from occamhead import OccamHead
from occamhead.rows.screening import most_telling_of_each

BATCH, TERMS, TELLING = 256, 20, 10


def rows(classes: int, features: int, count: int) -> tuple[Tensor, Tensor]:
    """Noise in which each class lifts some ten features of its own by two deviations."""
    generator = torch.Generator().manual_seed(0)
    x = torch.empty(count, features)
    for block in x.split(BATCH):  # the peak must be that of training, not of making the rows
        block.normal_(generator=generator)
    y = torch.randint(classes, (count,), generator=generator)
    own = torch.randint(features, (classes, TELLING), generator=generator)
    for block, labels in zip(x.split(BATCH), y.split(BATCH), strict=True):
        block.scatter_add_(1, own[labels], torch.full((len(labels), TELLING), 2.0))
    return x, y


def epoch(model: nn.Module, x: Tensor, y: Tensor, learning_rate: float) -> None:
    """Train on all rows once."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1)).split(BATCH)
    for step, index in enumerate(order):
        if isinstance(model, OccamHead):
            model.network.anneal(step / (0.8 * len(order)), end=0.03)
        loss = nn.functional.cross_entropy(model(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def measure(kind: str, classes: int, features: int, count: int, candidates: int) -> None:
    """Train for an epoch and print what it took, as JSON."""
    torch.set_num_threads(1)
    epoch(nn.Linear(4, 2), torch.randn(4, 4), torch.tensor([0, 1, 0, 1]), 0.1)  # loads torch
    x, y = rows(classes, features, count)
    data_mb = peak_mb()
    start = time.process_time()
    model: nn.Module = nn.Linear(features, classes)
    if kind == "head":
        seen = most_telling_of_each((x, y), candidates, classes)
        model = OccamHead(features, classes, [f"affine{TERMS}"], candidates=seen)
        model.initialise(x, spread=3.0)
    prepared = time.process_time()
    epoch(model, x, y, 0.1 if kind == "head" else 0.01)
    trained = time.process_time()
    peak = peak_mb()
    model.eval()
    with torch.no_grad():
        right = [(model(a).argmax(-1) == b).float().mean() for a, b in
                 zip(x[:5000].split(BATCH), y[:5000].split(BATCH), strict=True)]  # fmt: skip
    result = {
        "preparation_s": prepared - start,
        "epoch_s": trained - prepared,
        "peak_mb": peak,
        "beyond_rows_mb": peak - data_mb,
        "training_accuracy": float(torch.stack(right).mean()),
    }
    print(json.dumps(result))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.many_classes", description=__doc__)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--rows", type=int, default=50000)
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument(
        "--kind", choices=("linear", "head"), help="in this process, one of the two"
    )
    args = parser.parse_args(argv)
    sizes = (args.classes, args.features, args.rows, args.candidates)
    if args.kind:
        return measure(args.kind, *sizes)
    print("{} classes, {} features, {} rows, {} candidates a class".format(*sizes))
    found = {}
    for kind in ("linear", "head"):
        command = [sys.executable, "-m", "benchmarks.many_classes", "--kind", kind]
        names = ("classes", "features", "rows", "candidates")
        command += [part for n, s in zip(names, sizes, strict=True) for part in (f"--{n}", str(s))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[kind] = json.loads(done.stdout)
        print(kind + ": " + ", ".join(f"{k} {v:.3g}" for k, v in found[kind].items()))
    for figure in ("epoch_s", "peak_mb", "beyond_rows_mb"):
        print(f"{figure}: ratio {found['head'][figure] / found['linear'][figure]:.2f}")


if __name__ == "__main__":
    main()
