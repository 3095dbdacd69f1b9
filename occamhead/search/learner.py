"""What learns: the logits, the gradient of the log q of chosen functions, and Adam.

Source: Costa et al. 2021, section 3, equations (1) to (3), with the weights K/i by rank i.
"""

from __future__ import annotations

import copy
import math

import numba
import numpy as np
from numpy.typing import NDArray

from occamhead.search.judging.sampling import (
    NONE,
    draw_routes,
    most_probable,
    reach,
    softmax_tables,
)
from occamhead.search.judging.wiring import Wiring
from occamhead.search.shares import ALONE, Shares


class Learner:
    """The logits of a network as one table, what is drawn from them, and Adam, which moves them.

    It knows nothing of the rows, so it goes on unchanged where they change.

    Args:
        wiring: Tables of the network.
        logits, temperatures: Where it starts, see
            :func:`occamhead.search.logits.read_logits`, [rows, edges] and [rows].

    Attributes:
        log_probs, cumulative: Of all edges by the last :meth:`fill_tables`, [rows, edges].
        gradient: That of the last :meth:`learn`, [rows, edges].
    """

    def __init__(
        self, wiring: Wiring, logits: NDArray[np.float64], temperatures: NDArray[np.float64]
    ) -> None:
        self.wiring = wiring
        self.logits, self.temperatures = logits, temperatures
        self.start, self.start_temperatures = logits.copy(), temperatures.copy()
        self.log_probs, self.cumulative = np.zeros_like(logits), np.zeros_like(logits)
        self.gradient, self.pull = np.zeros_like(logits), np.zeros(len(logits))
        self.mean, self.square = np.zeros_like(logits), np.zeros_like(logits)
        self.adam_steps = 0

    def copy(self) -> Learner:
        """One that goes on apart from this one."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(other, name, value.copy())
        return other

    def fill_tables(self) -> None:
        """Compute the probabilities of all edges from logits and temperatures."""
        softmax_tables(
            self.logits, self.temperatures, self.wiring.num_sources, self.log_probs,
            self.cumulative,
        )  # fmt: skip

    def draw(
        self,
        key: np.uint64,
        given: NDArray[np.bool_],
        choices: NDArray[np.int32],
        shares: Shares = ALONE,
    ) -> None:
        """Draw routes by the tables as they are; where `given`, the edges that are open (-1).

        Args:
            key: Key of the random numbers.
            given: Whether a sample starts from edges that stand in `choices`, [samples].
            choices: Result, [samples, rows].
            shares: Whose samples they are.
        """
        draw_routes(
            self.wiring, self.cumulative, key, given, choices, shares.rank, shares.size
        )  # fmt: skip

    def learn(self, choices: NDArray[np.int32], fitness: NDArray[np.float64], rate: float) -> None:
        """One step of Adam towards chosen functions; see :func:`learn_from`."""
        learn_from(
            self.wiring, self.log_probs, self.temperatures, choices, fitness, self.gradient,
            self.pull,
        )  # fmt: skip
        self.adam_steps += 1
        adam(self.logits, self.gradient, self.mean, self.square, self.adam_steps, rate)

    def forget_steps(self) -> None:
        """Let Adam begin anew, from the logits as they are."""
        self.mean.fill(0.0)
        self.square.fill(0.0)
        self.adam_steps = 0

    def restart(self) -> None:
        """Back to the logits of the start."""
        self.logits[:] = self.start
        self.forget_steps()

    def cool(self, end: float, share: float) -> None:
        """Set the temperatures to what lies at a share of the geometric way to their end."""
        start = self.start_temperatures
        self.temperatures[:] = start * (end / start) ** share

    def mode(self) -> NDArray[np.int32]:
        """The most probable route by dynamic programming (supplement C), [rows]."""
        self.fill_tables()
        route = np.full(len(self.wiring.num_sources), NONE, np.int32)
        most_probable(self.wiring, self.log_probs, route)
        return route


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
