"""Transforms of a target in which a law may be linear, and how a formula undoes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]
Undo: TypeAlias = Callable[[ExpressionBuilder, int], int]


@dataclass(frozen=True)
class Transform:
    """A target in another form.

    Args:
        values: The transformed target, [rows].
        undo: Builds the node of the target from that of the transformed one.
    """

    values: Array
    undo: Undo


def root_mean_square(values: Array) -> float:
    """Root of the mean square, of values of any size."""
    largest = float(np.abs(values).max())
    return largest * float(np.sqrt(np.mean((values / largest) ** 2))) if largest else 0.0


def _itself(builder: ExpressionBuilder, node: int) -> int:
    return node


def _inverse(builder: ExpressionBuilder, node: int) -> int:
    return builder.apply("div", builder.constant(1.0), node)


def _root(sign: float) -> Undo:
    def build(builder: ExpressionBuilder, node: int) -> int:
        root = builder.apply("pow", node, builder.constant(0.5))
        return builder.affine(0.0, [(sign, root)])

    return build


def _square(builder: ExpressionBuilder, node: int) -> int:
    return builder.apply("pow", node, builder.constant(2.0))


def _exponential(sign: float) -> Undo:
    def build(builder: ExpressionBuilder, node: int) -> int:
        return builder.affine(0.0, [(sign, builder.apply("exp", node))])

    return build


def _logarithm(builder: ExpressionBuilder, node: int) -> int:
    return builder.apply("log", node)


def transforms(y: Array) -> Iterator[Transform]:
    """The target, its inverse, square, square root, logarithm and exponential, where defined.

    Args:
        y: The target, [rows], of a size near 1.
    """
    yield Transform(y, _itself)
    nonzero = bool((y != 0).all())
    one_sign = nonzero and bool((y > 0).all() or (y < 0).all())
    sign = 1.0 if (y > 0).all() else -1.0
    if nonzero:
        yield Transform(1 / y, _inverse)
    if one_sign:
        root = _root(sign)
        yield Transform(y**2, root)
        yield Transform(np.log(np.abs(y)), _exponential(sign))
        yield Transform(1 / y**2, lambda builder, node: _inverse(builder, root(builder, node)))
    if one_sign and sign > 0:
        yield Transform(np.sqrt(y), _square)
    if np.abs(y).max() < 50:
        yield Transform(np.exp(y), _logarithm)


def shifted(y: Array) -> Iterator[Transform]:
    """The target, its square and its inverse, one less or more: a law may be 1 plus a product.

    Args:
        y: The target, [rows], in its own units.
    """
    forms: list[tuple[Array, Undo]] = [(y, _itself)]
    if (y > 0).all() or (y < 0).all():
        forms.append((y**2, _root(1.0 if y[0] > 0 else -1.0)))
    if (y != 0).all():
        forms.append((1 / y, _inverse))
    for values, undo in forms:
        for step in (-1.0, 1.0):

            def undone(
                builder: ExpressionBuilder, node: int, undo: Undo = undo, step: float = step
            ) -> int:
                return undo(builder, builder.affine(-step, [(1.0, node)]))

            yield Transform(values + step, undone)


def divided(form: Transform, values: Array, node: int) -> Transform:
    """A transform over a function of the inputs, given by its values [rows] and its node."""
    return Transform(
        form.values / values,
        lambda builder, inner: form.undo(builder, builder.apply("mul", node, inner)),
    )
