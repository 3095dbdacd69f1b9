"""The shape of an OccamNet: which images an edge of each softmax can lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from occamhead.network.bases import Basis, arity_of


@dataclass(frozen=True)
class Run:
    """Equal bases that stand side by side in an images sublayer, computed together.

    Args:
        basis: The basis.
        count: How many times it is repeated.
        arguments: Where its arguments lie in the arguments sublayer: count * arity of them.
        constants: Where its free constants lie in the layer's: count * num_constants of them.
    """

    basis: Basis
    count: int
    arguments: slice
    constants: slice


@dataclass(frozen=True)
class Layout:
    """Sizes and positions, without weights (supplement A).

    The sources of a softmax are, in this order: the inputs, the constants, then the images of
    every earlier layer, oldest first. Without skip connections the first softmax sees inputs and
    constants only, and each later one the images of the layer before it only.

    Args:
        num_inputs: Number of inputs u.
        num_constants: Number of constants C appended to the inputs.
        layers: The bases of each images sublayer; the paper has the same in each.
        num_outputs: Number of outputs v of one group.
        skip: Whether there are skip connections.
    """

    num_inputs: int
    num_constants: int
    layers: tuple[tuple[Basis, ...], ...]
    num_outputs: int
    skip: bool
    runs: tuple[tuple[Run, ...], ...] = field(init=False, repr=False, compare=False)
    """The bases of each layer, grouped where equal ones stand side by side."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", tuple(_runs(bases) for bases in self.layers))

    @property
    def depth(self) -> int:
        """Number of images sublayers."""
        return len(self.layers)

    @property
    def num_leaves(self) -> int:
        """Inputs and constants."""
        return self.num_inputs + self.num_constants

    def num_arguments(self, layer: int) -> int:
        """P-nodes of a softmax; layer `depth` is the output's."""
        return self.num_outputs if layer == self.depth else arity_of(self.layers[layer])

    def num_sources(self, layer: int) -> int:
        """Edges of each P-node of a softmax."""
        return self.num_leaf_sources(layer) + sum(
            len(self.layers[earlier]) for earlier in self.image_sources(layer)
        )

    def num_leaf_sources(self, layer: int) -> int:
        """How many of the edges lead to inputs and constants."""
        return self.num_leaves if self.skip or layer == 0 else 0

    def image_sources(self, layer: int) -> range:
        """The layers to whose images the edges of a softmax can lead, oldest first."""
        return range(0 if self.skip else max(layer - 1, 0), layer)

    def image_slices(self, layer: int) -> list[tuple[int, slice]]:
        """Where the images of each earlier layer lie among a softmax's sources."""
        slices, start = [], self.num_leaf_sources(layer)
        for earlier in self.image_sources(layer):
            slices.append((earlier, slice(start, start + len(self.layers[earlier]))))
            start += len(self.layers[earlier])
        return slices

    def locate(self, layer: int, source: int) -> tuple[int | None, int]:
        """What a source index means: (None, leaf index) or (layer, image index)."""
        if source < self.num_leaf_sources(layer):
            return None, source
        for earlier, place in self.image_slices(layer):
            if place.start <= source < place.stop:
                return earlier, source - place.start
        raise IndexError(f"softmax {layer} has {self.num_sources(layer)} sources, got {source}")

    def num_free_constants(self, layer: int) -> int:
        return sum(basis.num_constants for basis in self.layers[layer])


def _runs(bases: Sequence[Basis]) -> tuple[Run, ...]:
    runs, argument, constant = [], 0, 0
    for basis, members in groupby(bases):
        count = len(list(members))
        arguments = slice(argument, argument + count * basis.arity)
        constants = slice(constant, constant + count * basis.num_constants)
        runs.append(Run(basis, count, arguments, constants))
        argument, constant = arguments.stop, constants.stop
    return tuple(runs)
