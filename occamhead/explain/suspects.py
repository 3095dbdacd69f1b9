"""Features that look at something other than the class: always at the same place of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from occamhead.checks import check_counts
from occamhead.explain.looking import PER_CLASS, looked_at
from occamhead.explain.places import Contrast, Place
from occamhead.explain.words import count, percent
from occamhead.expression import Expression
from occamhead.heads.base import SymbolicHead

if TYPE_CHECKING:
    from occamhead.training.results import Fit

# A feature is suspect if so much of what tells the classes apart comes from a spot or an edge, or
# from the border all around, which is half of the picture. Of 300 telling features of photographs
# without a planted patch the highest shares were 0.40, 0.30 and 0.58.
HALF, MOST = 0.5, 0.75
# The place's part must be so many standard errors from none.
SURE = 4.0
# Other features answer to the same place if it moves the class means by so many standard
# deviations of the feature, and makes up more of what it tells than it does usually. Chosen by
# patches planted into training photographs, and tested on others of these.
MOVED, MORE = 0.1, 0.1


@dataclass(frozen=True)
class Suspect:
    """A feature that may look at something other than the class.

    Args:
        feature, name: Which one.
        label, high: The class for which it is unlike the others, and whether it is high there.
        place: Where what it tells comes from.
        share: How much of it, of 1.
        others: Further features of the backbone that answer to the same place; a refit without
            the first alone would take one of them.
        why: The warning, a sentence.
    """

    feature: int
    name: str
    label: int
    high: bool
    place: Place
    share: float
    others: tuple[int, ...]
    why: str

    @property
    def features(self) -> tuple[int, ...]:
        """It and the others: what :meth:`occamhead.OccamHead.edit` should drop."""
        return (self.feature, *self.others)


def find_suspects(
    head: SymbolicHead | Fit, data: Any, *, pictures_per_class: int = PER_CLASS
) -> list[Suspect]:
    """Look for features of a rule that see the same place in every picture, rather than the class.

    A feature is the mean of a map, so the difference of two classes' means is the sum of what each
    place of the picture adds to it. Where an object tells the classes apart, it is spread over
    where objects are; where a mark, a frame or a stamp does, it comes from one place. So a feature
    is suspect if half of the difference comes from a spot of a twelfth of the picture, or from an
    edge, or three quarters from the border all around.

    Only pictures of training and validation are looked at.

    Args:
        head: The head, or the fit that made it.
        data: The rows that it was fitted to, with their pictures and backbone, as
            :class:`occamhead.FeatureData` has them after ``setup()``.
        pictures_per_class: Most pictures of each class, evenly spread over its rows. Each takes
            the backbone one pass; what is seen is kept beside the cached features.

    Returns:
        The suspects, largest share first. Warnings and no proof: whether a bee's flower belongs to
        the rule, a person decides.

    Raises:
        ValueError: If the data have no pictures or backbone, or its features are not the means of
            maps.

    Example:
        >>> # Skipped: it needs photographs.
        >>> from occamhead import FeatureData, fit_path
        >>> from occamhead.explain import find_suspects
        >>> data = FeatureData("hymenoptera")  # doctest: +SKIP
        >>> head = fit_path(data).select().head  # doctest: +SKIP
        >>> for suspect in find_suspects(head, data):  # doctest: +SKIP
        ...     print(suspect.why)
        ...     head = head.edit(drop=suspect.features).head
    """
    own = head if isinstance(head, SymbolicHead) else head.head
    suspects = suspects_in(own.formula(), data, pictures_per_class)
    if suspects is None:
        raise ValueError(
            "wanted data with pictures and a backbone whose features are means of maps, as"
            f" FeatureData of a convolutional network after setup(), got {type(data).__name__};"
            " without maps no feature has a place"
        )
    return suspects


def suspects_in(
    formula: Expression, data: Any, pictures_per_class: int = PER_CLASS
) -> list[Suspect] | None:
    """As :func:`find_suspects`; None where the features of the data have no place in a picture."""
    check_counts(pictures_per_class=pictures_per_class)
    if getattr(data, "pictures", None) is None or getattr(data, "backbone", None) is None:
        return None
    contrast = looked_at(data, pictures_per_class)
    return None if contrast is None else suspects_among(formula, contrast, data.classes)


def suspects_among(
    formula: Expression, contrast: Contrast, classes: Sequence[str]
) -> list[Suspect]:
    """The suspects of a formula, see :func:`find_suspects`.

    Args:
        formula: One formula per class.
        contrast: Where in some pictures what tells the classes apart comes from.
        classes: Names of the classes.
    """
    places, shares, errors = contrast.places, contrast.share, contrast.errors
    limits = np.array([MOST if place.kind == "border" else HALF for place in places])
    able = (shares >= limits[:, None]) & (errors >= SURE)
    found = []
    for feature in formula.features:
        if not able[:, feature].any():
            continue
        # Of several the smallest, and of those the one that explains most.
        best = min(
            np.flatnonzero(able[:, feature]).tolist(),
            key=lambda p: (places[p].area, -shares[p, feature]),
        )
        more = shares[best] >= np.median(shares[best]) + MORE
        answers = more & (contrast.gap[best] >= MOVED) & (errors[best] >= SURE)
        others = tuple(f for f in np.flatnonzero(answers).tolist() if f != feature)
        label, high = int(contrast.label[feature]), bool(contrast.sign[feature] > 0)
        if len(classes) == 2 and not high:
            label, high = 1 - label, True
        name, share = formula.input_name(feature), float(shares[best, feature])
        why = _why(name, high, classes, label, places[best], share, len(others))
        found.append(Suspect(feature, name, label, high, places[best], share, others, why))
    return sorted(found, key=lambda suspect: -suspect.share)


def _why(
    name: str, high: bool, classes: Sequence[str], label: int, place: Place, share: float, more: int
) -> str:
    others = [other for k, other in enumerate(classes) if k != label]
    rest = others[0] if len(others) == 1 else "the other classes"
    said = (
        f"{percent(share)} of what makes {name} {'higher' if high else 'lower'} for"
        f" {classes[label]} than for {rest} comes from {place.name}, {percent(place.area)} of the"
        " picture"
    )
    if more:
        verb = "answers" if more == 1 else "answer"
        said += f"; {count(more, 'other feature')} of the backbone {verb} to the same place"
    return f"{said}."
