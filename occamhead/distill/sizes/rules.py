"""Programs for flat lists of any length: what they compute, and how they are written.

Every rule computes with Python's whole numbers, so that lists of a thousand bits are exact. At one
size its loops and sums can be unrolled: then it is an :class:`~occamhead.expression.Expression`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from occamhead.distill.collapse import LARGEST
from occamhead.distill.sizes.size_formulas import Formula, check_sizes, tokens
from occamhead.expression import Expression, ExpressionBuilder

Answer: TypeAlias = "int | list[int]"
# The weight of entry i of a part of length m: by its text, in which m stands for that length.
WEIGHTS: Mapping[str, Callable[[int, int], int]] = {
    "1": lambda i, m: 1,
    "2**i": lambda i, m: int(2**i),
    "2**(m - 1 - i)": lambda i, m: int(2 ** (m - 1 - i)),
    "(i + 1)": lambda i, m: i + 1,
    "(m - i)": lambda i, m: m - i,
}


class SizeRule(Protocol):
    """A program for any size."""

    @property
    def parts(self) -> int:
        """The number of equal parts that the list is cut into."""

    def value(self, x: Sequence[int]) -> Answer:
        """The class of a flat list, or one class per output."""

    def at(self, size: int) -> Expression:
        """The program at one size, loops and sums unrolled; `size` is a multiple of `parts`.

        Returns:
            One output, which is the class; for a list of classes one output per entry.

        Raises:
            ValueError: If a number of the program is beyond 2**52 at this size.
        """

    def lines(self) -> list[str]:
        """The body of ``predict(x)``."""


def exact(value: int) -> int:
    """A number of an unrolled program, which computes in float64; ValueError beyond 2**52."""
    if abs(value) > LARGEST:
        raise ValueError(
            f"at this size the program needs a number of {value.bit_length()} bits, and float64 is"
            " exact to 52; use predict(x) or source(), which compute with whole numbers"
        )
    return value


@dataclass(frozen=True)
class Direction:
    """One weighted sum at every size: the list is cut into equal parts that are weighted alike.

    Args:
        factors: One per part; 1 if there is one part only.
        weight: The weight of an entry by its place in the part, a key of ``WEIGHTS``.
    """

    factors: tuple[int, ...]
    weight: str

    def __post_init__(self) -> None:
        if self.weight not in WEIGHTS or not self.factors or not all(self.factors):
            raise ValueError(
                f"a direction has a factor other than 0 per part and one of the weights"
                f" {', '.join(WEIGHTS)}, got {self.factors} and {self.weight!r}"
            )

    def weights(self, n: int) -> list[int]:
        """The weight of each of n entries; n is a multiple of the number of parts."""
        m = n // len(self.factors)
        return [f * WEIGHTS[self.weight](i, m) for f in self.factors for i in range(m)]

    def sizes(self, n: int) -> dict[str, int]:
        """What formulas may speak of: n, and the length m of a part if there are several."""
        parts = len(self.factors)
        return {"n": n, "m": n // parts} if parts > 1 else {"n": n}

    def node(self, builder: ExpressionBuilder, n: int) -> int:
        """The sum over n inputs as a node of a formula."""
        weights = self.weights(n)
        exact(sum(map(abs, weights)))
        return builder.affine(0, [(w, builder.input(i)) for i, w in enumerate(weights)])

    def lines(self) -> list[str]:
        """Python that sets s; m and n are set before."""
        if len(self.factors) == 1:
            weight = self.weight.replace("m", "n")
            terms = f"{weight} * x[i] for i in range(n)"
            return ["s = sum(x)" if self.weight == "1" else f"s = sum({terms})"]
        names = "abcd"[: len(self.factors)]
        if self.weight == "1":
            total = _combination([f"sum({name})" for name in names], self.factors)
        else:
            entry = _combination([f"{name}[i]" for name in names], self.factors)
            total = f"sum({self.weight} * ({entry}) for i in range(m))"
        return [f"{', '.join(names)} = {slices(len(names))}", f"s = {total}"]


@dataclass(frozen=True)
class Steps:
    """The class of a sum s by the intervals between a few bounds.

    Args:
        classes: One per interval, from low to high.
        bounds: The highest value of each interval but the last.
    """

    classes: tuple[int, ...]
    bounds: tuple[Formula, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(self.bounds) != len(self.classes) - 1:
            raise ValueError(
                f"classes of intervals need a bound between any two, got {len(self.classes)}"
                f" classes and {len(self.bounds)} bounds"
            )

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """The numbers that depend on the size."""
        return self.bounds

    def value(self, s: int, sizes: Mapping[str, int]) -> int:
        # The first bound decides, as in the text, also where at some size bounds cross.
        met = (c for c, b in zip(self.classes, self.bounds, strict=False) if s <= b.value(sizes))
        return next(met, self.classes[-1])

    def node(self, builder: ExpressionBuilder, s: int, sizes: Mapping[str, int]) -> int:
        """The class as a node of a formula, given the node of the sum."""
        bounds = [builder.constant(exact(bound.value(sizes))) for bound in self.bounds]
        match self.classes:
            case (0, 1):
                return builder.apply("gt", s, bounds[0])
            case (1, 0):
                return builder.apply("le", s, bounds[0])
            case (0, 1, 0) | (1, 0, 1):
                above = builder.apply("gt", s, bounds[0])
                inside = builder.apply("min", above, builder.apply("le", s, bounds[1]))
                return inside if self.classes[1] else builder.affine(1, [(-1, inside)])
        node = builder.constant(self.classes[-1])
        for label, bound in zip(self.classes[-2::-1], bounds[::-1], strict=True):
            node = builder.apply(
                "where", builder.apply("le", s, bound), builder.constant(label), node
            )
        return node

    def __str__(self) -> str:
        match self.classes:
            case (0, 1):
                return f"s > {self.bounds[0]}"
            case (1, 0):
                return f"s <= {self.bounds[0]}"
            case (0, 1, 0) | (1, 0, 1):
                low, high = self.bounds
                inside = self.classes == (0, 1, 0)
                if low.shifted(1) == high:
                    return f"s {'==' if inside else '!='} {high}"
                return f"{'' if inside else 'not '}{low} < s <= {high}"
        cases = [
            f"{c} if s <= {bound}" for c, bound in zip(self.classes, self.bounds, strict=False)
        ]
        return " else ".join([*cases, str(self.classes[-1])])


@dataclass(frozen=True)
class Residue:
    """The class of a sum s by ``s // divisor % period``.

    Args:
        divisor: A positive number.
        classes: One per residue, so that the period is their number.
    """

    divisor: Formula
    classes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"a residue has two classes or more, got {self.classes}")

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """The numbers that depend on the size."""
        return (self.divisor,)

    def value(self, s: int, sizes: Mapping[str, int]) -> int:
        return self.classes[s // self._divisor(sizes) % len(self.classes)]

    def _divisor(self, sizes: Mapping[str, int]) -> int:
        if (divisor := self.divisor.value(sizes)) < 1:
            known = ", ".join(f"{name} = {size}" for name, size in sizes.items())
            raise ValueError(f"the divisor {self.divisor} is {divisor} at {known}; it must be >= 1")
        return divisor

    def node(self, builder: ExpressionBuilder, s: int, sizes: Mapping[str, int]) -> int:
        """The class as a node of a formula, given the node of the sum."""
        divisor, period = exact(self._divisor(sizes)), len(self.classes)
        shifted = builder.apply("floordiv", s, builder.constant(divisor)) if divisor > 1 else s
        residue = builder.apply("mod", shifted, builder.constant(period))
        if self.classes == tuple(range(period)):
            return residue
        if set(self.classes) == {0, 1}:
            few = int(2 * sum(self.classes) <= period)  # the class with fewer residues
            places = [r for r, c in enumerate(self.classes) if c == few]
            tests = [
                builder.apply("eq" if few else "ne", residue, builder.constant(r)) for r in places
            ]
            return tests[0] if len(tests) == 1 else builder.apply("max" if few else "min", *tests)
        node = builder.constant(self.classes[-1])
        for r, label in reversed([*enumerate(self.classes[:-1])]):
            is_r = builder.apply("eq", residue, builder.constant(r))
            node = builder.apply("where", is_r, builder.constant(label), node)
        return node

    def __str__(self) -> str:
        text, period = str(self.divisor), len(self.classes)
        # 2**k binds more closely than //; a sum does not.
        bare = tokens(text) == 1 or re.fullmatch(r"2\*\*\w+", text)
        shifted = "s" if text == "1" else f"s // {text if bare else f'({text})'}"
        residue = f"{shifted} % {period}"
        if self.classes == tuple(range(period)):
            return residue
        places = [r for r, c in enumerate(self.classes) if c]
        if set(self.classes) == {0, 1} and len(places) in (1, period - 1):
            single = places[0] if len(places) == 1 else self.classes.index(0)
            return f"{residue} {'==' if len(places) == 1 else '!='} {single}"
        return f"{self.classes}[{residue}]"


@dataclass(frozen=True)
class SumRule:
    """A class, or one per output k, read off one weighted sum.

    Args:
        outputs: How many outputs there are; None for one that is no list.
    """

    direction: Direction
    readout: Steps | Residue
    outputs: Formula | None = None

    def __post_init__(self) -> None:
        known = ("n", "m") if self.parts > 1 else ("n",)
        if self.outputs is not None:
            check_sizes([self.outputs], known)
            known = (*known, "k")
        check_sizes(self.readout.formulas, known)

    @property
    def parts(self) -> int:
        return len(self.direction.factors)

    def value(self, x: Sequence[int]) -> Answer:
        weights, sizes = self.direction.weights(len(x)), self.direction.sizes(len(x))
        s = sum(w * v for w, v in zip(weights, x, strict=True) if v)
        if self.outputs is None:
            return self.readout.value(s, sizes)
        return [self.readout.value(s, {**sizes, "k": k}) for k in range(self.outputs.value(sizes))]

    def at(self, size: int) -> Expression:
        builder, sizes = ExpressionBuilder(), self.direction.sizes(size)
        s = self.direction.node(builder, size)
        places: list[Mapping[str, int]] = [sizes]
        if self.outputs is not None:
            places = [{**sizes, "k": k} for k in range(self.outputs.value(sizes))]
        return builder.build([self.readout.node(builder, s, place) for place in places], size)

    def lines(self) -> list[str]:
        answer = str(self.readout)
        if self.outputs is not None:
            answer = f"[{answer} for k in range({self.outputs})]"
        body = [*self.direction.lines(), f"return {answer}"]
        names = set(re.findall(r"\w+", " ".join(body)))
        lengths = [("n", "n = len(x)"), ("m", f"m = len(x) // {self.parts}")]
        return [line for name, line in lengths if name in names] + body


@dataclass(frozen=True)
class PairRule:
    """The place of the entry that no other one exceeds (or, if not `largest`, undercuts).

    Args:
        first: Whether the first of several such entries is meant, or the last.
    """

    largest: bool
    first: bool

    @property
    def parts(self) -> int:
        return 1

    def value(self, x: Sequence[int]) -> Answer:
        extreme = max(x) if self.largest else min(x)
        places = [i for i, v in enumerate(x) if v == extreme]
        return places[0 if self.first else -1]

    def at(self, size: int) -> Expression:
        builder = ExpressionBuilder()
        entries = [builder.input(i) for i in range(size)]
        place = _place(builder, entries, "max" if self.largest else "min", self.first)
        return builder.build([place], size)

    def lines(self) -> list[str]:
        compare = ">=" if self.largest else "<="
        order = "range(len(x))" if self.first else "reversed(range(len(x)))"
        return [
            f"for i in {order}:",
            f"    if all(x[i] {compare} x[j] for j in range(len(x))):",
            "        return i",
        ]


def _place(builder: ExpressionBuilder, nodes: Sequence[int], extreme: str, first: bool) -> int:
    """The place of the highest ("max") or lowest ("min") of some nodes, the first or the last."""
    places = [*range(len(nodes))][:: -1 if first else 1]
    found = builder.constant(places[0])
    best = builder.apply(extreme, *nodes) if len(nodes) > 1 else nodes[0]
    for place in places[1:]:
        is_best = builder.apply("eq", nodes[place], best)
        found = builder.apply("where", is_best, builder.constant(place), found)
    return found


def class_node(builder: ExpressionBuilder, outputs: Sequence[int]) -> int:
    """The class of a program's outputs: the one output, or the first of the highest."""
    return outputs[0] if len(outputs) == 1 else _place(builder, outputs, "max", first=True)


def slices(count: int) -> str:
    """The parts of x, of length m each, as slices."""
    cuts = ["", *("m" if k == 1 else f"{k} * m" for k in range(1, count)), ""]
    return ", ".join(f"x[{low}:{high}]" for low, high in itertools.pairwise(cuts))


def _combination(names: Sequence[str], factors: Sequence[int]) -> str:
    text = ""
    for name, factor in zip(names, factors, strict=True):
        product = name if abs(factor) == 1 else f"{abs(factor)} * {name}"
        sign = "-" if factor < 0 else "+"
        text = f"{text} {sign} {product}" if text else ("-" if factor < 0 else "") + product
    return text
