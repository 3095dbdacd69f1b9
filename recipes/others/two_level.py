"""The smallest ``or`` of ``and``s of a few Booleans: Quine (1952), McCluskey (1956)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
MOST_INPUTS = 9  # that a table is covered for; beyond, prime implicants are too many
FREE = 2  # stands in a term for an input of any value
# Symmetric rules can be covering problems that nobody has solved; a bound on nodes, unlike one on
# seconds, gives the same cover on every machine.
_MOST_NODES = 20
_TIME_LIMIT = 60.0  # seconds, lest a single node takes for ever


@dataclass(frozen=True)
class Cover:
    """Terms that together are true where they should be.

    Attributes:
        terms: What each term asks of each input, [terms, inputs]: 0, 1 or `FREE`.
        tokens: The names, ``not``, ``and`` and ``or`` of `text`.
        at_least: So many tokens every cover is proven to have.
    """

    terms: Ints
    tokens: int
    at_least: int

    @property
    def is_minimum(self) -> bool:
        """Whether it is proven that no cover has fewer tokens."""
        return self.tokens == self.at_least

    def holds(self, rows: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether any term is true of each row, [rows, inputs]."""
        return np.asarray(_fits(self.terms, rows).any(axis=0))

    def text(self, names: Sequence[str]) -> str:
        """The cover as Python, with one name per input."""
        if len(self.terms) == 0 or (self.terms == FREE).all(axis=1).any():
            return str(min(len(self.terms), 1))
        return " or ".join(
            " and ".join(
                name if value else f"not {name}"
                for value, name in zip(term, names, strict=True)
                if value != FREE
            )
            for term in self.terms.tolist()
        )


def smallest_cover(labels: NDArray[np.integer], seen: NDArray[np.bool_] | None = None) -> Cover:
    """The two-level form of the fewest tokens that could be found.

    The prime implicants are found by joining, and their cheapest cover by mixed-integer
    programming, which also bounds what any cover takes.

    Args:
        labels: 0 or 1 for each row of the truth table, [2 ** inputs]; the last input runs fastest.
        seen: The rows whose label matters, [2 ** inputs]; None means all.

    Raises:
        ValueError: If the rows are no truth table.
        RuntimeError: If a minute was too short to find any cover.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    inputs = len(labels).bit_length() - 1
    marked = np.ones(len(labels), bool) if seen is None else seen
    if len(labels) != 2**inputs or len(marked) != len(labels):
        raise ValueError(
            f"a truth table has 2 ** inputs rows, got {len(labels)} labels and {len(marked)} marks"
        )
    every = np.arange(2**inputs)[:, None] >> np.arange(inputs)[::-1] & 1
    wanted = labels.astype(bool) & marked
    primes = _primes(wanted | ~marked, inputs)
    if not wanted.any() or (primes == FREE).all(axis=1).any():
        return Cover(primes[: int(wanted.any())], tokens=1, at_least=1)
    # A literal is a name, its "not" if it has one, and the "and" or "or" that joins it to the next.
    tokens = 2 * (primes != FREE).sum(axis=1) + (primes == 0).sum(axis=1)
    found = milp(
        tokens,
        integrality=np.ones(len(primes)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(csr_array(_fits(primes, every[wanted]).T.astype(float)), lb=1),
        options={"time_limit": _TIME_LIMIT, "mip_rel_gap": 0.0, "node_limit": _MOST_NODES},
    )
    if found.x is None:
        raise RuntimeError(
            f"no cover of {wanted.sum()} rows by {len(primes)} prime implicants was found within"
            f" {_TIME_LIMIT:g} s: {found.message}"
        )
    chosen = found.x > 0.5
    # Tokens are whole numbers; the solver's bound is one up to its own tolerance.
    bound = int(np.ceil(found.mip_dual_bound - 1e-6))
    return Cover(primes[chosen], int(tokens[chosen].sum()) - 1, bound - 1)


def _fits(terms: Ints, rows: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which term is true of which row, [terms, rows]."""
    return np.asarray(((terms[:, None] == FREE) | (terms[:, None] == rows[None])).all(axis=2))


def _primes(allowed: NDArray[np.bool_], inputs: int) -> Ints:
    """The terms that hold for allowed rows only and to which no input can be set free."""
    holding = allowed.reshape((2,) * inputs)
    for axis in range(inputs):
        # A term with the input free holds if it does with both of the input's values.
        free = holding.all(axis=axis, keepdims=True)
        holding = np.concatenate([holding, free], axis=axis)
    prime = holding.copy()
    for axis in range(inputs):
        fixed = np.moveaxis(prime, axis, 0)[:FREE]
        fixed &= ~np.moveaxis(holding, axis, 0)[FREE:]
    return np.argwhere(prime)
