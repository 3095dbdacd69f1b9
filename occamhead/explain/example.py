"""One input: the formulas with its numbers filled in, and what would change its class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Affine, Apply, Constant, Expression, ExpressionBuilder, Input

# Where a formula is no weighted sum: how far along a feature, in standard deviations, and at how
# many places another class is looked for.
NEAREST, FARTHEST, PLACES = 1e-4, 1e3, 512

# Features that are measured at once: all rows of all features in float64 may not fit the memory.
_COLUMNS = 64

# Relative steps past a boundary that was computed: its last bits may be wrong.
_STEPS = np.concatenate([[0.0], 2.0 ** np.arange(-52.0, -20.0)])


@dataclass(frozen=True)
class Term:
    """A summand of a score: what the formula multiplies, with which number, and its value."""

    text: str
    coefficient: float
    value: float

    @property
    def contribution(self) -> float:
        return self.coefficient * self.value


@dataclass(frozen=True)
class Score:
    """A score taken apart: its terms' contributions, in this order, and the constant are `value`.

    A score that is no sum is a single term.
    """

    name: str
    value: float
    terms: tuple[Term, ...]
    constant: float


@dataclass(frozen=True)
class Flip:
    """The least change of one feature, all others as they are, that gives another class.

    Args:
        feature, name: Which feature.
        old, new: Its value, and the nearest one at which the class differs.
        deviations: The change in standard deviations of the feature.
        becomes: The class at the new value.
        seen: Whether the new value lies among those that the feature has in training; None where
            these are not known.
    """

    feature: int
    name: str
    old: float
    new: float
    deviations: float
    becomes: int
    seen: bool | None

    @property
    def change(self) -> float:
        return self.new - self.old


@dataclass(frozen=True)
class Example:
    """What the formulas make of one input.

    Args:
        scores: One per class.
        predicted, runner_up: The classes with the highest and the next highest score.
        margin: How far these are apart.
        nodes: Every part of the formulas as text, with its value, inputs first.
        flips: By size in standard deviations, the smallest first; the last one stays among the
            values of training if any does.
    """

    scores: tuple[Score, ...]
    predicted: int
    runner_up: int
    margin: float
    nodes: tuple[tuple[str, float], ...]
    flips: tuple[Flip, ...]

    @property
    def likely_flip(self) -> Flip | None:
        """The smallest change to a value that is known from training, else the smallest."""
        known = (flip for flip in self.flips if flip.seen is not False)
        return next(known, self.flips[0] if self.flips else None)

    def __str__(self) -> str:
        """What each term gave, the largest first, and what would turn the decision."""
        names = [score.name for score in self.scores]
        lines = [f"{names[self.predicted]}, {self.margin:.3g} above {names[self.runner_up]}"]
        for score in self.scores:
            terms = sorted(score.terms, key=lambda term: -abs(term.contribution))
            if terms:
                parts = [f"{term.text} {term.contribution:+.3g}" for term in terms]
                constant = [f"constant {score.constant:+.3g}"] if score.constant else []
                lines.append(f"{score.name} {score.value:.3g}: {', '.join(parts + constant)}")
        if (flip := self.likely_flip) is not None:
            lines.append(
                f"{names[flip.becomes]} if {flip.name} were {flip.new:.3g} and not {flip.old:.3g}"
                f" ({flip.deviations:+.2g} standard deviations)"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Spread:
    """How each feature is spread over the training rows; arrays [feature]."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, x: Any) -> Spread:
        """Measure rows [row, feature]; a constant feature gets a deviation of 1."""
        rows = np.asarray(x)
        if rows.ndim != 2 or not rows.size:
            raise ValueError(f"wanted rows [row, feature], at least one, got {list(rows.shape)}")
        mean, deviation, low, high = (np.empty(rows.shape[1]) for _ in range(4))
        for start in range(0, rows.shape[1], _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            block = rows[:, columns].astype(np.float64)
            mean[columns], deviation[columns] = block.mean(axis=0), block.std(axis=0)
            low[columns], high[columns] = block.min(axis=0), block.max(axis=0)
        deviation[deviation == 0] = 1.0
        return cls(mean, deviation, low, high)

    def deviations(self, features: Iterable[int]) -> dict[int, float]:
        """The deviations of some features, by number."""
        return {feature: float(self.deviation[feature]) for feature in features}


def spread_of(data: Any) -> Spread:
    """How the features are spread over the rows of training and validation of a data module."""
    return Spread.of(np.concatenate([data.arrays.train[0], data.arrays.validation[0]]))


@np.errstate(all="ignore")  # formulas give inf and NaN where they are not defined
def explain_example(
    formula: Expression,
    row: Any,
    spread: Spread | None = None,
    classes: Sequence[str] = (),
    most_flips: int = 5,
) -> Example:
    """Explain the class of one input.

    All in float64, as ``formula.python()`` computes. The changes are exact but for rounding where
    all scores are weighted sums of features; along a feature of other formulas they are looked for
    at 512 distances from 1e-4 to 1000 standard deviations in each direction, and the first that is
    met is narrowed down.

    Args:
        formula: One formula per class; the class is that of the highest score, the first of equals.
        row: The features, [feature].
        spread: How the features are spread over the training rows; without it a standard
            deviation counts as 1.
        classes: A name per class.
        most_flips: How many changes to give; one more if none of these stays among the values
            that its feature has in training, but another does.

    Raises:
        ValueError: If there are fewer than two classes, the row is of the wrong length or not
            finite, or there is not one name per class.
    """
    x = np.asarray(row, dtype=np.float64)
    check_classifier(formula, classes)
    if x.shape != (formula.num_inputs,):
        raise ValueError(
            f"row: wanted the {formula.num_inputs} features of one input, got {list(x.shape)}"
        )
    if not np.isfinite(x[list(formula.features)]).all():
        raise ValueError("row: the features must be finite; mend or leave out this input")
    names = classes or [f"y{k}" for k in range(len(formula))]
    every = Expression(
        formula.nodes, tuple(range(len(formula.nodes))), formula.num_inputs, formula.names
    )
    values, texts = every(x).tolist(), every.text()
    scores = []
    for name, output in zip(names, formula.outputs, strict=True):
        node = formula.nodes[output]
        if isinstance(node, Affine):
            constant = node.constant
            terms = tuple(Term(texts[i], c, values[i]) for c, i in node.terms)
        elif isinstance(node, Constant):
            constant, terms = node.value, ()
        else:
            constant, terms = 0.0, (Term(texts[output], 1.0, values[output]),)
        scores.append(Score(name, values[output], terms, constant))
    totals = np.array([score.value for score in scores])
    predicted = int(totals.argmax())
    others = np.delete(np.arange(len(totals)), predicted)
    runner_up = int(others[totals[others].argmax()])
    return Example(
        tuple(scores),
        predicted,
        runner_up,
        float(totals[predicted] - totals[runner_up]),
        tuple(zip(texts, values, strict=True)),
        tuple(_flips(formula, x, spread or _unit(len(x)), spread is not None, most_flips)),
    )


def check_classifier(formula: Expression, classes: Sequence[str] = ()) -> None:
    """Raise ValueError unless there are two or more formulas, and a name for each if any."""
    if len(formula) < 2:
        raise ValueError(
            "explaining needs a formula per class, two or more: the class is that of the highest"
            f" score, but there is {len(formula)} formula"
        )
    if classes and len(classes) != len(formula):
        raise ValueError(f"{len(formula)} formulas need as many class names, got {len(classes)}")


def compact(formula: Expression) -> Expression:
    """The same formulas over the features that they use alone, in ascending order."""
    builder = ExpressionBuilder()
    inputs = {feature: builder.input(i) for i, feature in enumerate(formula.features)}
    return builder.build(builder.copy(formula, inputs), len(inputs))


def _unit(width: int) -> Spread:
    return Spread(*(np.full(width, fill) for fill in (0.0, 1.0, -np.inf, np.inf)))


def _flips(
    formula: Expression, row: NDArray[np.float64], spread: Spread, known: bool, most: int
) -> list[Flip]:
    used = list(formula.features)
    small, x, deviation = compact(formula), row[used], spread.deviation[used]
    scores = small(x)
    predicted = int(scores.argmax())
    slopes = _slopes(small)
    found: Iterable[tuple[int, float, int]]
    if slopes is None:
        found = _search(small, x, deviation, predicted)
    else:
        found = _solve(small, x, deviation, predicted, scores, slopes)
    flips: list[Flip] = []
    for i, new, becomes in found:
        if not np.isfinite(new):
            continue
        inside = bool(spread.low[used[i]] <= new <= spread.high[used[i]]) if known else None
        if len(flips) < most or inside:
            away = float((new - x[i]) / deviation[i])
            name = formula.input_name(used[i])
            flips.append(Flip(used[i], name, float(x[i]), new, away, becomes, inside))
        if len(flips) >= most and any(flip.seen is not False for flip in flips):
            break
    return flips


def _slopes(formula: Expression) -> NDArray[np.float64] | None:
    """How each score grows with each feature, [output, feature]; None if not all are sums."""
    slopes: list[NDArray[np.float64]] = []
    for node in formula.nodes:
        slope = np.zeros(formula.num_inputs)
        match node:
            case Input(index):
                slope[index] = 1.0
            case Affine(_, terms):
                for coefficient, child in terms:
                    slope += coefficient * slopes[child]
            case Apply():
                return None
        slopes.append(slope)
    return np.stack([slopes[output] for output in formula.outputs])


def _solve(
    formula: Expression,
    x: NDArray[np.float64],
    deviation: NDArray[np.float64],
    predicted: int,
    scores: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> Iterator[tuple[int, float, int]]:
    """Feature, nearest value with another class, and that class, for weighted sums; by size."""
    others = np.delete(np.arange(len(scores)), predicted)
    gaps = scores[predicted] - scores[others]
    steeper = slopes[others] - slopes[predicted]
    changes = np.where(steeper != 0, gaps[:, None] / steeper, np.inf)
    nearest = changes[np.abs(changes).argmin(axis=0), np.arange(len(x))]
    for i in np.argsort(np.abs(nearest) / deviation, kind="stable").tolist():
        if not np.isfinite(nearest[i]):
            return
        sign = np.sign(steeper[np.abs(changes[:, i]).argmin(), i])
        sizes = np.abs(nearest[i]) * (1 + _STEPS) + _STEPS * max(abs(x[i]), deviation[i])
        past = _first_flip(formula, x, i, x[i] + sign * sizes, predicted)
        if past is not None:
            yield i, *past[1:]


def _search(
    formula: Expression, x: NDArray[np.float64], deviation: NDArray[np.float64], predicted: int
) -> list[tuple[int, float, int]]:
    """The same for any formula, by looking along each feature."""
    distances = np.geomspace(NEAREST, FARTHEST, PLACES)
    found = []
    for i in range(len(x)):
        nearest: tuple[float, int] | None = None
        for sign in (-1.0, 1.0):
            values = x[i] + sign * distances * deviation[i]
            inner, past = x[i], _first_flip(formula, x, i, values, predicted)
            while past is not None:
                position, value, becomes = past
                inner = values[position - 1] if position else inner
                values = np.linspace(inner, value, 66)[1:]
                if value in (inner, values[0]) or np.nextafter(inner, value) == value:
                    if nearest is None or abs(value - x[i]) < abs(nearest[0] - x[i]):
                        nearest = value, becomes
                    break
                past = _first_flip(formula, x, i, values, predicted)
        if nearest is not None:
            found.append((i, *nearest))
    return sorted(found, key=lambda flip: abs(flip[1] - x[flip[0]]) / deviation[flip[0]])


def _first_flip(
    formula: Expression,
    x: NDArray[np.float64],
    feature: int,
    values: NDArray[np.float64],
    predicted: int,
) -> tuple[int, float, int] | None:
    """Position, value and class of the first of some values of a feature with another class."""
    rows = np.tile(x, (len(values), 1))
    rows[:, feature] = values
    classes = formula(rows).argmax(axis=-1)
    other = np.flatnonzero(classes != predicted)
    if not len(other):
        return None
    return int(other[0]), float(values[other[0]]), int(classes[other[0]])
