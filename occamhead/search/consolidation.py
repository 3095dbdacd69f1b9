"""At the end of a search: its answer becomes the network's most probable function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from occamhead.search.judging.sampling import NONE
from occamhead.search.judging.wiring import from_edges
from occamhead.search.spelling import spell

if TYPE_CHECKING:
    from occamhead.search.evolution import Evolution

# How often the most probable function is looked at.
CHECK_EVERY = 10

# Replaying the answer until it is the most probable function: steps and rate.
REPLAY_STEPS, REPLAY_RATE = 400, 0.05


def consolidate(search: Evolution) -> None:
    """Replay the answer until it is the most probable function.

    The functions of several outputs are spelled anew, so that they do not claim one P-node
    for different edges; where that cannot be, each pulls its own way.
    """
    found = [(j, c) for j, c in enumerate(search.answer()) if c is not None]
    if not found:
        return
    routes = np.stack([search.archive.choices[j, c] for j, c in found])
    roots = [int(search.archive.root[j, c]) for j, c in found]
    outputs = len(search.archive.error)
    shared = search.network.groups == 1 and not search.wiring.num_constants.any()
    if shared and len(found) == outputs > 1:
        edges = spell(search.network.layout, search.evaluator.function(roots, range(outputs)))
        if edges is not None:
            routes[:] = from_edges(edges)
    choices = np.full((outputs, 1, routes.shape[1]), NONE, np.int32)
    weights = np.full((outputs, 1), np.nan)
    for (j, _), route in zip(found, routes, strict=True):
        choices[j, 0], weights[j, 0] = route, 1.0
    search.mean.fill(0.0)
    search.square.fill(0.0)
    search.adam_steps = 0
    nodes = search.evaluator.store.nodes
    wanted = {j: (root, nodes.key[root, j]) for (j, _), root in zip(found, roots, strict=True)}
    for step in range(REPLAY_STEPS):
        if step % CHECK_EVERY == 0:
            judged = search.judge_mode()
            if all(
                judged.root[0, j] == root or judged.key[0, j] == key
                for j, (root, key) in wanted.items()
            ):
                return
        search.learn(choices, weights, REPLAY_RATE)
        search.fill_tables()
