"""The circuit that an essence network is, its price, and the network as a torch module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from occamhead.essence.covers import NEURON_PRICE, planes_price
from occamhead.expression.derived import Derived

# Score of a class without subconcepts, where others have the number of literals that hold.
NO_SUBCONCEPT = -1


@dataclass(frozen=True)
class Circuit:
    """Differentiae (half-spaces), subconcepts (ANDs of them) and concepts (ORs of those).

    A row's class is the lowest of which some subconcept is true. Where none is, it is `default`,
    or, if that is None, the class of the subconcept that comes nearest: the one of which fewest
    literals fail, of equals the lowest class.

    Attributes:
        weights: [differentiae, inputs] int64; float64 where inputs are real.
        bias: [differentiae] float64, whole or half numbers where weights are whole; differentia d
            is true where ``weights[d] @ x + bias[d] > 0``.
        literals: Per subconcept, the pairs (differentia, whether it must be true or false) that
            must all hold; none is always true.
        concepts: Per subconcept, its class.
        classes: Number of classes.
        default: Class of rows of which no subconcept is true; None takes the nearest one's.

    Source: the layers and their names are those of Blazek & Lin, Nat Comput Sci 1, 607-618, 2021.
    Differs from the paper: the nearest subconcept is that of fewest failing literals, a whole
    number, where the paper weighs analogue outputs.
    """

    weights: NDArray[Any]
    bias: NDArray[np.float64]
    literals: tuple[tuple[tuple[int, bool], ...], ...]
    concepts: tuple[int, ...]
    classes: int
    default: int | None

    def __post_init__(self) -> None:
        if self.default is None and not self.concepts:
            raise ValueError("a circuit without a default class needs at least one subconcept")

    @property
    def most_literals(self) -> int:
        """Literals of the subconcept that has most."""
        return max(map(len, self.literals), default=0)

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

    def failing(self, x: ArrayLike) -> NDArray[np.int64]:
        """How many literals of each subconcept fail on each row: [rows, subconcepts]."""
        true = self.differentiae(x)
        count = np.zeros((len(true), len(self.literals)), dtype=np.int64)
        for s, literals in enumerate(self.literals):
            for d, wanted in literals:
                count[:, s] += true[:, d] != wanted
        return count

    def subconcepts(self, x: ArrayLike) -> NDArray[np.bool_]:
        """On which rows which subconcept is true: [rows, subconcepts]."""
        return np.asarray(self.failing(x) == 0)

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """The class of each row, [rows]."""
        failing = self.failing(x)
        # Without a default there is at least one subconcept, so that the nearest is among them.
        nearest = failing.min(axis=1, keepdims=True) if self.default is None else 0
        label = np.where(failing == nearest, self.concepts, self.classes)
        lowest = label.min(axis=1, initial=self.classes)
        return np.where(lowest == self.classes, self.default or 0, lowest)


def description_length(circuit: Circuit) -> float:
    """Price of a circuit: 4 per distinct column of input weights, 2 per neuron, and the numbers.

    The neurons are differentiae and subconcepts. A weight w costs log2(1 + abs(w)), once per
    direction and distinct column: exchangeable inputs cost no more than one of them, and parallel
    hyperplanes no more weights than one. A bias b costs log2(1 + abs(b)), per differentia.

    Raises:
        ValueError: If the weights are not whole.

    Source: design of ours, after the principle of minimum description length (Rissanen 1978).
    """
    if circuit.weights.dtype.kind == "f":
        raise ValueError(
            "only circuits of whole weights have a length; this one's are real numbers"
        )
    neurons = len(circuit.weights) + len(circuit.literals)
    numbers = planes_price(circuit.weights, circuit.bias) if len(circuit.weights) else 0.0
    return NEURON_PRICE * neurons + numbers


class EssenceNetwork(Derived):
    """A circuit as linear layers with steps between them.

    In ``eval()`` mode the scores are whole numbers and their argmax is ``circuit.predict``. In
    ``train()`` mode the steps are sigmoids, so that gradients reach what computes the inputs; the
    layers themselves are fixed.

    Args:
        circuit: What to compute.
        slope: Beta, the slope of the sigmoids' argument.
        dtype: Dtype of the numbers; None takes torch's default.
        device: Where the numbers are; None takes torch's default.

    Shape:
        Input [..., inputs]; where they are whole numbers, weighted sums must stay below 2**24 to
        be exact in float32. Output [..., classes]: 0 to 2, or, of a circuit without a default
        class, how many literals hold in the class's nearest subconcept; one of fewer literals than
        others is credited with those that it lacks.

    Differs from the paper: a sigmoid where Blazek & Lin (2021) have tanh of slope 8: equal but
    for scales and offset.
    """

    weight: Tensor
    bias: Tensor
    conjunction: Tensor
    required: Tensor
    concepts: Tensor

    def __init__(
        self,
        circuit: Circuit,
        slope: float = 8.0,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(dtype, device)
        if not slope > 0:
            raise ValueError(f"slope must be positive, got {slope}")
        self.slope, self.circuit = slope, circuit
        self.classes, self.default = circuit.classes, circuit.default
        self.most_literals = circuit.most_literals
        self.derived()

    def derive(self) -> None:
        circuit = self.circuit
        conjunction = np.zeros((len(circuit.literals), len(circuit.weights)))
        for s, literals in enumerate(circuit.literals):
            for d, wanted in literals:
                conjunction[s, d] = 1 if wanted else -1
        for name, values in {
            "weight": circuit.weights,
            "bias": circuit.bias,
            "conjunction": conjunction,
            "required": (conjunction > 0).sum(axis=1),
        }.items():
            setattr(self, name, torch.tensor(values, dtype=self.dtype, device=self.device))
        self.concepts = torch.tensor(circuit.concepts, dtype=torch.long, device=self.device)

    def forward(self, x: Tensor) -> Tensor:
        return self.soft(x) if self.training else self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        """The circuit's scores, whatever the mode."""
        return self._scores(x, _step)

    def soft(self, x: Tensor) -> Tensor:
        """The scores with sigmoids for steps, whatever the mode."""
        return self._scores(x, lambda sums: torch.sigmoid(self.slope * sums))

    def _scores(self, x: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
        differentiae = step(nn.functional.linear(x.to(self.weight.dtype), self.weight, self.bias))
        # Minus the number of literals that fail.
        nearness = nn.functional.linear(differentiae, self.conjunction, -self.required)
        if self.default is None:
            return self._by_class("amax", self.most_literals + nearness, NO_SUBCONCEPT)
        subconcepts = step(nearness + 0.5)
        concepts = step(self._by_class("sum", subconcepts, 0.0) - 0.5)
        # A class that holds scores 2, others 0; the default class scores 1 where it does not hold.
        is_default = torch.arange(self.classes, device=x.device) == self.default
        return torch.where(is_default, concepts + 1, 2 * concepts)

    def _by_class(self, reduce: str, subconcepts: Tensor, empty: float) -> Tensor:
        """Reduce subconcepts [..., subconcepts] to their classes [..., classes]."""
        start = subconcepts.new_full((*subconcepts.shape[:-1], self.classes), empty)
        return start.scatter_reduce(-1, self.concepts.expand_as(subconcepts), subconcepts, reduce)


def _step(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)
