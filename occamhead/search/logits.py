"""What a search takes from an OccamNet, and what it writes back into it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.network.occamnet import OccamNet
from occamhead.network.routes import Routes
from occamhead.search.judging.space import Space


def space_of(network: OccamNet) -> Space:
    """The functions that a network can spell.

    Raises:
        ValueError: If its groups see features of their own.
    """
    if network.candidates is not None:
        raise ValueError(
            "a search looks at all features; build the network without candidates, and give it"
            " the columns that it is to see"
        )
    constants = tuple(network.leaf_constants.double().tolist())
    return Space(network.layout, network.groups, constants)


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
