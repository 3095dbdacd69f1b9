"""Numbers as a page writes them."""

from __future__ import annotations

from collections.abc import Sequence

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number(value: float, digits: int = 4) -> str:
    """Significant digits, with a true minus sign."""
    return f"{value + 0.0:.{digits}g}".replace("-", "−")  # + 0.0 turns -0.0 into 0.0


def signed(value: float, digits: int = 4) -> str:
    """The same with a sign in any case, but for zero."""
    return f"{'+' if value > 0 else ''}{number(value, digits)}"


def percent(share: float) -> str:
    """A share of 1, with one decimal."""
    return f"{100 * share:.1f}\u00a0%"


def points(difference: float) -> str:
    """A difference of two shares of 1, in points of a hundred."""
    text = f"{100 * difference:+.1f}".replace("-", "−")
    return "±0" if text[1:] == "0.0" else text


def count(amount: int, noun: str) -> str:
    """``1 feature``, ``2 features``."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def in_words(amount: int) -> str:
    """``two`` and the like, up to ten."""
    return _WORDS[amount] if amount < len(_WORDS) else f"{amount:,}"


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
