"""The smallest ``or`` of ``and``s of a few Booleans: Quine (1952), McCluskey (1956)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Term: TypeAlias = tuple[int | None, ...]  # per input the value that it must have, if any


def minimum(labels: NDArray[np.integer], names: Sequence[str]) -> str:
    """The two-level form of the fewest tokens, as Python.

    All covers by prime implicants are tried, so it is for three inputs or four.

    Args:
        labels: 0 or 1 for each row, [2 ** inputs]; the last input runs fastest.
        names: One per input.
    """
    points = list(itertools.product((0, 1), repeat=len(names)))
    wanted = {point for point, label in zip(points, labels, strict=True) if label}
    if not wanted or len(wanted) == len(points):
        return str(int(bool(wanted)))
    held = {
        term: {point for point in points if _holds(term, point)}
        for term in itertools.product((0, 1, None), repeat=len(names))
    }
    implicants = [term for term, inside in held.items() if inside <= wanted]
    primes = [t for t in implicants if not any(held[t] < held[other] for other in implicants)]
    covers = (
        chosen
        for size in range(1, len(primes) + 1)
        for chosen in itertools.combinations(primes, size)
        if set().union(*(held[term] for term in chosen)) == wanted
    )
    texts = (" or ".join(_text(term, names) for term in chosen) for chosen in covers)
    return min(texts, key=lambda text: len(text.split()))


def _holds(term: Term, point: tuple[int, ...]) -> bool:
    return all(value is None or value == bit for value, bit in zip(term, point, strict=True))


def _text(term: Term, names: Sequence[str]) -> str:
    literals = zip(term, names, strict=True)
    return " and ".join(name if value else f"not {name}" for value, name in literals
                        if value is not None)  # fmt: skip
