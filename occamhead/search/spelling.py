"""Spelling: find a route through a network for a function that was found apart from it.

A function may come from another place in the network, from a descendant or from another output.
To learn from it, or to spell the functions of all outputs at once, each of its images needs a
place: a node of an images sublayer that has its basis and sees the places of its arguments.

One place per image is enough, however often it is shared: with skip connections its lowest place
is seen from wherever another would be, and without them its height fixes its layer.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from occamhead.network.bases import Basis
from occamhead.network.layout import Layout
from occamhead.search.judging.function import Function, Image, Leaf
from occamhead.search.judging.wiring import is_symmetric

MOST_PLACEMENTS = 20_000
# With more arguments there are too many orders to try; theirs stays.
LARGEST_PERMUTED = 5


def spell(
    layout: Layout, function: Function, log_probs: Sequence[Tensor] | None = None
) -> list[NDArray[np.int64]] | None:
    """A route that spells a function, all outputs at once.

    Args:
        layout: Shape of a network of one group.
        function: The function. Its scale and the values of its free constants are no part of a
            route; nodes with free constants never share a place, equal others do.
        log_probs: Log-probabilities of each softmax, [1, P-nodes, sources]: of the places for
            an image, and of the orders of symmetric arguments, the most probable is tried first.
            None takes lower layers first and keeps the order.

    Returns:
        For each softmax the source that every P-node chooses, shape [P-nodes], -1 where the
        function leaves it free. None if the network has no room for the function, or if none
        was found in 20000 placements.

    Raises:
        ValueError: If the function has not the inputs, constants and outputs of the network.
    """
    for name, ours, theirs in (
        ("inputs", function.num_inputs, layout.num_inputs),
        ("constants", len(function.leaf_constants), layout.num_constants),
        ("outputs", len(function.roots), layout.num_outputs),
    ):
        if ours != theirs:
            raise ValueError(
                f"a function of {ours} {name} cannot be spelled by a network of {theirs};"
                " give it the network's"
            )
    speller = _Speller(layout, function, log_probs)
    return speller.edges if speller.place_from(0) else None


class _Speller:
    """Places images one by one, arguments first, and goes back where the next has no place.

    Those that have most above them come first. Free places of a layer that have the same basis
    are alike for all that follows, so only the best of them is tried.
    """

    def __init__(
        self, layout: Layout, function: Function, log_probs: Sequence[Tensor] | None
    ) -> None:
        self.layout = layout
        self.nodes = function.nodes
        self.log_probs = None
        if log_probs is not None:
            self.log_probs = [table[0].detach().double().cpu().numpy() for table in log_probs]
        softmaxes = range(layout.depth + 1)
        self.edges = [np.full(layout.num_arguments(i), -1, np.int64) for i in softmaxes]
        self.first_source = [
            {earlier: place.start for earlier, place in layout.image_slices(i)} for i in softmaxes
        ]
        self.first_argument = [
            np.cumsum([0, *(basis.arity for basis in bases)]).tolist() for bases in layout.layers
        ]
        self.free: list[dict[Basis, list[int]]] = []
        for bases in layout.layers:
            self.free.append({})
            for position, basis in enumerate(bases):
                self.free[-1].setdefault(basis, []).append(position)
        self.same = _representatives(function)
        self.roots = [self.same[root] for root in function.roots]
        self.above = _images_above(function, self.same)
        self.order = sorted(
            (n for n in self.above if isinstance(self.nodes[n], Image)),
            key=lambda n: (-self.above[n], n),
        )
        self.placed: dict[int, tuple[int, int]] = {}
        self.placements = 0

    def source(self, softmax: int, number: int) -> int | None:
        """What a softmax calls a node; None if it does not see it."""
        node = self.nodes[number]
        if isinstance(node, Leaf):
            return node.index if self.layout.num_leaf_sources(softmax) else None
        layer, position = self.placed[number]
        first = self.first_source[softmax].get(layer)
        return None if first is None else first + position

    def place_from(self, turn: int) -> bool:
        """Place the images from this turn on, and the outputs; False if there is no room."""
        if turn == len(self.order):
            return self._connect_outputs()
        number = self.order[turn]
        image = self.nodes[number]
        assert isinstance(image, Image)
        for _, layer, position, sources in self._candidates(number, image):
            if self.placements == MOST_PLACEMENTS:
                return False
            self.placements += 1
            first = self.first_argument[layer][position]
            arguments = slice(first, first + image.basis.arity)
            self.free[layer][image.basis].remove(position)
            self.placed[number] = layer, position
            self.edges[layer][arguments] = sources
            if self.place_from(turn + 1):
                return True
            self.edges[layer][arguments] = -1
            self.free[layer][image.basis].append(position)
        return False

    def _connect_outputs(self) -> bool:
        for output, root in enumerate(self.roots):
            source = self.source(self.layout.depth, root)
            if source is None:
                return False
            self.edges[-1][output] = source
        return True

    def _candidates(
        self, number: int, image: Image
    ) -> list[tuple[float, int, int, tuple[int, ...]]]:
        """The best place of each layer, best first: (cost, layer, position, sources)."""
        found = []
        for layer in range(self.layout.depth - self.above[number]):
            positions = self.free[layer].get(image.basis)
            sources = [self.source(layer, self.same[child]) for child in image.children]
            if not positions or None in sources:
                continue
            orders: list[tuple[int, ...]] = [tuple(s for s in sources if s is not None)]
            if self.log_probs is None:
                found.append((float(layer), layer, min(positions), orders[0]))
                continue
            if is_symmetric(image.basis) and image.basis.arity <= LARGEST_PERMUTED:
                orders = list(permutations(orders[0]))
            found.append(
                min(
                    (self._cost(number, layer, position, order), layer, position, order)
                    for position in positions
                    for order in orders
                )
            )
        return sorted(found)

    def _cost(self, number: int, layer: int, position: int, sources: tuple[int, ...]) -> float:
        """-log of the probability of the edges to an image's arguments, and from outputs to it."""
        assert self.log_probs is not None
        first = self.first_argument[layer][position]
        cost = -sum(self.log_probs[layer][first + i, s] for i, s in enumerate(sources))
        start = self.first_source[-1].get(layer)
        if start is not None:
            readers = [output for output, root in enumerate(self.roots) if root == number]
            cost -= self.log_probs[-1][readers, start + position].sum()
        return float(cost)


def _representatives(function: Function) -> list[int]:
    """For each node the first that is equal to it, if they may share a place."""
    first: dict[Hashable, int] = {}
    same: list[int] = []
    for number, node in enumerate(function.nodes):
        key: Hashable = node
        if isinstance(node, Image):
            children = tuple(same[child] for child in node.children)
            key = number if node.basis.num_constants else (node.basis, children)
        same.append(first.setdefault(key, number))
    return same


def _images_above(function: Function, same: Sequence[int]) -> dict[int, int]:
    """Images on the longest way from each node that an output reaches up to an output."""
    above = {same[root]: 0 for root in function.roots}
    for number in range(len(function.nodes) - 1, -1, -1):
        if number in above:
            for child in function.nodes[number].children:
                above[same[child]] = max(above.get(same[child], 0), above[number] + 1)
    return above
