"""Fit the free constants of functions to targets: Levenberg-Marquardt, batched and compiled.

The constant-fitting step of the paper (section 3, "two-step training") with second-order steps in
place of its gradient descent, and its treatment of undefined functions (supplement F).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from occamhead.search.judging.instructions import BLOCK, Instructions
from occamhead.search.judging.tape import (
    LARGEST_GRAPH,
    Tape,
    backward,
    constant_nodes,
    forward,
    gather,
    load,
    record,
)

__all__ = ["constant_nodes", "evaluate_functions", "fit_constants"]

CONVERGED = 1e-12  # relative improvement of the error that is none
ROUNDING_ERROR = 1e-30  # error relative to the squared targets that is rounding
FIRST_DAMPING, LARGEST_DAMPING = 1e-3, 1e10
JITTER = 1e-14  # added to the unit diagonal, so that equal terms share a step

_kernel = numba.njit(error_model="numpy", cache=True)
# Sums in the order that the machine likes best.
_sums = numba.njit(error_model="numpy", cache=True, fastmath={"reassoc", "contract"})


class _Problem(NamedTuple):
    """A function, its rows, its target and room to compute in.

    All arrays are float64, whatever the store is, so that one compiled form does.
    """

    tape: Tape
    leaf: np.ndarray
    target: np.ndarray
    root_weights: np.ndarray
    memory: np.ndarray
    adjoint: np.ndarray


@_sums
def _dot(a: np.ndarray, i: int, b: np.ndarray, j: int, width: int) -> float:
    total = 0.0
    for column in range(width):
        total += a[i, column] * b[j, column]
    return total


@_kernel
def _assess(
    problem: _Problem,
    constants: np.ndarray,
    matrix: np.ndarray,
    gradient: np.ndarray,
) -> float:
    """The weighted squared error, inf where undefined; J'J and J'r if there is room for them."""
    tape, memory, adjoint = problem.tape, problem.memory, problem.adjoint
    total, last = tape.num_constants, tape.num_constants + tape.opcode.size - 1
    columns, room = problem.target.size, memory.shape[1]
    for i in range(total):
        for column in range(room):
            memory[i, column] = constants[i]
    differentiate = gradient.size > 0
    matrix[:] = 0.0
    gradient[:] = 0.0
    error = 0.0
    for left in range(0, columns, room):
        width = min(room, columns - left)
        weights = problem.root_weights[left : left + width]
        target = problem.target[left : left + width]
        if width < columns:  # else it has been loaded
            load(tape, problem.leaf, left, memory, width)
        forward(tape, memory, width)
        if differentiate:
            for column in range(width):
                adjoint[last, column] = weights[column]
            backward(tape, memory, adjoint, width)
        for column in range(width):
            memory[last, column] = weights[column] * (memory[last, column] - target[column])
        error += _dot(memory, last, memory, last, width)
        if not error < math.inf:
            return math.inf
        if differentiate:
            for i in range(total):
                gradient[i] += _dot(adjoint, i, memory, last, width)
                for j in range(i + 1):
                    matrix[i, j] += _dot(adjoint, i, adjoint, j, width)
    return error


@_kernel
def _solve(matrix: np.ndarray, gradient: np.ndarray, damping: float, step: np.ndarray) -> float:
    """Write the damped step and return what it gains if the function were linear; 0 for no step.

    The matrix (its lower triangle counts) is scaled to a unit diagonal, so that damping knows no
    units (Marquardt); jitter makes singular ones solvable.
    """
    size = gradient.size
    scale, factor = np.empty(size), np.empty((size, size))
    for i in range(size):
        if not (matrix[i, i] < math.inf and abs(gradient[i]) < math.inf):
            return 0.0
        scale[i] = 1.0 / math.sqrt(matrix[i, i]) if matrix[i, i] > 0.0 else 0.0
    jitter = JITTER
    while not _factorise(matrix, scale, damping + jitter, factor):
        jitter *= 100.0
        if jitter > 1.0:
            return 0.0
    for i in range(size):
        total = -gradient[i] * scale[i]
        for k in range(i):
            total -= factor[i, k] * step[k]
        step[i] = total / factor[i, i]
    gain = 0.0
    for i in range(size - 1, -1, -1):
        total = step[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * step[k]
        step[i] = total / factor[i, i]
    for i in range(size):
        step[i] *= scale[i]
        gain -= gradient[i] * step[i]
    return gain


@_kernel
def _factorise(matrix: np.ndarray, scale: np.ndarray, added: float, factor: np.ndarray) -> bool:
    """Cholesky factor of the scaled matrix with `added` on its unit diagonal, if it has one."""
    for i in range(scale.size):
        for j in range(i + 1):
            total = matrix[i, j] * scale[i] * scale[j] if j < i else 1.0 + added
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if j < i:
                factor[i, j] = total / factor[j, j]
            elif total > 0.1 * added:
                factor[i, i] = math.sqrt(total)
            else:
                return False
    return True


@_kernel
def _scale(problem: _Problem, constants: np.ndarray) -> None:
    """Set slope and intercept, the last two constants, to the best given the others."""
    own = constants.size - 2
    matrix, gradient = np.empty((own + 2, own + 2)), np.empty(own + 2)
    step = np.empty(2)
    constants[own], constants[own + 1] = 1.0, 0.0
    if (
        _assess(problem, constants, matrix, gradient) < math.inf
        and _solve(matrix[own:, own:].copy(), gradient[own:].copy(), 0.0, step) > 0.0
    ):
        constants[own:] += step


@_kernel
def _descend(
    problem: _Problem, constants: np.ndarray, max_iterations: int, floor: float
) -> tuple[float, bool]:
    """Improve the constants in place; the error, and whether there was no way to go."""
    size = constants.size
    matrix, gradient, step = np.zeros((size, size)), np.zeros(size), np.empty(size)
    new_matrix, new_gradient = np.empty((size, size)), np.empty(size)
    error = _assess(problem, constants, matrix, gradient)
    damping = 0.0 if problem.tape.linear else FIRST_DAMPING
    moved, stuck = False, not error < math.inf
    for _ in range(max_iterations):
        if not floor < error < math.inf or damping > LARGEST_DAMPING:
            break
        gain = _solve(matrix, gradient, damping, step)
        if not gain > CONVERGED * error:
            stuck = stuck or not gain > 0.0
            break
        new_error = _assess(problem, constants + step, new_matrix, new_gradient)
        if new_error < error:
            constants += step
            matrix, new_matrix = new_matrix, matrix
            gradient, new_gradient = new_gradient, gradient
            improved = error - new_error
            # Nielsen's rule: trust the quadratic model as far as it has just proved right.
            damping *= max(0.1, 1.0 - (2.0 * improved / gain - 1.0) ** 3)
            moved, error = True, new_error
            if improved <= CONVERGED * (error + improved):
                break
        else:
            stuck = stuck or not new_error < math.inf
            if moved and problem.tape.linear:
                break  # what is left is rounding
            damping = max(10.0 * damping, FIRST_DAMPING)
    return error, stuck and not moved


@_kernel
def _random(seed: int, function: np.uint64, attempt: int, position: int) -> float:
    """Uniform in [0, 1): a hash (splitmix64) of these numbers."""
    state = np.uint64(seed)
    for number in (np.uint64(function), np.uint64(attempt), np.uint64(position)):
        state = (state ^ number) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return np.float64(state >> np.uint64(11)) / 9007199254740992.0


@_kernel
def _draw(seed: int, function: np.uint64, attempt: int, constants: np.ndarray, free: int) -> None:
    """Whole numbers to 4, halves to 3, or anything to 3, of either sign, in turn.

    Of the powers of a negative number only the whole ones are defined.
    """
    for i in range(free):
        share = 2.0 * _random(seed, function, attempt, i) - 1.0
        if attempt % 3 == 0:
            constants[i] = math.copysign(math.floor(4.0 * abs(share)) + 1.0, share)
        elif attempt % 3 == 1:
            constants[i] = math.copysign(0.5 * (math.floor(6.0 * abs(share)) + 1.0), share)
        else:
            constants[i] = 3.0 * share


@_kernel
def _fit(
    problem: _Problem,
    constants: np.ndarray,
    scaled: bool,
    max_iterations: int,
    floor: float,
    seed: int,
    function: np.uint64,
    redraws: int,
) -> float:
    """Descend from the constants, in place; where that leads nowhere, from the best redraw."""
    if scaled:
        _scale(problem, constants)
    error, stuck = _descend(problem, constants, max_iterations, floor)
    free = constants.size - 2 if scaled else constants.size
    if not stuck or free == 0 or error <= floor:
        return error
    best, best_error, drawn = constants.copy(), error, constants.copy()
    no_matrix, no_gradient = np.empty((0, 0)), np.empty(0)
    for attempt in range(redraws):
        _draw(seed, function, attempt, drawn, free)
        if scaled:
            _scale(problem, drawn)
        drawn_error = _assess(problem, drawn, no_matrix, no_gradient)
        if drawn_error < best_error:
            best[:], best_error = drawn, drawn_error
    if best_error < error:
        constants[:] = best
        error, _ = _descend(problem, constants, max_iterations, floor)
    return error


@_kernel
def fit_constants(
    instructions: Instructions,
    roots: np.ndarray,
    outputs: np.ndarray,
    basis: np.ndarray,
    children: np.ndarray,
    num_constants: np.ndarray,
    row: np.ndarray,
    values: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    basis_start: np.ndarray,
    scaled: bool,
    max_iterations: int,
    seed: int,
    code: np.ndarray,
    redraws: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the constants of each function to its target by weighted least squares.

    A function that is undefined at its start, or next to it in every direction that helps, starts
    again from the best of some random constants (supplement F). A step to constants for which the
    function is undefined is not taken.

    Args:
        instructions: The bases.
        roots: The functions, [F].
        outputs: Which target each is fitted to, [F].
        basis: Basis of each node, [nodes]; negative for a leaf.
        children: Nodes, [nodes, at least the largest arity].
        num_constants: More than 0 for the nodes that depend on free constants, [nodes].
        row: Row in `values` of each node that does not, [nodes].
        values: [rows, at least B], float64 or float32; the first B columns count.
        targets: [v, B], float64.
        weights: Weight of each row, at least 0, [B], float64.
        start: Constants to start from, in the order of :func:`constant_nodes`, [F, K]; NaN takes
            the basis's start.
        basis_start: The bases' starts, [bases, at least the most constants of one].
        scaled: Fit ``slope * f + intercept``; the two follow the function's own constants and
            start at their best, whatever `start` says.
        max_iterations: Steps that are tried from one start.
        seed: Fixes the random constants, with the function's code.
        code: A number for the function of each node, uint64 [nodes]: the same in every call, so
            that what a function is worth does not depend on what is fitted beside it.
        redraws: Number of random starts to choose from; 100 in the paper.

    Returns:
        Constants [F, K], NaN after a function's last one, and sums of weighted squared errors
        [F]: inf where the function is undefined or has more than K constants.
    """
    count, most, columns = roots.size, start.shape[1], targets.shape[1]
    constants, errors = np.full((count, most), math.nan), np.full(count, math.inf)
    root_weights = np.sqrt(weights)
    nodes = np.empty(LARGEST_GRAPH, np.int64)
    room = min(BLOCK, columns)
    memory, adjoint, leaf = np.empty((32, room)), np.empty((32, room)), np.empty((8, columns))
    for f in range(count):
        found = constant_nodes(roots[f], basis, children, num_constants, instructions, nodes)
        if found < 0:
            continue
        tape = record(roots[f], nodes[:found], basis, children, row, instructions, scaled)
        total, size = tape.num_constants, tape.num_constants + tape.opcode.size
        if total > most:
            continue
        if size + 1 + tape.leaf.size > memory.shape[0]:
            memory = np.empty((2 * (size + 1 + tape.leaf.size), room))
            adjoint = np.empty(memory.shape)
        if tape.leaf.size > leaf.shape[0]:
            leaf = np.empty((2 * tape.leaf.size, columns))
        gather(tape, values, leaf)
        load(tape, leaf, 0, memory, room)
        target = targets[outputs[f]]
        problem = _Problem(tape, leaf, target, root_weights, memory, adjoint)
        at = 0
        for node in nodes[:found]:
            for i in range(instructions.num_constants[basis[node]]):
                constants[f, at] = start[f, at]
                if math.isnan(start[f, at]):
                    constants[f, at] = basis_start[basis[node], i]
                at += 1
        floor = ROUNDING_ERROR * np.sum(weights * target * target)
        own = code[roots[f]]
        errors[f] = _fit(
            problem, constants[f, :total], scaled, max_iterations, floor, seed, own, redraws
        )
    return constants, errors


@_kernel
def evaluate_functions(
    instructions: Instructions,
    roots: np.ndarray,
    constants: np.ndarray,
    basis: np.ndarray,
    children: np.ndarray,
    num_constants: np.ndarray,
    row: np.ndarray,
    values: np.ndarray,
    scaled: bool,
    out: np.ndarray,
) -> None:
    """Compute functions with given constants.

    Args:
        instructions: As in :func:`fit_constants`, and so on.
        roots: As there.
        constants: [F, K], as :func:`fit_constants` returns them.
        basis, children, num_constants, row, values, scaled: As there.
        out: Written, [F, B]; NaN for a function of more than K constants.
    """
    nodes = np.empty(LARGEST_GRAPH, np.int64)
    columns = out.shape[1]
    room = min(BLOCK, columns)
    for f in range(roots.size):
        found = constant_nodes(roots[f], basis, children, num_constants, instructions, nodes)
        out[f] = math.nan
        if found < 0:
            continue
        tape = record(roots[f], nodes[:found], basis, children, row, instructions, scaled)
        if tape.num_constants > constants.shape[1]:
            continue
        size = tape.num_constants + tape.opcode.size
        memory = np.empty((size + tape.leaf.size, room))
        for i in range(tape.num_constants):
            memory[i] = constants[f, i]
        for left in range(0, columns, room):
            width = min(room, columns - left)
            load(tape, values, left, memory, width)
            forward(tape, memory, width)
            out[f, left : left + width] = memory[size - 1, :width]
