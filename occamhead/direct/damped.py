"""Waves that grow or fade, found on a grid of frequencies and rates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Rates, over the range of the input: fading and growing; steps of the frequency in a period, and
# most periods.
RATES = np.concatenate([-np.geomspace(30, 0.3, 12), [0.0], np.geomspace(0.3, 10, 6)])
STEPS_PER_PERIOD, MOST_PERIODS = 4, 25


def damped_waves(x: Array, y: Array, most: int = 2) -> Iterator[Expression]:
    """``a*exp(k*u)*cos(c*u + p)`` for each input u, with rough numbers, best first.

    Args:
        x: Inputs, [rows, inputs].
        y: Target, [rows].
        most: Formulas for each input; the last is a wave that keeps its height.
    """
    for place in range(x.shape[1]):
        u = x[:, place]
        reach = float(np.ptp(u))
        if not reach or len(u) < 5:
            continue
        periods = min(len(u) / 4, MOST_PERIODS)
        c = np.arange(1, STEPS_PER_PERIOD * periods) * (2 * np.pi / (STEPS_PER_PERIOD * reach))
        found = []
        for rate in RATES / reach:
            height = np.exp(rate * (u - u.mean()))
            pair = np.stack([height * np.cos(c[:, None] * u), height * np.sin(c[:, None] * u)], 1)
            moments = np.einsum("fir,fjr->fij", pair, pair)
            moments += 1e-12 * np.trace(moments, axis1=1, axis2=2)[:, None, None] * np.eye(2)
            moments += 1e-300 * np.eye(2)
            along = pair @ y
            numbers = np.linalg.solve(moments, along[..., None])[..., 0]
            gain = np.einsum("fi,fi->f", along, numbers)
            best = int(np.argmax(gain))
            a, b = numbers[best] * np.exp(-rate * u.mean())
            found.append((-float(gain[best]), float(rate), float(c[best]), float(a), float(b)))
        steady = next(each for each in found if each[1] == 0)
        fading = sorted(each for each in found if each[1] != 0)
        for _, rate, frequency, a, b in [*fading[: most - 1], steady]:
            if math.isfinite(a) and math.isfinite(b):  # far from the origin heights overflow
                yield _wave(x.shape[1], place, rate, frequency, a, b)


def _wave(inputs: int, place: int, rate: float, c: float, a: float, b: float) -> Expression:
    builder = ExpressionBuilder()
    u = builder.input(place)
    # a cos(v) + b sin(v) = A cos(v - atan2(b, a)); a phase of 0 would be no number.
    phase = -float(np.arctan2(b, a)) or 1e-3
    node = builder.apply("cos", builder.affine(phase, [(c, u)]))
    if rate:
        node = builder.apply("mul", builder.apply("exp", builder.affine(0.0, [(rate, u)])), node)
    size = float(np.hypot(a, b)) or 1.0
    return builder.build([builder.affine(0.0, [(size, node)])], inputs)
