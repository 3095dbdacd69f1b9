"""Compiled variation: samples that descend from an elite, changed in one way.

Not in the paper, whose samples all come from the softmaxes. A descendant starts from the edges of
an elite; what a change leaves open is drawn from the softmaxes as in any sample.
"""

from __future__ import annotations

import numba
import numpy as np

from occamhead.search.judging.sampling import NONE, mix, reach, uniform

# Kinds of change, equally likely: edges drawn afresh, an image put in between, an image left out,
# a part taken from another elite.
REDRAW, INSERT, LEAVE_OUT, CROSS = range(4)
KINDS = 4

ATTEMPTS = 8


@numba.njit(cache=True)
def vary_elites(wiring, key, share, elites, choices, given, first=0, every=1):
    """Prepare the samples of a step: some start from a changed elite, the others from nothing.

    Args:
        wiring: The tables of the network.
        key: Key of the step's random numbers.
        share: Probability that a sample descends from an elite, if there is any.
        elites: Their edges, -1 where a P-node is not reached, [elites, rows].
        choices: Result: edges that are given, else -1, [samples, rows].
        given: Result: whether a sample descends from an elite, [samples].
        first, every: Numbers of the samples are first, first + every, ...
    """
    key = mix(key ^ np.uint64(0x5851F42D4C957F2D))
    for r in range(len(choices)):
        given[r] = False
        number = first + r * every
        own = mix(key + np.uint64(number + 1) * np.uint64(0x9E3779B97F4A7C15))
        if len(elites) == 0 or uniform(own, 0) >= share:
            continue
        parent = np.int32(uniform(own, 1) * len(elites))
        given[r] = True
        choices[r, :] = elites[parent]
        kind = np.int32(uniform(own, 2) * KINDS)
        if kind == INSERT:
            changed = _insert(wiring, own, choices[r])
        elif kind == LEAVE_OUT:
            changed = _leave_out(wiring, own, choices[r])
        elif kind == CROSS:
            other = np.int32(uniform(own, 3) * len(elites))
            changed = other != parent and _cross(wiring, own, elites[other], choices[r])
        else:
            changed = False
        if not changed:
            _redraw(wiring, own, choices[r])


@numba.njit(cache=True)
def _redraw(wiring, key, choice):
    """Open one or two edges on average, or send them anywhere."""
    reached = 0
    for p in range(len(choice)):
        reached += choice[p] != NONE
    probability = (1.0 + uniform(key, 4)) / reached
    for p in range(len(choice)):
        if choice[p] != NONE:
            u = uniform(key, 100 + 2 * p)
            if u < 0.5 * probability:
                choice[p] = NONE
            elif u < probability:
                choice[p] = np.int32(uniform(key, 101 + 2 * p) * wiring.num_sources[p])


@numba.njit(cache=True)
def _pick(key, counter, choice):
    """A reached P-node, each as likely."""
    reached = 0
    for p in range(len(choice)):
        reached += choice[p] != NONE
    wanted = np.int32(uniform(key, counter) * reached)
    for p in range(len(choice)):
        if choice[p] != NONE:
            if wanted == 0:
                return p
            wanted -= 1
    return NONE


@numba.njit(cache=True)
def _edge_to(wiring, p, leads):
    """The edge of P-node p that leads there, or -1."""
    for s in range(wiring.num_sources[p]):
        if wiring.source[p, s] == leads:
            return s
    return NONE


@numba.njit(cache=True)
def _insert(wiring, key, choice):
    """Put an image that is not in use between a P-node and what it leads to."""
    for attempt in range(ATTEMPTS):
        p = _pick(key, 10 + 4 * attempt, choice)
        s = np.int32(uniform(key, 11 + 4 * attempt) * wiring.num_sources[p])
        image = ~wiring.source[p, s]
        if image < 0:
            continue
        first, arity = wiring.first_row[image], wiring.arity[wiring.basis[image]]
        if choice[first] != NONE:
            continue
        q = first + np.int32(uniform(key, 12 + 4 * attempt) * arity)
        edge = _edge_to(wiring, q, wiring.source[p, choice[p]])
        if edge != NONE:
            choice[p], choice[q] = s, edge
            return True
    return False


@numba.njit(cache=True)
def _leave_out(wiring, key, choice):
    """Let a P-node lead to an argument of the image that it leads to."""
    for attempt in range(ATTEMPTS):
        p = _pick(key, 10 + 4 * attempt, choice)
        image = ~wiring.source[p, choice[p]]
        if image < 0:
            continue
        arity = wiring.arity[wiring.basis[image]]
        q = wiring.first_row[image] + np.int32(uniform(key, 11 + 4 * attempt) * arity)
        edge = _edge_to(wiring, p, wiring.source[q, choice[q]])
        if edge != NONE:
            choice[p] = edge
            return True
    return False


@numba.njit(cache=True)
def _cross(wiring, key, other, choice):
    """Take over what another elite has at and below a P-node that both reach."""
    for attempt in range(ATTEMPTS):
        p = _pick(key, 10 + 4 * attempt, choice)
        if other[p] == NONE or other[p] == choice[p]:
            continue
        reached = reach(wiring, other, p)
        for q in range(len(choice)):
            if reached[q]:
                choice[q] = other[q]
        return True
    return False
