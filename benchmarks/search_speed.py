"""How many functions a second the search samples, evaluates and scores, beside the plain way.

``python -m benchmarks.search_speed [--quick]`` takes functions from untrained networks, where they
repeat least, and scores them with the Gaussian likelihood, on one thread. *Dense* is the plain
way, the data flow of the paper's code: every node of every sample, in torch, float32. *Fresh*
starts each step with an empty store; *kept* goes on with the store of more than 50 steps. All
numbers are of one run, the variants taken in turn; times are CPU seconds, ratios are of medians.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
import torch

from occamhead import OccamNet
from occamhead.network.basis_sets import BASIS_SETS
from occamhead.search import Strategy
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.sampling import draw_routes, softmax_tables
from occamhead.search.logits import read_logits, space_of

ROWS, SIGMA = 1000, 0.1
VARIANTS = {
    "compiled float64": {"backend": "compiled", "dtype": "float64"},
    "compiled float32": {"backend": "compiled", "dtype": "float32"},
    "torch float32": {"backend": "torch", "dtype": "float32"},
}
WARM_STEPS = 60


@dataclass(frozen=True)
class Case:
    """A network, how many functions a step, and the ratios to dense that are wanted."""

    bases: str
    depth: int
    inputs: int
    samples: int
    compiled_bar: int
    torch_bar: int

    def network(self) -> OccamNet:
        basis_set = BASIS_SETS[self.bases]
        return OccamNet(self.inputs, 1, self.bases, self.depth, constants=basis_set.constants)


CASES = (Case("table1/4", 3, 1, 100, 25, 5), Case("pmlb", 4, 2, 1000, 50, 20))


class Search:
    """Steps of the engine without learning: sample, intern, evaluate, score."""

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray, settings: dict[str, str]) -> None:
        strategy = Strategy(fitness="gaussian", sigma=SIGMA, num_samples=case.samples, **settings)
        network = case.network()
        self.evaluator = Evaluator(space_of(network), x, y, strategy)
        wiring = self.evaluator.wiring
        self.logits, self.temperatures = read_logits(network)
        self.log_probs, self.cumulative = np.zeros((2, *self.logits.shape))
        self.choices = np.empty((case.samples, len(wiring.num_sources)), np.int32)
        self.given = np.zeros(case.samples, np.bool_)

    def step(self, number: int) -> None:
        wiring = self.evaluator.wiring
        softmax_tables(
            self.logits, self.temperatures, wiring.num_sources, self.log_probs, self.cumulative
        )
        draw_routes(wiring, self.cumulative, np.uint64(number), self.given, self.choices)
        for _ in self.evaluator.judge(self.choices, number):
            pass

    @property
    def megabytes(self) -> float:
        """Memory of the store, its values included."""
        tables = [a for a in self.evaluator.store.nodes if isinstance(a, np.ndarray)]
        return sum(a.nbytes for a in [*tables, self.evaluator.values.host()]) / 1e6


def dense_step(network: OccamNet, x: torch.Tensor, y: torch.Tensor, samples: int) -> torch.Tensor:
    predicted = network.evaluate(network.sample(samples), x)
    exponents = ((predicted - y) / SIGMA).square() / 2
    return torch.exp(-exponents).mean(dim=1).nan_to_num()


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall-clock seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.process_time() - cpu, time.perf_counter() - wall


# --- the roofline: loops that do one thing ---------------------------------------------------


@numba.njit(error_model="numpy")
def run_add(a, b, out):
    for i in range(len(out)):
        out[i] = a[i] + b[i]


@numba.njit(error_model="numpy")
def run_mul(a, b, out):
    for i in range(len(out)):
        out[i] = a[i] * b[i]


@numba.njit(error_model="numpy")
def run_div(a, b, out):
    for i in range(len(out)):
        out[i] = a[i] / b[i]


@numba.njit
def run_sin(a, b, out):
    for i in range(len(out)):
        out[i] = math.sin(a[i])


@numba.njit
def run_exp(a, b, out):
    for i in range(len(out)):
        out[i] = math.exp(a[i])


@numba.njit
def run_log(a, b, out):
    for i in range(len(out)):
        out[i] = math.log(abs(a[i]))


@numba.njit
def run_gaussian(a, b, out):
    total = 0.0
    for i in range(len(out)):
        difference = a[i] - b[i]
        total += math.exp(-0.5 * difference * difference)
    out[0] = total


LOOPS = {
    "add": run_add, "mul": run_mul, "div": run_div, "sin": run_sin, "exp": run_exp,
    "log": run_log, "Gaussian": run_gaussian,
}  # fmt: skip
LOOP_OF = {"add": "add", "sub": "add", "mul": "mul", "div": "div", "sin": "sin", "cos": "sin",
           "exp": "exp", "log_abs": "log"}  # fmt: skip


@numba.njit
def repeat(loop, times, a, b, out):
    for _ in range(times):
        loop(a, b, out)


def roofline(dtype: str, rounds: int) -> dict[str, float]:
    """Nanoseconds per row of each loop, on rows that stay in cache."""
    a, b, out = np.random.default_rng(0).normal(size=(3, ROWS)).astype(dtype)
    times = 2000
    result = {}
    for name, loop in LOOPS.items():
        repeat(loop, 1, a, b, out)
        taken = [seconds(lambda f=loop: repeat(f, times, a, b, out))[0] for _ in range(rounds)]
        result[name] = statistics.median(taken) / times / ROWS * 1e9
    return result


# --- the comparison --------------------------------------------------------------------------


def measure(case: Case, rounds: int, costs: dict[str, dict[str, float]]) -> None:
    """Print what one case reaches."""
    generator = np.random.default_rng(0)
    x = generator.uniform(0.5, 2, (ROWS, case.inputs))
    y = (x[:, :1] ** 2 + x[:, :1]) / (x[:, :1] + 2)
    tensors = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    network = case.network()
    images = sum(map(len, network.layout.layers))
    print(
        f"\nR = {case.samples}, B = {ROWS}, N = {images // case.depth} ({case.bases}),"
        f" depth {case.depth}, {case.inputs} input(s): {images} nodes a function if dense"
    )
    kept = {name: Search(case, x, y, settings) for name, settings in VARIANTS.items()}
    for search in kept.values():
        for number in range(WARM_STEPS):
            search.step(number)
    evaluated = {name: search.evaluator.evaluated for name, search in kept.items()}
    taken: dict[str, list[tuple[float, float]]] = {}
    fresh: dict[str, Search] = {}
    for number in range(rounds):
        taken.setdefault("dense float32", []).append(
            seconds(lambda: dense_step(network, *tensors, case.samples))
        )
        for name, settings in VARIANTS.items():
            fresh[name] = Search(case, x, y, settings)
            step = WARM_STEPS + number
            for kind, search in (("fresh", fresh[name]), ("kept", kept[name])):
                taken.setdefault(f"{name}, {kind}", []).append(
                    seconds(lambda search=search, step=step: search.step(step))
                )
    report(case, taken)
    for name, search in kept.items():
        functions = rounds * case.samples
        new = (search.evaluator.evaluated - evaluated[name]) / functions
        first = fresh[name].evaluator.evaluated / case.samples
        print(
            f"  {name}: new nodes per function {first:.2f} fresh, {new:.2f} kept; store"
            f" {search.megabytes:.0f} MB"
        )
    for name in ("compiled float64", "compiled float32"):
        cpu = statistics.median(cpu for cpu, _ in taken[f"{name}, fresh"])
        compare_to_roofline(case, name, fresh[name], cpu, costs[name.split()[1]])


def report(case: Case, taken: dict[str, list[tuple[float, float]]]) -> None:
    medians = {name: statistics.median(cpu for cpu, _ in each) for name, each in taken.items()}
    dense = medians["dense float32"]
    print(f"  {'':24} functions/s   CPU ms/step  wall ms/step  ratio   bar   CPU s in all")
    for name, cpu in medians.items():
        wall = statistics.median(wall for _, wall in taken[name])
        bar = case.torch_bar if name.startswith("torch") else case.compiled_bar
        wanted = "" if name.startswith("dense") else f"{bar}"
        print(
            f"  {name:24} {case.samples / cpu:11,.0f} {1e3 * cpu:13.3f} {1e3 * wall:13.3f}"
            f" {dense / cpu:6.1f} {wanted:>5} {sum(cpu for cpu, _ in taken[name]):14.2f}"
        )


def compare_to_roofline(
    case: Case, name: str, search: Search, cpu: float, costs: dict[str, float]
) -> None:
    """Time of a function beside that of bare loops over its new nodes and its score."""
    evaluator = search.evaluator
    nodes, count = evaluator.store.nodes, evaluator.store.count[0]
    names = [evaluator.bases[b].name for b in nodes.basis[evaluator.store.num_leaves : count]]
    arithmetic = sum(many * costs[LOOP_OF[basis]] for basis, many in Counter(names).items())
    scored = int(nodes.scored[:count].sum())
    bound = (arithmetic + scored * costs["Gaussian"]) * ROWS / case.samples
    print(
        f"  {name}, fresh: {cpu / case.samples * 1e9:,.0f} ns a function; bare loops over its"
        f" {len(names) / case.samples:.2f} new nodes and {scored / case.samples:.2f} scores"
        f" {bound:,.0f} ns ({arithmetic * ROWS / case.samples:,.0f} ns of it the nodes)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    began = time.process_time()
    costs = {dtype: roofline(dtype, 3 if quick else 15) for dtype in ("float64", "float32")}
    print("ns per node and row of a bare compiled loop")
    for dtype, each in costs.items():
        print(f"  {dtype}: " + ", ".join(f"{name} {cost:.2f}" for name, cost in each.items()))
    for case in CASES:
        measure(case, rounds=5 if quick else 60 if case.samples < 1000 else 20, costs=costs)
    print(f"\n{time.process_time() - began:.0f} CPU seconds in all")


if __name__ == "__main__":
    main()
