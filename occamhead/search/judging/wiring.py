"""An OccamNet's softmaxes as flat tables: one row per P-node, over all layers and groups.

Images are numbered layer by layer, so that an image's arguments lead to lower numbers only: the
compiled loops go down the numbers to sample and up to evaluate, without recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.expression import Affine, Apply, Input
from occamhead.expression.operators import get_operator
from occamhead.network.bases import Basis
from occamhead.network.occamnet import OccamNet
from occamhead.network.routes import Routes


class Wiring(NamedTuple):
    """Where every edge leads.

    Args:
        num_sources: Edges of each P-node, [rows].
        source: What edge s of row p leads to, [rows, most edges]: a leaf's index, or ``~image``.
        basis: Number of each image's basis among `bases`, [images].
        first_row: Row of each image's first argument, [images]; the others follow it.
        arity, num_constants, symmetric: Of each basis, [bases]. Symmetric: the order of the
            arguments is immaterial.
        output_rows: Row of each output, [outputs].
        num_leaves: Inputs and constants.
    """

    num_sources: NDArray[np.int32]
    source: NDArray[np.int32]
    basis: NDArray[np.int32]
    first_row: NDArray[np.int32]
    arity: NDArray[np.int32]
    num_constants: NDArray[np.int32]
    symmetric: NDArray[np.bool_]
    output_rows: NDArray[np.int32]
    num_leaves: int


def wire(network: OccamNet) -> tuple[Wiring, list[Basis]]:
    """The flat tables of a network, and the distinct bases that they number.

    Raises:
        ValueError: If its groups see features of their own.
    """
    if network.candidates is not None:
        raise ValueError(
            "a search looks at all features; build the network without candidates, and give it"
            " the columns that it is to see"
        )
    layout, groups = network.layout, network.groups
    bases = list(dict.fromkeys(basis for layer in layout.layers for basis in layer))
    first_image = np.cumsum([0, *(groups * len(layer) for layer in layout.layers)])
    num_sources: list[int] = []
    sources: list[list[int]] = []
    image_basis: list[int] = []
    image_row: list[int] = []
    for layer in range(layout.depth + 1):
        for group in range(groups):
            leads = list(range(layout.num_leaf_sources(layer)))
            for earlier in layout.image_sources(layer):
                start = int(first_image[earlier]) + group * len(layout.layers[earlier])
                leads += [~(start + place) for place in range(len(layout.layers[earlier]))]
            row = len(sources)
            for basis in layout.layers[layer] if layer < layout.depth else ():
                image_basis.append(bases.index(basis))
                image_row.append(row)
                row += basis.arity
            for _ in range(layout.num_arguments(layer)):
                num_sources.append(len(leads))
                sources.append(leads)
    table = np.zeros((len(sources), max(num_sources)), np.int32)
    for row, leads in enumerate(sources):
        table[row, : len(leads)] = leads
    wiring = Wiring(
        np.array(num_sources, np.int32),
        table,
        np.array(image_basis, np.int32),
        np.array(image_row, np.int32),
        np.array([basis.arity for basis in bases], np.int32),
        np.array([basis.num_constants for basis in bases], np.int32),
        np.array([is_symmetric(basis) for basis in bases]),
        np.arange(len(sources) - network.out_features, len(sources), dtype=np.int32),
        layout.num_leaves,
    )
    return wiring, bases


def is_symmetric(basis: Basis) -> bool:
    """Whether the order of a basis's arguments is immaterial: a sum or one commutative operator.

    A basis with free constants is none: each constant belongs to a place.
    """
    nodes, arguments = basis.formula.nodes, set(range(basis.arity))
    top = nodes[basis.formula.outputs[0]]
    if basis.num_constants or basis.arity < 2:
        return False
    leaves = [node.index for child in top.children if isinstance(node := nodes[child], Input)]
    if sorted(leaves) != sorted(arguments):
        return False
    if isinstance(top, Affine):
        return len({coefficient for coefficient, _ in top.terms}) == 1
    return isinstance(top, Apply) and get_operator(top.operator).commutative


def read_logits(network: OccamNet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The logits as one table [rows, most edges], and the temperature of each row.

    Places beyond a row's edges hold -inf.
    """
    width = max(logits.shape[-1] for logits in network.logits)
    blocks, temperatures = [], []
    for layer, logits in enumerate(network.logits):
        flat = logits.detach().double().cpu().flatten(0, 1).numpy()
        block = np.full((len(flat), width), -np.inf)
        block[:, : flat.shape[1]] = flat
        blocks.append(block)
        temperatures += [float(network.temperatures[layer])] * len(flat)
    return np.concatenate(blocks), np.array(temperatures)


@torch.no_grad()
def write_logits(
    network: OccamNet, table: NDArray[np.float64], temperatures: NDArray[np.float64]
) -> None:
    """Copy what :func:`read_logits` gives into the network."""
    row = 0
    for layer, logits in enumerate(network.logits):
        network.temperatures[layer] = temperatures[row]
        count = logits.shape[0] * logits.shape[1]
        block = torch.from_numpy(table[row : row + count, : logits.shape[-1]].copy())
        logits.copy_(block.reshape(logits.shape))
        row += count


@torch.no_grad()
def write_constants(network: OccamNet, image: int, constants: Sequence[float]) -> None:
    """Copy the free constants of an image, which bears its number in :class:`Wiring`."""
    for layer, bases in enumerate(network.layout.layers):
        group, place = divmod(image, len(bases))
        if group < network.groups:
            first = sum(basis.num_constants for basis in bases[:place])
            numbers = network.free_constants[layer][group, first : first + len(constants)]
            numbers.copy_(torch.tensor(constants, dtype=torch.float64))
            return
        image -= network.groups * len(bases)


def to_routes(network: OccamNet, choices: NDArray[np.int32]) -> Routes:
    """Chosen edges [samples, rows] as routes; a P-node that is not reached (-1) takes edge 0.

    Raises:
        ValueError: If the network has another number of P-nodes.
    """
    filled = torch.from_numpy(np.maximum(choices, 0).astype(np.int64))
    sizes = [logits.shape[0] * logits.shape[1] for logits in network.logits]
    if filled.shape[1] != sum(sizes):
        raise ValueError(
            f"the softmaxes have {sizes} P-nodes, got edges for {filled.shape[1]} in all"
        )
    parts = filled.split(sizes, dim=1)
    return Routes(
        tuple(
            part.reshape(len(choices), *logits.shape[:2])
            for part, logits in zip(parts, network.logits, strict=True)
        )
    )


def from_edges(edges: list[NDArray[np.int64]]) -> NDArray[np.int32]:
    """Edges of each softmax of a one-group network as one row of choices [rows]."""
    return np.concatenate(edges).astype(np.int32)
