"""At the end of a search: its answer becomes the network's most probable function."""

from __future__ import annotations

import numpy as np

from occamhead.search.archive import Archive
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.sampling import NONE
from occamhead.search.judging.wiring import from_edges
from occamhead.search.learner import Learner
from occamhead.search.spelling import spell

# How often the most probable function is looked at.
CHECK_EVERY = 10

# Replaying the answer until it is the most probable function: steps and rate.
REPLAY_STEPS, REPLAY_RATE = 400, 0.05


def consolidate(learner: Learner, evaluator: Evaluator, archive: Archive, step: int) -> None:
    """Replay the answer until it is the most probable function.

    The functions of several outputs are spelled anew, so that they do not claim one P-node
    for different edges; where that cannot be, each pulls its own way.

    Args:
        learner: What learns it.
        evaluator, archive: Where the answer is.
        step: Number of the search's last step.
    """
    found = [(j, c) for j, c in enumerate(archive.answer(evaluator.rows)) if c is not None]
    if not found:
        return
    routes = np.stack([archive.choices[j, c] for j, c in found])
    roots = [int(archive.root[j, c]) for j, c in found]
    outputs = len(archive.error)
    shared = evaluator.groups == 1 and not evaluator.wiring.num_constants.any()
    if shared and len(found) == outputs > 1:
        edges = spell(evaluator.layout, evaluator.function(roots, range(outputs)))
        if edges is not None:
            routes[:] = from_edges(edges)
    choices = np.full((outputs, 1, routes.shape[1]), NONE, np.int32)
    weights = np.full((outputs, 1), np.nan)
    for (j, _), route in zip(found, routes, strict=True):
        choices[j, 0], weights[j, 0] = route, 1.0
    learner.forget_steps()
    nodes = evaluator.store.nodes
    wanted = {j: (root, nodes.key[root, j]) for (j, _), root in zip(found, roots, strict=True)}
    for turn in range(REPLAY_STEPS):
        if turn % CHECK_EVERY == 0:
            judged = evaluator.judge_route(learner.mode(), step)
            if all(
                judged.root[0, j] == root or judged.key[0, j] == key
                for j, (root, key) in wanted.items()
            ):
                return
        learner.learn(choices, weights, REPLAY_RATE)
        learner.fill_tables()
