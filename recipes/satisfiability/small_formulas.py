"""Formulas of six variables, solved by brute force: what a rule for assignment is learned from."""

from __future__ import annotations

import numpy as np

from recipes.satisfiability.assignment import Ints

LENGTHS = 3  # literals of the longest clause
SMALL = 6  # variables of the formulas to learn from
FEWEST, MOST = 6, 24  # clauses of these: one to four a variable


def small_formulas(generator: np.random.Generator, formulas: int) -> tuple[Ints, Ints]:
    """Random formulas of six variables, with clauses of one to three literals, evenly.

    Returns:
        The plain and the negated variables of each clause as bit masks, [formulas, clauses] each;
        formulas of fewer clauses than the longest are filled up with clauses without a literal.
    """
    shape = formulas, MOST
    order = generator.random((*shape, SMALL)).argsort(axis=-1)
    length = generator.integers(1, LENGTHS + 1, shape)
    there = np.arange(MOST) < generator.integers(FEWEST, MOST + 1, (formulas, 1))
    chosen = (order < length[..., None]) & there[..., None]
    plain = generator.random(chosen.shape) < 0.5
    bits = 1 << np.arange(SMALL)
    return (chosen & plain) @ bits, (chosen & ~plain) @ bits


def most_satisfied(plain: Ints, negated: Ints) -> Ints:
    """Most clauses that can be satisfied once a variable has a value, [formulas, variables, 2]."""
    assignments = np.arange(1 << SMALL)
    satisfied = np.stack(
        [(((plain & a) | (negated & ~a)) != 0).sum(axis=1) for a in assignments], axis=1
    )
    value = assignments[:, None] >> np.arange(SMALL) & 1
    return np.stack(
        [
            np.stack([satisfied[:, value[:, v] == k].max(axis=1) for k in (0, 1)], axis=1)
            for v in range(SMALL)
        ],
        axis=1,
    )


def examples(plain: Ints, negated: Ints) -> tuple[Ints, Ints]:
    """What the rule sees of each variable, [rows, 3], and which value is the better, [rows].

    Variables whose two values are equally good are left out. Negating a variable everywhere turns
    the differences and the better value around, so every example is taken both ways.
    """
    is_plain, is_negated = (mask[..., None] >> np.arange(SMALL) & 1 for mask in (plain, negated))
    length = (is_plain + is_negated).sum(axis=-1, keepdims=True)
    difference = is_plain - is_negated
    x = np.stack([(difference * (length == k + 1)).sum(axis=1) for k in range(LENGTHS)], axis=-1)
    best = most_satisfied(plain, negated)
    decided = best[..., 0] != best[..., 1]
    x, y = x[decided], (best[..., 1] > best[..., 0])[decided].astype(np.int64)
    return np.concatenate([x, -x]), np.concatenate([y, 1 - y])
