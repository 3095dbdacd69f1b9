"""Compiled scores of functions on the rows.

Four of each: *fitness* (what the search maximises), *error* (root mean squared, over the target's
deviation), *shape* (how good the error would be after the best linear scaling: a function of the
right shape is one or two operations from the law, whatever its error), and a *key* that equal
functions share.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from occamhead.search.judging.sampling import mix

GAUSSIAN, ERROR, ACCURACY, CROSS_ENTROPY = range(4)
FITNESS = {
    "gaussian": GAUSSIAN,
    "error": ERROR,
    "accuracy": ACCURACY,
    "cross_entropy": CROSS_ENTROPY,
}

# What is as good on rows that mean nothing says nothing about those that do.
SHADOW_LIMIT = 0.3

# About as many rows stand for all when functions are compared.
SAMPLE = 64

# A variance below this share of the squared mean is that of a constant.
ROUNDING = 1e-26

# Sums may be taken in any order, so that they run in vector registers; NaN and inf keep.
SUMS = {"reassoc", "contract", "nsz"}


@numba.njit(cache=True, fastmath=SUMS)
def squared_error(predicted, target, weights, slope, intercept):
    """Weighted mean of squared errors of ``slope * predicted + intercept``."""
    total = 0.0
    for i in range(len(target)):
        difference = slope * predicted[i] + intercept - target[i]
        total += weights[i] * difference * difference
    return total


@numba.njit(cache=True, fastmath=SUMS)
def linear_scaling(predicted, target, weights):
    """Slope and intercept of the weighted least squares of the target on the prediction."""
    mean = target_mean = 0.0
    for i in range(len(target)):
        mean += weights[i] * predicted[i]
        target_mean += weights[i] * target[i]
    variance = covariance = 0.0
    for i in range(len(target)):
        deviation = predicted[i] - mean
        variance += weights[i] * deviation * deviation
        covariance += weights[i] * deviation * (target[i] - target_mean)
    slope = 0.0
    # Deviations of a constant are the rounding of its mean.
    if variance > ROUNDING * mean * mean and math.isfinite(variance + covariance):
        slope = covariance / variance
    return slope, target_mean - slope * mean if slope else target_mean


@numba.njit(cache=True)
def likelihood(predicted, target, weights, sigma):
    """Mean Gaussian likelihood over its maximum, in [0, 1]; NaN if the prediction has one."""
    total, factor = 0.0, 0.5 / (sigma * sigma)
    for i in range(len(target)):
        difference = predicted[i] - target[i]
        exponent = difference * difference * factor
        if exponent < 40.0:
            total += weights[i] * math.exp(-exponent)
        elif exponent != exponent:
            return math.nan
    return total


@numba.njit(cache=True)
def classified(predicted, target, weights):
    """Weighted share of rows on the target's side of one half; NaN if the prediction has one."""
    total = 0.0
    for i in range(len(target)):
        if predicted[i] != predicted[i]:
            return math.nan
        if (predicted[i] > 0.5) == (target[i] > 0.5):
            total += weights[i]
    return total


@numba.njit(cache=True)
def cross_entropy(predicted, target, weights):
    """Mean binary cross-entropy of scores (log-odds) against targets in [0, 1], in nats."""
    total = 0.0
    for i in range(len(target)):
        score = predicted[i]
        total += weights[i] * (
            max(score, 0.0) - score * target[i] + math.log1p(math.exp(-abs(score)))
        )
    return total


@numba.njit(cache=True)
def rounded_bits(value, threshold, drop):
    """The bits of a number, rounded by `drop` bits; numbers below the threshold are zero."""
    if value != value:
        return np.uint64(0x7FF8000000000000)
    if abs(value) <= threshold:
        return np.uint64(0)
    bits = np.float64(value).view(np.uint64)
    half = np.uint64(1) << np.uint64(drop - 1)
    return (bits + half) >> np.uint64(drop)


@numba.njit(cache=True)
def score(predicted, target, weights, kind, sigma, scaled, deviation, shadow_target, drop):
    """Fitness, error and key of one function against one target.

    Args:
        predicted: What it computes, [rows, then shadow rows].
        target, weights: [rows]; the weights sum to 1.
        kind: Which fitness, see `FITNESS`; in [0, 1], higher is better.
        sigma: Standard deviation of the Gaussian likelihood.
        scaled: Whether the function stands for ``slope * f + intercept``.
        deviation: What errors are divided by: the target's standard deviation.
        shadow_target: The target of shadow rows, where there are any.
        drop: Bits to round away before functions are compared.

    Returns:
        Fitness (NaN: undefined), error (inf: undefined), shape (in [0, 1], higher is better), and
        a key that functions share if they agree on a sample of rows and in their error.
    """
    rows = len(target)
    slope, intercept = linear_scaling(predicted, target, weights)
    after = math.sqrt(squared_error(predicted, target, weights, slope, intercept)) / deviation
    error = after
    if not scaled:
        error = math.sqrt(squared_error(predicted, target, weights, 1.0, 0.0)) / deviation
    if error != error:
        return math.nan, math.inf, math.nan, np.uint64(0)
    if kind == ERROR:
        fitness = 1.0 / (1.0 + error)
    elif kind == GAUSSIAN:
        fitness = likelihood(predicted[:rows], target, weights, sigma)
    elif kind == ACCURACY:
        fitness = classified(predicted[:rows], target, weights)
    else:
        fitness = math.exp(-cross_entropy(predicted[:rows], target, weights))
    if len(predicted) > rows:
        similar = 0.0
        for i in range(rows, len(predicted)):
            difference = (predicted[i] - shadow_target) / sigma
            if difference * difference < 80.0:
                similar += math.exp(-0.5 * difference * difference)
        if similar >= SHADOW_LIMIT * (len(predicted) - rows):
            return 0.0, math.inf, 0.0, np.uint64(1)
    # A constant has no shape, and neither has a function of a constant target.
    shape = 1.0 / (1.0 + after) if slope != 0.0 else min(fitness, 0.5)
    sample = predicted[: rows : max(rows // SAMPLE, 1)]
    return fitness, error, shape, function_key(sample, error, scaled, drop)


@numba.njit(cache=True)
def function_key(sample, error, scaled, drop):
    """What equal functions share: rounded values on a sample of rows, and the rounded error."""
    single = drop >= 30
    smallest = 1e-6 if single else 1e-12
    code = mix(rounded_bits(error, smallest, drop) + np.uint64(1))
    if not scaled:  # f and 2 f + 1 are one function then, and have one error
        largest = 0.0
        for value in sample:
            if abs(value) > largest and math.isfinite(value):
                largest = abs(value)
        # In float32 one of so many values would often lie on an edge, and one is enough.
        coarse = drop + 5 if single else drop
        for value in sample:
            code = mix(code ^ rounded_bits(value, smallest * largest, coarse))
    return code


@numba.njit(cache=True)
def keys(samples, errors, scaled, drop):
    """:func:`function_key` of many functions: samples [functions, sampled rows]."""
    result = np.empty(len(errors), np.uint64)
    for f in range(len(errors)):
        result[f] = function_key(samples[f], errors[f], scaled, drop)
    return result


@numba.njit(cache=True)
def score_rows(values, rows, outputs, targets, weights, kind, sigma, scaled, deviations,
               shadow_targets, drop, fitness, error, shape, key):  # fmt: skip
    """:func:`score` of many functions: row `rows[f]` of `values` against target `outputs[f]`."""
    for f in range(len(rows)):
        j = outputs[f]
        fitness[f], error[f], shape[f], key[f] = score(
            values[rows[f]], targets[j], weights, kind, sigma, scaled, deviations[j],
            shadow_targets[j], drop,
        )  # fmt: skip
