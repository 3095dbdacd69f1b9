"""What the sections of the report are made of, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from occamhead.explain.example import (
    Example,
    Spread,
    check_classifier,
    compact,
    explain_example,
    spread_of,
)
from occamhead.explain.features import Feature, explain_features
from occamhead.explain.suspects import Suspect
from occamhead.explain.views import PhotographViews, Views
from occamhead.expression import Expression
from occamhead.heads.nec import Nec, nec_of

if TYPE_CHECKING:
    from torch import nn

    from occamhead.heads.base import SymbolicHead
    from occamhead.rows.arrays import ArrayDataModule


# Of so many classes or more the page has a card for each class, rather than one for each feature
# and a grid of confusions.
MANY = 20


@dataclass(frozen=True)
class Material:
    """A head, its formulas and the test rows.

    Args:
        head: The head.
        formula: Its formulas.
        data: The rows of all splits.
        dense: A dense head on the same rows, if any.
        views: Pictures of the test rows, if any.
        examples: Pictures to show at each end of a feature.
        notice: What every figure made with the backbone's weights must say, if anything.
        suspects: Features that may look at something other than the class; None where nobody
            could look for them.
    """

    head: SymbolicHead
    formula: Expression
    data: ArrayDataModule
    dense: nn.Module | None
    views: Views | None
    examples: int
    notice: str | None
    suspects: list[Suspect] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.data.classes

    @property
    def many(self) -> bool:
        """Whether each class has a card."""
        return len(self.classes) >= MANY

    @property
    def noun(self) -> str:
        """What a row is called."""
        if self.views is None:
            return "row"
        return "photograph" if isinstance(self.views, PhotographViews) else "picture"

    @property
    def x(self) -> NDArray[np.float32]:
        """The test rows."""
        return self.data.arrays.test[0]

    @property
    def y(self) -> NDArray[np.int64]:
        """The class of each test row."""
        return np.asarray(self.data.arrays.test[1], dtype=np.int64)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """The formulas' scores of the test rows in float64, as ``formula.python()`` has them."""
        used = self.x[:, list(self.formula.features)].astype(np.float64)
        scores: NDArray[np.float64] = compact(self.formula)(used)
        return scores

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        return self.scores.argmax(axis=-1)

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """How far each row's highest score is above the next."""
        highest = np.sort(self.scores, axis=-1)  # NaN, which wins, last
        with np.errstate(invalid="ignore"):
            margins: NDArray[np.float64] = highest[:, -1] - highest[:, -2]
        return np.where(np.isnan(margins), np.inf, margins)

    @cached_property
    def confusions(self) -> NDArray[np.int64]:
        """Test rows of each class that are called each class, [class, called]."""
        counts = np.zeros((len(self.classes), len(self.classes)), dtype=np.int64)
        np.add.at(counts, (self.y, self.predicted), 1)
        return counts

    @cached_property
    def nec(self) -> Nec:
        """How many features each class reads."""
        return nec_of(self.head)

    @property
    def right(self) -> NDArray[np.bool_]:
        return self.predicted == self.y

    @cached_property
    def known_labels(self) -> NDArray[np.int64]:
        """The labels of training and validation."""
        arrays = self.data.arrays
        return np.concatenate([arrays.train[1], arrays.validation[1]]).astype(np.int64)

    @cached_property
    def spread(self) -> Spread:
        """How the features are spread over the rows of training and validation."""
        return spread_of(self.data)

    @cached_property
    def features(self) -> list[Feature]:
        """The features of the formulas, the most important first."""
        return explain_features(self.formula, self.spread, self.x, self.y, examples=self.examples)

    def hint(self, feature: int) -> str:
        """What a feature looks at: the classes of a replaced layer that read it most, if known."""
        hints = self.head.hints
        return "" if hints is None else hints[feature]

    def called(self, feature: int) -> str:
        """The feature's name, and what it looks at."""
        name, hint = self.formula.input_name(feature), self.hint(feature)
        return f"{name} ({hint})" if hint and hint != name else name

    @property
    def called_formula(self) -> Expression:
        """The formulas over features that are called by what they look at, too."""
        formula = self.formula
        names = [formula.input_name(i) for i in range(formula.num_inputs)]
        for i in formula.features:
            names[i] = self.called(i).replace("`", "'")
        return formula.renamed(names)

    def example(self, row: int, most_flips: int = 5) -> Example:
        return explain_example(
            self.formula, self.x[row], self.spread, self.classes, most_flips=most_flips
        )

    def row_name(self, row: int) -> str:
        """The file of a picture without its folders, or the row's number."""
        if self.views is None:
            return f"row {row}"
        return self.views.pictures.names[row].rsplit("/", 1)[-1]


def check_data(formula: Expression, data: Any) -> None:
    """Raise ValueError unless the data are rows of this classifier's features and classes."""
    arrays = data.arrays
    if np.ndim(arrays.test[1]) != 1:
        raise ValueError(
            "data: the report explains classes, one label per row; these rows have several targets"
        )
    check_classifier(formula)
    if data.num_features != formula.num_inputs:
        raise ValueError(
            f"data: the head takes {formula.num_inputs} features, but the rows have"
            f" {data.num_features}; give the data that the head was made for"
        )
    check_classifier(formula, data.classes)


def check_names(names: Sequence[str] | None, width: int) -> None:
    """Raise ValueError unless there is one name per feature, if any."""
    if names is not None and len(names) != width:
        raise ValueError(f"names: wanted one per feature, {width}, got {len(names)}")
