"""What every method makes of a task on lists, as rows of results."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from occamhead.distill import FeatureSpec, Lifted, distill, lift, lift_step
from occamhead.essence import Circuit, fit_circuit
from occamhead.expression.formats.program_tokens import body_tokens
from recipes.lists.tasks import TASKS, Ints, Task
from recipes.others.classifiers import BASELINES, Predictor, columns, learned, right

STEP = FeatureSpec.booleans(["a", "b", "carry"])
_FRESH = 5000  # rows on which methods that learn from samples are compared
_HELD_OUT = 1000  # rows of a held-out size whose table would be too large


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
