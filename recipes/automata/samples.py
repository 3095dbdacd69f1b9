"""Windows of cells to learn a rule from: all of them, some of them, or with noisy labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occamhead.distill import FeatureSpec
from recipes.automata.rules import WINDOW, LifeRule

Ints = NDArray[np.int64]
CELLS = FeatureSpec.booleans(["left", "centre", "right"])
# The eight bits of an elementary rule, its states after windows 0 to 7, and a window.
RULE_AND_CELLS = FeatureSpec.booleans([*(f"x{bit}" for bit in range(8)), *CELLS.names])


@dataclass(frozen=True)
class Sample:
    """Windows to learn a rule from.

    Attributes:
        task: The task that they belong to.
        rule: The rule's name.
        spec: What a window is; the tests are on all windows.
        truth: The rule's classes of all windows in order.
        x: The windows to learn from, [samples, cells].
        y: Their labels, [samples].
        seed: What they were drawn with.
        noise: The share of labels that were flipped on average.
    """

    task: str
    rule: str
    spec: FeatureSpec
    truth: Ints
    x: Ints
    y: Ints
    seed: int
    noise: float = 0.0


def elementary(rule: int) -> Sample:
    """All eight windows of a rule in Wolfram's numbering."""
    windows = CELLS.rows()
    labels = np.right_shift(rule, windows @ np.array([4, 2, 1])) & 1
    return Sample("elementary", str(rule), CELLS, labels, windows, labels, seed=0)


def of_any_rule(samples: int, seed: int) -> Sample:
    """So many of the 2,048 pairs of an elementary rule and a window, each at most once."""
    rows = RULE_AND_CELLS.rows()
    labels = rows[np.arange(len(rows)), rows[:, 8:] @ [4, 2, 1]]
    chosen = np.random.default_rng(seed).permutation(len(rows))[:samples]
    return Sample("any", "any", RULE_AND_CELLS, labels, rows[chosen], labels[chosen], seed)


def without_repetition(task: str, rule: LifeRule, samples: int, seed: int) -> Sample:
    """So many of a rule's 512 windows, each at most once."""
    windows = WINDOW.rows()
    labels = rule.of_windows(windows)
    chosen = np.random.default_rng(seed).permutation(len(windows))[:samples]
    return Sample(task, str(rule), WINDOW, labels, windows[chosen], labels[chosen], seed)


def with_noise(task: str, rule: LifeRule, draws: int, noise: float, seed: int) -> Sample:
    """Windows drawn evenly with repetition; each label is flipped with a probability of `noise`."""
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 2, (draws, WINDOW.num_inputs))
    y = rule.of_windows(x) ^ (generator.random(draws) < noise)
    return Sample(task, str(rule), WINDOW, rule.of_windows(WINDOW.rows()), x, y, seed, noise)
