"""Elementary functions whose loops the compiler vectorises: several times as fast as libm's calls.

Each scalar function is branch-free float64 arithmetic: reduce the argument, sum a Taylor series
whose remainder is below the rounding error, undo the reduction. Results are within 3 units in the
last place, with the IEEE values at infinities, NaN and zeros. Contracting products and sums into
one rounding is allowed here: it makes the reductions more exact.
"""

from __future__ import annotations

import math

import numba
import numpy as np

# 1.5 * 2**52: adding it rounds to a whole number, which is then in the low bits of the mantissa.
ROUNDING = 6755399441055744.0

# pi/2 and log(2) in parts short enough that their products with the whole numbers below are exact.
HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
LOG_TWO = (0.693147180559663, 2.8235290563031577e-13)
LARGEST_ANGLE = 1e5  # beyond it the reduction of sin and cos to [-pi/4, pi/4] loses digits

SMALLEST_NORMAL, MANTISSA_BITS = 2.2250738585072014e-308, 52
ROUNDING_BITS = int(np.float64(ROUNDING).view(np.int64))
ROOT_HALF_BITS = int(np.float64(math.sqrt(0.5)).view(np.int64))

# Series in the square of the argument, highest power first.
SINE = tuple((-1) ** n / math.factorial(2 * n + 1) for n in range(8, 0, -1))
COSINE = tuple((-1) ** n / math.factorial(2 * n) for n in range(8, 1, -1))
EXPONENTIAL = tuple(1 / math.factorial(n) for n in range(13, 1, -1))
LOGARITHM = tuple(2 / (2 * n + 1) for n in range(10, 0, -1))

_scalar = numba.njit(error_model="numpy", fastmath={"contract"}, cache=True)
_array = numba.njit(error_model="numpy", cache=True)


@_scalar
def _bits(x: float) -> int:
    return np.float64(x).view(np.int64)


@_scalar
def _number(bits: int) -> float:
    return np.int64(bits).view(np.float64)


@_scalar
def _series(coefficients: tuple[float, ...], x: float) -> float:
    total = 0.0
    for coefficient in coefficients:
        total = total * x + coefficient
    return total


@_scalar
def _circular(x: float, quarter: int) -> float:
    """sin(x + quarter * pi/2) for abs(x) <= LARGEST_ANGLE."""
    shifted = x * (2 / math.pi) + ROUNDING
    turns = shifted - ROUNDING
    angle = ((x - turns * HALF_PI[0]) - turns * HALF_PI[1]) - turns * HALF_PI[2]
    square = angle * angle
    sine = angle + angle * square * _series(SINE, square)
    sine = angle if angle == 0.0 else sine  # keeps the sign of zero
    cosine = 1.0 - (0.5 * square - square * square * _series(COSINE, square))
    quadrant = _bits(shifted) + quarter
    result = cosine if quadrant & 1 else sine
    return -result if quadrant & 2 else result


@_scalar
def _power_of_two(exponent: float) -> float:
    return _number(_bits(exponent + (ROUNDING + 1023.0)) << MANTISSA_BITS)


@_scalar
def _split_exponential(x: float) -> tuple[float, float]:
    """(k, exp(r) - 1) of x = k log(2) + r, abs(r) <= log(2)/2, for abs(x) < 1e3."""
    whole = (x * (1 / math.log(2)) + ROUNDING) - ROUNDING
    rest = (x - whole * LOG_TWO[0]) - whole * LOG_TWO[1]
    return whole, rest + rest * rest * _series(EXPONENTIAL, rest)


@_scalar
def exponential(x: float) -> float:
    """exp(x)."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    whole, rest = _split_exponential(x)
    # In two steps, for 2**1024 and 2**-1074 are not both sides of what one factor can be.
    half = (0.5 * whole + ROUNDING) - ROUNDING
    return ((1.0 + rest) * _power_of_two(half)) * _power_of_two(whole - half)


@_scalar
def hyperbolic_tangent(x: float) -> float:
    """tanh(x), as exact at small x as elsewhere."""
    double = 2.0 * abs(x)
    double = 44.0 if double > 44.0 else double  # tanh(22) is 1 in float64
    whole, rest = _split_exponential(double)
    power = _power_of_two(whole)
    less_one = power * rest + (power - 1.0)  # exp(double) - 1
    return math.copysign(less_one / (less_one + 2.0), x)


@_scalar
def sigmoid(x: float) -> float:
    """1/(1 + exp(-x)) without overflow, exact far out at the left."""
    small = exponential(-abs(x))
    return (1.0 if x >= 0.0 else small) / (1.0 + small)


@_scalar
def logarithm(x: float) -> float:
    """log(x); -inf at 0 and NaN below."""
    subnormal = x < SMALLEST_NORMAL
    scaled = x * 18014398509481984.0 if subnormal else x  # 2**54
    # x = 2**exponent * (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)]
    bits = _bits(scaled) - ROOT_HALF_BITS
    exponent = _number((bits >> MANTISSA_BITS) + ROUNDING_BITS) - ROUNDING
    mantissa = (bits & ((1 << MANTISSA_BITS) - 1)) + ROOT_HALF_BITS
    f = _number(mantissa) - 1.0
    exponent = exponent - 54.0 if subnormal else exponent
    s = f / (2.0 + f)
    square = s * s
    # log(1 + f) = 2s + 2s**3/3 + ... with 2s = f - s f; f itself is exact.
    low = s * (f - square * _series(LOGARITHM, square)) - exponent * LOG_TWO[1]
    result = exponent * LOG_TWO[0] - (low - f)
    result = x if x == math.inf or x != x else result
    result = -math.inf if x == 0.0 else result
    return math.nan if x < 0.0 else result


@_array
def sines(
    source: np.ndarray, a: int, quarter: int, target: np.ndarray, out: int, width: int
) -> None:
    """target[out] = sin(source[a] + quarter * pi/2) up to `width`; not in place.

    Quarter 0 is sin, quarter 1 cos.
    """
    beyond = 0
    for i in range(width):
        x = np.float64(source[a, i])
        beyond += abs(x) > LARGEST_ANGLE
        target[out, i] = _circular(x, quarter)
    if beyond:
        for i in range(width):
            x = np.float64(source[a, i])
            if abs(x) > LARGEST_ANGLE:
                target[out, i] = math.cos(x) if quarter else math.sin(x)
