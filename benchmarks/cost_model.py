"""What a step of a search costs, by samples, rows and depth: a model fitted to measurements.

``python benchmarks/cost_model.py`` takes steps of searches over a grid of numbers of samples R,
rows n and depths, and fits the CPU seconds of a step by ``s + a R + b P + (c + d n) E``, where P
is the number of P-nodes that are drawn and E that of the distinct nodes that the step evaluated.
It prints the five numbers and how far off they are.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import torch
from scipy.optimize import nnls

from occamhead import OccamNet, Strategy
from occamhead.search.evolution import Evolution

BASES = ["add", "sub", "mul", "div", "sin", "exp"]


def measure(samples: int, rows: int, depth: int, steps: int) -> tuple[list[float], float]:
    """The model's five terms of a step, and its CPU seconds; the means of some steps."""
    x = np.random.default_rng(0).uniform(-2, 2, (rows, 4))
    y = np.sin(1.3 * x[:, 0] * x[:, 1]) + x[:, 2] / (2.1 + x[:, 3] ** 2) + 0.01 * x[:, 0] ** 3
    torch.manual_seed(0)
    strategy = Strategy(seed=0, num_samples=samples, max_steps=10**6, max_functions=None)
    search = Evolution(OccamNet(4, 1, BASES, depth=depth), x, y, strategy)
    for _ in range(5):
        search.step()
    before, reached, began = search.evaluator.evaluated, 0, time.process_time()
    for _ in range(steps):
        search.step()
        reached += int((search.choices >= 0).sum())
    taken = (time.process_time() - began) / steps
    new = (search.evaluator.evaluated - before) / steps
    return [1.0, samples, reached / steps, new, new * rows], taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    torch.set_num_threads(1)
    measure(200, 100, 2, 5)  # compiles
    grid = list(itertools.product((200, 1000, 4000), (100, 1000, 10_000), (2, 3)))
    found = [measure(*cell, args.steps) for cell in grid]
    terms, seconds = (np.array(part) for part in zip(*found, strict=True))
    # Every cell counts alike, whatever a step of it takes.
    model, _ = nnls(terms / seconds[:, None], np.ones(len(seconds)))
    off = terms @ model / seconds
    for cell, taken, ratio in zip(grid, seconds, off, strict=True):
        print("R {:>5}  rows {:>6}  depth {}".format(*cell),
              f" {taken * 1e3:8.2f} ms a step, the model says {ratio:.2f} of it")  # fmt: skip
    s, a, b, c, d = model * 1e9
    worst, usual = np.abs(np.log(off)).max(), np.median(np.abs(np.log(off)))
    print(f"s = {s / 1e3:.0f} us a step, a = {a:.0f} ns a sample, b = {b:.0f} ns a P-node drawn,"
          f" c = {c:.0f} ns a new node, d = {d:.2f} ns a row of it; off by {worst:.2f} at most,"
          f" {usual:.2f} in the median (logarithms)")  # fmt: skip


if __name__ == "__main__":
    main()
