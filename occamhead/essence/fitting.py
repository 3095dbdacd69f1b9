"""From rows and labels to a circuit, without gradients."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamhead.essence.blocks import coarser_blocks
from occamhead.essence.circuit import Circuit, description_length
from occamhead.essence.covers import choose_planes
from occamhead.essence.deciding import with_deciding_input
from occamhead.essence.patterns import Patterns, pool
from occamhead.essence.relevance import nearest_inputs
from occamhead.essence.subconcepts import Cuts, Partition, partition

CutChoice: TypeAlias = Literal["one_sided", "joint", "shortest"]
_CUTS: dict[str, tuple[Cuts, ...]] = {
    "one_sided": ("one_sided",),
    "joint": ("joint",),
    "shortest": ("one_sided", "joint"),
}
MAX_SUBCONCEPTS = 100
log = logging.getLogger("occamhead")


class Limits(NamedTuple):
    """When a circuit is given up.

    Attributes:
        subconcepts: The most that it may have.
        deadline: CPU seconds of the process after which nothing is split any more.
    """

    subconcepts: int
    deadline: float


def fit_circuit(
    x: ArrayLike,
    y: ArrayLike,
    *,
    classes: int | None = None,
    min_support: int = 1,
    min_purity: float = 0.5,
    strategy: CutChoice = "shortest",
    distances: ArrayLike | None = None,
    time_limit: float = 300.0,
) -> Circuit:
    """Learn an essence network: subconcepts, the planes between them, and the logic on top.

    It is exact on all patterns that are kept (see :func:`occamhead.essence.patterns.pool`). What
    these leave open is settled by the length of the description: it is learned anew from sums of
    inputs that tell all labels as well (:func:`occamhead.essence.blocks.coarser_blocks`), and one
    input may decide alone (:func:`occamhead.essence.deciding.with_deciding_input`).

    Args:
        x: Inputs, [rows, inputs], whole numbers.
        y: Class of each row, [rows] whole numbers from 0.
        classes: Number of classes; None takes the highest label plus one.
        min_support: Rows that a pattern needs.
        min_purity: Share of a pattern's rows that must carry its most frequent label; patterns
            that fall short are left out.
        strategy: How classes are split: "one_sided" or "joint" cuts, or "shortest" for the one
            of both circuits that has the shorter description; "one_sided" on a tie.
        distances: How far off each input is, [inputs] in any unit: distant ones are dropped while
            the rest tells all labels, as :func:`occamhead.essence.relevance.relevant_inputs`
            does, and weigh 0 in the circuit; which are kept is logged. None keeps them all.
        time_limit: CPU seconds after which no subconcept is split any more and the fit is given up.

    Raises:
        ValueError: If inputs or labels are no whole numbers, no pattern is left, the strategy is
            unknown, the classes need more than 100 subconcepts or more than the time, or the
            distances are not a finite number for each input.

    Example:
        >>> from occamhead.essence import fit_circuit
        >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
        >>> circuit = fit_circuit(x, [0, 1, 1, 0])
        >>> circuit.predict(x).tolist()
        [0, 1, 1, 0]

    Source: Blazek & Lin, Nat Comput Sci 1, 607-618, 2021; what differs is said where it is done.
    """
    if strategy not in _CUTS:
        raise ValueError(f"strategy must be one of {', '.join(_CUTS)}, got {strategy!r}")
    patterns = pool(x, y, classes=classes, min_support=min_support, min_purity=min_purity)
    if patterns.num_contradicted:
        log.warning(
            "%d of %d rows contradict others of the same inputs and are outvoted by these",
            patterns.num_contradicted, patterns.num_rows,
        )  # fmt: skip
    limits = Limits(MAX_SUBCONCEPTS, time.process_time() + time_limit)
    if distances is None:
        return _separated(patterns, strategy, limits)
    kept = nearest_inputs(patterns, distances)
    log.info("kept %d of %d inputs: %s", len(kept), patterns.points.shape[1], kept.tolist())
    forms = np.eye(patterns.points.shape[1], dtype=np.int64)[kept]
    near = patterns.seen_through(forms)
    assert near is not None, "the inputs that are kept tell all labels"
    circuit = _separated(near, strategy, limits)
    return replace(circuit, weights=circuit.weights @ forms)


def _separated(patterns: Patterns, strategy: CutChoice, limits: Limits) -> Circuit:
    circuit = shortest_circuit(patterns, limits, strategy)
    if circuit is None:
        late = time.process_time() > limits.deadline
        cap = "the time limit" if late else f"{limits.subconcepts} subconcepts"
        raise ValueError(
            f"{len(patterns.points)} patterns take more than {cap} to become separable; if their"
            " labels are noisy, take fit_noisy_circuit, or raise min_support and min_purity"
            f"{', or the limit' * late}"
        )
    return circuit


def shortest_circuit(
    patterns: Patterns, limits: Limits, strategy: CutChoice = "shortest"
) -> Circuit | None:
    """The circuit of the shortest description, of inputs or of sums; one input may then decide.

    None if the patterns take more subconcepts, or longer, than the limits allow.
    """
    strategies = _CUTS[strategy]
    circuits = [*_circuits(patterns, strategies, limits)]
    if not circuits:
        return None
    first = min(circuits, key=description_length)
    found = [first]
    for forms, sums in coarser_blocks(first.weights, patterns):
        found += [
            replace(circuit, weights=circuit.weights @ forms)
            for circuit in _circuits(sums, strategies, limits)
        ]
    return with_deciding_input(min(found, key=description_length), patterns)


def _circuits(
    patterns: Patterns, strategies: tuple[Cuts, ...], limits: Limits
) -> Iterator[Circuit]:
    """The circuits by these kinds of cuts that do not take too many subconcepts or too long."""
    for cuts in strategies:
        circuit = _fit(patterns, cuts, limits)
        if circuit is not None:
            yield circuit


def _fit(patterns: Patterns, cuts: Cuts, limits: Limits) -> Circuit | None:
    """The circuit by one kind of cuts, or None if it takes too many subconcepts or too long."""
    points, labels = patterns.points, patterns.labels
    default = int(np.bincount(labels).argmax())
    # Inputs that never vary tell nothing, and equal columns must not make them join others.
    varying = np.flatnonzero((points != points[0]).any(axis=0))
    if len(np.unique(labels)) == 1:
        nothing = np.zeros((0, points.shape[1]), dtype=np.int64)
        return Circuit(nothing, np.zeros(0), ((),), (default,), patterns.num_classes, default)
    seen = points[:, varying]
    centred = seen - seen.mean(axis=0)
    parts = partition(centred / np.abs(centred).max(), labels, cuts, *limits)
    if parts is None:
        return None
    planes = choose_planes(seen, parts)
    weights = np.zeros((len(planes.weights), points.shape[1]), dtype=np.int64)
    weights[:, varying] = planes.weights
    truth = points @ weights.T + planes.bias > 0
    literals, concepts = _logic(truth, labels, parts)
    used = sorted({d for terms in literals for d, _ in terms})
    place = {d: i for i, d in enumerate(used)}
    return Circuit(
        weights=weights[used],
        bias=planes.bias[used],
        literals=tuple(tuple((place[d], wanted) for d, wanted in terms) for terms in literals),
        concepts=tuple(concepts),
        classes=patterns.num_classes,
        default=default,
    )


def _logic(
    truth: NDArray[np.bool_], labels: NDArray[np.int64], parts: Partition
) -> tuple[list[tuple[tuple[int, bool], ...]], list[int]]:
    """The AND of each subconcept, pruned, without subconcepts that the others cover."""
    literals = [
        _conjunction(truth[rows], truth[labels != concept])
        for rows, concept in zip(parts.members, parts.classes, strict=True)
    ]
    holds = np.array([_holds(terms, truth) for terms in literals])
    order = sorted(range(len(literals)), key=lambda s: (parts.classes[s], s))
    kept = list(order)
    # The ones that need most literals go first, if others of their class cover their patterns.
    for s in sorted(order, key=lambda s: (-len(literals[s]), holds[s].sum())):
        others = [o for o in kept if o != s and parts.classes[o] == parts.classes[s]]
        if others and holds[others][:, labels == parts.classes[s]].any(axis=0).all():
            kept.remove(s)
    return [literals[s] for s in kept], [parts.classes[s] for s in kept]


def _conjunction(own: NDArray[np.bool_], others: NDArray[np.bool_]) -> tuple[tuple[int, bool], ...]:
    """The fewest literals found that hold on all own patterns and together on no other."""
    available = [(d, True) for d in np.flatnonzero(own.all(axis=0))]
    available += [(d, False) for d in np.flatnonzero(~own.any(axis=0))]
    available.sort()
    excluded = np.array([others[:, d] != wanted for d, wanted in available])
    left = np.ones(len(others), dtype=bool)
    chosen: list[int] = []
    while left.any():
        best = int(excluded[:, left].sum(axis=1).argmax())
        assert excluded[best, left].any(), "planes separate each subconcept from all others"
        chosen.append(best)
        left &= ~excluded[best]
    for index in list(chosen):
        rest = [other for other in chosen if other != index]
        if rest and excluded[rest].any(axis=0).all():
            chosen = rest
    return tuple((int(available[i][0]), available[i][1]) for i in sorted(chosen))


def _holds(terms: tuple[tuple[int, bool], ...], truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    held = np.ones(len(truth), dtype=bool)
    for d, wanted in terms:
        held &= truth[:, d] == wanted
    return held
