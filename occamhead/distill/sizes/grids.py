"""From networks on squares of a few sides to one program for squares of every side.

The network has the paper's three layers: a differentia between every two images of different
classes, a subconcept per image over all differentiae, and a concept over all subconcepts. Each
neuron is the hyperplane of widest margin, in whole numbers. That plane inherits the exchanges of
rows and of columns that map the images onto themselves, so that its weights are a number for
the whole square plus one for a row plus one for a column; what these numbers are at several sides
becomes formulas of the side m.

Declared: the inputs are a square, and each image is a subconcept of its own. Found: all weights
and thresholds, to which row and column a neuron belongs, and the formulas.

Source: layers and activations are those of Blazek & Lin (Nat Comput Sci 1, 607-618, 2021) and
Blazek et al. (Nat Comput Sci 4, 110-118, 2024); lifting is a design of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from occamhead.distill.prove import Certificate
from occamhead.distill.sizes.grid_networks import GridNetwork, Layer, learn_grid
from occamhead.distill.sizes.grid_rules import GridRule, ShareFormulas, Shares
from occamhead.distill.sizes.lifted import Lifted
from occamhead.distill.sizes.lifted_certificate import LiftedCertificate
from occamhead.distill.sizes.size_formulas import Bound, fit
from occamhead.essence.arrays import Ints
from occamhead.expression import Apply

Images: TypeAlias = tuple[ArrayLike, ArrayLike]

# Below it a subconcept of one line does not hold on the other lines of its class, and the
# concept differs.
_SMALLEST_SIDE = 5
_FEWEST_SIDES = 3  # two points fit any line


# --- neurons by rows and columns ------------------------------------------------------------------


def _read(weights: Ints, threshold: int) -> tuple[int | None, int | None, Shares]:
    """The row and the column that a neuron over a square [m, m] belongs to, and its shares."""
    whole = _most_frequent(weights)
    other = weights - whole
    fewest = len(weights) - 1  # its entry in both may be 0
    rows, columns = (np.flatnonzero((other != 0).sum(axis=a) >= fewest) for a in (1, 0))
    own = np.zeros_like(weights)
    shares = {"row": 0, "column": 0}
    if len(rows) == 1:
        shares["row"] = _most_frequent(other[rows[0]])
        own[rows[0]] += shares["row"]
    if len(columns) == 1:
        shares["column"] = _most_frequent(other[:, columns[0]])
        own[:, columns[0]] += shares["column"]
    if not np.array_equal(own, other):
        raise ValueError(
            f"the weights of a neuron over a square of side {len(weights)} are no sum over it, a"
            " row and a column; the classes are perhaps no matter of rows and columns"
        )
    row = int(rows[0]) if len(rows) == 1 else None
    column = int(columns[0]) if len(columns) == 1 else None
    return row, column, Shares(whole, **shares, threshold=threshold)


def _most_frequent(values: Ints) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])


def _ordered(network: GridNetwork, side: int) -> GridNetwork:
    """The network with its differentiae row by row, and the subconcepts of rows before columns."""
    first, second, concept = network.differentiae, network.subconcepts, network.concept
    places = [_read(w.reshape(side, side), t)[:2] for w, t in _neurons(first)]
    wanted = [(i, j) for i in range(side) for j in range(side)]
    if len(places) != len(wanted) or {*places} != {*wanted}:
        raise ValueError(
            f"at side {side} there are {len(places)} differentiae of {len({*places})} places;"
            " needed is one per row and column, as all lines of a square give"
        )
    cells = [places.index(place) for place in wanted]
    lines: list[int] = []
    for weights, threshold in _neurons(second):
        row, column, _ = _read(weights[cells].reshape(side, side), threshold)
        if (row is None) == (column is None):
            raise ValueError(
                f"a subconcept at side {side} is one of a row or of a column, got row {row} and"
                f" column {column}; leave out images other than lines"
            )
        lines.append(row if row is not None else side + int(column or 0))
    if sorted(lines) != [*range(2 * side)]:
        raise ValueError(
            f"at side {side} there are {len(lines)} subconcepts of {len({*lines})} rows and"
            f" columns; needed is one of each of {2 * side}, as all lines of a square give"
        )
    order = [lines.index(place) for place in range(2 * side)]
    return GridNetwork(
        Layer(first.weights[cells], first.thresholds[cells]),
        Layer(second.weights[order][:, cells], second.thresholds[order]),
        Layer(concept.weights[:, order], concept.thresholds),
    )


def _families(network: GridNetwork, side: int) -> dict[str, Shares]:
    """The shares of each kind of neuron of an ordered network, which all of the kind have."""
    cells, lines = (
        [_read(w.reshape(side, side), t)[2] for w, t in _neurons(layer)]
        for layer in (network.differentiae, network.subconcepts)
    )
    votes, (threshold,) = network.concept.weights[0].tolist(), network.concept.thresholds.tolist()
    kinds = {"cell": cells, "row": lines[:side], "column": lines[side:]}
    pairs = zip(votes[:side], votes[side:], strict=True)
    kinds["concept"] = [Shares(0, *pair, threshold) for pair in pairs]
    if uneven := [kind for kind, shares in kinds.items() if len({*shares}) > 1]:
        raise ValueError(
            f"at side {side} the neurons of a {uneven[0]} differ: {sorted({*kinds[uneven[0]]})};"
            " give all lines of the square"
        )
    return {kind: shares[0] for kind, shares in kinds.items()}


def _neurons(layer: Layer) -> Iterator[tuple[Ints, int]]:
    return zip(layer.weights, layer.thresholds.tolist(), strict=True)


# --- every side -----------------------------------------------------------------------------------


def lift_grid(images: Mapping[int, Images], holdout: Mapping[int, Images]) -> Lifted:
    """Learn networks at a few sides and lift them to one program for every side.

    Args:
        images: By side, at three sides or more, distinct images [images, side * side] of 0 and 1,
            and their classes [images], 0 or 1.
        holdout: The same at other sides, which take no part in fitting: the network that is
            learned there must have the very weights that the formulas say.

    Raises:
        ValueError: If there are fewer than three sides, one below 5, or none held out, if weights
            are no matter of rows and columns, have no formula, or differ at a held-out side.

    Example:
        >>> import numpy as np
        >>> from occamhead.distill.sizes.grids import lift_grid
        >>> def lines(m):
        ...     across = np.kron(np.eye(m, dtype=int), np.ones(m, dtype=int))
        ...     down = np.tile(np.eye(m, dtype=int), m)
        ...     return np.concatenate([across, down]), np.repeat([0, 1], m)
        >>> lifted = lift_grid({m: lines(m) for m in (5, 6, 7)}, {8: lines(8)})
        >>> str(lifted.rule.row.threshold)
        'm**2 - m'
    """
    both = set(images) & set(holdout)
    if len(images) < _FEWEST_SIDES or not holdout or both:
        raise ValueError(
            f"three sides or more and another that is held out are needed, got {sorted(images)} and"
            f" {sorted(holdout)}"
        )
    if (smallest := min({*images, *holdout})) < _SMALLEST_SIDE:
        raise ValueError(f"sides must be {_SMALLEST_SIDE} or more, got {smallest}; leave it out")
    networks = {
        m: _ordered(learn_grid(*pair), m) for m, pair in sorted({**images, **holdout}.items())
    }
    families = {m: _families(network, m) for m, network in networks.items()}
    seen = {m: families[m] for m in sorted(images)}
    rule = GridRule(**{kind: _fitted(kind, seen) for kind in ("cell", "row", "column", "concept")})
    for m in sorted(holdout):
        for kind, shares in families[m].items():
            if (claimed := getattr(rule, kind).at(m)) != shares:
                raise ValueError(
                    f"the formulas of sides {sorted(images)} say {claimed} of each {kind} at side"
                    f" {m}, the network learned there has {shares}; learn at this side as well"
                )
    fitted, checked = ({m: len(np.asarray(y)) for m, (_, y) in sorted(group.items())}
                       for group in (images, holdout))  # fmt: skip
    proofs = {m: (_proof(rule, network, m),) for m, network in networks.items()}
    return Lifted(rule, LiftedCertificate(fitted, checked, proofs=proofs))


def _proof(rule: GridRule, network: GridNetwork, side: int) -> Certificate:
    """Compare the unrolled rule with an ordered network, neuron by neuron.

    Sums alone are determined by what they are of nothing and of each input by itself.
    """
    cells = wrong = 0
    layers = (network.differentiae, network.subconcepts, network.concept)
    for excess, layer in zip(rule.layers(side), layers, strict=True):
        assert not any(isinstance(node, Apply) for node in excess.nodes)
        none, *units = excess(np.vstack([np.zeros(excess.num_inputs), np.eye(excess.num_inputs)]))
        cells += layer.weights.size + layer.thresholds.size
        wrong += int((np.transpose(units - none) != layer.weights).sum())
        wrong += int((-none != layer.thresholds).sum())
    return Certificate("weights", cells, wrong)


def _fitted(kind: str, seen: Mapping[int, Mapping[str, Shares]]) -> ShareFormulas:
    formulas = []
    for place, name in enumerate(Shares._fields):
        values = {m: families[kind][place] for m, families in seen.items()}
        formula = fit([Bound({"m": m}, value, value) for m, value in values.items()])
        if formula is None:
            raise ValueError(f"no formula of the side gives the {name} share of {kind}: {values}")
        formulas.append(formula)
    return ShareFormulas(*formulas)
