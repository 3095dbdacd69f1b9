"""Fitting a circuit to real inputs: clusters, hyperplanes between them, the nearest cluster."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, ward

from occamhead.checks import needs
from occamhead.essence.arrays import Floats, Ints
from occamhead.essence.circuit import Circuit
from occamhead.essence.patterns import class_labels

# A plane's values are +-1/2 on its margins, as those of whole-number planes are, so that both
# kinds of circuit need the same slope.
_MARGIN = 0.5
_TOLERANCE = 1e-4  # of the margin
# The linkage of n rows of a class needs n**2 / 2 numbers.
_MOST_ROWS = 20_000


def fit_real_circuit(
    x: ArrayLike,
    y: ArrayLike,
    *,
    classes: int | None = None,
    subconcepts: int | None = None,
    penalty: float = 10.0,
    negligible: float = 0.0,
    standardise: bool = True,
    digits: int = 4,
) -> Circuit:
    """Learn a circuit of real inputs; it may be wrong on some of the rows.

    Classes are split into clusters, the subconcepts; a linear support vector machine tells every
    two of different classes apart; a row belongs to the subconcept of which fewest of these
    hyperplanes say otherwise. There is no gradient descent and no random number.

    Args:
        x: Inputs, [rows, inputs].
        y: Class of each row, [rows] whole numbers from 0.
        classes: Number of classes; None takes the highest label plus one.
        subconcepts: Number of subconcepts in all; None gives each class one.
        penalty: C of the support vector machines, for inputs divided by the root of their number;
            rows are weighted so that both sides count alike.
        negligible: Weights below this share of a hyperplane's largest are dropped, and the
            hyperplane is fitted again to the inputs that are left.
        standardise: Give every input the same standard deviation for the fit; otherwise all inputs
            are divided by one number. The circuit takes the inputs as they are.
        digits: Significant digits of the circuit's weights and biases.

    Returns:
        A circuit of float weights without a default class.

    Raises:
        ValueError: On inputs or labels that are no numbers or not finite, one class only, or
            arguments out of range.
        ImportError: Without scikit-learn.

    Source: Ward clusters inside each class, of which the longest branch is cut next, and linear
    machines between all pairs are Blazek & Lin (Nat Comput Sci 1, 607-618, 2021). Differs from
    the paper: no weights above the differentiae, which saves their fit and can be read by counting.
    """
    points = real_numbers(x)
    labels = class_labels(y, len(points), classes)
    _check(penalty, negligible, digits)
    centre, scale = points.mean(axis=0), points.std(axis=0)
    if not scale.any():
        raise ValueError(
            f"none of {len(scale)} inputs varies over the {len(points)} rows; give others"
        )
    # Of an input that hardly varies the scale is left alone.
    scale = np.where(scale > 1e-6, scale, 1.0) if standardise else np.full_like(scale, scale.max())
    # Rows of length 1 or so, however many inputs there are: a penalty then means the same.
    scale = scale * len(scale) ** 0.5
    scaled = (points - centre) / scale
    parts = between_clusters(scaled, labels, subconcepts)
    weights: list[Floats] = []
    bias: list[float] = []
    for s, t in parts.pairs:
        above, below = scaled[parts.members[s]], scaled[parts.members[t]]
        plane, offset = _plane(above, below, penalty, negligible)
        weights.append(plane / scale)
        bias.append(offset - plane @ (centre / scale))
    return Circuit(
        weights=significant(np.array(weights), digits),
        bias=significant(np.array(bias), digits),
        literals=parts.literals,
        concepts=parts.concepts,
        classes=int(labels.max()) + 1 if classes is None else classes,
        default=None,
    )


@dataclass(frozen=True)
class Clusters:
    """Subconcepts, and one differentia between every two of different classes.

    Attributes:
        members: The rows of each subconcept.
        concepts: The class of each.
        pairs: The subconcepts (s, t) that each differentia tells apart, s < t: true on s.
    """

    members: tuple[Ints, ...]
    concepts: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def literals(self) -> tuple[tuple[tuple[int, bool], ...], ...]:
        """What holds of each subconcept, as a circuit has it."""
        return tuple(
            tuple((d, own == s) for d, (s, t) in enumerate(self.pairs) if own in (s, t))
            for own in range(len(self.members))
        )


def between_clusters(points: Floats, labels: Ints, subconcepts: int | None) -> Clusters:
    """Split classes by Ward's linkage; cut next is the longest branch of all classes.

    Args:
        points: [rows, inputs].
        labels: Class of each, [rows].
        subconcepts: Clusters in all; None makes one per class.

    Raises:
        ValueError: If there is one class only, or more or fewer clusters than can be.
    """
    sizes = np.unique(labels, return_counts=True)[1]
    count = len(sizes) if subconcepts is None else subconcepts
    if len(sizes) < 2:
        raise ValueError(
            f"all {len(labels)} rows are of class {labels[0]}; give rows of two classes or more"
        )
    if not len(sizes) <= count <= len(labels):
        raise ValueError(
            f"subconcepts must be from {len(sizes)}, one per class, to {len(labels)}, one per row,"
            f" got {count}"
        )
    if count > len(sizes) and sizes.max() > _MOST_ROWS:
        raise ValueError(
            f"a class has {sizes.max()} rows, of which all pairs would be compared; give at most"
            f" {_MOST_ROWS} of each class, drawn at random"
        )
    own = {int(c): np.flatnonzero(labels == c) for c in np.unique(labels)}
    parts = dict.fromkeys(own, 1)
    split = count > len(own)
    trees = {c: ward(points[rows]) for c, rows in own.items() if split and len(rows) > 1}
    while sum(parts.values()) < count:
        # The height of the merge that one more cluster would undo.
        heights = {
            c: float(tree[-parts[c], 2]) for c, tree in trees.items() if parts[c] <= len(tree)
        }
        longest = max(heights, key=lambda c: (heights[c], -c))
        parts[longest] += 1
    members: list[Ints] = []
    concepts: list[int] = []
    for c, rows in own.items():
        part = fcluster(trees[c], parts[c], "maxclust") if c in trees else np.ones(len(rows))
        members += [rows[part == index] for index in np.unique(part)]
        concepts += [c] * (len(members) - len(concepts))
    pairs = [(s, t) for s, t in combinations(range(len(members)), 2) if concepts[s] != concepts[t]]
    return Clusters(tuple(members), tuple(concepts), tuple(pairs))


def _plane(above: Floats, below: Floats, penalty: float, negligible: float) -> tuple[Floats, float]:
    """Weights [inputs] and bias of the soft margin between two sets, positive above."""
    rows = np.concatenate([above, below])
    side = np.repeat([1, 0], [len(above), len(below)])
    machine = _machine(rows, side, penalty)
    weights = machine.coef_[0]
    size = np.abs(weights)
    kept = np.flatnonzero(size >= negligible * size.max())
    if len(kept) < len(weights):
        machine = _machine(rows[:, kept], side, penalty)
        weights = np.zeros_like(weights)
        weights[kept] = machine.coef_[0]
    return _MARGIN * weights, _MARGIN * float(machine.intercept_[0])


def _machine(rows: Floats, side: Ints, penalty: float) -> Any:
    with needs("scikit-learn", "a circuit of real inputs", "tabular"):
        from sklearn.svm import SVC
    return SVC(kernel="linear", C=penalty, class_weight="balanced", tol=_TOLERANCE).fit(rows, side)


def significant(values: Floats, digits: int) -> Floats:
    """The numbers with so many significant digits."""
    # By way of text, which gives the float that is nearest to the decimal number.
    return np.array([float(f"{v:.{digits}g}") for v in values.flat]).reshape(values.shape)


def real_numbers(x: ArrayLike) -> Floats:
    """The inputs as float64, [rows, inputs].

    Raises:
        ValueError: If they are no table, or not finite numbers.
    """
    values: NDArray[Any] = np.asarray(x)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(
            f"inputs must be a table [rows, inputs] that is not empty, got shape {values.shape}"
        )
    if values.dtype.kind not in "biuf":
        raise ValueError(f"inputs must be numbers, got dtype {values.dtype}; encode them")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = (int(i) for i in bad[0])
        raise ValueError(
            f"input {column} of row {row} is {values[row, column]} ({len(bad)} such values);"
            " clean the inputs"
        )
    return values.astype(np.float64)


def _check(penalty: float, negligible: float, digits: int) -> None:
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty must be positive and finite, got {penalty}")
    if not 0 <= negligible <= 1:
        raise ValueError(f"negligible must be within 0 and 1, got {negligible}")
    if digits < 1:
        raise ValueError(f"digits must be at least 1, got {digits}")
