"""Run by :mod:`recipes.others.own_environment` in a peer's own environment, which has no other
file of ours: ``python own_environment_run.py hroch rows.npz 10 0`` prints a line of JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator

import numpy as np

PIECE = 0.5  # seconds on the wall of a piece of HROCH's
RESTART = 5.0  # CPU seconds after which it begins anew, as its authors' tool does
EXACT = 1e-18  # share of variance at which nothing is left to find
# Its own weights, of the operators that the other methods have.
HROCH = {"nop": 0.01, "add": 1.0, "sub": 1.0, "mul": 1.0, "div": 0.1, "sq2": 0.05, "exp": 0.001,
         "log": 0.001, "sqrt": 0.1, "sin": 0.005, "cos": 0.005}  # fmt: skip
EGGP = "add,sub,mul,div,sin,cos,exp,logabs,sqrtabs,square"
LENGTH = 25


def hroch(rows: dict[str, np.ndarray], seconds: float, seed: int) -> Iterator[str]:
    """What it holds best after each piece."""
    from HROCH import SymbolicRegressor

    start = began = time.process_time()
    model = None
    piece = 0
    while model is None or time.process_time() - start < seconds:
        if model is None or time.process_time() - began > RESTART:
            began = time.process_time()
            piece += 1
            model = SymbolicRegressor(
                num_threads=1,
                time_limit=PIECE,
                precision="f64",
                problem=HROCH,
                random_state=1000 * seed + piece,
                warm_start=True,
            )
        model.fit(rows["x"], rows["y"])
        yield model.sexpr_
        missed = np.mean((model.predict(rows["vx"]) - rows["vy"]) ** 2)
        if missed < EXACT * np.var(rows["vy"]):
            break  # nothing is left to find


def eggp(rows: dict[str, np.ndarray], seconds: float, seed: int) -> Iterator[str]:
    """Its front; it takes no seed.

    Its limit is on the wall, so it begins anew where it had less than half of the processor; it
    looks at the clock between generations, so it may take longer.
    """
    from eggp import EGGP as Regressor

    start = time.process_time()
    while (left := seconds - (time.process_time() - start)) > seconds / 2:
        model = Regressor(
            gen=1_000_000, maxSize=LENGTH, nonterminals=EGGP, max_time=max(1, round(left))
        )
        model.fit(rows["x"], rows["y"])
        yield from model.results["Expression"]


def main(name: str, file: str, seconds: float, seed: int) -> None:
    """Print the formulas, each once, and the CPU seconds spent."""
    os.environ["GHCRTS"] = "-N1"  # one thread; read when eggp is imported
    method, package = {"hroch": (hroch, "HROCH"), "eggp": (eggp, "eggp")}[name]
    importlib.import_module(package)
    rows = dict(np.load(file))
    start = time.process_time()
    formulas = list(dict.fromkeys(method(rows, seconds, seed)))
    print(json.dumps({"formulas": formulas, "seconds": time.process_time() - start}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
