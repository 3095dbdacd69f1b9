"""Cellular automata in the manner of Life: their rules, windows and boards.

The next state of a cell depends on its own state and on how many of its eight neighbours live
("outer totalistic"; Packard & Wolfram, J Stat Phys 38, 901-946, 1985).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occamhead.distill import FeatureSpec

Ints = NDArray[np.int64]
WINDOW = FeatureSpec.window()  # 3 x 3 cells, row by row
_CENTRE = 4
_COUNTS = 9  # a cell has from none to eight living neighbours
NUM_RULES = 1 << 2 * _COUNTS


@dataclass(frozen=True)
class LifeRule:
    """At how many living neighbours a dead cell is born, and a living one survives."""

    birth: frozenset[int]
    survival: frozenset[int]

    @classmethod
    def parse(cls, notation: str) -> LifeRule:
        """A rule from its usual notation, such as ``B3/S23`` for Life.

        Raises:
            ValueError: If it is no such notation.
        """
        found = re.fullmatch(r"B([0-8]*)/S([0-8]*)", notation)
        if found is None:
            raise ValueError(
                f"a rule is written B, the neighbours of a birth, /S, those of survival, each from"
                f" 0 to 8, such as B3/S23; got {notation!r}"
            )
        birth, survival = (frozenset(map(int, digits)) for digits in found.groups())
        return cls(birth, survival)

    def __str__(self) -> str:
        birth, survival = ("".join(map(str, sorted(s))) for s in (self.birth, self.survival))
        return f"B{birth}/S{survival}"

    def next_state(self, alive: Ints, neighbours: Ints) -> Ints:
        """The next states, 0 or 1, of cells with so many living neighbours; any shape."""
        born = np.isin(neighbours, list(self.birth))
        stays = np.isin(neighbours, list(self.survival))
        return np.where(alive == 1, stays, born).astype(np.int64)

    def of_windows(self, windows: Ints) -> Ints:
        """The next state of the middle cell of each window, [windows, 9]: 0 or 1, [windows]."""
        alive = windows[..., _CENTRE]
        return self.next_state(alive, windows.sum(axis=-1) - alive)

    def step(self, board: Ints) -> Ints:
        """The next board, [rows, columns] of 0 and 1; opposite edges meet."""
        neighbours = sum(np.roll(board, shift, (0, 1)) for shift in _SHIFTS) - board
        return self.next_state(board, neighbours)


# Where the cells of a window come from when the board moves: its upper left cell from down right.
_SHIFTS = [(down, right) for down in (1, 0, -1) for right in (1, 0, -1)]
LIFE = LifeRule.parse("B3/S23")
NAMES = {
    LIFE: "Life",
    LifeRule.parse("B36/S23"): "HighLife",
    LifeRule.parse("B3678/S34678"): "Day & Night",
    LifeRule.parse("B3/S12345"): "Maze",
    LifeRule.parse("B2/S"): "Seeds",
    LifeRule.parse("B3/S012345678"): "Life without Death",
}


def random_rules(count: int, seed: int) -> list[LifeRule]:
    """Different rules, drawn evenly from all 2 ** 18.

    Raises:
        ValueError: If there are not so many.
    """
    if not 0 <= count <= NUM_RULES:
        raise ValueError(f"there are {NUM_RULES} rules, got a count of {count}")
    codes = np.random.default_rng(seed).choice(NUM_RULES, size=count, replace=False)
    sets = codes[:, None] >> np.arange(2 * _COUNTS) & 1
    return [
        LifeRule(
            frozenset(np.flatnonzero(bits[:_COUNTS]).tolist()),
            frozenset(np.flatnonzero(bits[_COUNTS:]).tolist()),
        )
        for bits in sets
    ]


def windows_of(board: Ints) -> Ints:
    """The window around each cell, [rows, columns, 9]; opposite edges of the board meet."""
    return np.stack([np.roll(board, shift, (0, 1)) for shift in _SHIFTS], axis=-1)
