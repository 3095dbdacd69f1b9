"""Classes that a head tells apart by one feature: its formulas differ in no other.

Source of the question: Norrenbrock et al. 2025, QPM (ICLR), whose classes read the same number of
features of one pool, and are explained by the pairs that share all but one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Affine, Expression, Input
from occamhead.heads.base import SymbolicHead
from occamhead.heads.nec import weight_of

# How a class may read a feature, besides with a sign: as a part of something else.
INSIDE = 2


@dataclass(frozen=True)
class Neighbours:
    """Two classes whose formulas read the same features but for one.

    Args:
        first, second: The classes, the lower one first.
        first_reads: The feature that the first reads and the second does not, or not with this
            sign; None if there is none.
        second_reads: The same of the second. Both are one feature where the classes read it with
            another sign, and None where nothing but numbers tells them apart.
    """

    first: int
    second: int
    first_reads: int | None
    second_reads: int | None


def one_feature_apart(head: Any) -> list[Neighbours]:
    """The pairs of classes whose formulas differ in one feature, or in numbers alone.

    They do if one class reads a feature that the other does not, or reads it with another sign, or
    reads another feature in its place. What matters of a weight is its sign; of a feature that
    stands within something else, such as a product, only that it is read.

    Args:
        head: A head of this package, an :class:`Expression` of a score for each class, or a module
            with `weight` [classes, features], such as ``nn.Linear``. Two classes share one score:
            they are no pair.

    Returns:
        The pairs in the order of their classes.

    Raises:
        TypeError, ValueError: See :func:`occamhead.nec_of`.

    Example:
        >>> from occamhead import Expression
        >>> from occamhead.heads.neighbours import one_feature_apart
        >>> head = Expression.parse(["x0 + x1", "x0 + 2*x2", "x3"], num_inputs=4)
        >>> one_feature_apart(head)
        [Neighbours(first=0, second=1, first_reads=1, second_reads=2)]
    """
    codes = codes_of(head)
    if len(codes) < 3:
        return []
    reads = (codes != 0).astype(np.float32)
    common = reads @ reads.T
    alike = sum(
        part @ part.T for part in ((codes == code).astype(np.float32) for code in (-1, 1, INSIDE))
    )
    more = reads.sum(axis=1)[:, None] - common  # features that the first alone reads
    otherwise = common - alike
    near = (more + otherwise <= 1) & (more.T + otherwise <= 1)
    pairs = np.argwhere(np.triu(near, 1)).tolist()
    return [_pair(codes, first, second) for first, second in pairs]


def codes_of(head: Any) -> NDArray[np.int8]:
    """How each class reads each feature, [classes, features].

    It is 0 where a class does not, the sign of its weight where it stands in a sum, by itself or as
    the one feature of a function such as a root, and :data:`INSIDE` elsewhere.
    """
    formula = head.formula() if isinstance(head, SymbolicHead) else head
    if not isinstance(formula, Expression):
        return weight_of(formula).sign().to("cpu").numpy().astype(np.int8)
    codes = np.zeros((len(formula), formula.num_inputs), dtype=np.int8)
    for k in range(len(formula)):
        own = formula[k]
        weights: dict[int, float] = {}
        for weight, features in _summands(own, own.outputs[0], 1.0):
            if len(features) == 1 and features[0] not in weights:
                weights[features[0]] = weight
            else:
                weights |= dict.fromkeys(features, np.nan)
        for feature in own.features:
            weight = weights[feature]
            codes[k, feature] = INSIDE if np.isnan(weight) else np.sign(weight)
    return codes


def _summands(own: Expression, position: int, weight: float) -> Iterator[tuple[float, list[int]]]:
    """The terms of a sum, and of sums within it: the weight and the features of each."""
    node = own.nodes[position]
    if isinstance(node, Affine):
        for coefficient, child in node.terms:
            yield from _summands(own, child, weight * coefficient)
    elif isinstance(node, Input):
        yield weight, [node.index]
    else:
        inner = Expression(own.nodes, (position,), own.num_inputs, own.names)[0]  # no other nodes
        yield weight, list(inner.features)


def _pair(codes: NDArray[np.int8], first: int, second: int) -> Neighbours:
    differ = np.flatnonzero(codes[first] != codes[second])
    reads = ([int(f) for f in differ if codes[k, f]] for k in (first, second))
    return Neighbours(first, second, *(own[0] if own else None for own in reads))
