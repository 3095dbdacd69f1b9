"""Formulas in conjunctive normal form, and ways to give their variables values one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Formulas:
    """Formulas of as many variables and clauses each.

    Args:
        variables: [formulas, clauses, literals]; ascending within a clause.
        plain: Whether the literal is the variable itself, not its negation; same shape.
        num_variables: Number of variables.
    """

    variables: Ints
    plain: Bools
    num_variables: int

    def __len__(self) -> int:
        return len(self.variables)

    def by_variable(self) -> Iterator[Occurrences]:
        """All literals of one variable after the other."""
        _, clauses, literals = self.variables.shape
        order = np.argsort(self.variables, axis=None, kind="stable")
        ends = np.searchsorted(self.variables.ravel()[order], np.arange(self.num_variables + 1))
        for variable, (start, end) in enumerate(itertools.pairwise(ends)):
            clause, place = np.divmod(order[start:end], literals)
            plain = self.plain.reshape(-1, literals)[clause, place]
            yield Occurrences(variable, clause // clauses, clause, place, plain)


@dataclass(frozen=True)
class Occurrences:
    """The literals of one variable in all formulas, [literals] each."""

    variable: int
    formula: Ints
    clause: Ints  # counted over all formulas
    place: Ints  # in the clause; the literals at earlier places have their values already
    plain: Bools

    def where(self, kept: Bools) -> Occurrences:
        return Occurrences(
            self.variable,
            self.formula[kept],
            self.clause[kept],
            self.place[kept],
            self.plain[kept],
        )

    def total(self, values: Floats, formulas: int) -> Floats:
        """Sum of values over the plain literals minus that over the negated, [formulas]."""
        signed = np.where(self.plain, values, -values)
        return np.asarray(np.bincount(self.formula, signed, formulas), dtype=np.float64)


Choice: TypeAlias = Callable[[Occurrences], Bools]
Rule: TypeAlias = Callable[[Ints], Ints]


def random_formulas(
    generator: np.random.Generator, formulas: int, variables: int, clauses: int, literals: int = 3
) -> Formulas:
    """Clauses of so many literals of different variables, each plain or negated, evenly."""
    drawn = generator.integers(0, variables, (formulas * clauses, literals))
    while True:
        drawn.sort(axis=1)
        repeated = (np.diff(drawn, axis=1) == 0).any(axis=1)
        if not repeated.any():
            break
        drawn[repeated] = generator.integers(0, variables, (int(repeated.sum()), literals))
    shape = formulas, clauses, literals
    return Formulas(drawn.reshape(shape), generator.random(shape) < 0.5, variables)


def assign(formulas: Formulas, choose: Choice) -> Floats:
    """Give the variables their values one after the other.

    Args:
        formulas: What to satisfy.
        choose: From the literals of the next variable in clauses that are not satisfied yet to
            its values, [formulas].

    Returns:
        Share of the clauses that are satisfied, [formulas].
    """
    count, clauses, _ = formulas.variables.shape
    is_open = np.ones(count * clauses, dtype=bool)
    for literals in formulas.by_variable():
        left = literals.where(is_open[literals.clause])
        value = choose(left)
        is_open[left.clause[value[left.formula] == left.plain]] = False
    return np.asarray(1 - is_open.reshape(count, clauses).mean(axis=1))


def by_rule(formulas: Formulas, rule: Rule) -> Choice:
    """Choose by a rule that counts literals.

    Of the clauses with one, two, ... literals left it sees those with the variable plain minus
    those with it negated, [formulas, literals], and returns values 0 or 1, [formulas].
    """
    size = formulas.variables.shape[2]

    def choose(literals: Occurrences) -> Bools:
        length = size - literals.place
        x = [literals.total((length == k + 1) * 1.0, len(formulas)) for k in range(size)]
        return rule(np.stack(x, axis=1).astype(np.int64)) == 1

    return choose


def weighing(weights: Sequence[int]) -> Rule:
    """The rule that weighs clauses with one, two, ... literals left so; false on a tie."""
    return lambda x: (x @ np.array(weights) > 0).astype(np.int64)


def by_expectation(formulas: Formulas, probability: Floats) -> Choice:
    """Johnson's method of conditional expectations (J Comput Syst Sci 9, 256-278, 1974).

    Args:
        formulas: What to satisfy.
        probability: With which each variable would be true, [formulas, variables]. With 1/2 it is
            the rule that weighs clauses of one, two and three literals 4 : 2 : 1.
    """
    count, _, size = formulas.variables.shape
    p = probability[np.arange(count)[:, None, None], formulas.variables]
    false = np.where(formulas.plain, 1 - p, p).reshape(-1, size)
    after = np.ones_like(false)  # probability that all later literals of the clause are false
    after[:, :-1] = np.cumprod(false[:, :0:-1], axis=1)[:, ::-1]
    return lambda left: left.total(after[left.clause, left.place], len(formulas)) > 0


def randomised(formulas: Formulas, generator: np.random.Generator) -> Choice:
    """A randomised 3/4-approximation: true with a probability by what both values gain at once.

    Source: van Zuylen, Simpler 3/4-approximation algorithms for MAX SAT, WAOA 2011, in the form of
    Poloczek, Williamson & van Zuylen (arXiv 1308.3405), written from its public description.
    """
    return lambda left: (
        generator.random(len(formulas)) < _probability(formulas, left, np.ones(len(left.place)))
    )


def two_pass_probability(formulas: Formulas) -> Floats:
    """Probabilities for a 3/4-approximation by conditional expectations, [formulas, variables].

    They are those of :func:`randomised`, with what is expected in the place of what is known.

    Source: Poloczek, Schnitger, Williamson & van Zuylen, SIAM J Comput 46, 1029-1061, 2017,
    written from its public description.
    """
    probability = np.zeros((len(formulas), formulas.num_variables))
    # Probability that all literals of a clause so far are false.
    unsatisfied = np.ones(formulas.variables[..., 0].size)
    for literals in formulas.by_variable():
        p = _probability(formulas, literals, unsatisfied[literals.clause])
        probability[:, literals.variable] = p
        p = p[literals.formula]
        unsatisfied[literals.clause] *= np.where(literals.plain, 1 - p, p)
    return probability


def _probability(formulas: Formulas, literals: Occurrences, unsatisfied: Floats) -> Floats:
    """t / (t + f), [formulas], or 0 or 1 where t or f is not positive.

    With B half of (clauses satisfied + clauses not falsified), t and f are twice what B gains if
    the variable is true, or false.
    """
    count, is_last = len(formulas), literals.place == formulas.variables.shape[2] - 1

    def gain(satisfies: Bools) -> Floats:
        change = np.where(satisfies, unsatisfied, -unsatisfied * is_last)
        return np.maximum(np.bincount(literals.formula, change, count), 0)

    t, f = gain(literals.plain), gain(~literals.plain)
    # Both are 0 where the variable is in no clause, or changes nothing.
    return np.where(f > 0, t / np.where(f > 0, t + f, 1), 1.0)
