"""Compiled learning: the elites of each output, the gradient of their log q, and Adam.

Source: Costa et al. 2021, section 3, equations (1) to (3), with the weights K/i by rank i.
"""

from __future__ import annotations

import math
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
def add_gradient(wiring, temperatures, choices, output, weight, gradient, pull):
    """Add the gradient of ``-weight * log q`` of one output's function, each edge once.

    Adds the part of the chosen edges to `gradient` [rows, edges] and the weight of every reached
    P-node to `pull` [rows]; :func:`finish_gradient` turns the pull into the softmax's part.
    """
    reached = reach(wiring, choices, wiring.output_rows[output])
    for p in range(len(reached)):
        if reached[p]:
            gradient[p, choices[p]] -= weight / temperatures[p]
            pull[p] += weight


@numba.njit(cache=True)
def finish_gradient(wiring, log_probs, temperatures, gradient, pull):
    """Add the softmax's part: the pull on a P-node times the probability of each edge, over T."""
    for p in range(len(pull)):
        if pull[p] != 0.0:
            for s in range(wiring.num_sources[p]):
                gradient[p, s] += pull[p] * math.exp(log_probs[p, s]) / temperatures[p]


@numba.njit(cache=True)
def learn_from(wiring, log_probs, temperatures, choices, fitness, gradient, pull):
    """The gradient of ``-sum over outputs and ranks i of (K / i) log q`` (eq. 3 with K/i).

    Args:
        choices: Routes of the chosen functions, best first, [outputs, chosen, rows].
        fitness: Their fitness K, [outputs, chosen]; what is not finite is left out.
        gradient, pull: Results, [rows, edges] and [rows]; overwritten.
    """
    gradient[:] = 0.0
    pull[:] = 0.0
    for j in range(fitness.shape[0]):
        for i in range(fitness.shape[1]):
            if math.isfinite(fitness[j, i]):
                add_gradient(wiring, temperatures, choices[j, i], j,
                             fitness[j, i] / (i + 1), gradient, pull)  # fmt: skip
    finish_gradient(wiring, log_probs, temperatures, gradient, pull)


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


@numba.njit(cache=True)
def adam(logits, gradient, mean, square, step, rate):
    """One step of Adam (Kingma and Ba 2015, their defaults) on `logits`, in place."""
    correction = 1.0 - 0.9**step
    square_correction = math.sqrt(1.0 - 0.999**step)
    for p in range(logits.shape[0]):
        for s in range(logits.shape[1]):
            g = gradient[p, s]
            mean[p, s] = 0.9 * mean[p, s] + 0.1 * g
            square[p, s] = 0.999 * square[p, s] + 0.001 * g * g
            logits[p, s] -= (
                rate * mean[p, s] / correction
                / (math.sqrt(square[p, s]) / square_correction + 1e-8)
            )  # fmt: skip
