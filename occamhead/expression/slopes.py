"""Values of a formula and their slopes along its numbers: forward differentiation on rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import get_operator

Array: TypeAlias = NDArray[np.float64]

# Share of an argument by which it is moved where an operator has no slope of its own here.
STEP = 1e-6

# Slopes along each argument, from the arguments and the result.
SLOPES: dict[str, Callable[..., tuple[Array, ...]]] = {
    "mul": lambda a, b, _: (b, a),
    "div": lambda a, b, result: (1 / b, -result / b),
    "pow": lambda a, b, result: (b * a ** (b - 1), result * np.log(np.abs(a))),
    "abs": lambda a, _: (np.sign(a),),
    "sin": lambda a, _: (np.cos(a),),
    "cos": lambda a, _: (-np.sin(a),),
    "exp": lambda _, result: (result,),
    "log": lambda a, _: (1 / a,),
    "tanh": lambda _, result: (1 - result**2,),
    "sigmoid": lambda _, result: (result * (1 - result),),
}


def values_and_slopes(graph: Graph, x: Array, places: Sequence[int]) -> tuple[Array, Array]:
    """Values of the first output and their slopes along some of the formula's numbers.

    Args:
        graph: The formula.
        x: Inputs, [rows, inputs].
        places: Which numbers, as :func:`occamhead.expression.tidy.numbers` counts them.

    Returns:
        Values [rows] and slopes [places, rows]; not finite where the formula is not.
    """
    parameter = {place: number for number, place in enumerate(places)}
    rows, place = len(x), 0
    values: list[Array] = []
    slopes: list[Array | None] = []

    def along(place: int, slope: Array | float, onto: Array | None) -> Array | None:
        if place not in parameter:
            return onto
        onto = np.zeros((len(parameter), rows)) if onto is None else onto
        onto[parameter[place]] += slope
        return onto

    with np.errstate(all="ignore"):
        for node in graph.nodes:
            slope: Array | None = None
            match node:
                case Input(index):
                    value = x[:, index]
                case Constant(number):
                    value = np.full(rows, number)
                    slope = along(place, 1.0, slope)
                    place += 1
                case Affine(constant, terms):
                    value = np.full(rows, constant)
                    for coefficient, child in terms:
                        value = value + coefficient * values[child]
                        slope = _plus(slope, coefficient, slopes[child])
                        slope = along(place, values[child], slope)
                        place += 1
                    slope = along(place, 1.0, slope)
                    place += 1
                case Apply(name, children):
                    arguments = [values[child] for child in children]
                    value = np.asarray(get_operator(name).numpy(*arguments), np.float64)
                    inner = [slopes[child] for child in children]
                    if any(each is not None for each in inner):
                        for each, outer in zip(inner, _outer(name, arguments, value), strict=True):
                            slope = _plus(slope, outer, each)
            values.append(value)
            slopes.append(slope)
    top = graph.outputs[0]
    total = slopes[top]
    return values[top], np.zeros((len(parameter), rows)) if total is None else total


def _plus(onto: Array | None, factor: Array | float, slope: Array | None) -> Array | None:
    if slope is None:
        return onto
    return factor * slope if onto is None else onto + factor * slope


def _outer(name: str, arguments: list[Array], value: Array) -> tuple[Array, ...]:
    """Slopes of an operator along its arguments; by differences where none is known."""
    if name in SLOPES:
        return SLOPES[name](*arguments, value)
    operator, found = get_operator(name), []
    for number, argument in enumerate(arguments):
        step = STEP * np.maximum(np.abs(argument), STEP)
        up, down = list(arguments), list(arguments)
        up[number], down[number] = argument + step, argument - step
        found.append((operator.numpy(*up) - operator.numpy(*down)) / (2 * step))
    return tuple(found)
