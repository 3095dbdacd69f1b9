"""What the page says of many classes, computed once: what each reads, and what it is taken for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from occamhead.explain.features import extremes, users_of
from occamhead.explain.material import Material
from occamhead.explain.sheet import Sheet
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.expression.formats.mathml import name_mathml

# Features of a class that have pictures, those that move its score most; classes that are named
# beside a feature, and beside a class.
SHOWN, NAMED = 6, 3
# Pictures in the page at most, but for two of each feature.
PICTURES = 3600


@dataclass(frozen=True)
class Many:
    """A head of many classes, class by class.

    Args:
        material: The head, its formulas and the test rows.
        examples: Pictures of a feature.
    """

    material: Material
    examples: int

    @cached_property
    def users(self) -> dict[int, tuple[tuple[int, float | None], ...]]:
        """The classes that read each feature, each with its coefficient."""
        return users_of(self.material.formula)

    @cached_property
    def reads(self) -> list[list[tuple[int, float | None]]]:
        """The features that each class reads, those first that move its score most."""
        deviation = self.material.spread.deviation
        found: list[list[tuple[int, float | None]]] = [[] for _ in self.material.classes]
        for feature, users in self.users.items():
            for k, coefficient in users:
                found[k].append((feature, coefficient))
        return [
            sorted(own, key=lambda read: -abs(read[1] or 0.0) * deviation[read[0]]) for own in found
        ]

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Mean of each feature that is read over the test rows of each class, [class, feature]."""
        material, used = self.material, list(self.users)
        found = np.full((len(material.classes), len(used)), -np.inf)
        for k in np.unique(material.y):
            found[k] = material.x[material.y == k][:, used].mean(axis=0)
        return found

    def highest(self, feature: int) -> list[int]:
        """The classes whose test rows have the highest values of a feature in the mean."""
        column = self.means[:, list(self.users).index(feature)]
        order = np.argsort(-column, kind="stable")[:NAMED]
        return [int(k) for k in order if np.isfinite(column[k])]

    def confused(self, k: int) -> list[tuple[int, int]]:
        """The classes that rows of a class are taken for most, and how many rows are.

        Of equals the one that has the higher score in the mean comes first.
        """
        material = self.material
        counts = material.confusions[k]
        others = [j for j in np.flatnonzero(counts).tolist() if j != k]
        if not others:
            return []
        scores = material.scores[material.y == k].mean(axis=0)
        return [(j, int(counts[j])) for j in sorted(others, key=lambda j: (-counts[j], -scores[j]))]

    @cached_property
    def sheet(self) -> Sheet | None:
        """The pictures of the page; None if there are none."""
        views = self.material.views
        return None if views is None else Sheet(views)

    @cached_property
    def with_pictures(self) -> dict[int, tuple[int, ...]]:
        """The features that have pictures, and the test rows where they are highest."""
        if self.material.views is None:
            return {}
        shown = sorted({feature for own in self.reads for feature, _ in own[:SHOWN]})
        each = min(self.examples, max(2, PICTURES // max(1, len(shown))))
        x = self.material.x
        return {feature: extremes(-x[:, feature].astype(np.float64), each) for feature in shown}

    def pictures(self, feature: int) -> Markup:
        """The pictures in which a feature is highest; nothing where it has none."""
        rows, sheet, material = self.with_pictures.get(feature, ()), self.sheet, self.material
        if not rows or sheet is None:
            return Markup("")
        name = material.formula.input_name(feature)
        said = (
            f"{material.classes[material.y[row]]}: {name} is {material.x[row, feature]:.3g}"
            for row in rows
        )
        shown = (sheet.show(row, feature, text) for row, text in zip(rows, said, strict=True))
        return tag("span", *shown, class_="few")

    def link(self, k: int) -> Markup:
        """A class, and the way to its card."""
        return tag("a", self.material.classes[k], href=f"#class-{k}")

    def links(self, classes: list[int]) -> Markup:
        """Several, with commas."""
        return join((self.link(k) for k in classes), ", ")

    def feature(self, feature: int) -> Markup:
        """A feature's name, and the way to the classes that share it, if there are several."""
        name = tag("math", name_mathml(self.material.formula.input_name(feature)))
        shared = len(self.users[feature]) > 1
        return tag("a", name, href=f"#feature-{feature}") if shared else name
