"""A formula as data: a table of nodes, how it is built, and what can be read off it.

A formula is a flat, immutable table of nodes in topological order (children first), with one
output index per class or target. Sub-formulas that several outputs use are stored once. A table
rather than nested objects: equality, hashing, JSON and evaluation need no recursion, and the nodes
of a deep formula are never visited twice.

What evaluates, rewrites and writes formulas stands on this module;
:class:`occamhead.expression.Expression`, which offers all of that as methods, stands above them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from occamhead.expression.nodes import Affine, Apply, Constant, Input, Node
from occamhead.expression.operators import constant_value, get_operator

AnyGraph = TypeVar("AnyGraph", bound="Graph")


@dataclass(frozen=True)
class Graph:
    """One formula per output over shared, immutable nodes.

    Two are equal if they have the same nodes, outputs, inputs and names.

    Args:
        nodes: Children before parents; every node is used by some output.
        outputs: Index of each output's node.
        num_inputs: Length of the input vector; inputs need not all be used.
        names: A name per input; None names them ``x0``, ``x1``, ...

    Raises:
        ValueError: If a node refers to one that is not before it, a number is not finite, an
            operator or input does not exist, or the names are not one for each input.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    num_inputs: int
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.outputs:
            raise ValueError("an expression needs at least one output")
        for position, node in enumerate(self.nodes):
            if any(not 0 <= child < position for child in node.children):
                raise ValueError(f"node {position} refers to a node that is not before it: {node}")
            if isinstance(node, Affine):
                if not node.terms:
                    raise ValueError(f"node {position} is a sum without terms")
                for number in (node.constant, *(coefficient for coefficient, _ in node.terms)):
                    _finite(number)
            if isinstance(node, Constant):
                _finite(node.value)
            if isinstance(node, Input) and not 0 <= node.index < self.num_inputs:
                raise ValueError(f"input {node.index} is out of range for {self.num_inputs} inputs")
            if isinstance(node, Apply):
                get_operator(node.operator).check_arity(len(node.children))
        if any(not 0 <= output < len(self.nodes) for output in self.outputs):
            raise ValueError(f"outputs {self.outputs} are out of range for {len(self.nodes)} nodes")
        if self.names is not None:
            if len(self.names) != self.num_inputs:
                raise ValueError(
                    f"{self.num_inputs} inputs need as many names, got {len(self.names)}"
                )
            if unfit := [name for name in self.names if "`" in name]:
                raise ValueError(f"input names must not contain backticks: {unfit[0]!r}")
            if len(set(self.names)) != len(self.names):
                double = next(name for name in self.names if self.names.count(name) > 1)
                raise ValueError(f"input names must differ; {double!r} is there twice")

    # --- structure -------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.outputs)

    def __getitem__(self: AnyGraph, output: int) -> AnyGraph:
        """The formula of one output over the same inputs."""
        return self.select([range(len(self))[output]])

    def input_name(self, index: int) -> str:
        return f"x{index}" if self.names is None else self.names[index]

    @cached_property
    def features(self) -> tuple[int, ...]:
        """Indices of the inputs that the formulas use, ascending."""
        return tuple(sorted(node.index for node in self.nodes if isinstance(node, Input)))

    @cached_property
    def operations(self) -> int:
        """Operations of one evaluation: each +, -, *, and each operator; shared nodes count once.

        A coefficient of 1 or -1 costs nothing, an operator of n like arguments (max, min) n - 1,
        any other operator 1.
        """
        total = 0
        for node in self.nodes:
            match node:
                case Affine(constant, terms):
                    total += len(terms) - 1 + (constant != 0)
                    total += sum(abs(coefficient) != 1 for coefficient, _ in terms)
                case Apply(operator, children):
                    total += len(children) - 1 if get_operator(operator).is_reduction else 1
        return total

    @cached_property
    def complexity(self) -> int:
        """Inputs, numbers and operations of the formulas as they are written out.

        What is written twice counts twice; a sign counts nothing, an operation of n arguments
        n - 1, and at least 1.
        """
        sizes: list[int] = []
        for node in self.nodes:
            match node:
                case Affine(constant, terms):
                    size = len(terms) - 1 + 2 * (constant != 0)
                    size += sum(sizes[child] + 2 * (abs(c) != 1) for c, child in terms)
                case Apply(_, children):
                    size = max(len(children) - 1, 1) + sum(sizes[child] for child in children)
                case _:
                    size = 1
            sizes.append(size)
        return sum(sizes[output] for output in self.outputs)

    @cached_property
    def depth(self) -> int:
        """Longest chain of operations from an input to an output; 0 for a bare input."""
        depths: list[int] = []
        for node in self.nodes:
            below = max((depths[child] for child in node.children), default=-1)
            depths.append(0 if not node.children else below + 1)
        return max(depths[output] for output in self.outputs)

    @property
    def num_constants(self) -> int:
        """How many numbers the formulas contain (coefficients of 1 and -1 are none)."""
        total = 0
        for node in self.nodes:
            match node:
                case Constant():
                    total += 1
                case Affine(constant, terms):
                    total += (constant != 0) + sum(abs(c) != 1 for c, _ in terms)
        return total

    # --- other formulas ------------------------------------------------------------------------

    def rebuilt(self: AnyGraph, builder: GraphBuilder, outputs: Sequence[int]) -> AnyGraph:
        """The formula of these nodes of a builder, over inputs with the same names."""
        return type(self)(*builder.table(outputs), self.num_inputs, self.names)

    def select(self: AnyGraph, outputs: Sequence[int]) -> AnyGraph:
        """The formulas of some outputs, in this order."""
        builder = GraphBuilder()
        copied = builder.copy(self, {i: builder.input(i) for i in self.features})
        return self.rebuilt(builder, [copied[output] for output in outputs])

    def with_numbers(self: AnyGraph, number: Callable[[float], float]) -> AnyGraph:
        """The formula in which ``number(value)`` stands for every constant and coefficient.

        `number` is called in the order in which :class:`GraphBuilder` builds; what becomes zero
        is dropped.
        """
        builder = GraphBuilder()
        inputs = {i: builder.input(i) for i in self.features}
        return self.rebuilt(builder, builder.copy(self, inputs, number))

    def compose(self: AnyGraph, inner: AnyGraph) -> AnyGraph:
        """The formula ``self(inner(x))``: output i of `inner` stands for input i.

        Raises:
            ValueError: If `inner` has not one output for each input of this formula.
        """
        if len(inner) != self.num_inputs:
            raise ValueError(
                f"composing needs {self.num_inputs} inner outputs, one per input, got {len(inner)}"
            )
        builder = GraphBuilder()
        inputs = builder.copy(inner, {i: builder.input(i) for i in inner.features})
        return inner.rebuilt(builder, builder.copy(self, inputs))

    def renamed(self: AnyGraph, names: Sequence[str] | None) -> AnyGraph:
        """The same formulas with other input names."""
        return replace(self, names=None if names is None else tuple(names))


class GraphBuilder:
    """Builds the node table of a formula; equal nodes get one index.

    Only what reads the same is merged: numbers are folded, ``1 * x`` is ``x``, a number times a
    node is an affine term. ``x - x`` and ``(x + y) + z`` stay as they were built; collecting
    terms is the business of :func:`occamhead.expression.simplify`.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._index: dict[Node, int] = {}

    def _add(self, node: Node) -> int:
        if node not in self._index:
            self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return self._index[node]

    def value(self, index: int) -> float | None:
        """The number that a node stands for, or None."""
        node = self.nodes[index]
        return node.value if isinstance(node, Constant) else None

    def input(self, index: int) -> int:
        return self._add(Input(int(index)))

    def constant(self, value: float) -> int:
        return self._add(Constant(_finite(value)))

    def affine(self, constant: float, terms: Iterable[tuple[float, int]]) -> int:
        """``constant + sum(coefficient * node)``; numbers among the nodes join the constant."""
        kept: list[tuple[float, int]] = []
        for coefficient, child in terms:
            node, coefficient = self.nodes[child], _finite(coefficient)
            if isinstance(node, Constant):
                constant += coefficient * node.value
            elif coefficient == 0:
                continue
            elif abs(coefficient) == 1 and _is_multiple(node):
                assert isinstance(node, Affine)
                kept.append((coefficient * node.terms[0][0], node.terms[0][1]))
            else:
                kept.append((coefficient, child))
        if not kept:
            return self.constant(constant)
        if constant == 0 and len(kept) == 1 and kept[0][0] == 1:
            return kept[0][1]
        return self._add(Affine(_finite(constant), tuple(kept)))

    def apply(self, operator: str, *children: int) -> int:
        """An operator on earlier nodes; on numbers alone it is computed where it is finite."""
        get_operator(operator).check_arity(len(children))
        values = [self.value(child) for child in children]
        numbers = [value for value in values if value is not None]
        if len(numbers) == len(values):
            result = constant_value(operator, tuple(numbers))
            if math.isfinite(result):
                return self.constant(result)
        if operator == "mul" and len(numbers) == 1:
            node = children[1] if values[0] is not None else children[0]
            return self.affine(0.0, [(numbers[0], node)])
        return self._add(Apply(operator, tuple(children)))

    def copy(
        self,
        graph: Graph,
        inputs: Sequence[int] | Mapping[int, int],
        number: Callable[[float], float] = float,
        apply: Callable[..., int] | None = None,
    ) -> list[int]:
        """Copy another formula in and return its outputs' indices.

        Args:
            graph: What to copy.
            inputs: `inputs[i]` is the node that stands for input i.
            number: Applied to every constant and coefficient.
            apply: What is called, instead of :meth:`apply`, with an operator and the nodes of its
                arguments, and gives the node that stands for it: how a formula is rewritten.
        """
        apply = apply or self.apply
        index: list[int] = []
        for node in graph.nodes:
            match node:
                case Input(i):
                    index.append(inputs[i])
                case Constant(value):
                    index.append(self.constant(number(value)))
                case Affine(constant, terms):
                    scaled = [(number(c), index[child]) for c, child in terms]
                    index.append(self.affine(number(constant), scaled))
                case Apply(operator, children):
                    index.append(apply(operator, *(index[child] for child in children)))
        return [index[output] for output in graph.outputs]

    def table(self, outputs: Sequence[int]) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """The nodes that these outputs use, and where the outputs stand among them."""
        order: list[int] = []  # reachable nodes, children first, in order of first use
        placed: dict[int, int] = {}
        stack = [(output, False) for output in reversed(outputs)]
        while stack:
            index, ready = stack.pop()
            if index in placed:
                continue
            if ready:
                placed[index] = len(order)
                order.append(index)
            else:
                stack.append((index, True))
                stack.extend((child, False) for child in reversed(self.nodes[index].children))
        nodes = tuple(_renumber(self.nodes[index], placed) for index in order)
        return nodes, tuple(placed[output] for output in outputs)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"the numbers of a formula must be finite, got {value}")
    return float(value) + 0.0  # + 0.0 turns -0.0 into 0.0


def _is_multiple(node: Node) -> bool:
    return isinstance(node, Affine) and node.constant == 0 and len(node.terms) == 1


def _renumber(node: Node, placed: dict[int, int]) -> Node:
    match node:
        case Affine(constant, terms):
            return Affine(constant, tuple((c, placed[child]) for c, child in terms))
        case Apply(operator, children):
            return Apply(operator, tuple(placed[child] for child in children))
        case _:
            return node
