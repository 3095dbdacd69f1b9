"""Routes: the edges that a network's P-nodes choose, and the probability of what they spell.

A route fixes one edge for every P-node. The function of an output depends only on the P-nodes
that it reaches; the rest of the route is immaterial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.network.layout import Layout


@dataclass(frozen=True)
class Routes:
    """A batch of R routes.

    Args:
        edges: For each softmax, the output's last, the chosen source of every P-node: integer
            tensors of shape [R, groups, P-nodes].
    """

    edges: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.edges[0])

    def __getitem__(self, index: int) -> Routes:
        """One route, as a batch of one."""
        return Routes(tuple(edge[index : index + 1] for edge in self.edges))


def sample(log_probs: Sequence[Tensor], count: int, generator: torch.Generator | None) -> Routes:
    """Draw routes, each P-node independently from its softmax.

    Args:
        log_probs: Log-probabilities of each softmax, [groups, P-nodes, sources].
        count: Number of routes R.
        generator: Source of randomness; None takes torch's global one.
    """
    edges = []
    for log_prob in log_probs:
        groups, nodes, sources = log_prob.shape
        flat = log_prob.detach().float().exp().reshape(groups * nodes, sources)
        drawn = torch.multinomial(flat, count, replacement=True, generator=generator)
        edges.append(drawn.T.reshape(count, groups, nodes))
    return Routes(tuple(edges))


def usage(layout: Layout, routes: Routes, per_use: bool = False) -> list[Tensor]:
    """How often each output uses each P-node.

    Args:
        layout: Shape of the network.
        routes: R routes.
        per_use: Count the uses along the expression tree; else 1 for what is reached at all.

    Returns:
        For each softmax, shape [R, groups, outputs of a group, P-nodes].
    """
    last = routes.edges[-1]
    count, groups = last.shape[:2]
    outputs = layout.num_outputs
    images = [last.new_zeros(count, groups, outputs, len(bases)) for bases in layout.layers]
    used: list[Tensor] = []
    for layer in range(layout.depth, -1, -1):
        if layer == layout.depth:
            arguments = torch.eye(outputs, dtype=last.dtype, device=last.device)
            arguments = arguments.expand(count, groups, outputs, outputs)
        else:
            arities = torch.tensor([basis.arity for basis in layout.layers[layer]])
            arguments = images[layer].repeat_interleave(arities.to(last.device), dim=-1)
        used.insert(0, arguments)
        reached = last.new_zeros(count, groups, outputs, layout.num_sources(layer))
        edges = routes.edges[layer].unsqueeze(2).expand_as(arguments)
        reached = reached.scatter_add(-1, edges, arguments)
        for earlier, place in layout.image_slices(layer):
            images[earlier] = images[earlier] + reached[..., place]
            if not per_use:
                images[earlier] = images[earlier].clamp_max(1)
    return used


def log_prob(
    layout: Layout, log_probs: Sequence[Tensor], routes: Routes, per_use: bool = False
) -> Tensor:
    """log q_i(f_i | W) of the function that each output spells (paper, section 2).

    The probability is the product over the edges of the output's DAG, each once. With `per_use`
    an edge counts as often as the expression tree uses it: the product that the function
    selection of supplement C maximises and that the equalised initialisation (B) makes equal.

    Returns:
        Shape [R, outputs of all groups], differentiable in `log_probs`.
    """
    total: Tensor | float = 0.0
    for log_prob_, edges, used in zip(
        log_probs, routes.edges, usage(layout, routes, per_use), strict=True
    ):
        chosen = log_prob_.expand(len(routes), *log_prob_.shape).gather(-1, edges.unsqueeze(-1))
        total = total + (used * chosen.squeeze(-1).unsqueeze(2)).sum(-1)
    assert isinstance(total, Tensor)
    return total.flatten(1)


def most_probable(layout: Layout, log_probs: Sequence[Tensor]) -> tuple[Routes, Tensor]:
    """The most probable function of every output, by dynamic programming (supplement C).

    Layer by layer, the best way to each P-node is the best of its edges, each weighed with the
    best way to the image that it leads to. Ties go to the source that comes first, so to the
    simpler one.

    Returns:
        One route, and its log-probability per output, shape [outputs of all groups]: the
        product per use, which is what this programme maximises (see :func:`log_prob`).
    """
    groups = log_probs[0].shape[0]
    leaves = log_probs[0].new_zeros(groups, layout.num_leaves)
    best_images: list[Tensor] = []
    edges = []
    for layer in range(layout.depth + 1):
        sources = [leaves] if layout.num_leaf_sources(layer) else []
        sources += [best_images[earlier] for earlier in layout.image_sources(layer)]
        best, edge = (log_probs[layer] + torch.cat(sources, dim=-1).unsqueeze(1)).max(dim=-1)
        edges.append(edge.unsqueeze(0))
        if layer < layout.depth:
            arities = [basis.arity for basis in layout.layers[layer]]
            best_images.append(
                torch.stack([part.sum(-1) for part in best.split(arities, dim=-1)], dim=-1)
            )
    return Routes(tuple(edges)), best.flatten()


def to_expression(
    layout: Layout,
    routes: Routes,
    leaf_constants: Sequence[float],
    free_constants: Sequence[Tensor],
    index: int = 0,
    candidates: Sequence[Sequence[int]] | None = None,
    in_features: int | None = None,
) -> Expression:
    """The formulas that one route spells, literally: nothing is simplified.

    Args:
        layout: Shape of the network.
        routes: Routes, of which number `index` is read.
        leaf_constants: Values of the constants C.
        free_constants: Free constants of each layer, [groups, constants].
        index: Which route.
        candidates: The features of each group, where it does not see all.
        in_features: Number of features; None takes the layout's inputs.
    """
    builder = ExpressionBuilder()
    chosen = [edge[index].tolist() for edge in routes.edges]
    constants = [values.tolist() for values in free_constants]
    built: dict[tuple[int, int, int], int] = {}

    def source(group: int, layer: int, position: int) -> int:
        earlier, place = layout.locate(layer, position)
        if earlier is not None:
            return image(group, earlier, place)
        if place < layout.num_inputs:
            return builder.input(candidates[group][place] if candidates else place)
        return builder.constant(leaf_constants[place - layout.num_inputs])

    def image(group: int, layer: int, place: int) -> int:
        key = (group, layer, place)
        if key not in built:
            bases = layout.layers[layer]
            first = sum(basis.arity for basis in bases[:place])
            free = sum(basis.num_constants for basis in bases[:place])
            basis = bases[place]
            edges = chosen[layer][group][first : first + basis.arity]
            args = [source(group, layer, edge) for edge in edges]
            numbers = constants[layer][group][free : free + basis.num_constants]
            args += [builder.constant(number) for number in numbers]
            built[key] = builder.copy(basis.formula, args)[0]
        return built[key]

    outputs = [
        source(group, layout.depth, edge)
        for group, edges in enumerate(chosen[-1])
        for edge in edges
    ]
    return builder.build(outputs, layout.num_inputs if in_features is None else in_features)
