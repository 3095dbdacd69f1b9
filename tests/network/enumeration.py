"""Every function that a small network can spell, enumerated without the network's own means."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import product

import pytest
import torch

from occamhead import OccamNet, Routes

BASES = ("add", "mul", "sin")
Node = tuple[int, int]  # softmax, P-node
Choice = dict[Node, int]  # the source that each reached P-node chose


def sources_of(net: OccamNet, layer: int) -> list[Node | None]:
    """Where each edge of a softmax leads: None for a leaf, else (layer, image)."""
    layout = net.layout
    leaves = layout.num_inputs + layout.num_constants
    sizes = [len(bases) for bases in layout.layers]
    if layout.skip:
        images = [(i, k) for i in range(layer) for k in range(sizes[i])]
        return [None] * leaves + images
    return [None] * leaves if layer == 0 else [(layer - 1, k) for k in range(sizes[layer - 1])]


def arguments_of(net: OccamNet, layer: int, image: int) -> list[Node]:
    arities = [basis.arity for basis in net.layout.layers[layer]]
    first = sum(arities[:image])
    return [(layer, first + k) for k in range(arities[image])]


def functions(net: OccamNet, output: int) -> list[Choice]:
    """Every function of an output of a group: one choice for each P-node that it reaches."""

    def complete(chosen: Choice, pending: list[Node]) -> list[Choice]:
        pending = [node for node in pending if node not in chosen]
        if not pending:
            return [chosen]
        node, result = pending[-1], []
        for edge, source in enumerate(sources_of(net, node[0])):
            below = arguments_of(net, *source) if source else []
            result += complete({**chosen, node: edge}, pending[:-1] + below)
        return result

    return complete({}, [(net.layout.depth, output)])


def uses(net: OccamNet, chosen: Choice, node: Node) -> Counter[Node]:
    """How often the expression tree below a P-node uses each P-node."""
    total = Counter([node])
    if source := sources_of(net, node[0])[chosen[node]]:
        for below in arguments_of(net, *source):
            total += uses(net, chosen, below)
    return total


def count_trees(net: OccamNet, layer: int) -> int:
    """Number of expression trees below a P-node, equal P-nodes choosing freely at each use."""
    total = 0
    for source in sources_of(net, layer):
        arity = net.layout.layers[source[0]][source[1]].arity if source else 0
        total += count_trees(net, source[0]) ** arity if source else 1
    return total


def log_probability(net: OccamNet, chosen: Choice, group: int, output: int, per_use: bool) -> float:
    counts = uses(net, chosen, (net.layout.depth, output))
    total = 0.0
    for (layer, node), edge in chosen.items():
        logits = (net.logits[layer][group, node] / net.temperatures[layer]).tolist()
        norm = math.log(sum(math.exp(value) for value in logits))
        total += (logits[edge] - norm) * (counts[layer, node] if per_use else 1)
    return total


def as_routes(net: OccamNet, chosen: list[Choice], group: int, seed: int) -> Routes:
    """Routes that spell these functions in a group; P-nodes that they do not reach are random."""
    draw = random.Random(seed)
    edges = []
    for layer, logits in enumerate(net.logits):
        groups, nodes, sources = logits.shape
        rows = [
            [
                [
                    function[layer, node]
                    if g == group and (layer, node) in function
                    else draw.randrange(sources)
                    for node in range(nodes)
                ]
                for g in range(groups)
            ]
            for function in chosen
        ]
        edges.append(torch.tensor(rows))
    return Routes(tuple(edges))


def random_net(seed: int = 0, scale: float = 1.0, **options: object) -> OccamNet:
    torch.manual_seed(seed)
    net = OccamNet(2, options.pop("out_features", 2), BASES, **options).double()  # type: ignore
    with torch.no_grad():
        for logits in net.logits:
            logits.normal_(0, scale)
    return net


SHAPES = [
    {"depth": depth, "skip": skip, "groups": groups, "constants": constants}
    for depth, skip, groups, constants in product((1, 2), (True, False), (1, 2), ((), (0.5,)))
]


def shape_id(shape: dict[str, object]) -> str:
    return "-".join(f"{key[0]}{value}" for key, value in shape.items())


shapes = pytest.mark.parametrize("shape", SHAPES, ids=shape_id)


def outputs_of(net: OccamNet) -> list[tuple[int, int, int]]:
    """(output, group, output of the group)."""
    each = net.layout.num_outputs
    return [(k, k // each, k % each) for k in range(net.out_features)]
