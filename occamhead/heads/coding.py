"""What the sums of many classes have in common: a pool of features, and the sizes of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from occamhead.checks import check_counts, unknown_name
from occamhead.heads.limits import Limits

WEIGHTS = ("real", "ternary", "binary", "ternary-by-class", "binary-by-class")


@dataclass(frozen=True)
class Coding:
    """How sums are held together that have features of their own for each class.

    Args:
        shared: Most features that all classes read in all; None leaves each what it takes.
        weights: "real" numbers; "ternary" for 1, 0 or -1 times one number of the whole head, on
            standardised features; "binary" for 1 or 0 times one; with "-by-class" the number is one
            of each class. Intercepts are free.

    Raises:
        ValueError: If there are no such weights, or the pool is empty.
    """

    shared: int | None = None
    weights: str = "real"

    def __post_init__(self) -> None:
        check_counts(shared=self.shared)
        if self.weights not in WEIGHTS:
            raise ValueError(unknown_name("kind of weights", self.weights, WEIGHTS))

    @property
    def coded(self) -> bool:
        """Whether weights are signs times one number."""
        return self.weights != "real"

    @property
    def signed(self) -> bool:
        """Whether features may speak against a class."""
        return not self.weights.startswith("binary")

    @property
    def by_class(self) -> bool:
        """Whether each class has a number of its own."""
        return self.weights.endswith("-by-class")

    def check(
        self, classes: int, sizes: Sequence[int], per_class: bool = True, nodes: int = 0
    ) -> None:
        """Raise ValueError if a path does not go with these.

        Args:
            classes: Number of classes.
            sizes: The budgets.
            per_class, nodes: As :func:`occamhead.fit_path` takes them.
        """
        if self == Coding():
            return
        asked = f"shared={self.shared}" if self.shared else f"weights={self.weights!r}"
        if not per_class or nodes or classes < 3:
            raise ValueError(
                f"{asked} is for sums of three classes or more that have features of their own, got"
                f" per_class={per_class}, nodes={nodes} and {classes} classes; take per_class=True"
                " without nodes, or leave it out"
            )
        if self.shared is not None and max(sizes) > self.shared:
            raise ValueError(
                f"shared: a class cannot read {max(sizes)} features of a pool of {self.shared};"
                f" take shared={max(sizes)} or more, or budgets of at most {self.shared}"
            )

    def check_limits(self, limits: Limits) -> None:
        """Raise ValueError if features are forced that would not fit."""
        if limits.force and self.coded:
            raise ValueError(
                f"force: {self.weights} weights of a feature that every class reads say nothing,"
                f" got {list(limits.force)}; leave force out, or fit with weights='real'"
            )
        if self.shared is not None and len(limits.force) > self.shared:
            raise ValueError(
                f"force: {len(limits.force)} features do not fit into a pool of {self.shared};"
                " force fewer, or fit with a larger shared"
            )
