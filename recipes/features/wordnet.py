"""WordNet's tree of nouns, whose numbers ImageNet's classes bear (release 3.0)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_parents(file: Path) -> dict[str, list[str]]:
    """What each noun is a kind of, by numbers such as n02102040, from the file data.noun."""
    parents = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue  # the licence
        number, _, _, words, *rest = line.split(" | ")[0].split()
        rest = rest[2 * int(words, 16) :]
        pointers = [rest[1 + 4 * i : 5 + 4 * i] for i in range(int(rest[0]))]
        parents[f"n{number}"] = [f"n{to}" for kind, to, *_ in pointers if kind in ("@", "@i")]
    return parents


def distances(
    parents: dict[str, list[str]], some: Sequence[str], others: Sequence[str]
) -> NDArray[np.int64]:
    """Steps in the tree from each of some nouns to each of others: 2 between siblings."""
    above = {noun: _above(parents, noun) for noun in {*some, *others}}
    far = 1 + 2 * len(parents)

    def steps(a: str, b: str) -> int:
        shared = above[a].keys() & above[b].keys()
        return min((above[a][noun] + above[b][noun] for noun in shared), default=far)

    return np.array([[steps(a, b) for b in others] for a in some])


def _above(parents: dict[str, list[str]], noun: str) -> dict[str, int]:
    """The nouns of which one is a kind, itself among them, and in how many steps."""
    steps, queue = {noun: 0}, deque([noun])
    while queue:
        this = queue.popleft()
        for parent in parents.get(this, ()):
            if parent not in steps:
                steps[parent] = steps[this] + 1
                queue.append(parent)
    return steps
