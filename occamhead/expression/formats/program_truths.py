"""What a program of whole numbers may take for granted of its nodes, whatever the inputs are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input, Node
from occamhead.expression.operators import CONDITION, get_operator


def truth_values(graph: Graph, binary: Collection[int]) -> list[bool]:
    """Which nodes are 0 or 1 if the inputs in `binary` are."""
    known: list[bool] = []
    for node in graph.nodes:
        known.append(_is_truth(node, graph.nodes, known, binary))
    return known


def _is_truth(
    node: Node, nodes: Sequence[Node], known: Sequence[bool], binary: Collection[int]
) -> bool:
    match node:
        case Input(index):
            return index in binary
        case Constant(value):
            return value in (0, 1)
        case Affine(1, ((-1, child),)):
            return known[child]
        case Apply("min" | "max", children) | Apply("where" | "choose", (_, *children)):
            return all(known[child] for child in children)
        case Apply("mod", (_, divisor)):
            return nodes[divisor] == Constant(2.0)
        case Apply(name, _):
            return get_operator(name).kind == CONDITION
    return False


def lies_within(graph: Graph, is_truth: Sequence[bool], position: int, count: int) -> bool:
    """Whether a node is one of 0, ..., count - 1 whatever the truth values in it are."""
    least = most = whole = 0.0
    match graph.nodes[position]:
        case Affine(constant, terms) if all(is_truth[child] for _, child in terms):
            least = constant + sum(min(c, 0) for c, _ in terms)
            most = constant + sum(max(c, 0) for c, _ in terms)
            whole = sum(number % 1 for number in (constant, *(c for c, _ in terms)))
        case Constant(value):
            least = most = value
            whole = value % 1
        case _ if is_truth[position]:
            most = 1
        case _:
            return False
    return whole == 0 and least >= 0 and most < count
