"""A search as plain values, from which it goes on as if it had never been stopped.

What a step samples depends on the seed, the step and the sample alone, and what a function is worth
on the function and the rows. So what has been learnt, the functions that are kept and the counts
are the whole of a search: the store of values is filled again as functions come up.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.search.archive import Archive
from occamhead.search.counts import Counts
from occamhead.search.elites import Elites
from occamhead.search.engines import Engine
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.sampling import NONE
from occamhead.search.learner import Learner
from occamhead.search.strategy import Strategy

# Settings that say when a search ends and not what it finds until then.
LIMITS = ("max_functions", "time_budget")


class Search(Protocol):
    """The parts of a search; see :class:`occamhead.search.Evolution`."""

    strategy: Strategy
    learner: Learner
    evaluator: Evaluator
    archive: Archive
    engine: Engine
    counts: Counts


def state_of(search: Search) -> dict[str, Any]:
    """All that a search needs to go on: tensors and plain values."""
    learner = {
        name: torch.from_numpy(value.copy())
        for name, value in vars(search.learner).items()
        if isinstance(value, np.ndarray)
    }
    return {
        "learner": {**learner, "adam_steps": search.learner.adam_steps},
        "counts": asdict(search.counts),
        "archive": _archive(search.archive),
        "engine": {name: _kept(value) for name, value in search.engine.keeps().items()},
        "longest": search.evaluator.longest,
        "evaluated": search.evaluator.evaluated,
        "rows": fingerprint(search.evaluator),
    }


def restore(search: Search, state: dict[str, Any]) -> None:
    """Let a search that has not begun go on from the state of another.

    Args:
        search: On the same network and strategy, and on the same rows.
        state: What :func:`state_of` gave.
    """
    _learnt(search, state)
    # All that is kept is scored, whatever length is searched now.
    search.evaluator.longest = None
    _fill_archive(search, search.archive, state["archive"])
    for name, value in search.engine.keeps().items():
        if isinstance(value, Archive):
            _fill_archive(search, value, state["engine"][name])
        else:
            _fill_elites(search, value, state["engine"][name])
    search.evaluator.longest = state["longest"]
    search.evaluator.evaluated = state["evaluated"]


def restore_on(search: Search, state: dict[str, Any]) -> NDArray[np.int32]:
    """As :func:`restore`, on other rows than those of the state.

    Returns:
        Routes of the functions that were kept, [routes, rows of the network]; the search is to
        judge them anew, see :meth:`occamhead.search.Evolution.propose`.
    """
    _learnt(search, state)
    kept = [*state["engine"].values(), state["archive"]]
    return np.concatenate([each["choices"][each["known"]].numpy() for each in kept])


def fingerprint(evaluator: Evaluator) -> str:
    """A hash of inputs, targets and weights."""
    digest = hashlib.sha256()
    for array in (evaluator.inputs, evaluator.scoring.targets, evaluator.scoring.weights):
        digest.update(f"{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def about(search: Search) -> dict[str, str]:
    """What a search is of, by name: it goes on only from the state of one of the same."""
    strategy = search.strategy
    settings = {n: repr(getattr(strategy, n)) for n in strategy.names() if n not in LIMITS}
    layout = hashlib.sha256(repr(search.evaluator.layout).encode()).hexdigest()
    return {**settings, "network": layout[:16], "rows": fingerprint(search.evaluator)[:16]}


def _learnt(search: Search, state: dict[str, Any]) -> None:
    for name, value in state["learner"].items():
        if name != "adam_steps":
            getattr(search.learner, name)[...] = value.numpy()
    search.learner.adam_steps = state["learner"]["adam_steps"]
    for field in fields(Counts):
        setattr(search.counts, field.name, state["counts"][field.name])


def _kept(value: Archive | Elites) -> dict[str, torch.Tensor]:
    if isinstance(value, Archive):
        return _archive(value)
    return {
        # torch knows no arithmetic of unsigned numbers, but needs none to keep their bits.
        "choices": torch.from_numpy(value.choices.copy()),
        "fitness": torch.from_numpy(value.fitness.copy()),
        "key": torch.from_numpy(value.key.view(np.int64).copy()),
        "size": torch.from_numpy(value.size.copy()),
        "known": torch.from_numpy(value.root != NONE),
    }


def _archive(archive: Archive) -> dict[str, torch.Tensor]:
    return {
        "error": torch.from_numpy(archive.error.copy()),
        "choices": torch.from_numpy(archive.choices.copy()),
        "known": torch.from_numpy(archive.root != NONE),
    }


def _fill_archive(search: Search, archive: Archive, state: dict[str, torch.Tensor]) -> None:
    archive.error[:] = state["error"].numpy()
    archive.choices[:] = state["choices"].numpy()
    _fill_roots(search, archive.root, archive.choices, state["known"].numpy())


def _fill_elites(search: Search, elites: Elites, state: dict[str, torch.Tensor]) -> None:
    elites.choices[:], elites.fitness[:] = state["choices"].numpy(), state["fitness"].numpy()
    elites.key[:] = state["key"].numpy().view(np.uint64)
    elites.size[:] = state["size"].numpy()
    _fill_roots(search, elites.root, elites.choices, state["known"].numpy())


def _fill_roots(
    search: Search,
    roots: NDArray[np.int32],
    choices: NDArray[np.int32],
    known: NDArray[np.bool_],
) -> None:
    """Find, or make, the node of each route that is known, [outputs, places]; all are scored."""
    roots.fill(NONE)
    outputs, places = np.nonzero(known)
    if not len(outputs):
        return
    # An output's own route is open where it does not lead; any edge is as good there.
    routes = np.maximum(choices[outputs, places], 0)
    for part, judged in search.evaluator.judge(routes, search.counts.steps):
        found = judged.root[np.arange(len(judged.root)), outputs[part]]
        roots[outputs[part], places[part]] = found
