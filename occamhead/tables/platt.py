"""Scores to probabilities: a slope and an intercept for every score, by maximum likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Newton's method on a convex function: a handful of iterations, this many at most.
ITERATIONS, HALVINGS, SMALLEST_STEP = 50, 30, 1e-10


def probabilities(scores: Array) -> Array:
    """Class probabilities.

    Args:
        scores: Log-odds of the second class, [rows, 1], or scores of every class,
            [rows, classes], whose softmax is taken. NaN counts as 0.

    Returns:
        [rows, classes]; each row sums to 1.
    """
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    scores = np.nan_to_num(scores, nan=0.0, posinf=1e30, neginf=-1e30)
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def smoothed(labels: NDArray[np.intp], weights: Array, classes: int) -> Array:
    """What probabilities are fitted to: the classes' indicators, drawn in from 0 and 1.

    Platt's (1999) targets, for any number of classes: those of a uniform prior. They keep the
    slope finite where a score separates the classes.

    Args:
        labels: Class of each row, [rows].
        weights: Weight of each row; they sum to 1.
        classes: Number of classes.

    Returns:
        [rows, classes]; each row sums to 1.
    """
    rows = len(labels)
    counts = rows * np.bincount(labels, weights, classes)
    wanted = np.repeat(1 / (counts + classes)[labels, None], classes, axis=1)
    wanted[np.arange(rows), labels] = ((counts + 1) / (counts + classes))[labels]
    return wanted


def calibrate(scores: Array, labels: NDArray[np.intp], weights: Array) -> tuple[Array, Array]:
    """Slope and intercept of each score, so that :func:`probabilities` fit the labels.

    Platt scaling (Platt 1999) for one score, vector scaling (Guo et al. 2017) for one per class,
    by Newton's method. On the rows the mean probability of a class is then that of its smoothed
    indicator.

    Args:
        scores: Finite scores, [rows, 1] or [rows, classes].
        labels: Class of each row, [rows].
        weights: Weight of each row; they sum to 1.

    Returns:
        Slopes and intercepts, each [1] or [classes].
    """
    outputs = scores.shape[1]
    wanted = smoothed(labels, weights, max(outputs, 2))
    mean = weights @ scores
    deviation = np.sqrt(weights @ (scores - mean) ** 2)
    deviation = np.where(deviation > 0, deviation, 1.0)
    design = np.stack([(scores - mean) / deviation, np.ones_like(scores)], axis=2)

    def chances(theta: Array) -> Array:
        return probabilities((design * theta).sum(axis=2))

    def loss(chance: Array) -> float:
        return -float(weights @ (wanted * np.log(np.maximum(chance, 1e-300))).sum(axis=1))

    theta = np.zeros((outputs, 2))
    chance = chances(theta)
    current = loss(chance)
    for _ in range(ITERATIONS):
        # One score is that of the second class; the first class has score 0.
        own = chance[:, -outputs:]
        slack = weights[:, None] * (own - wanted[:, -outputs:])
        gradient = np.einsum("rk,rki->ki", slack, design).ravel()
        pull = (own[:, :, None] * design).reshape(len(scores), -1)
        curvature = -pull.T @ (weights[:, None] * pull)
        blocks = np.einsum("rk,rki,rkj->kij", weights[:, None] * own, design, design)
        for k, block in enumerate(blocks):
            curvature[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] += block
        # Adding one number to every class's score changes nothing: the least step is taken.
        step = np.linalg.lstsq(curvature, gradient, rcond=1e-12)[0].reshape(outputs, 2)
        for _ in range(HALVINGS):
            chance = chances(theta - step)
            if (new := loss(chance)) <= current:
                break
            step = step / 2
        else:
            break
        theta, current = theta - step, new
        if np.abs(step).max() < SMALLEST_STEP:
            break
    slopes = theta[:, 0] / deviation
    return slopes, theta[:, 1] - slopes * mean
