"""What a prediction costs: the losses that formulas of numbers are fitted to and chosen by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
RowLoss: TypeAlias = Callable[[Array, Array], Array]

# Huber's loss is square up to so many robust standard deviations (95 % efficient at normal errors).
HUBER = 1.345
# Weights of least squares stay finite: errors count at least this share of the scale.
SMALLEST_ERROR = 1e-3

NAMES = ("squared", "absolute", "huber", "quantile", "relative")


@dataclass(frozen=True)
class Loss:
    """A loss of each row, and the squared error that stands for it near a prediction.

    Args:
        name: One of `NAMES`, or "callable".
        rows: Loss of each row from targets and predictions, both [rows].
        exponent: The loss is that of errors with a density exp(-loss / scale) whose mean loss goes
            with the exponent-th power of the errors' size: 2 for squares, 1 for absolute values.
    """

    name: str
    rows: RowLoss
    exponent: float = 2.0

    @property
    def is_squared(self) -> bool:
        return self.name == "squared"

    @property
    def is_robust(self) -> bool:
        """Whether few rows may have most of the loss although nothing is wrong."""
        return self.name not in ("squared", "relative")

    def around(self, y: Array, predicted: Array) -> tuple[Array, Array]:
        """Targets and weights by which least squares moves predictions as this loss would, [rows].

        They are those of the parabola that touches the loss at the prediction and lies above it
        where the slope is concave on either side, as it is of absolute values: its curvature is the
        chord of the slope from an error to its opposite (de Leeuw and Lange 2009, "Sharp quadratic
        majorization in one dimension"; Hunter and Lange 2000 for quantiles). Of a loss that is the
        same on both sides the target stays as it is: reweighted least squares. What lowers the loss
        by moving away counts 0.
        """
        error = predicted - y
        if self.is_squared:
            return y, np.ones_like(error)
        scale = float(np.median(np.abs(error))) or float(np.abs(error).max()) or 1.0
        least = SMALLEST_ERROR * scale
        error = np.where(np.abs(error) < least, np.where(error < 0, -least, least), error)
        with np.errstate(all="ignore"):
            slope, opposite = self._slope(y, error), self._slope(y, -error)
            weights = (slope - opposite) / (4 * error)
            targets = y + error - slope / (2 * weights)
        used = np.isfinite(weights) & np.isfinite(targets) & (weights > 0)
        return np.where(used, targets, y), np.where(used, weights, 0.0)

    def _slope(self, y: Array, error: Array) -> Array:
        """The slope by differences, at errors that are not 0."""
        step = 1e-4 * np.abs(error)
        rise = self.rows(y, y + error + step) - self.rows(y, y + error - step)
        return np.asarray(rise / (2 * step), np.float64)


def get_loss(loss: str | RowLoss, y: Array, quantile: float = 0.5, scale: float = 0.0) -> Loss:
    """The loss of a name, or a callable's.

    Args:
        loss: A name of `NAMES`, or a function of targets and predictions, both [rows], that gives
            the loss of each row, [rows], 0 at best.
        y: The targets, by which "relative" must divide.
        quantile: Which quantile the loss "quantile" asks for.
        scale: Standard deviation of errors that are no outliers, for "huber"; 0 takes the targets'.

    Raises:
        ValueError: On an unknown name, a quantile outside (0, 1), a target of 0 under "relative",
            or a callable whose values are not one finite number a row.
    """
    if callable(loss):
        _check_callable(loss, y)
        return Loss("callable", loss)
    if loss not in NAMES:
        known = ", ".join(("auto", *NAMES))
        raise ValueError(f"unknown loss {loss!r}; take one of {known}, or a callable")
    if loss == "squared":
        return Loss(loss, lambda y, p: (p - y) ** 2)
    if loss == "absolute":
        return Loss(loss, lambda y, p: np.abs(p - y), 1.0)
    if loss == "huber":
        return huber(scale or float(y.std()))
    if loss == "quantile":
        if not 0 < quantile < 1:
            raise ValueError(f"quantile must lie between 0 and 1, got {quantile}")
        return Loss(loss, lambda y, p: np.where(y > p, quantile, 1 - quantile) * np.abs(p - y), 1.0)
    if (y == 0).any():
        raise ValueError(
            f"loss='relative' divides by the target, which is 0 in {int((y == 0).sum())} of"
            f" {len(y)} rows; leave these out, or take loss='absolute'"
        )
    return Loss(loss, lambda y, p: ((p - y) / y) ** 2)


def huber(scale: float) -> Loss:
    """Huber's loss (1964): square up to `HUBER` times the scale, linear beyond."""
    knee = HUBER * scale

    def rows(y: Array, p: Array) -> Array:
        error = np.abs(p - y)
        return np.where(error <= knee, error**2, knee * (2 * error - knee))

    return Loss("huber", rows)


def _check_callable(loss: RowLoss, y: Array) -> None:
    got: Any = np.asarray(loss(y, y + 1.0))
    if got.shape != y.shape or not np.isfinite(got).all():
        raise ValueError(
            f"a loss must give one finite number for each of {len(y)} rows, from targets and"
            f" predictions; for predictions 1 above the targets it gave shape {list(got.shape)}"
            + ("" if got.shape != y.shape else ", not all finite")
        )
