"""A search that several processes share is the search of one, to the bit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# What each process runs: all cases, and a hash of everything that a search has learnt and kept.
SEARCHES = """
import hashlib, json, sys
import numpy as np
import torch
import torch.distributed as dist
from occamhead import OccamNet, Strategy
from occamhead.search.evolution import Evolution
from occamhead.search.judging.regularisers import Regularisation
from occamhead.search.saved import state_of
from occamhead.search.shares import ALONE, Group

torch.set_num_threads(1)
if int(sys.argv[2]) > 1:
    dist.init_process_group("gloo", init_method=f"file://{sys.argv[4]}", rank=int(sys.argv[1]),
                            world_size=int(sys.argv[2]))
shares = Group(dist.group.WORLD) if int(sys.argv[2]) > 1 else ALONE
x = np.random.default_rng(5).uniform(-2, 2, (60, 2))
y = 2.31 * np.sin(1.7 * x[:, 0]) + x[:, 1] ** 2 / (1.3 + x[:, 0] ** 2)
two = np.stack([x[:, 0] ** 2 + np.sin(x[:, 1]), x.prod(1) - x[:, 0]], 1)
plain = ["add", "mul", "sin", "div"]
cases = {
    "one output": (plain, 3, y, {}),
    "numbers": (["add", "mul", "tanh_affine2", "affine2"], 2, y, {}),
    "two outputs": (plain, 2, two, {"patience": 30}),
    "restarts": (plain, 2, y, {"patience": 15, "max_complexity": 9}),
    "little memory": (plain, 3, y, {"store_mb": 1.0}),
    "literal": (plain, 3, y, {"engine": "literal"}),
    "no learning": (plain, 3, y, {"engine": "no-learning"}),
    "penalties": (plain, 3, y, {"regularisation": Regularisation(phi=0.7, psi=0.3)}),
    "recurrence": (["add", "mul"], 2, two, {"recurrence": 3}),
    "odd number": (plain, 2, y, {"num_samples": 37}),
}
found = {}
for name, (bases, depth, target, settings) in cases.items():
    torch.manual_seed(0)
    strategy = Strategy(**{"seed": 3, "max_steps": 60, **settings})
    search = Evolution(OccamNet(2, target.ndim, bases, depth=depth), x, target, strategy,
                       shares=shares)
    result = search.run()
    digest = hashlib.sha256(json.dumps(result.best.text()).encode())
    def add(value):
        if isinstance(value, dict):
            for key in sorted(value):
                if key not in ("evaluated", "seconds"):
                    digest.update(key.encode())
                    add(value[key])
        elif isinstance(value, torch.Tensor):
            digest.update(value.numpy().tobytes())
        else:
            digest.update(repr(value).encode())
    add(state_of(search))
    for tensor in search.network.parameters():
        digest.update(tensor.detach().numpy().tobytes())
    found[name] = [digest.hexdigest(), result.reason, search.evaluator.evaluated]
with open(f"{sys.argv[3]}/{sys.argv[2]}-{sys.argv[1]}.json", "w") as file:
    json.dump(found, file)
"""


def searched(folder, size):
    """What each of `size` processes found."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    rest = [str(size), str(folder), str(folder / f"store{size}")]
    options: dict[str, Any] = {"env": environment, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", SEARCHES]
    processes = [subprocess.Popen([*command, str(r), *rest], **options) for r in range(size)]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
    return [json.loads((folder / f"{size}-{rank}.json").read_text()) for rank in range(size)]


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_end_with_the_bits_of_one(tmp_path, size):
    (one,) = searched(tmp_path, 1)
    for found in searched(tmp_path, size):
        for name, (digest, reason, _) in found.items():
            assert [digest, reason] == one[name][:2], name
        # Each evaluates its share, and little of the others'.
        assert found["one output"][2] < one["one output"][2] * (0.8 if size == 2 else 0.65)


DYING = """
import os, signal, sys, time
from datetime import timedelta
import numpy as np
import torch
import torch.distributed as dist
from occamhead import OccamNet, Strategy, evolve
from occamhead.search import evolution

torch.set_num_threads(1)
evolution.KEEP_EVERY = 0.0
dist.init_process_group("gloo", timeout=timedelta(seconds=30))
x = np.random.default_rng(5).uniform(-2, 2, (60, 2))
y = 2.31 * np.sin(1.7 * x[:, 0]) + x[:, 1] ** 2 / (1.3 + x[:, 0] ** 2)
torch.manual_seed(0)
network = OccamNet(2, 1, ["add", "mul", "sin", "div"], depth=3)
first_life = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"

def die(progress):
    if first_life and progress.step == 40 and dist.get_rank() == 1:
        print("dying", time.time(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

found = evolve(network, x, y, Strategy(seed=3, max_steps=80), callback=die,
               checkpoint=sys.argv[1], group=dist.group.WORLD)
if dist.get_rank() == 0:
    print("found", found.best.text()[0], found.steps, found.functions, flush=True)
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_a_dead_process_ends_the_job_and_torchrun_goes_on(tmp_path):
    """The search of torchrun's second attempt ends as one that nobody killed."""
    (tmp_path / "search.py").write_text(DYING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    # A second attempt in the store of the first may meet its dead addresses (PyTorch's #135712).
    environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"

    def run(folder, restarts, processes):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
                   "--nproc-per-node", str(processes), "--max-restarts", str(restarts),
                   "search.py", str(folder)]  # fmt: skip
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        found = [line for line in done.stdout.splitlines() if line.startswith("found")]
        return done, found

    alone, wanted = run("alone", 0, 1)
    assert alone.returncode == 0 and len(wanted) == 1, alone.stderr[-3000:]
    ended, found = run("ended", 0, 2)
    over = time.time()
    assert ended.returncode != 0 and not found
    assert "local_rank: 1" in ended.stderr and "Signal 9" in ended.stderr
    dead = float(re.search(r"dying ([\d.]+)", ended.stdout)[1])
    assert over - dead < 30
    again, found = run("again", 1, 2)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "dying" in again.stdout and found == wanted
