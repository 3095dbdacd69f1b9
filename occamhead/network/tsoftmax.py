"""TSoftmaxLinear: a linear layer that sees its inputs through temperature-controlled choices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.checks import check_counts, check_temperature
from occamhead.expression import Expression, ExpressionBuilder


class TSoftmaxLinear(nn.Module):
    """P-nodes, each the mean of all features under a T-softmax of its own; then a linear layer.

    A P-node is a convex combination of features, so the linear layer works on few numbers of the
    features' own scale: the connectivity regularises. As the temperature falls each P-node comes
    to take one feature, and the layer becomes the sparse one that :meth:`formula` prints; at
    T = 1, with which the paper trains, it is a dense layer still.

    Args:
        in_features: Number of features.
        out_features: Number of scores.
        nodes: Number of P-nodes; None takes as many as features.
        temperature: T of every softmax at the start.

    Shape:
        Input [..., in_features]; output [..., out_features].

    Raises:
        ValueError: On a size below 1, or a temperature that is not positive and finite.

    Example:
        >>> import torch
        >>> from occamhead.network import TSoftmaxLinear
        >>> layer = TSoftmaxLinear(in_features=8, out_features=2, nodes=4)
        >>> layer(torch.randn(5, 8)).shape
        torch.Size([5, 2])
        >>> len(layer.formula().features) <= 4
        True

    Source: Costa et al. 2021 (arXiv 2007.10784v2), supplement K.B, which states neither the number
    of P-nodes nor their start. Here each begins with half of its weight on a feature of its own,
    as far as they go round: from equal weights all P-nodes would be the same mean of all features.
    """

    temperature: Tensor
    start_temperature: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        nodes: int | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        nodes = in_features if nodes is None else nodes
        check_counts(in_features=in_features, out_features=out_features, nodes=nodes)
        check_temperature(temperature=temperature)
        self.in_features, self.out_features, self.nodes = in_features, out_features, nodes
        self.logits = nn.Parameter(torch.empty(nodes, in_features))
        self.linear = nn.Linear(nodes, out_features)
        self.register_buffer("start_temperature", torch.tensor(float(temperature)))
        self.register_buffer("temperature", torch.tensor(float(temperature)))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the linear layer anew, and give every P-node its own feature back."""
        self.linear.reset_parameters()
        self.temperature.copy_(self.start_temperature)
        self.logits.zero_()
        own = torch.arange(self.nodes, device=self.logits.device)
        # Spread over all features where there are fewer P-nodes.
        own = own * self.in_features // self.nodes if self.nodes < self.in_features else own
        others = math.log(max(1, self.in_features - 1))
        self.logits[torch.arange(self.nodes), own % self.in_features] = others * self.temperature

    def connections(self) -> Tensor:
        """The weight of each feature in each P-node, [nodes, in_features]; rows sum to 1."""
        return torch.softmax(self.logits / self.temperature, dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.in_features:
            raise ValueError(
                f"expected features of shape [..., {self.in_features}], got {tuple(x.shape)}"
            )
        # The smaller product first: one matrix for all rows, not all P-nodes for every row.
        return F.linear(x, self.linear.weight @ self.connections(), self.linear.bias)

    @torch.no_grad()
    def anneal(self, progress: float, end: float) -> None:
        """Lower the temperature geometrically from its start to `end`; progress from 0 to 1."""
        check_temperature(end=end)
        progress = min(max(progress, 0.0), 1.0)
        start = self.start_temperature
        self.temperature.copy_(start * (end / start) ** progress)

    @torch.no_grad()
    def formula(self, names: Sequence[str] | None = None, digits: int = 4) -> Expression:
        """The layer as the temperature goes to zero: each P-node takes its most probable feature.

        Args:
            names: Names of the features; by default x0, x1, ...
            digits: Significant digits of its numbers.
        """
        check_counts(digits=digits)
        chosen = self.logits.argmax(dim=-1).tolist()
        builder = ExpressionBuilder()
        outputs = [
            builder.affine(bias, [(w, builder.input(i)) for w, i in zip(row, chosen, strict=True)])
            for row, bias in zip(
                self.linear.weight.tolist(), self.linear.bias.tolist(), strict=True
            )
        ]
        return builder.build(outputs, self.in_features, names).simplified().rounded(digits)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features},"
            f" nodes={self.nodes}, temperature={self.temperature.item():.4g}"
        )
