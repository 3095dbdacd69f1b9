"""EssenceHead: a classifier head that is fitted without gradients and is a circuit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from occamhead.essence.fitting import Strategy, fit_circuit
from occamhead.essence.network import Circuit, EssenceNetwork


class EssenceHead(nn.Module):
    """A head whose classes are ORs of ANDs of whole-number half-spaces of the features.

    It is fitted in closed form by :meth:`fit`. In ``eval()`` mode it is the circuit; in
    ``train()`` mode the steps are sigmoids, so that a backbone can be trained through it.

    Args:
        in_features: Number of features, which take whole numbers.
        out_features: Number of classes.
        strategy: How classes are split; see :func:`occamhead.essence.fit_circuit`.
        min_support: Rows that a pattern needs to count.
        min_purity: Share of a pattern's rows that must carry its most frequent label.
        slope: Slope of the sigmoids in ``train()`` mode.

    Shape:
        Input [batch, in_features]; output [batch, out_features].

    Example:
        >>> rows = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> head = EssenceHead(2, 2).fit(rows, torch.tensor([0, 1, 1, 0])).eval()
        >>> head.predict(rows).tolist()
        [0, 1, 1, 0]
    """

    network: EssenceNetwork | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        strategy: Strategy = "shortest",
        min_support: int = 1,
        min_purity: float = 0.5,
        slope: float = 8.0,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ValueError(
                "in_features and out_features must be at least 1, got"
                f" {in_features} and {out_features}"
            )
        self.in_features, self.out_features = in_features, out_features
        self.strategy, self.slope = strategy, slope
        self.min_support, self.min_purity = min_support, min_purity
        self.circuit: Circuit | None = None
        self.network = None

    def fit(self, x: Tensor, y: Tensor) -> EssenceHead:
        """Learn the circuit of these rows; the head moves to their device.

        Args:
            x: Features, [rows, in_features], whole numbers.
            y: Class of each row, [rows], whole numbers.

        Raises:
            ValueError: On a wrong shape, or as :func:`occamhead.essence.fit_circuit` does.
        """
        self._check(x)
        circuit = fit_circuit(
            x.detach().cpu().numpy(),
            y.detach().cpu().numpy(),
            classes=self.out_features,
            min_support=self.min_support,
            min_purity=self.min_purity,
            strategy=self.strategy,
        )
        self._take(circuit)
        return self.to(x.device)

    def forward(self, x: Tensor) -> Tensor:
        """Scores, [batch, out_features]; those of ``eval()`` mode are 0, 1 or 2."""
        if self.network is None:
            raise ValueError("this head has no circuit yet; call fit(x, y) first")
        self._check(x)
        scores: Tensor = self.network(x)
        return scores

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """The class of each row, [batch]; of equal scores the lowest class."""
        scores: Tensor = self(x)
        return scores.argmax(dim=-1)

    def get_extra_state(self) -> dict[str, Any] | None:
        """The circuit in plain numbers, so that a state_dict holds it."""
        circuit = self.circuit
        if circuit is None:
            return None
        return {**vars(circuit), "weights": circuit.weights.tolist(), "bias": circuit.bias.tolist()}

    def set_extra_state(self, state: dict[str, Any] | None) -> None:
        if state is None:
            self.circuit = self.network = None
            return
        weights = np.array(state["weights"], dtype=np.int64).reshape(-1, self.in_features)
        bias = np.array(state["bias"], dtype=np.float64)
        self._take(Circuit(**{**state, "weights": weights, "bias": bias}))

    def _take(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.network = EssenceNetwork(circuit, self.slope).train(self.training)

    def _check(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.in_features:
            raise ValueError(
                f"the head takes rows of {self.in_features} features, got shape {tuple(x.shape)}"
            )
