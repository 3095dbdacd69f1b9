"""Compiled sampling: functions from the outputs down, each distinct node once.

Only P-nodes that a function reaches are drawn. A drawn function becomes nodes of a
:class:`~occamhead.search.judging.store.Nodes` table in which each (basis, children) stands once.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from occamhead.search.judging.wiring import Wiring

NONE = -1


@numba.njit(cache=True, inline="always")
def mix(x):
    """The finaliser of splitmix64 (Steele et al. 2014): a bijection that scatters its bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(cache=True)
def uniform(key, counter):
    """A number in [0, 1) that depends on key and counter alone, whatever was drawn before.

    So the functions of a step do not depend on the order in which P-nodes are reached.
    """
    bits = mix(key + np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15))
    return np.float64(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(cache=True)
def sample_key(key, r):
    """Key of the random numbers of sample r of a step."""
    return mix(key + np.uint64(r + 1) * np.uint64(0xD1342543DE82EF95))


@numba.njit(cache=True)
def softmax_tables(logits, temperatures, num_sources, log_probs, cumulative):
    """Fill log-probabilities and cumulative probabilities of every row, [rows, edges]."""
    for p in range(len(num_sources)):
        count, t = num_sources[p], temperatures[p]
        largest = -np.inf
        for s in range(count):
            largest = max(largest, logits[p, s] / t)
        total = 0.0
        for s in range(count):
            total += math.exp(logits[p, s] / t - largest)
            cumulative[p, s] = total
        norm = largest + math.log(total)
        for s in range(count):
            log_probs[p, s] = logits[p, s] / t - norm
            cumulative[p, s] /= total


@numba.njit(cache=True)
def draw_edge(cumulative, count, u):
    """The edge that u in [0, 1) falls on."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@numba.njit(cache=True)
def reach(wiring, choices, p):
    """Which P-nodes the edges of a route reach from P-node p on, itself included, [rows]."""
    reached = np.zeros(len(wiring.num_sources), np.bool_)
    needed = np.zeros(len(wiring.basis), np.bool_)
    _visit(wiring, choices, p, reached, needed)
    for image in range(len(wiring.basis) - 1, -1, -1):
        if needed[image]:
            first = wiring.first_row[image]
            for q in range(first, first + wiring.arity[wiring.basis[image]]):
                _visit(wiring, choices, q, reached, needed)
    return reached


@numba.njit(cache=True)
def _visit(wiring, choices, p, reached, needed):
    reached[p] = True
    leads = wiring.source[p, choices[p]]
    if leads < 0:
        needed[~leads] = True


@numba.njit(cache=True)
def draw_routes(wiring, cumulative, key, given, choices, first=0, every=1):
    """Draw one route per row of `choices`, outputs first; what is not reached becomes -1.

    Args:
        wiring: The tables of the network.
        cumulative: Cumulative probabilities, [rows, edges].
        key: Key of the step's random numbers.
        given: For each sample, whether the edges in its row of `choices` that are not -1 are
            given, [samples].
        choices: Edges, [samples, rows]; in and out.
        first, every: Numbers of the samples are first, first + every, ...
    """
    num_rows, num_images = len(wiring.num_sources), len(wiring.basis)
    needed = np.zeros(num_images, np.bool_)
    reached = np.zeros(num_rows, np.bool_)
    for r in range(len(choices)):
        own = sample_key(key, first + r * every)
        choice = choices[r]
        if not given[r]:
            choice[:] = NONE
        reached[:] = False
        for place in range(len(wiring.output_rows)):
            _draw(wiring, cumulative, own, wiring.output_rows[place], choice, needed, reached)
        for image in range(num_images - 1, -1, -1):
            if needed[image]:
                needed[image] = False
                start = wiring.first_row[image]
                for p in range(start, start + wiring.arity[wiring.basis[image]]):
                    _draw(wiring, cumulative, own, p, choice, needed, reached)
        if given[r]:
            for p in range(num_rows):
                if not reached[p]:
                    choice[p] = NONE


@numba.njit(cache=True)
def _draw(wiring, cumulative, key, p, choice, needed, reached):
    if choice[p] == NONE:
        choice[p] = draw_edge(cumulative[p], wiring.num_sources[p], uniform(key, p))
    _visit(wiring, choice, p, reached, needed)


@numba.njit(cache=True)
def intern_routes(wiring, nodes, count, choices, first, step, roots):
    """Turn routes into nodes of the store, each distinct (basis, children) once.

    Args:
        wiring: The tables of the network.
        nodes: The store's table.
        count: Nodes and rows of values in use, int64 [2]; updated.
        choices: Routes, [samples, rows].
        first: First sample to turn.
        step: Number of the step, noted as the last use of every node met.
        roots: Result, node of each output, [samples, outputs].

    Returns:
        The sample at which the store was full; the number of samples if it never was.
    """
    num_images = len(wiring.basis)
    needed = np.zeros(num_images, np.bool_)
    node_of = np.full(num_images, NONE, np.int32)
    children = np.empty(nodes.children.shape[1], np.int32)
    for r in range(first, len(choices)):
        if count[0] + num_images > len(nodes.basis) or count[1] + num_images > nodes.max_rows:
            return r
        choice = choices[r]
        for place in range(len(wiring.output_rows)):
            p = wiring.output_rows[place]
            leads = wiring.source[p, choice[p]]
            if leads < 0:
                needed[~leads] = True
        for image in range(num_images - 1, -1, -1):
            if needed[image]:
                start = wiring.first_row[image]
                for p in range(start, start + wiring.arity[wiring.basis[image]]):
                    leads = wiring.source[p, choice[p]]
                    if leads < 0:
                        needed[~leads] = True
        for image in range(num_images):
            if needed[image]:
                needed[image] = False
                basis, start = wiring.basis[image], wiring.first_row[image]
                arity = wiring.arity[basis]
                for k in range(arity):
                    leads = wiring.source[start + k, choice[start + k]]
                    children[k] = leads if leads >= 0 else node_of[~leads]
                if wiring.symmetric[basis]:
                    _sort(nodes, children, arity)
                owner = image if wiring.num_constants[basis] else NONE
                node = _intern(nodes, count, basis, owner, children, arity,
                               wiring.num_constants[basis])  # fmt: skip
                nodes.used[node] = step
                node_of[image] = node
        for place in range(len(wiring.output_rows)):
            p = wiring.output_rows[place]
            leads = wiring.source[p, choice[p]]
            roots[r, place] = leads if leads >= 0 else node_of[~leads]
    return len(choices)


@numba.njit(cache=True)
def _sort(nodes, children, count):
    """Small functions first, in an order that does not depend on what the store has seen."""
    for i in range(1, count):
        child, k = children[i], i
        size, code = nodes.size[child], nodes.code[child]
        while k > 0 and (
            nodes.size[children[k - 1]] > size
            or (nodes.size[children[k - 1]] == size and nodes.code[children[k - 1]] > code)
        ):
            children[k] = children[k - 1]
            k -= 1
        children[k] = child


@numba.njit(cache=True)
def _intern(nodes, count, basis, owner, children, arity, own_constants):
    """The node of these children; a new one at the end of the table if there is none."""
    mask = len(nodes.table) - 1
    code = node_code(basis, owner, children, arity, nodes.code)
    slot = np.int64(code >> np.uint64(1)) & mask
    while nodes.table[slot] != NONE:
        node = nodes.table[slot]
        if nodes.basis[node] == basis and nodes.owner[node] == owner:
            same = True
            for k in range(arity):
                if nodes.children[node, k] != children[k]:
                    same = False
                    break
            if same:
                return node
        slot = (slot + 1) & mask
    node = count[0]
    count[0] += 1
    nodes.table[slot] = node
    nodes.basis[node], nodes.owner[node], nodes.code[node] = basis, owner, code
    size, constants = 1, own_constants
    for k in range(arity):
        child = children[k]
        nodes.children[node, k] = child
        size += nodes.size[child]
        constants += nodes.num_constants[child]
    nodes.size[node], nodes.num_constants[node] = size, constants
    nodes.fit[node, :] = NONE
    nodes.scored[node, :] = False
    if constants:
        nodes.row[node] = NONE  # its values depend on the function that it stands in
    else:
        nodes.row[node] = count[1]
        count[1] += 1
    return node


@numba.njit(cache=True)
def node_code(basis, owner, children, arity, codes):
    """A number for the function of a node, from those of its children; its place in the table."""
    code = mix(np.uint64(basis + 1) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(owner + 2))
    for k in range(arity):
        code = mix(code ^ ((codes[children[k]] + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)))
    return code


@numba.njit(cache=True)
def most_probable(wiring, log_probs, choices):
    """The most probable route, by dynamic programming (supplement C); fills `choices` [rows].

    Returns:
        log q of each output, the product per use, [outputs].
    """
    best = np.zeros(len(wiring.basis))
    result = np.empty(len(wiring.output_rows))
    for image in range(len(wiring.basis)):
        start = wiring.first_row[image]
        for p in range(start, start + wiring.arity[wiring.basis[image]]):
            best[image] += _best_edge(wiring, log_probs, best, p, choices)
    for place in range(len(wiring.output_rows)):
        result[place] = _best_edge(wiring, log_probs, best, wiring.output_rows[place], choices)
    return result


@numba.njit(cache=True)
def _best_edge(wiring, log_probs, best, p, choices):
    value = -np.inf
    choices[p] = 0
    for s in range(wiring.num_sources[p]):
        leads = wiring.source[p, s]
        candidate = log_probs[p, s] + (best[~leads] if leads < 0 else 0.0)
        if candidate > value:
            value = candidate
            choices[p] = s
    return value


__all__ = [
    "NONE",
    "Wiring",
    "draw_routes",
    "intern_routes",
    "most_probable",
    "reach",
    "softmax_tables",
    "uniform",
]
