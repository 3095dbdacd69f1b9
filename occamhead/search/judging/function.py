"""A sampled function as a small graph of bases, apart from the network that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.network.bases import Basis


@dataclass(frozen=True)
class Leaf:
    """An input, or one of the constants C that stand behind the inputs."""

    index: int

    @property
    def children(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True)
class Image:
    """A basis applied to earlier nodes, with the values of its free constants."""

    basis: Basis
    children: tuple[int, ...]
    constants: tuple[float, ...] = ()


@dataclass(frozen=True)
class Function:
    """A function that an OccamNet can spell: one root per output over shared nodes.

    Args:
        nodes: Children before parents.
        roots: Index of each output's node.
        num_inputs: Number of inputs u; leaf ``num_inputs + i`` is constant number i.
        leaf_constants: The constants C.
        scale: Per output the slope and intercept of a linear scaling; empty for none.
    """

    nodes: tuple[Leaf | Image, ...]
    roots: tuple[int, ...]
    num_inputs: int
    leaf_constants: tuple[float, ...] = ()
    scale: tuple[tuple[float, float], ...] = ()

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Nodes of the expression tree below and with each node: a shared node counts per use."""
        sizes: list[int] = []
        for node in self.nodes:
            sizes.append(1 + sum(sizes[child] for child in node.children))
        return tuple(sizes)

    @property
    def num_constants(self) -> int:
        """Free constants of all nodes."""
        return sum(len(node.constants) for node in self.nodes if isinstance(node, Image))

    def expression(self) -> Expression:
        """The function as a formula, literally: nothing is simplified."""
        builder = ExpressionBuilder()
        built: list[int] = []
        for node in self.nodes:
            if isinstance(node, Image):
                arguments = [built[child] for child in node.children]
                arguments += [builder.constant(number) for number in node.constants]
                built.append(builder.copy(node.basis.formula, arguments)[0])
            elif node.index < self.num_inputs:
                built.append(builder.input(node.index))
            else:
                built.append(builder.constant(self.leaf_constants[node.index - self.num_inputs]))
        outputs = [built[root] for root in self.roots]
        if self.scale:
            outputs = [
                builder.affine(intercept, [(slope, output)])
                for output, (slope, intercept) in zip(outputs, self.scale, strict=True)
            ]
        return builder.build(outputs, self.num_inputs)


def tree_uses(function: Function, output: int) -> list[int]:
    """How often the expression tree of an output uses each node; 0 for what it does not reach."""
    uses = [0] * len(function.nodes)
    uses[function.roots[output]] = 1
    for number in range(len(function.nodes) - 1, -1, -1):
        for child in function.nodes[number].children:
            uses[child] += uses[number]
    return uses


def images_of(function: Function, output: int) -> list[tuple[Image, int]]:
    """The images that an output reaches, each with its uses in the expression tree."""
    uses = zip(function.nodes, tree_uses(function, output), strict=True)
    return [(node, count) for node, count in uses if count and isinstance(node, Image)]
