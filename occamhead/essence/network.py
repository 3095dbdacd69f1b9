"""The circuit that an essence network is, its price, and the network as a torch module."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from occamhead.essence.covers import NEURON_PRICE, planes_price


@dataclass(frozen=True)
class Circuit:
    """Differentiae (half-spaces), subconcepts (ANDs of them) and concepts (ORs of those).

    A row's class is the lowest of which some subconcept is true.

    Attributes:
        weights: [differentiae, inputs] int64.
        bias: [differentiae] float64, whole or half numbers; differentia d is true where
            ``weights[d] @ x + bias[d] > 0``.
        literals: Per subconcept, the pairs (differentia, whether it must be true or false) that
            must all hold; none is always true.
        concepts: Per subconcept, its class.
        classes: Number of classes.
        default: Class of rows of which no subconcept is true.

    Source: the layers and their names are those of Blazek & Lin, Nat Comput Sci 1, 607-618, 2021.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.float64]
    literals: tuple[tuple[tuple[int, bool], ...], ...]
    concepts: tuple[int, ...]
    classes: int
    default: int

    @property
    def inputs(self) -> int:
        return int(self.weights.shape[1])

    def differentiae(self, x: ArrayLike) -> NDArray[np.bool_]:
        """On which rows of x, [rows, inputs], which half-space holds: [rows, differentiae]."""
        rows = np.asarray(x)
        if rows.ndim != 2 or rows.shape[1] != self.inputs:
            raise ValueError(
                f"the circuit takes rows of {self.inputs} inputs, got shape {rows.shape}"
            )
        if rows.dtype.kind in "bu":
            rows = rows.astype(np.int64)  # or small unsigned sums would wrap around
        return np.asarray(rows @ self.weights.T + self.bias > 0)

    def subconcepts(self, x: ArrayLike) -> NDArray[np.bool_]:
        """On which rows which subconcept is true: [rows, subconcepts]."""
        true = self.differentiae(x)
        held = np.ones((len(true), len(self.literals)), dtype=bool)
        for s, literals in enumerate(self.literals):
            for d, wanted in literals:
                held[:, s] &= true[:, d] == wanted
        return held

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """The class of each row, [rows]."""
        held = self.subconcepts(x)
        label = np.full(len(held), self.classes, dtype=np.int64)
        for s, concept in enumerate(self.concepts):
            label[held[:, s]] = np.minimum(label[held[:, s]], concept)
        return np.where(label == self.classes, self.default, label)


def description_length(circuit: Circuit) -> float:
    """Price of a circuit: 4 per distinct column of input weights, 2 per neuron, and the numbers.

    The neurons are differentiae and subconcepts. A weight w costs log2(1 + abs(w)), once per
    direction and distinct column: exchangeable inputs cost no more than one of them, and parallel
    hyperplanes no more weights than one. A bias b costs log2(1 + abs(b)), per differentia.

    Source: design of ours, after the principle of minimum description length (Rissanen 1978).
    """
    neurons = len(circuit.weights) + len(circuit.literals)
    numbers = planes_price(circuit.weights, circuit.bias) if len(circuit.weights) else 0.0
    return NEURON_PRICE * neurons + numbers


class EssenceNetwork(nn.Module):
    """A circuit as three linear layers with steps between them.

    In ``eval()`` mode the scores are whole numbers and their argmax is ``circuit.predict``. In
    ``train()`` mode the steps are sigmoids, so that gradients reach what computes the inputs; the
    layers themselves are buffers.

    Args:
        circuit: What to compute.
        slope: Beta, the slope of the sigmoids' argument.

    Shape:
        Input [rows, inputs], whole numbers, whose weighted sums must stay below 2**24 to be
        exact in float32; output [rows, classes], 0 to 2.

    Differs from the paper: a sigmoid where Blazek & Lin (2021) have tanh of slope 8: equal but
    for scales and offset.
    """

    weight: Tensor
    bias: Tensor
    conjunction: Tensor
    conjunction_bias: Tensor
    disjunction: Tensor
    scale: Tensor
    offset: Tensor

    def __init__(self, circuit: Circuit, slope: float = 8.0) -> None:
        super().__init__()
        if not slope > 0:
            raise ValueError(f"slope must be positive, got {slope}")
        self.slope = slope
        conjunction = np.zeros((len(circuit.literals), len(circuit.weights)))
        for s, literals in enumerate(circuit.literals):
            for d, wanted in literals:
                conjunction[s, d] = 1 if wanted else -1
        disjunction = np.zeros((circuit.classes, len(circuit.literals)))
        disjunction[list(circuit.concepts), np.arange(len(circuit.literals))] = 1
        # A class that holds scores 2, others 0; the default class scores 1 where it does not hold.
        is_default = np.arange(circuit.classes) == circuit.default
        for name, values in {
            "weight": circuit.weights,
            "bias": circuit.bias,
            "conjunction": conjunction,
            "conjunction_bias": 0.5 - (conjunction > 0).sum(axis=1),
            "disjunction": disjunction,
            "scale": np.where(is_default, 1, 2),
            "offset": is_default,
        }.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)
        differentiae = self._step(nn.functional.linear(x, self.weight, self.bias))
        subconcepts = self._step(
            nn.functional.linear(differentiae, self.conjunction, self.conjunction_bias)
        )
        concepts = self._step(nn.functional.linear(subconcepts, self.disjunction) - 0.5)
        return concepts * self.scale + self.offset

    def _step(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.slope * x) if self.training else (x > 0).to(x.dtype)
