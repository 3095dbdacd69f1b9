"""Equalised initialisation: every function starts with the same probability (supplement B)."""

from __future__ import annotations

import torch
from torch import Tensor

from occamhead.network.layout import Layout


def equalised_logits(layout: Layout, temperature: float, last_temperature: float) -> list[Tensor]:
    """Logits under which all functions of an output are equally probable.

    The paper groups sources of equal probability and solves a linear system per P-node. Its
    solution has a closed form: an edge's probability is inverse to that of the function it leads
    to, so its weight is ``-T log p``, up to a constant that makes the first weight 0.

    Args:
        layout: Shape of the network.
        temperature: T of every softmax but the last.
        last_temperature: T of the output's softmax.

    Returns:
        For each softmax a float64 tensor [P-nodes, sources], whose rows are one in memory.

    Differs from the paper: a function that a route can spell in several ways counts as often,
    as it does there; probability is counted per use of an edge (see :func:`routes.log_prob`).
    """
    images: list[Tensor] = []
    logits = []
    for layer in range(layout.depth + 1):
        leaves = torch.zeros(layout.num_leaf_sources(layer), dtype=torch.float64)
        log_p = torch.cat([leaves, *(images[i] for i in layout.image_sources(layer))])
        scale = last_temperature if layer == layout.depth else temperature
        row = scale * (log_p[0] - log_p)
        logits.append(row.expand(layout.num_arguments(layer), -1))
        if layer < layout.depth:
            path = -torch.logsumexp(-log_p, dim=0)  # log-probability of any path to a P-node
            arities = torch.tensor([basis.arity for basis in layout.layers[layer]])
            images.append(path * arities)
    return logits
