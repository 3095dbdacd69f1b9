"""Peak memory of ``fit_head`` above the rows that it is given, as a multiple of these rows.

``python -m benchmarks.fit_memory`` prints the multiple of 12,000 rows of 2048 features.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from occamhead.rows.arrays import ArrayData
from occamhead.training.fit import fit_head


def memory(name: str) -> float:
    """Bytes that this process holds ("VmRSS") or has held at most ("VmHWM"), on Linux.

    The kernel's own count: that of ``getrusage`` begins at the peak of the process that forked.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024.0


def fit(rows: int, features: int, steps: int) -> float:
    """The peak above what was held before the fit, as a multiple of the rows."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((rows, features), dtype=np.float32)
    y = (x[:, 0] - x[:, 1] > 0).astype(np.int64)
    cut, small = rows * 4 // 5, x[:32]
    data = ArrayData((x[:cut], y[:cut]), (x[cut:], y[cut:]), (small, y[:32]))
    before = memory("VmRSS")
    quiet = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False}
    fit_head(data, max_features=20, restarts=2, steps=steps, trainer=quiet)
    return (memory("VmHWM") - before) / x.nbytes


def main(argv: Sequence[str] | None = None) -> float:
    """Print and return the multiple."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=20, help="optimiser steps of each round")
    args = parser.parse_args(argv)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning.*")
    # What a first fit loads is not the rows'.
    fit(60, 8, 2)
    multiple = fit(args.rows, args.features, args.steps)
    print(json.dumps({"rows": args.rows, "features": args.features, "peak_over_rows": multiple}))
    return multiple


if __name__ == "__main__":
    main()
