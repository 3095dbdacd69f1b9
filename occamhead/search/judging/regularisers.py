"""Penalties on trivial and on long functions (Costa et al. 2021, supplement E).

Besides trivial operations (phi) and operations that are trivial on the batch (psi) they count
constants and activation functions, which the supplement calls xi and gamma where it defines r[f],
and gamma and xi in its sections D and C. These sections say 0.15 for constants and 0.1 for
activation functions, as the authors' code has it; Table 4 has phi/psi/xi/gamma =
0.7/0.3/0.15/0.1, so the first order. Here they are named by what they count::

    Regularisation(phi=0.7, psi=0.3, activations=0.1, constants=0.15)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from occamhead.search.judging.function import Function, images_of, tree_uses

# Table 2 of the supplement: basis, cluster points, tolerance.
CLUSTERS: dict[str, tuple[tuple[float, ...], float]] = {
    "square": ((0.0,), 0.25),
    "cube": ((0.0,), 0.25),
    "sin": ((1.0, -1.0), 0.25),
    "cos": ((1.0, -1.0), 0.25),
    "pow_constant": ((1.0,), 0.5),
}
LARGEST_CLUSTER_PENALTY = 5.0


@dataclass(frozen=True)
class Regularisation:
    """Weights of the penalties; zero switches one off.

    Args:
        phi: Of trivial operations, see :func:`occamhead.search.judging.triviality.phi`.
        psi: Of trivial approximations, see :func:`cluster_penalty`.
        activations: Of each activation function.
        constants: Of each fitted constant.
        undefined: w_s of supplement F, between 0 and 1 there: a function with an undefined
            output has the fitness ``-w_s s``. It is no part of r[f].

    Raises:
        ValueError: If a weight is negative or not finite.
    """

    phi: float = 0.0
    psi: float = 0.0
    activations: float = 0.0
    constants: float = 0.0
    undefined: float = 0.0

    def __post_init__(self) -> None:
        for weight in fields(self):
            value = getattr(self, weight.name)
            if not 0 <= value < math.inf:
                name = f"the weight {weight.name}"
                raise ValueError(f"{name} must be finite and not negative (0 is off), got {value}")

    @property
    def active(self) -> bool:
        """Whether any weight is set."""
        return any(getattr(self, weight.name) for weight in fields(self))

    def penalty(self, function: Function, output: int, node_psi: Sequence[float]) -> float:
        """r[f] of one output, in units of s, the largest possible fitness.

        Args:
            function, output: Of which function, and which of its outputs.
            node_psi: Psi of each node of the function on the batch, see :func:`cluster_penalty`;
                it counts as often as the output's expression tree uses the node.

        Raises:
            ValueError: If `node_psi` has not one value for each node.
        """
        if len(node_psi) != len(function.nodes):
            nodes = len(function.nodes)
            raise ValueError(
                f"node_psi needs a value for each of {nodes} nodes, got {len(node_psi)}"
            )
        used = zip(tree_uses(function, output), node_psi, strict=True)
        total = self.complexity_penalty(function, output)
        total += self.psi * sum(uses * psi for uses, psi in used)
        if self.phi:
            # sympy is loaded by those who ask it.
            from occamhead.search.judging.triviality import phi

            total += self.phi * phi(function, output)
        return total

    def complexity_penalty(self, function: Function, output: int) -> float:
        """The part of r[f] that any function pays, by its length: activations and constants."""
        activations = count_activations(function, output)
        return self.activations * activations + self.constants * count_constants(function, output)


def count_activations(function: Function, output: int) -> int:
    """Activation functions of an output, a shared one as often as the tree uses it (section C)."""
    return sum(count for _, count in images_of(function, output))


def count_constants(function: Function, output: int) -> int:
    """Fitted constants of an output (section D); one that a shared node holds is one number."""
    return sum(len(image.constants) for image, _ in images_of(function, output))


def cluster_penalty(
    basis_name: str, outputs: NDArray[np.floating], inputs: NDArray[np.floating]
) -> float:
    """Psi of one node: how closely its outputs keep to a value at which the basis does nothing.

    For each cluster point a of Table 2 with ``|mean(outputs) - a|`` below its tolerance,
    ``min(5, 0.1 / |mean(outputs) - a|)``; for a sine also ``min(5, 0.05 / mean|outputs -
    inputs|)`` where that mean is below 0.1 (small angles).

    Args:
        basis_name: Name of the basis; one that the table lacks has no penalty.
        outputs, inputs: The node and its first argument on the batch, shape [rows].

    Returns:
        The penalty; 0 where a mean is undefined.

    Source: supplement E, section B. It writes the small-angle rule for single numbers; read here
    as the mean over the batch, as for the clusters. A product of an argument with itself counts
    as a square, since most of the paper's sets spell it so; the authors' code does not. That
    code also has 0.01 for square and cube, and asks every row of a power, not the mean; the text
    is followed.
    """
    with np.errstate(all="ignore"):
        if basis_name == "mul" and np.array_equal(outputs, inputs * inputs):
            basis_name = "square"
        if basis_name not in CLUSTERS:
            return 0.0
        points, tolerance = CLUSTERS[basis_name]
        mean = float(np.mean(outputs))
        total = sum(_severity(abs(mean - point), tolerance, 0.1) for point in points)
        if basis_name == "sin":
            distance = float(np.mean(np.abs(outputs - inputs)))
            total += _severity(distance, 0.1, 0.05)
    return total


def _severity(distance: float, tolerance: float, scale: float) -> float:
    if not distance < tolerance:
        return 0.0
    return scale / max(distance, scale / LARGEST_CLUSTER_PENALTY)
