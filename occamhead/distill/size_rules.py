"""Programs for flat lists of any length: what they compute, and how they are written.

Every rule computes with Python's whole numbers, so that lists of a thousand bits are exact.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from occamhead.distill.formulas import Formula, tokens
from occamhead.distill.programs import source
from occamhead.distill.prove import classes_of
from occamhead.distill.spec import FeatureSpec
from occamhead.expression import Expression

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

    def lines(self) -> list[str]:
        """The body of ``predict(x)``."""


@dataclass(frozen=True)
class Direction:
    """One weighted sum at every size: the list is cut into equal parts that are weighted alike.

    Args:
        factors: One per part; 1 if there is one part only.
        weight: The weight of an entry by its place in the part, a key of ``WEIGHTS``.
    """

    factors: tuple[int, ...]
    weight: str

    def weights(self, n: int) -> list[int]:
        """The weight of each of n entries; n is a multiple of the number of parts."""
        m = n // len(self.factors)
        return [f * WEIGHTS[self.weight](i, m) for f in self.factors for i in range(m)]

    def sizes(self, n: int) -> dict[str, int]:
        """What formulas may speak of: n, and the length m of a part if there are several."""
        parts = len(self.factors)
        return {"n": n, "m": n // parts} if parts > 1 else {"n": n}

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
        return [f"{', '.join(names)} = {_parts(len(names))}", f"s = {total}"]


@dataclass(frozen=True)
class Steps:
    """The class of a sum s by the intervals between a few bounds.

    Args:
        classes: One per interval, from low to high.
        bounds: The highest value of each interval but the last.
    """

    classes: tuple[int, ...]
    bounds: tuple[Formula, ...]

    def value(self, s: int, sizes: Mapping[str, int]) -> int:
        # The first bound decides, as in the text, also where at some size bounds cross.
        met = (c for c, b in zip(self.classes, self.bounds, strict=False) if s <= b.value(sizes))
        return next(met, self.classes[-1])

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

    def value(self, s: int, sizes: Mapping[str, int]) -> int:
        return self.classes[s // self.divisor.value(sizes) % len(self.classes)]

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

    @property
    def parts(self) -> int:
        return len(self.direction.factors)

    def value(self, x: Sequence[int]) -> Answer:
        weights, sizes = self.direction.weights(len(x)), self.direction.sizes(len(x))
        s = sum(w * v for w, v in zip(weights, x, strict=True) if v)
        if self.outputs is None:
            return self.readout.value(s, sizes)
        return [self.readout.value(s, {**sizes, "k": k}) for k in range(self.outputs.value(sizes))]

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

    def lines(self) -> list[str]:
        compare = ">=" if self.largest else "<="
        order = "range(len(x))" if self.first else "reversed(range(len(x)))"
        return [
            f"for i in {order}:",
            f"    if all(x[i] {compare} x[j] for j in range(len(x))):",
            "        return i",
        ]


@dataclass(frozen=True)
class Recurrence:
    """A step that runs along the list, from the first entry to the last, and hands on a state.

    The list is cut into equal parts, and step i reads entry i of each of them. The state is 0 at
    the start; the answer is what every step puts out, and then the last state.

    Args:
        output, state: What a step puts out and what it hands on, of the entries and the state.
        spec: The inputs of both, of which the last is the state.
    """

    output: Expression
    state: Expression
    spec: FeatureSpec

    def __post_init__(self) -> None:
        taken = {"x", "m", "found", "step", "put_out", "len", "zip"} & {*self.spec.names}
        if self.spec.num_inputs < 2 or taken:
            raise ValueError(
                "a step reads at least one entry and the state, under names that its program does"
                f" not use itself, got {', '.join(self.spec.names)}; rename them"
            )

    @property
    def parts(self) -> int:
        return self.spec.num_inputs - 1

    def value(self, x: Sequence[int]) -> Answer:
        m = len(x) // self.parts
        known: dict[tuple[int, ...], tuple[int, int]] = {}  # steps are few, lists are long
        found, state = [], 0
        for i in range(m):
            step = (*x[i::m], state)
            if step not in known:
                row = np.array([step])
                known[step] = (
                    int(classes_of(self.output, row)[0]),
                    int(classes_of(self.state, row)[0]),
                )
            put_out, state = known[step]
            found.append(put_out)
        return [*found, state]

    def lines(self) -> list[str]:
        *names, state = self.spec.names
        parts = self.parts
        entries = f"zip({_parts(parts)})" if parts > 1 else "x"
        return [
            *_function("put_out", self.output, self.spec),
            *_function(f"next_{state}", self.state, self.spec),
            *([f"m = len(x) // {parts}"] if parts > 1 else []),
            f"found, {state} = [], 0",
            f"for {', '.join(names)} in {entries}:",
            f"    step = [{', '.join(self.spec.names)}]",
            "    found.append(put_out(step))",
            f"    {state} = next_{state}(step)",
            f"return [*found, {state}]",
        ]


def _parts(count: int) -> str:
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


def _function(name: str, program: Expression, spec: FeatureSpec) -> list[str]:
    """The program as a function of the step x."""
    _, body = source(program, spec).split('"""\n', 1)
    return [f"def {name}(x):", *body.rstrip("\n").split("\n")]
