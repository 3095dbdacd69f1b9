"""Arithmetic learned from short lists, as one program for lists of any length.

``python -m recipes.arithmetic`` learns parity, the residue by 3, majority, a comparison of two
numbers, an adder's step, argmax and addition at three small sizes, lifts the networks to one
program for every size, and runs it on lists of a thousand entries. "Exact" means right on the
held-out size and on every long list. Long lists are drawn to be hard: sums next to half the length,
numbers that differ in one bit, carries through all bits, largest entries that are there twice.

Beside it stand a decision tree, an MLP and a logistic regression, learned from the same rows of the
largest of those sizes. Their accuracy and that of the network are taken there: of argmax on 5,000
fresh lists, of all others on the table itself, which all methods have seen in full. They have no
answer at any other size, but for the adder's step, which each of them takes in the same loop.

Beside that, an OccamNet learns to sort three numbers (`recipes.sorting`): its formulas print as a
program too.

A seed draws the long lists and, for argmax, the lists that are learned from; whole tables are the
same with every seed.

Source: Blazek et al. 2024 (Nat Comput Sci 4, 110-118), whose figure 3 has code that generalises.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.distill import FeatureSpec, Lifted, distill, lift, lift_step
from occamhead.essence import Circuit, fit_circuit
from occamhead.expression.formats.program_tokens import body_tokens
from occamhead.training.fit import one_thread
from recipes import sorting
from recipes.others.classifiers import BASELINES, Predictor, columns, learned, right
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.output import say
from recipes.shared.results import prepare, write_results

Ints = NDArray[np.int64]
Truth = Callable[[list[int]], Any]  # the class of a list, or one class per output
SORTING = "sort 3"
STEP = FeatureSpec.booleans(["a", "b", "carry"])
_FRESH = 5000  # rows on which methods that learn from samples are compared
_HELD_OUT = 1000  # rows of a held-out size whose table would be too large


def sum_of_halves(x: list[int]) -> list[int]:
    """The bits, lowest first, of the sum of two numbers, each half of the list."""
    m = len(x) // 2
    first, second = (int("".join(map(str, half[::-1])), 2) for half in (x[:m], x[m:]))
    return [int(bit) for bit in f"{first + second:0{m + 1}b}"[::-1]]


def of_bits(rng: np.random.Generator, n: int) -> list[int]:
    """Bits of which half are set, or one more, or any number of them."""
    ones = (n // 2, n // 2 + 1, int(rng.integers(n + 1)))[rng.integers(3)]
    return [int(v) for v in rng.permutation(n) < ones]


def of_pairs(rng: np.random.Generator, n: int) -> list[int]:
    """Two numbers: any, equal ones, ones that differ in one bit, or whose sum carries far."""
    first, second = rng.integers(0, 2, (2, n // 2))
    kind = rng.integers(4)
    if kind:
        second = first if kind < 3 else 1 - first
    if kind > 1:
        second = second ^ (np.arange(n // 2) == rng.integers(n // 2))
    return [*first.tolist(), *second.tolist()]


def of_numbers(rng: np.random.Generator, n: int) -> list[int]:
    """Numbers below the length, so that the largest is often there twice."""
    return [int(v) for v in rng.integers(0, n, n)]


@dataclass(frozen=True)
class Task:
    """What is learned, from how much, and where it has to hold.

    Args:
        sizes: Lengths of the lists that are learned from, and how many; None for all.
        held_out: The length that is held out.
        long: The length of the long lists, and how one is drawn.
        spec: The inputs at a length.
    """

    truth: Truth
    sizes: Mapping[int, int | None]
    held_out: int
    long: int
    draw: Callable[[np.random.Generator, int], list[int]]
    spec: Callable[[int], FeatureSpec] = FeatureSpec.booleans

    def rows(self, size: int, count: int | None, seed: int) -> tuple[Ints, Ints]:
        """Inputs of a length, all or so many, and what is true of them."""
        spec = self.spec(size)
        x = spec.rows() if count is None else spec.sample(count, seed)
        return x, np.array([self.truth(row) for row in x.tolist()], dtype=np.int64)


TASKS: Mapping[str, Task] = {
    "parity": Task(lambda x: sum(x) % 2, {3: None, 4: None, 5: None}, 6, 1001, of_bits),
    "sum % 3": Task(lambda x: sum(x) % 3, {4: None, 5: None, 6: None}, 7, 1001, of_bits),
    "majority": Task(lambda x: 2 * sum(x) > len(x), {3: None, 4: None, 5: None}, 6, 1001, of_bits),
    "a > b": Task(
        # Lists compare by their first difference: here that of the highest bits.
        lambda x: x[: len(x) // 2][::-1] > x[len(x) // 2 :][::-1],
        {4: None, 6: None, 8: None},
        10,
        1000,
        of_pairs,
    ),
    "adder step": Task(sum_of_halves, {}, 8, 1000, of_pairs),
    "argmax": Task(
        lambda x: x.index(max(x)),
        {3: 25, 4: 50, 5: 200},
        6,
        1000,
        of_numbers,
        lambda size: FeatureSpec.integers(0, 9, size),
    ),
    "a + b": Task(sum_of_halves, {4: None, 6: None, 8: None}, 10, 1000, of_pairs),
}


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("arithmetic", __doc__)
    add = parser.add_argument
    add("--tasks", nargs="+", choices=[*TASKS, SORTING], default=[*TASKS, SORTING],
        metavar="TASK", help=f"of {', '.join([*TASKS, SORTING])}")  # fmt: skip
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    add("--lists", type=positive, default=200, help="long lists on which a program is tested")
    return parser


@one_thread()
def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    args = arguments().parse_args(argv)
    out = prepare(args.out, "arithmetic", args.overwrite)
    rows = []
    say(HEADER)
    for name in args.tasks:
        own = [
            row
            for seed in args.seeds
            for row in (
                sorting.rows_of(name, seed) if name == SORTING else rows_of(name, seed, args.lists)
            )
        ]
        say_task(own)
        rows += own
    for name in args.tasks:
        programs = [row["program"] for row in rows if row["task"] == name and row["program"]]
        say(f"\n{name}:\n{programs[0].strip() if programs else 'no program'}")
    return write_results(
        out,
        {
            "task": "arithmetic",
            "rows": rows,
            "lists": args.lists,
        },
    )


# --- the methods ----------------------------------------------------------------------------------


def rows_of(name: str, seed: int, lists: int) -> list[dict[str, Any]]:
    """One task by every method, the long lists drawn with this seed."""
    task = TASKS[name]
    rng = np.random.default_rng(seed)
    long = [task.draw(rng, task.long) for _ in range(lists)]
    truth = [np.atleast_1d(task.truth(x)).tolist() for x in long]
    if task.sizes:
        data = {n: task.rows(n, count, seed) for n, count in task.sizes.items()}
    else:
        x = STEP.rows()
        data = {STEP.num_inputs: (x, np.stack([x.sum(axis=1) % 2, x.sum(axis=1) // 2], axis=1))}
    largest = max(data)
    x, y = data[largest]
    sampled = task.sizes.get(largest) is not None
    test = task.rows(largest, _FRESH, seed + 1) if sampled else (x, y)
    shared = {
        "task": name,
        "seed": seed,
        "size": largest,
        "long_size": task.long,
    }
    rows = []
    for method in ("essence", *BASELINES):
        started = time.perf_counter()
        row: dict[str, Any] = {**shared, "method": method}
        if method == "essence":
            row["samples"] = sum(len(inputs) for inputs, _ in data.values())
            row |= by_essence(task, data, test, long, truth)
        else:
            row["samples"] = len(x)
            predict = learned(method, x, y, seed)
            row |= {"certificate": None, "program": None, "tokens": None, "error": None}
            row["accuracy"] = right(predict(test[0]), test[1])
            row["long"] = None if task.sizes else in_a_loop(predict, long, truth)
        row["exact"] = row["long"] == 1.0
        rows.append(row | {"seconds": time.perf_counter() - started})
    return rows


def by_essence(
    task: Task,
    data: Mapping[int, tuple[Ints, Ints]],
    test: tuple[Ints, Ints],
    long: Sequence[list[int]],
    truth: Sequence[list[int]],
) -> dict[str, Any]:
    """Learn, lift and run on the long lists; if nothing can be lifted, the reason."""
    circuits = {n: [fit_circuit(x, column) for column in columns(y)] for n, (x, y) in data.items()}
    largest = circuits[max(circuits)]
    predicted = np.stack([circuit.predict(test[0]) for circuit in largest], axis=1)
    row: dict[str, Any] = {"accuracy": right(predicted, test[1])}
    try:
        lifted = lifted_from(task, data, circuits)
    except ValueError as reason:
        nothing = {"certificate": None, "program": None, "tokens": None, "long": 0.0}
        return row | nothing | {"error": str(reason)}
    answers = [np.atleast_1d(lifted.predict(x)).tolist() for x in long]
    program = lifted.source()
    return row | {
        "certificate": str(lifted.certificate),
        "program": program,
        "tokens": body_tokens(program),
        "error": None,
        "long": float(np.mean([a == b for a, b in zip(answers, truth, strict=True)])),
    }


def lifted_from(
    task: Task, data: Mapping[int, tuple[Ints, Ints]], circuits: Mapping[int, list[Circuit]]
) -> Lifted:
    is_sampled = any(count is not None for count in task.sizes.values())
    # The rows that are held out are the same for every seed.
    held_out = {task.held_out: task.rows(task.held_out, _HELD_OUT if is_sampled else None, 0)}
    if not task.sizes:
        output, state = (distill(circuit, STEP)[0] for circuit in circuits[STEP.num_inputs])
        return lift_step(output, state, STEP, held_out)
    single = {n: own[0] if data[n][1].ndim == 1 else own for n, own in circuits.items()}
    return lift(single, data, held_out, domain=task.spec(1).domains[0])


def in_a_loop(predict: Predictor, long: Sequence[list[int]], truth: Sequence[list[int]]) -> float:
    """How often the sum is right if the step of an adder is that of a classifier."""
    both = np.array(long).reshape(len(long), 2, -1)
    carry, bits = np.zeros(len(long), dtype=np.int64), []
    for i in range(both.shape[2]):
        step = predict(np.stack([both[:, 0, i], both[:, 1, i], carry], axis=1))
        bits.append(step[:, 0])
        carry = step[:, 1]
    return right(np.stack([*bits, carry], axis=1), np.array(truth))


# --- the table ------------------------------------------------------------------------------------

_COLUMNS = ("task", "method", "exact", "accuracy", "long lists", "tokens", "seconds")
_WIDTHS = (11, 20, 7, 16, 16, 7, 8)
HEADER = "".join(f"{c:<{w}}" for c, w in zip(_COLUMNS, _WIDTHS, strict=True))


def say_task(rows: Sequence[Mapping[str, Any]]) -> None:
    """The lines of one task: accuracy at the largest size learned from, then on long lists."""
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]
        lengths = [row["tokens"] for row in own if row["tokens"] is not None]
        runs = [row["long"] for row in own if row["long"] is not None]
        cells = (
            own[0]["task"],
            name,
            f"{sum(row['exact'] for row in own)}/{len(own)}" if runs else "-",
            f"{np.mean([row['accuracy'] for row in own]):.3f} at {own[0]['size']}",
            f"{np.mean(runs):.3f} at {own[0]['long_size']}" if runs else "-",
            max(lengths, default="-"),
            f"{sum(row['seconds'] for row in own):.1f}",
        )
        say("".join(f"{cell!s:<{w}}" for cell, w in zip(cells, _WIDTHS, strict=True)))


if __name__ == "__main__":
    main()
