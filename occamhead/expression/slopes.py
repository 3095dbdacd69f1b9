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


class Tape:
    """The first output of a formula as a function of its numbers.

    Args:
        graph: The formula.
        x: Inputs, [rows, inputs].

    Attributes:
        numbers: Those of the formula, as :func:`occamhead.expression.numbers.numbers` counts them.
    """

    def __init__(self, graph: Graph, x: Array) -> None:
        self.graph, self.columns, self.rows = graph, x.T, len(x)
        self.numbers: list[float] = []
        for node in graph.nodes:
            match node:
                case Constant(value):
                    self.numbers.append(value)
                case Affine(constant, terms):
                    self.numbers += [*(coefficient for coefficient, _ in terms), constant]

    def values(self, numbers: Sequence[float]) -> Array:
        """Values with these numbers, [rows]."""
        return self._run(numbers, ())[0]

    def slopes(self, numbers: Sequence[float], places: Sequence[int]) -> tuple[Array, Array]:
        """Values with these numbers [rows] and slopes along some of them [places, rows].

        They are not finite where the formula is not.
        """
        values, slopes = self._run(numbers, places)
        return values, np.zeros((len(places), self.rows)) if slopes is None else slopes

    def _run(self, numbers: Sequence[float], places: Sequence[int]) -> tuple[Array, Array | None]:
        parameter = {place: number for number, place in enumerate(places)}
        place = 0
        values: list[Array] = []
        slopes: list[Array | None] = []

        def along(place: int, slope: Array | float, onto: Array | None) -> Array | None:
            if place not in parameter:
                return onto
            onto = np.zeros((len(parameter), self.rows)) if onto is None else onto
            onto[parameter[place]] += slope
            return onto

        with np.errstate(all="ignore"):
            for node in self.graph.nodes:
                slope: Array | None = None
                match node:
                    case Input(index):
                        value = self.columns[index]
                    case Constant():
                        value = np.full(self.rows, numbers[place])
                        slope = along(place, 1.0, slope)
                        place += 1
                    case Affine(_, terms):
                        value = np.full(self.rows, numbers[place + len(terms)])
                        for _, child in terms:
                            value = value + numbers[place] * values[child]
                            slope = _plus(slope, numbers[place], slopes[child])
                            slope = along(place, values[child], slope)
                            place += 1
                        slope = along(place, 1.0, slope)
                        place += 1
                    case Apply(name, children):
                        arguments = [values[child] for child in children]
                        value = np.asarray(get_operator(name).numpy(*arguments), np.float64)
                        inner = [slopes[child] for child in children]
                        if any(each is not None for each in inner):
                            outer = _outer(name, arguments, value)
                            for each, factor in zip(inner, outer, strict=True):
                                slope = _plus(slope, factor, each)
                values.append(value)
                slopes.append(slope)
        top = self.graph.outputs[0]
        return values[top], slopes[top]


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
