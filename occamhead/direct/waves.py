"""Waves on a grid of frequencies: those that keep their height, and those that grow or fade."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.direct.pool import Pool
from occamhead.direct.transforms import Transform
from occamhead.expression import Expression, ExpressionBuilder

Array: TypeAlias = NDArray[np.float64]

# Steps of the frequency in a period over the rows, and most steps.
STEPS_PER_PERIOD, MOST_FREQUENCIES = 5, 1500

# Of waves that grow or fade: rates, over the range of the input; steps of the frequency in a
# period, and most periods.
RATES = np.concatenate([-np.geomspace(30, 0.3, 12), [0.0], np.geomspace(0.3, 10, 6)])
DAMPED_STEPS, MOST_PERIODS = 4, 25

# A sine and a cosine that the rows do not tell apart have moments of so small a share of their own.
RIDGE = 1e-12


def waves(pool: Pool, x: Array, target: Transform, most: int) -> Iterator[Expression]:
    """``a*m*sin(c*u) + b*m*cos(c*u) + d + e*u`` for a grid of frequencies c; m is 1 or an input.

    The frequency of least squares is found where the steps of the grid are shorter than its
    peak is wide: a fifth of a period over the range of u.

    Args:
        pool: Where the nodes go.
        x: Inputs, [rows, inputs].
        target: The target.
        most: Formulas to offer for each u.
    """
    builder, rows = pool.builder, len(x)
    inputs = [builder.input(i) for i in range(x.shape[1])]
    found: list[tuple[float, Expression]] = []
    for i, node in enumerate(inputs):
        u = x[:, i]
        reach = float(np.ptp(u))
        if not reach:
            continue
        count = min(STEPS_PER_PERIOD * rows // 3, MOST_FREQUENCIES)
        frequencies = np.arange(1.0, count + 1) * (2 * np.pi / (STEPS_PER_PERIOD * reach))
        base = np.linalg.qr(np.stack([np.ones(rows), (u - u.mean()) / reach], axis=1))[0]
        free = target.values - base @ (base.T @ target.values)
        for factor in (None, *range(x.shape[1])):
            m = np.ones(rows) if factor is None else x[:, factor]
            left = float(free @ free) - _explained(m, u, frequencies, free, base)[0]
            for best in _peaks(left, most):
                c = float(frequencies[best])
                formula = _steady(builder, inputs, node, factor, c, target)
                found.append((float(left[best]), builder.build([formula], x.shape[1])))
    found.sort(key=lambda pair: pair[0])
    yield from (formula for _, formula in found[: 3 * most])


def _explained(
    height: Array, u: Array, frequencies: Array, target: Array, base: Array | None = None
) -> tuple[Array, Array]:
    """Squares of a target that waves explain, and the heights of their sines and cosines.

    Args:
        height: What the wave is multiplied by, [rows].
        u: What it is a wave in, [rows].
        frequencies: [frequencies].
        target: [rows]; free of the base.
        base: Orthonormal columns that a fit has beside the wave, [rows, columns].

    Returns:
        [frequencies] and [frequencies, 2].
    """
    phases = frequencies[:, None] * u
    pair = np.stack([height * np.sin(phases), height * np.cos(phases)], axis=1)
    if base is not None:
        pair = pair - (pair @ base) @ base.T
    moments = np.einsum("fir,fjr->fij", pair, pair)
    ridge = RIDGE * np.trace(moments, axis1=1, axis2=2)[:, None, None] + 1e-300
    along = pair @ target
    numbers = np.linalg.solve(moments + ridge * np.eye(2), along[..., None])[..., 0]
    return np.einsum("fi,fi->f", along, numbers), numbers


def _peaks(left: Array, most: int) -> list[int]:
    """The lowest places that are lower than their neighbours."""
    padded = np.concatenate([[np.inf], left, [np.inf]])
    lower = np.flatnonzero((padded[1:-1] <= padded[:-2]) & (padded[1:-1] <= padded[2:]))
    return [int(place) for place in lower[np.argsort(left[lower])][:most]]


def _steady(
    builder: ExpressionBuilder,
    inputs: list[int],
    node: int,
    factor: int | None,
    c: float,
    target: Transform,
) -> int:
    scaled = builder.affine(0.0, [(c, node)])
    parts = [builder.apply(name, scaled) for name in ("sin", "cos")]
    if factor is not None:
        parts = [builder.apply("mul", inputs[factor], part) for part in parts]
    # Numbers to start from; all but c are linear.
    top = builder.affine(0.1, [(0.5, parts[0]), (0.4, parts[1]), (0.1, node)])
    return target.undo(builder, top)


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
        c = np.arange(1, DAMPED_STEPS * periods) * (2 * np.pi / (DAMPED_STEPS * reach))
        found = []
        for rate in RATES / reach:
            gain, numbers = _explained(np.exp(rate * (u - u.mean())), u, c, y)
            best = int(np.argmax(gain))
            b, a = numbers[best] * np.exp(-rate * u.mean())
            found.append((-float(gain[best]), float(rate), float(c[best]), float(a), float(b)))
        steady = next(each for each in found if each[1] == 0)
        fading = sorted(each for each in found if each[1] != 0)
        for _, rate, frequency, a, b in [*fading[: most - 1], steady]:
            if math.isfinite(a) and math.isfinite(b):  # far from the origin heights overflow
                yield _damped(x.shape[1], place, rate, frequency, a, b)


def _damped(inputs: int, place: int, rate: float, c: float, a: float, b: float) -> Expression:
    builder = ExpressionBuilder()
    u = builder.input(place)
    # a cos(v) + b sin(v) = A cos(v - atan2(b, a)); a phase of 0 would be no number.
    phase = -float(np.arctan2(b, a)) or 1e-3
    node = builder.apply("cos", builder.affine(phase, [(c, u)]))
    if rate:
        node = builder.apply("mul", builder.apply("exp", builder.affine(0.0, [(rate, u)])), node)
    size = float(np.hypot(a, b)) or 1.0
    return builder.build([builder.affine(0.0, [(size, node)])], inputs)


__all__ = ["damped_waves", "waves"]
