"""What is asked of lists of any length, and how hard ones are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.distill import FeatureSpec

Ints = NDArray[np.int64]
Truth = Callable[[list[int]], Any]  # the class of a list, or one class per output


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
