"""Bases as flat arrays of instructions, and the compiled loop that computes nodes from nodes.

The search computes millions of small vectors. Here a basis is a few instructions in arrays, so
that one compiled loop runs every set of bases, also what a user registers, without compiling
anything anew. numba's disk cache does not notice a change of a callee in another file: delete
``__pycache__`` after editing one of the compiled files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import OPERATORS
from occamhead.network.bases import Basis
from occamhead.search.judging.elementary import (
    exponential,
    hyperbolic_tangent,
    logarithm,
    sigmoid,
    sines,
)

BLOCK = 1024  # rows at a time where there are several instructions: their results stay in cache

AFFINE, CONSTANT, MUL, DIV, POW, ABS, SIN, COS, EXP, LOG, TANH, SIGMOID = range(12)
MAX, MIN, LE, LT, GE, GT, EQ, NE, XOR, WHERE, FLOORDIV, MOD, CHOOSE = range(12, 25)

OPCODES: dict[str, int] = {
    "AFFINE": AFFINE, "CONSTANT": CONSTANT, "mul": MUL, "div": DIV, "pow": POW, "abs": ABS,
    "sin": SIN, "cos": COS, "exp": EXP, "log": LOG, "tanh": TANH, "sigmoid": SIGMOID, "max": MAX,
    "min": MIN, "le": LE, "lt": LT, "ge": GE, "gt": GT, "eq": EQ, "ne": NE, "xor": XOR,
    "where": WHERE, "floordiv": FLOORDIV, "mod": MOD, "choose": CHOOSE,
}  # fmt: skip

_kernel = numba.njit(error_model="numpy", cache=True)


class Instructions(NamedTuple):
    """Bases as instructions; basis b has those from ``start[b]`` to ``start[b + 1]``.

    Only AFFINE and CHOOSE take any number of arguments; max and min of many are chains of two.

    Args:
        start: int32 [bases + 1].
        opcode: int32 [instructions], see :data:`OPCODES`.
        first: int32 [instructions + 1]; instruction i has the references from ``first[i]`` to
            ``first[i + 1]``.
        reference: int32 [references]; r >= 0 is input r of the basis, its arguments before its
            free constants; r < 0 is the result of the basis's own instruction ~r.
        coefficient: float64 [references]; the factors of AFFINE, else 1.
        constant: float64 [instructions]; what AFFINE adds (-0.0 for nothing) or CONSTANT is.
        arity: int32 [bases].
        num_constants: int32 [bases]; free constants.
    """

    start: np.ndarray
    opcode: np.ndarray
    first: np.ndarray
    reference: np.ndarray
    coefficient: np.ndarray
    constant: np.ndarray
    arity: np.ndarray
    num_constants: np.ndarray


class _Writer:
    """Collects the instructions of bases, one basis after the other."""

    def __init__(self) -> None:
        self.start = [0]
        self.opcode: list[int] = []
        self.first = [0]
        self.reference: list[int] = []
        self.coefficient: list[float] = []
        self.constant: list[float] = []

    def emit(
        self,
        opcode: int,
        references: Sequence[int],
        coefficients: Sequence[float] = (),
        constant: float = -0.0,
    ) -> int:
        """Append an instruction and return the reference to its result."""
        self.opcode.append(opcode)
        self.reference += references
        self.coefficient += coefficients or [1.0] * len(references)
        self.constant.append(constant)
        self.first.append(len(self.reference))
        return ~(len(self.opcode) - 1 - self.start[-1])

    def write(self, basis: Basis) -> None:
        nodes, references = basis.formula.nodes, list[int]()

        def refer(index: int) -> int:
            node = nodes[index]
            if isinstance(node, Constant):
                return self.emit(CONSTANT, [], (), node.value)
            return references[index]

        for node in nodes:
            match node:
                case Input(index):
                    references.append(index)
                case Constant():
                    references.append(0)  # written where it is used: not at all in x**2
                case Affine(constant, terms):
                    # Nothing to add is -0.0: it leaves the sign of a sum that is zero as it is.
                    values = [refer(child) for _, child in terms]
                    factors = [coefficient for coefficient, _ in terms]
                    references.append(self.emit(AFFINE, values, factors, constant or -0.0))
                case Apply("pow", (base, power)) if nodes[power] in (Constant(2), Constant(3)):
                    factor = refer(base)
                    product = self.emit(MUL, [factor, factor])
                    if nodes[power] == Constant(3):
                        product = self.emit(MUL, [product, factor])
                    references.append(product)
                case Apply(operator, children) if operator in OPCODES:
                    values = [refer(child) for child in children]
                    while OPERATORS[operator].is_reduction and len(values) > 2:
                        values[:2] = [self.emit(OPCODES[operator], values[:2])]
                    references.append(self.emit(OPCODES[operator], values))
                case Apply(operator):
                    raise ValueError(
                        f"operator {operator!r} of basis {basis.name!r} has no compiled form; "
                        'use backend="torch"'
                    )
        (output,) = basis.formula.outputs
        if isinstance(nodes[output], Input | Constant):
            self.emit(AFFINE, [refer(output)])
        self.start.append(len(self.opcode))


def compile_bases(bases: Sequence[Basis]) -> Instructions:
    """Write bases as instructions; basis b of the result is ``bases[b]``.

    Raises:
        ValueError: If a basis applies an operator that a user registered: it has no opcode.
    """
    writer = _Writer()
    for basis in bases:
        writer.write(basis)
    return Instructions(
        start=np.array(writer.start, np.int32),
        opcode=np.array(writer.opcode, np.int32),
        first=np.array(writer.first, np.int32),
        reference=np.array(writer.reference, np.int32),
        coefficient=np.array(writer.coefficient, np.float64),
        constant=np.array(writer.constant, np.float64),
        arity=np.array([basis.arity for basis in bases], np.int32),
        num_constants=np.array([basis.num_constants for basis in bases], np.int32),
    )


def make_scratch(instructions: Instructions, dtype: type | np.dtype = np.float64) -> np.ndarray:
    """Room for the arguments and results of any of the bases, [rows, BLOCK]."""
    return np.empty((_most_rows(instructions), BLOCK), dtype)


@_kernel
def _most_rows(instructions: Instructions) -> int:
    most = 1
    for b in range(instructions.arity.size):
        length = instructions.start[b + 1] - instructions.start[b]
        most = max(most, instructions.arity[b] + length)
    return most


@_kernel
def evaluate_nodes(
    instructions: Instructions,
    ids: np.ndarray,
    basis: np.ndarray,
    children: np.ndarray,
    row: np.ndarray,
    values: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Compute the rows of nodes from the rows of their children.

    Left out are nodes without a basis or a row, and bases with free constants.

    Args:
        instructions: The bases.
        ids: Nodes to compute, children before parents.
        basis: Basis of each node, [nodes]; negative for a leaf.
        children: Nodes, [nodes, at least the largest arity].
        row: Row of each node in `values`, [nodes]; negative for none.
        values: [rows, B], float64 or float32; written.
        scratch: Of :func:`make_scratch`, in the dtype of `values`.
    """
    if scratch.shape[0] < _most_rows(instructions):
        scratch = np.empty((_most_rows(instructions), scratch.shape[1]), values.dtype)
    resolved = np.empty(instructions.reference.size, np.int32)
    for node in ids:
        b = basis[node]
        if b < 0 or row[node] < 0 or instructions.num_constants[b] > 0:
            continue
        start, end, arity = instructions.start[b], instructions.start[b + 1], instructions.arity[b]
        alone = end == start + 1  # then straight from row to row
        out = np.int64(row[node])
        for k in range(instructions.first[start], instructions.first[end]):
            reference = instructions.reference[k]
            if reference < 0:
                resolved[k] = arity + ~reference
            else:
                resolved[k] = row[children[node, reference]] if alone else reference
        if alone:
            execute(
                instructions.opcode[start], instructions.constant[start],
                instructions.coefficient, resolved, instructions.first[start],
                instructions.first[end], values, out, values.shape[1],
            )  # fmt: skip
            continue
        for left in range(0, values.shape[1], scratch.shape[1]):
            width = min(scratch.shape[1], values.shape[1] - left)
            for k in range(arity):
                argument = values[row[children[node, k]], left : left + width]
                for i in range(width):
                    scratch[k, i] = argument[i]
            for i in range(start, end):
                execute(
                    instructions.opcode[i], instructions.constant[i], instructions.coefficient,
                    resolved, instructions.first[i], instructions.first[i + 1],
                    scratch, arity + i - start, width,
                )  # fmt: skip
            result = values[out, left : left + width]
            for i in range(width):
                result[i] = scratch[arity + end - 1 - start, i]


@_kernel
def execute(
    opcode: int,
    constant: float,
    coefficient: np.ndarray,
    reference: np.ndarray,
    first: int,
    last: int,
    memory: np.ndarray,
    out: int,
    width: int,
) -> None:
    """Run an instruction on the rows ``reference[first:last]`` of `memory`, up to `width`.

    The results are those of IEEE where it is undefined; row `out` must be none of the others.
    """
    if opcode == CONSTANT:
        for i in range(width):
            memory[out, i] = constant
        return
    a, b, c = reference[first], reference[min(first + 1, last - 1)], reference[last - 1]
    if opcode == AFFINE:
        p, added = memory.dtype.type(coefficient[first]), memory.dtype.type(constant)
        if last == first + 1:
            for i in range(width):
                memory[out, i] = p * memory[a, i] + added
            return
        q = memory.dtype.type(coefficient[first + 1])
        if last == first + 2:
            for i in range(width):
                memory[out, i] = (p * memory[a, i] + q * memory[b, i]) + added
            return
        for i in range(width):
            memory[out, i] = p * memory[a, i] + q * memory[b, i]
        # Two at a time, from left to right as the formula adds.
        for k in range(first + 2, last - 1, 2):
            a, p = reference[k], memory.dtype.type(coefficient[k])
            b, q = reference[k + 1], memory.dtype.type(coefficient[k + 1])
            for i in range(width):
                memory[out, i] = (memory[out, i] + p * memory[a, i]) + q * memory[b, i]
        if (last - first) % 2:
            p = memory.dtype.type(coefficient[last - 1])
            for i in range(width):
                memory[out, i] += p * memory[c, i]
        for i in range(width):
            memory[out, i] += added
    elif opcode == MUL:
        for i in range(width):
            memory[out, i] = memory[a, i] * memory[b, i]
    elif opcode == DIV:
        for i in range(width):
            memory[out, i] = memory[a, i] / memory[b, i]
    elif opcode == POW:
        for i in range(width):
            memory[out, i] = power(memory[a, i], memory[b, i])
    elif opcode == ABS:
        for i in range(width):
            memory[out, i] = abs(memory[a, i])
    elif opcode == SIN:
        sines(memory, a, 0, memory, out, width)
    elif opcode == COS:
        sines(memory, a, 1, memory, out, width)
    elif opcode == EXP:
        for i in range(width):
            memory[out, i] = exponential(np.float64(memory[a, i]))
    elif opcode == LOG:
        for i in range(width):
            memory[out, i] = logarithm(np.float64(memory[a, i]))
    elif opcode == TANH:
        for i in range(width):
            memory[out, i] = hyperbolic_tangent(np.float64(memory[a, i]))
    elif opcode == SIGMOID:
        for i in range(width):
            memory[out, i] = sigmoid(np.float64(memory[a, i]))
    elif opcode == MAX:
        for i in range(width):
            memory[out, i] = (
                memory[a, i]
                if memory[a, i] >= memory[b, i] or memory[a, i] != memory[a, i]
                else memory[b, i]
            )
    elif opcode == MIN:
        for i in range(width):
            memory[out, i] = (
                memory[a, i]
                if memory[a, i] <= memory[b, i] or memory[a, i] != memory[a, i]
                else memory[b, i]
            )
    elif opcode == LE:
        for i in range(width):
            memory[out, i] = memory[a, i] <= memory[b, i]
    elif opcode == LT:
        for i in range(width):
            memory[out, i] = memory[a, i] < memory[b, i]
    elif opcode == GE:
        for i in range(width):
            memory[out, i] = memory[a, i] >= memory[b, i]
    elif opcode == GT:
        for i in range(width):
            memory[out, i] = memory[a, i] > memory[b, i]
    elif opcode == EQ:
        for i in range(width):
            memory[out, i] = memory[a, i] == memory[b, i]
    elif opcode == NE:
        for i in range(width):
            memory[out, i] = memory[a, i] != memory[b, i]
    elif opcode == XOR:
        for i in range(width):
            memory[out, i] = (memory[a, i] != 0) != (memory[b, i] != 0)
    elif opcode == FLOORDIV:
        for i in range(width):
            memory[out, i] = np.floor(memory[a, i] / memory[b, i])
    elif opcode == MOD:
        for i in range(width):
            quotient = np.floor(memory[a, i] / memory[b, i])
            memory[out, i] = memory[a, i] - memory[b, i] * quotient
    elif opcode == CHOOSE:
        for i in range(width):
            memory[out, i] = np.nan
        for number in range(last - first - 1):
            choice = reference[first + 1 + number]
            for i in range(width):
                if memory[a, i] == number:
                    memory[out, i] = memory[choice, i]
    else:
        for i in range(width):
            memory[out, i] = memory[b, i] if memory[a, i] != 0 else memory[c, i]


@_kernel
def power(base: float, exponent: float) -> float:
    """base**exponent; squares and cubes, the most frequent, without a call."""
    if exponent == 2.0:
        return base * base
    if exponent == 3.0:
        return base * base * base
    return base**exponent
