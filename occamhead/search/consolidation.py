"""At the end of a search: its answer becomes the network's most probable function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from occamhead.search.sampling import NONE, softmax_tables
from occamhead.search.spelling import spell
from occamhead.search.wiring import from_edges

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
    if len(found) > 1 and not search.wiring.num_constants.any() and search.network.groups == 1:
        function = search.evaluator.function(roots, [j for j, _ in found])
        edges = spell(search.network.layout, function) if len(found) == len(
            search.archive.error) else None  # fmt: skip
        if edges is not None:
            routes[:] = from_edges(edges)
    choices = np.full((len(search.archive.error), 1, routes.shape[1]), NONE, np.int32)
    weights = np.full((len(search.archive.error), 1), np.nan)
    for (j, _), route in zip(found, routes, strict=True):
        choices[j, 0], weights[j, 0] = route, 1.0
    search.mean.fill(0.0)
    search.square.fill(0.0)
    search.adam_steps = 0
    nodes = search.evaluator.store.nodes
    wanted = {j: (root, nodes.key[root, j]) for (j, _), root in zip(found, roots, strict=True)}
    for step in range(REPLAY_STEPS):
        if step % CHECK_EVERY == 0:
            route = search.mode()
            _, judged = next(search.evaluator.judge(route[None], search.steps))
            if all(
                judged.root[0, j] == root or judged.key[0, j] == key
                for j, (root, key) in wanted.items()
            ):
                return
        search.learn(choices, weights, REPLAY_RATE)
        softmax_tables(
            search.logits, search.temperatures, search.wiring.num_sources, search.log_probs,
            search.cumulative,
        )  # fmt: skip
