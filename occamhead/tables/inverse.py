"""What an input of a formula must have been for the formula to give some values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Affine, Apply, Expression, Input

Array: TypeAlias = NDArray[np.float64]

# Functions of one argument: their inverse on the branch of the least values, and whether there
# are others.
INVERSES: dict[str, tuple[Callable[[Array], Array], bool]] = {
    "exp": (np.log, False),
    "log": (np.exp, False),
    "tanh": (np.arctanh, False),
    "sigmoid": (lambda y: np.log(y / (1 - y)), False),
    "sin": (np.arcsin, True),
    "cos": (np.arccos, True),
    "abs": (lambda y: np.where(y >= 0, y, np.nan), True),
}


def inverse(formula: Expression, place: int, x: Array, y: Array) -> tuple[Array, bool] | None:
    """Values of an input that give y, the other inputs as they are; NaN where there are none.

    Args:
        formula: Of one output.
        place: Which input.
        x: Inputs, [rows, inputs].
        y: Wanted values, [rows].

    Returns:
        The values, [rows], and whether others would do; None where the input stands at more than
        one place, or in what cannot be undone.
    """
    nodes = formula.nodes
    (start,) = (i for i, node in enumerate(nodes) if node == Input(place))
    above: dict[int, list[int]] = {i: [] for i in range(len(nodes))}
    for i, node in enumerate(nodes):
        for child in node.children:
            above[child].append(i)
    path = [start]
    while path[-1] != formula.outputs[0]:
        if len(above[path[-1]]) != 1:
            return None
        path += above[path[-1]]
    wanted, several = np.array(y, np.float64), False
    with np.errstate(all="ignore"):
        for index, child in zip(path[:0:-1], path[-2::-1], strict=True):
            node = nodes[index]
            if isinstance(node, Affine):
                own = sum(c for c, each in node.terms if each == child)
                rest = sum(c * _values(formula, each, x) for c, each in node.terms if each != child)
                wanted = (wanted - node.constant - rest) / own
                continue
            assert isinstance(node, Apply)
            undone = _undone(formula, node, child, x, wanted)
            if undone is None:
                return None
            wanted, more = undone
            several |= more
    return np.where(np.isfinite(wanted), wanted, np.nan), several


def _undone(
    formula: Expression, node: Apply, child: int, x: Array, wanted: Array
) -> tuple[Array, bool] | None:
    """What a child of an operator must be for this to give what is wanted."""
    if node.operator in INVERSES:
        undo, several = INVERSES[node.operator]
        return undo(wanted), several
    if node.operator not in ("mul", "div", "pow") or node.children[0] == node.children[1]:
        return None
    first = node.children[0] == child
    other = _values(formula, node.children[1] if first else node.children[0], x)
    if node.operator == "mul":
        return wanted / other, False
    if node.operator == "div":
        return (wanted * other if first else other / wanted), False
    if not first:
        return np.log(wanted) / np.log(other), False
    odd = np.abs(other % 2) == 1
    root = np.abs(wanted) ** (1 / other)
    return np.where(wanted >= 0, root, np.where(odd, -root, np.nan)), bool((other % 2 == 0).any())


def _values(formula: Expression, node: int, x: Array) -> Array:
    """Values of a node, [rows]."""
    part = Expression(formula.nodes[: node + 1], (node,), formula.num_inputs)
    return np.asarray(part(x)[:, 0], np.float64)
