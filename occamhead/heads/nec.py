"""NEC: how many numbers of a row each class's score really depends on.

The number of effective concepts of a head is the mean number of weights per class that are not
zero; published heads are compared at equal NEC.

Source: Srivastava et al. 2024, VLG-CBM (NeurIPS, arXiv 2408.01432).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from occamhead.expression import Expression
from occamhead.heads.base import SymbolicHead


@dataclass(frozen=True)
class Nec:
    """The features that each class of a head reads, counted.

    Args:
        per_class: Of each class; two classes share one score, and so have the same number.
    """

    per_class: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The NEC: features of a class in the mean."""
        return sum(self.per_class) / len(self.per_class)

    @property
    def most(self) -> int:
        """Features of the class that reads most."""
        return max(self.per_class)

    def per_decision(self, predicted: Tensor) -> float:
        """Features that the predicted class's formula reads, in the mean of some rows.

        Args:
            predicted: Index of the class that each row was given, [rows], at least one.
        """
        return torch.tensor(self.per_class)[predicted].double().mean().item()


def nec_of(head: Any) -> Nec:
    """Count the features that each class of a head reads.

    A formula reads the features that are left in it. A linear layer reads those whose weight is not
    zero, however small it may be.

    Args:
        head: A head of this package, an :class:`Expression` of a score for each class, or a module
            with `weight` [classes, features], such as ``nn.Linear``; of one row where its score
            tells two classes apart.

    Raises:
        TypeError: If it is none of these.
        ValueError: If a weight is not a number.

    Example:
        >>> import torch
        >>> from occamhead import nec_of
        >>> layer = torch.nn.Linear(4, 3)
        >>> with torch.no_grad():
        ...     _ = layer.weight.copy_(torch.tensor([[1.0, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]]))
        >>> nec_of(layer)
        Nec(per_class=(2, 0, 1))
    """
    # Numbers, and labels of which a row may have several, have a score each.
    of_classes = not isinstance(head, SymbolicHead) or head.loss == "cross_entropy"
    formula = head.formula() if isinstance(head, SymbolicHead) else head
    if isinstance(formula, Expression):
        reads = [set(formula[k].features) for k in range(len(formula))]
    else:
        reads = [set(row.nonzero().flatten().tolist()) for row in weight_of(formula)]
    if of_classes and len(reads) <= 2:
        return Nec((len(set().union(*reads)),) * 2)
    return Nec(tuple(len(features) for features in reads))


def weight_of(head: Any) -> Tensor:
    """The weights of a linear layer, [classes, features]; errors as :func:`nec_of` has them."""
    weight = getattr(head, "weight", None)
    if not isinstance(head, nn.Module) or not isinstance(weight, Tensor) or weight.dim() != 2:
        found = "" if weight is None else f" with weight {list(getattr(weight, 'shape', ()))}"
        raise TypeError(
            "wanted a head of occamhead, an Expression, or a module with weight [classes,"
            f" features], got {type(head).__name__}{found}; of a model take its last layer, such as"
            " model.fc"
        )
    if weight.isnan().any():
        raise ValueError(f"{int(weight.isnan().sum())} weights are NaN; fit the layer again")
    return weight.detach()
