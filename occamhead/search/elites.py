"""Compiled choice of what to learn from: the elites of each output, or the best of one step.

Source: Costa et al. 2021, section 3, step 2; the elites are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from occamhead.search.judging.sampling import NONE, reach

# Fitnesses, and errors, within this share of each other are the same: summation order must not
# decide.
EQUAL = 1e-7


class Elites(NamedTuple):
    """The best distinct functions of each output so far, best first.

    Args:
        choices: Their routes, [outputs, elites, rows of the network].
        fitness, key, size, root: See :class:`~occamhead.search.judging.store.Nodes`, [outputs,
            elites]; a free place has fitness -inf.
    """

    choices: NDArray[np.int32]
    fitness: NDArray[np.float64]
    key: NDArray[np.uint64]
    size: NDArray[np.int32]
    root: NDArray[np.int32]

    def clear(self) -> None:
        self.choices.fill(NONE)
        self.fitness.fill(-np.inf)
        self.key.fill(0)
        self.size.fill(0)
        self.root.fill(NONE)


def make_elites(outputs: int, count: int, rows: int) -> Elites:
    """Free places for `count` elites of each output."""
    elites = Elites(
        np.empty((outputs, count, rows), np.int32),
        np.empty((outputs, count)),
        np.empty((outputs, count), np.uint64),
        np.empty((outputs, count), np.int32),
        np.empty((outputs, count), np.int32),
    )
    elites.clear()
    return elites


@numba.njit(cache=True)
def own_route(wiring, choices, output, out):
    """The edges that one output reaches, -1 elsewhere; into `out` [rows]."""
    reached = reach(wiring, choices, wiring.output_rows[output])
    for p in range(len(out)):
        out[p] = choices[p] if reached[p] else NONE


@numba.njit(cache=True)
def update_elites(wiring, elites, choices, fitness, key, size, roots):
    """Let samples take the places of elites that fit worse, or that spell the same longer.

    Args:
        choices: Routes of the samples, [samples, rows].
        fitness, key, size, roots: Of the samples, [samples, outputs]; NaN fitness is undefined.
    """
    count = elites.fitness.shape[1]
    for j in range(elites.fitness.shape[0]):
        for r in range(len(choices)):
            value = fitness[r, j]
            if not value >= elites.fitness[j, count - 1]:  # worse than the last, or NaN
                continue
            place = count - 1
            for e in range(count):
                if elites.fitness[j, e] > -np.inf and elites.key[j, e] == key[r, j]:
                    place = e
                    break
            held = elites.fitness[j, place]
            shorter = size[r, j] < elites.size[j, place]
            if held > -np.inf and elites.key[j, place] == key[r, j]:
                # Up to rounding the fitness is the same, unless penalties part the two spellings.
                gain = value - held
                if gain < -EQUAL * abs(held) or (gain <= EQUAL * abs(held) and not shorter):
                    continue
            elif value == held and not shorter:
                continue
            while place > 0 and (
                value > elites.fitness[j, place - 1]
                or (value == elites.fitness[j, place - 1]
                    and size[r, j] < elites.size[j, place - 1])
            ):  # fmt: skip
                elites.choices[j, place] = elites.choices[j, place - 1]
                elites.fitness[j, place] = elites.fitness[j, place - 1]
                elites.key[j, place] = elites.key[j, place - 1]
                elites.size[j, place] = elites.size[j, place - 1]
                elites.root[j, place] = elites.root[j, place - 1]
                place -= 1
            own_route(wiring, choices[r], j, elites.choices[j, place])
            elites.fitness[j, place], elites.key[j, place] = value, key[r, j]
            elites.size[j, place], elites.root[j, place] = size[r, j], roots[r, j]


@numba.njit(cache=True)
def might_enter(elites, fitness, key, size):
    """Which samples :func:`update_elites` might take, whatever others it takes before, [samples].

    Args:
        elites, fitness, key, size: As for :func:`update_elites`.
    """
    count = elites.fitness.shape[1]
    found = np.zeros(len(fitness), np.bool_)
    for j in range(elites.fitness.shape[0]):
        last = elites.fitness[j, count - 1]
        # A shorter spelling takes the place of one that fits better by rounding, so that the last
        # may fall by as much.
        least = last - 10 * EQUAL * abs(last) if last > -np.inf else last
        for r in range(len(fitness)):
            value = fitness[r, j]
            if found[r] or not value >= least:
                continue
            found[r] = True
            for e in range(count):
                held = elites.fitness[j, e]
                if held > -np.inf and elites.key[j, e] == key[r, j]:
                    # A copy changes nothing, unless it is shorter or penalties part the two.
                    same = value - held <= 0.5 * EQUAL * abs(held)
                    found[r] = not (same and size[r, j] >= elites.size[j, e])
                    break
    return found


@numba.njit(cache=True)
def select(fitness, count, chosen):
    """The samples that fit best, best first, copies included (paper, section 3, step 2).

    Args:
        fitness: [samples]; NaN is left out.
        count: lambda.
        chosen: Result, [count]; -1 where there are too few.
    """
    taken = np.zeros(len(fitness), np.bool_)
    for i in range(count):
        best = NONE
        for r in range(len(fitness)):
            if (
                not taken[r]
                and fitness[r] == fitness[r]
                and (best == NONE or fitness[r] > fitness[best])
            ):
                best = r
        chosen[i] = best
        if best != NONE:
            taken[best] = True
