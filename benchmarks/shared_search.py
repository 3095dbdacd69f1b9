"""How much faster a search is in several processes, and what they tell each other.

``torchrun --standalone --nproc-per-node 2 benchmarks/shared_search.py`` runs the same steps of one
search in one process, and then in all of them, again and again in turn; it prints the medians of
wall and CPU seconds, the ratio of the throughputs, and the bytes that a process sends a step. Each
process takes one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
import torch.distributed as dist

from occamhead import OccamNet, Strategy
from occamhead.search.evolution import Evolution
from occamhead.search.shares import ALONE, Group, Shares

LAWS = {
    "plain": (["add", "sub", "mul", "div", "sin", "exp"], 3, 3000),
    "numbers": (["add", "mul", "tanh_affine2", "affine2"], 2, 1000),
}


def seconds(name: str, samples: int, steps: int, shares: Shares) -> tuple[float, float]:
    """Wall and CPU seconds of some steps, after as many that compile and settle."""
    bases, depth, rows = LAWS[name]
    x = np.random.default_rng(0).uniform(-2, 2, (rows, 4))
    y = np.sin(1.3 * x[:, 0] * x[:, 1]) + x[:, 2] / (2.1 + x[:, 3] ** 2) + 0.01 * x[:, 0] ** 3
    torch.manual_seed(0)
    strategy = Strategy(seed=0, num_samples=samples, max_steps=10**6, max_functions=None)
    search = Evolution(OccamNet(4, 1, bases, depth=depth), x, y, strategy, shares=shares)
    for _ in range(steps // 4):
        search.step()
    if shares.size > 1:
        dist.barrier()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        search.step()
        search.converged()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2000, help="R")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    for name in LAWS:
        alone, shared, sent = [], [], 0.0
        for _ in range(args.repeats):
            # Alone while the others wait, so that nothing else uses the processors.
            if rank == 0:
                alone.append(seconds(name, args.samples, args.steps, ALONE))
            dist.barrier()
            group = Group(dist.group.WORLD)
            shared.append(seconds(name, args.samples, args.steps, group))
            sent = group.sent / (args.steps + args.steps // 4)
        if rank == 0:
            one, all_of_them = (
                [statistics.median(part) for part in zip(*runs, strict=True)]
                for runs in (alone, shared)
            )
            rate = args.samples * args.steps / one[0]
            print(f"{name}: 1 process {one[0]:.2f} s ({rate:,.0f} functions/s), {size} processes"
                  f" {all_of_them[0]:.2f} s: {one[0] / all_of_them[0]:.2f} times as fast; CPU"
                  f" {one[1]:.2f} s and {all_of_them[1]:.2f} s each; {sent:,.0f} bytes sent a step",
                  flush=True)  # fmt: skip
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
