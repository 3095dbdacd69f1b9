"""An OccamNet's softmaxes as flat tables: one row per P-node, over all layers and groups.

Images are numbered layer by layer, so that an image's arguments lead to lower numbers only: the
compiled loops go down the numbers to sample and up to evaluate, without recursion.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Affine, Apply, Input
from occamhead.expression.operators import get_operator
from occamhead.network.bases import Basis
from occamhead.network.layout import Layout


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


def wire(layout: Layout, groups: int) -> tuple[Wiring, list[Basis]]:
    """The flat tables of groups of one layout, and the distinct bases that they number."""
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
        np.arange(len(sources) - groups * layout.num_outputs, len(sources), dtype=np.int32),
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


def from_edges(edges: list[NDArray[np.int64]]) -> NDArray[np.int32]:
    """Edges of each softmax of a one-group network as one row of choices [rows]."""
    return np.concatenate(edges).astype(np.int32)
