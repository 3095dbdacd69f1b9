"""Functions of free constants, recorded from the node store: their values and derivatives.

A function is a node of the store. What lies below it without free constants has a row of values
there; the rest is recorded on a tape, one instruction after the other, and run in blocks of rows.
The derivatives by all constants come from one sweep back over the tape, whatever their number.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from occamhead.search.judging.elementary import logarithm, sines
from occamhead.search.judging.instructions import (
    ABS,
    AFFINE,
    CHOOSE,
    COS,
    DIV,
    EXP,
    LOG,
    MAX,
    MIN,
    MOD,
    MUL,
    POW,
    SIGMOID,
    SIN,
    TANH,
    WHERE,
    Instructions,
    execute,
)

LARGEST_GRAPH = 256  # nodes of a function that depend on constants

_kernel = numba.njit(error_model="numpy", cache=True)
_inlined = numba.njit(error_model="numpy", inline="always")


class Tape(NamedTuple):
    """A function's instructions, the last of which is its value.

    Its references are rows of a memory: first the free constants, then the results of the
    instructions, then the rows of the store that it uses.

    Args:
        opcode: [instructions].
        first: [instructions + 1]; see :class:`Instructions`, also for the next three.
        reference: [references].
        coefficient: [references].
        constant: [instructions].
        leaf: Those rows' numbers in the store, [leaves].
        num_constants: Free constants, with slope and intercept.
        linear: Whether the function is linear in its constants.
    """

    opcode: np.ndarray
    first: np.ndarray
    reference: np.ndarray
    coefficient: np.ndarray
    constant: np.ndarray
    leaf: np.ndarray
    num_constants: int
    linear: bool


@_kernel
def constant_nodes(
    root: int,
    basis: np.ndarray,
    children: np.ndarray,
    num_constants: np.ndarray,
    instructions: Instructions,
    out_ids: np.ndarray,
) -> int:
    """Write the distinct nodes below `root` (itself included) that depend on free constants.

    They come in postorder, children in order, and with them the function's constants: each
    node's own ones, ``instructions.num_constants[basis[node]]`` of them and maybe none.

    Args:
        root: A node.
        basis: Basis of each node, [nodes]; negative for a leaf.
        children: Nodes, [nodes, at least the largest arity].
        num_constants: More than 0 for the nodes that depend on free constants, [nodes].
        instructions: The bases.
        out_ids: Written, [room].

    Returns:
        The number of nodes written, or -1 if there is not room for all.
    """
    if num_constants[root] <= 0:
        return 0
    room = out_ids.size
    path, position = np.empty(room, np.int64), np.zeros(room, np.int64)
    count, depth = 0, 0
    if room:
        path[0] = root
    while depth >= 0:
        if depth >= room or count >= room:
            return -1
        node = path[depth]
        if position[depth] == instructions.arity[basis[node]]:
            out_ids[count] = node
            count += 1
            depth -= 1
            continue
        child = children[node, position[depth]]
        position[depth] += 1
        if num_constants[child] > 0 and _find(out_ids, count, child) < 0:
            depth += 1
            if depth < room:
                path[depth], position[depth] = child, 0
    return count


@_kernel
def _find(items: np.ndarray, count: int, wanted: int) -> int:
    for i in range(count):
        if items[i] == wanted:
            return i
    return -1


@_kernel
def record(
    root: int,
    nodes: np.ndarray,
    basis: np.ndarray,
    children: np.ndarray,
    row: np.ndarray,
    instructions: Instructions,
    scaled: bool,
) -> Tape:
    """Record the function of a root.

    Args:
        root: A node.
        nodes: Its :func:`constant_nodes`.
        basis: As there.
        children: As there.
        row: Row of each node's values in the store, [nodes].
        instructions: The bases.
        scaled: Multiply by a slope and add an intercept, which are the last two constants.
    """
    length = 2 if scaled else 1 if not nodes.size else 0
    references, own = 4, 0
    for node in nodes:
        start, end = instructions.start[basis[node]], instructions.start[basis[node] + 1]
        length += end - start
        references += instructions.first[end] - instructions.first[start]
        own += instructions.num_constants[basis[node]]
    total = own + 2 if scaled else own
    opcode, first = np.empty(length, np.int32), np.zeros(length + 1, np.int32)
    reference, coefficient = np.empty(references, np.int32), np.ones(references)
    constant, leaf = np.full(length, -0.0), np.empty(references, np.int64)
    result = np.empty(nodes.size, np.int32)  # where each node's value is
    base = total + length  # of the leaves
    leaves, at, k, next_constant = 0, 0, 0, 0
    for place in range(nodes.size):
        node, b, begin = nodes[place], basis[nodes[place]], total + at
        for i in range(instructions.start[b], instructions.start[b + 1]):
            opcode[at], constant[at] = instructions.opcode[i], instructions.constant[i]
            for j in range(instructions.first[i], instructions.first[i + 1]):
                source = instructions.reference[j]
                coefficient[k] = instructions.coefficient[j]
                if source < 0:
                    reference[k] = begin + ~source
                elif source >= instructions.arity[b]:
                    reference[k] = next_constant + source - instructions.arity[b]
                else:
                    child = children[node, source]
                    found = _find(nodes, place, child)
                    if found >= 0:
                        reference[k] = result[found]
                    else:
                        found, leaves = _refer_to_leaf(leaf, leaves, row[child])
                        reference[k] = base + found
                k += 1
            at += 1
            first[at] = k
        result[place] = total + at - 1
        next_constant += instructions.num_constants[b]
    if nodes.size:
        value = result[nodes.size - 1]
    else:
        leaf[0], leaves, value = row[root], 1, base
    if scaled:
        opcode[at], reference[k], reference[k + 1] = MUL, own, value
        opcode[at + 1], reference[k + 2], reference[k + 3] = AFFINE, total + at, own + 1
        first[at + 1], first[at + 2] = k + 2, k + 4
    elif not nodes.size:
        opcode[at], reference[k], first[at + 1] = AFFINE, value, k + 1
    linear = _is_linear(opcode, first, reference, total)
    return Tape(opcode, first, reference, coefficient, constant, leaf[:leaves], total, linear)


@_kernel
def _refer_to_leaf(leaf: np.ndarray, leaves: int, row: int) -> tuple[int, int]:
    found = _find(leaf, leaves, row)
    if found >= 0:
        return found, leaves
    leaf[leaves] = row
    return leaves, leaves + 1


@_kernel
def _is_linear(opcode: np.ndarray, first: np.ndarray, reference: np.ndarray, total: int) -> bool:
    size = total + opcode.size
    varies = np.zeros(size, np.bool_)  # with the constants
    varies[:total] = True
    for i in range(opcode.size):
        count = 0
        for k in range(first[i], first[i + 1]):
            count += reference[k] < size and varies[reference[k]]
        varies[total + i] = count > 0
        divisor = reference[first[i + 1] - 1] if first[i + 1] > first[i] else size
        numerator = opcode[i] == DIV and not (divisor < size and varies[divisor])
        if count and not (opcode[i] == AFFINE or (opcode[i] == MUL and count == 1) or numerator):
            return False
    return True


@_kernel
def gather(tape: Tape, values: np.ndarray, leaf: np.ndarray) -> None:
    """Copy the rows that a tape uses to the first rows of `leaf`, and let it refer to those.

    Args:
        tape: Its `leaf` is renumbered in place.
        values: The store's rows, [rows, at least B], of any float dtype.
        leaf: Written, float64 [at least the tape's leaves, B].
    """
    for i in range(tape.leaf.size):
        row = values[tape.leaf[i]]
        for column in range(leaf.shape[1]):
            leaf[i, column] = row[column]
        tape.leaf[i] = i


@_kernel
def load(tape: Tape, values: np.ndarray, left: int, memory: np.ndarray, width: int) -> None:
    """Copy `width` columns, from `left` on, of the rows of the store that a tape uses.

    Args:
        tape: The function.
        values: The store's rows, [rows, at least left + width], of any float dtype.
        left: First column.
        memory: Written, see :class:`Tape`; float64 [constants + instructions + leaves, room].
        width: Number of columns, at most the room.
    """
    base = tape.num_constants + tape.opcode.size
    for i in range(tape.leaf.size):
        row = values[tape.leaf[i], left : left + width]
        for column in range(width):
            memory[base + i, column] = row[column]


@_inlined
def forward(tape: Tape, memory: np.ndarray, width: int) -> None:
    """Compute a tape's instructions from the constants and leaves in `memory`, see :func:`load`."""
    for i in range(tape.opcode.size):
        execute(
            tape.opcode[i], tape.constant[i], tape.coefficient, tape.reference,
            tape.first[i], tape.first[i + 1], memory, tape.num_constants + i, width,
        )  # fmt: skip


@_inlined
def backward(tape: Tape, memory: np.ndarray, adjoint: np.ndarray, width: int) -> None:
    """Differentiate what :func:`forward` computed, in reverse.

    Where a branch is not taken its derivative is 0, be it infinite by itself.

    Args:
        tape: The function.
        memory: As :func:`forward` left it.
        adjoint: Float64 [constants + instructions + 1, room]; the last row but one holds a factor
            of the function on entry. On return the first rows hold the derivatives of the product
            by the constants.
        width: Number of columns.
    """
    total, size = tape.num_constants, tape.num_constants + tape.opcode.size
    for i in range(size - 1):
        for column in range(width):
            adjoint[i, column] = 0.0
    for i in range(size - 1, total - 1, -1):
        opcode, first, last = (
            tape.opcode[i - total],
            tape.first[i - total],
            tape.first[i - total + 1],
        )
        for k in range(first, last):
            below = tape.reference[k]
            if below >= size:
                continue
            if opcode == AFFINE:
                factor = tape.coefficient[k]
                for column in range(width):
                    adjoint[below, column] += factor * adjoint[i, column]
                continue
            a, b = tape.reference[first], tape.reference[min(first + 1, last - 1)]
            if differentiate(opcode, k - first, memory, a, b, i, adjoint, size, width):
                for column in range(width):
                    product = adjoint[i, column] * adjoint[size, column]
                    adjoint[below, column] += product if adjoint[i, column] != 0.0 else 0.0


@_kernel
def differentiate(
    opcode: int,
    position: int,
    memory: np.ndarray,
    a: int,
    b: int,
    result: int,
    target: np.ndarray,
    out: int,
    width: int,
) -> bool:
    """Write the derivative of ``result = opcode(a, b, ...)`` by argument `position`, if any.

    Rows a, b and result are of `memory`, row out is of `target`.
    """
    some = True
    if opcode == MUL:
        if position == 0:
            for i in range(width):
                target[out, i] = memory[b, i]
        else:
            for i in range(width):
                target[out, i] = memory[a, i]
    elif opcode == DIV:
        if position == 0:
            for i in range(width):
                target[out, i] = 1.0 / memory[b, i]
        else:
            for i in range(width):
                target[out, i] = -memory[result, i] / memory[b, i]
    elif opcode == POW:
        if position == 0:
            for i in range(width):
                slope = memory[b, i] * (
                    memory[result, i] / memory[a, i]
                    if memory[a, i] != 0.0
                    else 0.0 ** (memory[b, i] - 1.0)
                )
                target[out, i] = slope if memory[b, i] != 0.0 else 0.0
        else:
            for i in range(width):
                slope = memory[result, i] * logarithm(memory[a, i])
                target[out, i] = slope if memory[a, i] > 0.0 else 0.0
    elif opcode == ABS:
        for i in range(width):
            target[out, i] = np.float64(memory[a, i] > 0.0) - np.float64(memory[a, i] < 0.0)
    elif opcode == SIN:
        sines(memory, a, 1, target, out, width)
    elif opcode == COS:
        sines(memory, a, 0, target, out, width)
        for i in range(width):
            target[out, i] = -target[out, i]
    elif opcode == EXP:
        for i in range(width):
            target[out, i] = memory[result, i]
    elif opcode == LOG:
        for i in range(width):
            target[out, i] = 1.0 / memory[a, i]
    elif opcode == TANH:
        for i in range(width):
            target[out, i] = 1.0 - memory[result, i] * memory[result, i]
    elif opcode == SIGMOID:
        for i in range(width):
            target[out, i] = memory[result, i] * (1.0 - memory[result, i])
    elif opcode == MAX:
        for i in range(width):
            target[out, i] = (memory[a, i] >= memory[b, i]) == (position == 0)
    elif opcode == MIN:
        for i in range(width):
            target[out, i] = (memory[a, i] <= memory[b, i]) == (position == 0)
    elif opcode == MOD:
        for i in range(width):
            target[out, i] = 1.0 if position == 0 else -np.floor(memory[a, i] / memory[b, i])
    elif opcode == CHOOSE and position > 0:
        for i in range(width):
            target[out, i] = memory[a, i] == position - 1
    elif opcode == WHERE and position > 0:
        for i in range(width):
            target[out, i] = (memory[a, i] != 0.0) == (position == 1)
    else:
        some = False
    return some
